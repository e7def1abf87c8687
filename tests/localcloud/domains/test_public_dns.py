"""dns.google answers as Google's public resolver does, from what the name servers say here."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud

NAME = "mlflow.example.com"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A cloud where somebody keeps records with another provider."""
    made = Cloud(tmp_path / "state", clock=VirtualClock())
    made.resolver.publish(NAME, "A", "203.0.113.10")
    made.resolver.publish("alias.example.com", "CNAME", f"{NAME}.")
    yield made
    made.close()


def ask(
    cloud: Cloud, query: str, *, path: str = "/resolve", method: str = "GET"
) -> tuple[int, Any]:
    """Ask the resolver."""
    answer = cloud.request(method, f"https://dns.google{path}?{query}")
    return answer.status, answer.json()


@pytest.mark.parametrize("query", [f"name={NAME}", f"name={NAME}.&type=a", f"name={NAME}&type=1"])
def test_a_record_is_told_by_the_number_of_its_type(cloud: Cloud, query: str) -> None:
    """A is asked for unless something else is; names may end with a dot."""
    status, answer = ask(cloud, query)

    assert (status, answer["Status"]) == (200, 0)
    (found,) = answer["Answer"]
    assert (found["name"], found["type"], found["data"]) == (f"{NAME}.", 1, "203.0.113.10")


def test_an_alias_is_told_with_what_it_leads_to(cloud: Cloud) -> None:
    """Both are in the answer."""
    _, answer = ask(cloud, "name=alias.example.com&type=A")

    assert [(one["type"], one["data"]) for one in answer["Answer"]] == [
        (5, f"{NAME}."),
        (1, "203.0.113.10"),
    ]


@pytest.mark.parametrize(
    ("query", "status"), [(f"name={NAME}&type=AAAA", 0), ("name=nobody.example.com", 3)]
)
def test_nothing_is_told_as_nothing(cloud: Cloud, query: str, status: int) -> None:
    """A name without records of the type is there; one without any is not."""
    code, answer = ask(cloud, query)

    assert (code, answer["Status"]) == (200, status)
    assert "Answer" not in answer


@pytest.mark.parametrize(
    ("query", "path", "method", "status"),
    [
        ("", "/resolve", "GET", 400),
        ("name=.", "/resolve", "GET", 400),
        (f"name={NAME}&type=BOGUS", "/resolve", "GET", 400),
        (f"name={NAME}", "/dns-query", "GET", 404),
        (f"name={NAME}", "/resolve", "POST", 404),
    ],
)
def test_what_it_does_not_know_is_refused(
    cloud: Cloud, query: str, path: str, method: str, status: int
) -> None:
    """Other paths, methods, types, and no name at all."""
    assert ask(cloud, query, path=path, method=method)[0] == status
