"""An installation without a pool: pooled requests are refused, dedicated ones have their own."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.holdings import difference, holdings
from tests.end_to_end.installation import PROJECT, Installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

POOLED = {"name": "pooled", "team": "risk"}


@pytest.fixture(scope="module")
def poolless(berth: Installation, door: dict[str, Any]) -> Iterator[str]:  # noqa: ARG001 - quiet
    """What `install apply --pool none` prints; the pool is offered again afterwards."""
    printed = berth.install("--pool", "none")
    heard_by_the_api(berth, 400)
    yield printed
    berth.install()
    heard_by_the_api(berth, 200)


def heard_by_the_api(berth: Installation, status: int) -> None:
    """Wait until the api answers a pooled wish so: it reads platform.json every five seconds."""
    deadline = time.monotonic() + 240
    path = "/v1/deployments?validate_only=true"
    while (answer := berth.api("POST", path, POOLED)).status_code != status:
        assert time.monotonic() < deadline, answer.text
        time.sleep(0.5)


def test_installing_again_touches_what_differs_only(poolless: str) -> None:
    """Of some sixty rows one is new: what the functions are told about the pool."""
    touched = [line.split()[1:] for line in poolless.splitlines() if "updated  " in line]

    assert [words[0] for words in touched] == [f"gs://{PROJECT}-berth-registry/platform.json"]
    assert "created  " not in poolless


@pytest.mark.usefixtures("poolless")
def test_without_a_pool_pooled_is_refused_with_the_reason(berth: Installation) -> None:
    """400, says which two contradict each other and what would work."""
    answer = berth.api("POST", "/v1/deployments", POOLED)

    assert answer.status_code == 400
    assert "without a shared instance" in answer.text
    assert answer.json()["errors"][0]["allowed"] == ["dedicated"]


@pytest.mark.usefixtures("poolless")
def test_a_dedicated_deployment_lives_and_goes(berth: Installation) -> None:
    """It gets a PostgreSQL of its own, and leaves nothing of it but Cloud SQL's final backup.

    That one is asked for, expires after 30 days, and is what an operator restores from when the
    wrong deployment was deleted.
    """
    before = holdings(berth)
    instances = f"https://sqladmin.googleapis.com/v1/projects/{PROJECT}/instances"

    berth.post("alone", placement="dedicated")
    made = berth.wait("alone", "READY", "FAILED")
    own = [item["name"] for item in berth.google(instances)["items"] if "alone" in item["name"]]
    removed = berth.delete("alone")

    assert made["state"] == "READY", made
    assert len(own) == 1
    assert removed["state"] == "DELETED", removed
    (backup,) = difference(before, holdings(berth), removed="alone").values()
    assert backup[0] == "nothing"
    assert backup[1]["type"] == "FINAL"
    assert backup[1]["instance"] == own[0]
