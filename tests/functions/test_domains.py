"""A domain leads to one deployment: who has it is told at POST, and of two at once one gets it."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.functions.waiting import ask, executions, spec, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.berth import Berth

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-domains")

NUMBERS = itertools.count()
WRITE = "storage.objects.insert"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The api with workflows behind it that wait."""
    with waiting(tmp_path_factory.mktemp("berth")) as made:
        yield made


@pytest.fixture
def berth(shared: Berth) -> Iterator[Berth]:
    """The same; a planned fault that never happened fails the test."""
    yield shared
    assert shared.cloud.unused_faults() == {}


@pytest.fixture
def domain() -> str:
    """A domain that nobody has asked for."""
    return f"mlflow{next(NUMBERS)}.example.com"


def fresh() -> str:
    """Return a name that nobody has."""
    return f"dom{next(NUMBERS)}"


def want(berth: Berth, name: str, domain: str, **more: Any) -> Any:
    """Ask for a deployment at a domain."""
    return ask(berth, name, load_balancer={"domain": domain}, **more)


def holder(berth: Berth, domain: str) -> Any:
    """Return what the registry says of a domain."""
    return berth.get(f"domains/{domain}.json")


def promised(berth: Berth, domain: str, name: str, *, ago: timedelta) -> None:
    """Promise a domain, and die before the spec is written."""
    since = (datetime.now(UTC) - ago).isoformat()
    berth.put(f"domains/{domain}.json", {"deployment": name, "since": since})


def test_the_second_one_is_told_whose_it_is(berth: Berth, domain: str) -> None:
    """At once, with the name, the state and what to do; nothing of it is on record."""
    one, two = fresh(), fresh()
    assert want(berth, one, domain).status_code == 202

    answer = want(berth, two, domain)

    assert answer.status_code == 409, answer.text
    assert answer.json()["type"].endswith(":domain-taken")
    assert f"belongs to the deployment {one} (PENDING)" in answer.json()["detail"]
    assert answer.json()["errors"][0]["pointer"] == "/load_balancer/domain"
    assert f"DELETE {one} first" in answer.json()["remedy"]
    assert "Choose another domain" in answer.json()["remedy"]
    assert berth.api("GET", f"/v1/deployments/{two}").status_code == 404
    assert executions(berth, two) == []


def test_a_rehearsal_is_told_as_well_and_promises_nothing(berth: Berth, domain: str) -> None:
    """validate_only answers as the request would, and leaves the domain to whoever asks."""
    body = {"name": fresh(), "team": "risk", "load_balancer": {"domain": domain}}
    path = "/v1/deployments?validate_only=true"

    free = berth.api("POST", path, body)
    one = fresh()
    assert want(berth, one, domain).status_code == 202
    taken = berth.api("POST", path, body)

    assert free.status_code == 200
    assert taken.status_code == 409
    assert one in taken.json()["detail"]
    assert holder(berth, domain)["deployment"] == one


def test_nothing_is_told_of_another_team_s_deployment(berth: Berth, domain: str) -> None:
    """Neither its name nor how far it is."""
    hidden = fresh()
    berth.wish(hidden, team="ghosts", load_balancer={"domain": domain})
    promised(berth, domain, hidden, ago=timedelta(hours=1))

    answer = want(berth, fresh(), domain)

    assert answer.status_code == 409
    assert hidden not in answer.text
    assert "another team" in answer.json()["detail"]
    assert "ask an admin" in answer.json()["remedy"]


def test_of_many_at_once_one_gets_it(berth: Berth, domain: str) -> None:
    """The registry's compare-and-swap decides; all others are told whose it is."""
    names = [fresh() for _ in range(8)]

    def until_decided(name: str) -> Any:
        # However slow the machine is: 503 says that nobody knows yet, and to ask again.
        while (answer := want(berth, name, domain)).status_code == 503:
            pass
        return answer

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(until_decided, names))

    (winner,) = [n for n, a in zip(names, answers, strict=True) if a.status_code == 202]
    others = [answer for answer in answers if answer.status_code != 202]
    assert [answer.status_code for answer in others] == [409] * 7
    assert all(winner in answer.json()["detail"] for answer in others)
    assert holder(berth, domain)["deployment"] == winner


def test_the_same_request_again_has_its_domain(berth: Berth, domain: str) -> None:
    """A repeat, and a retry after a failure, are nobody else's."""
    name = fresh()
    assert want(berth, name, domain).status_code == 202
    assert want(berth, name, domain).status_code == 202
    berth.report(name, "FAILED", execution=executions(berth, name)[0]["name"])

    assert want(berth, name, domain).status_code == 202
    assert spec(berth, name)["generation"] == 2


@pytest.mark.parametrize("state", ["READY", "PROVISIONING", "DELETING"])
def test_it_is_taken_for_as_long_as_anything_of_its_deployment_is_there(
    berth: Berth, domain: str, state: str
) -> None:
    """Also while it is being removed."""
    one = fresh()
    want(berth, one, domain)
    berth.report(one, state, execution=executions(berth, one)[0]["name"])

    answer = want(berth, fresh(), domain)

    assert answer.status_code == 409
    assert f"({state})" in answer.json()["detail"]


def test_a_failure_that_left_something_keeps_it(berth: Berth, domain: str) -> None:
    """The authorisation of the domain may be among what is left."""
    one = fresh()
    want(berth, one, domain)
    berth.report(one, "FAILED", execution=executions(berth, one)[0]["name"])
    berth.put(f"deployments/{one}/claims/network.json", {})

    assert want(berth, fresh(), domain).status_code == 409


@pytest.mark.parametrize("state", ["DELETED", "FAILED"])
def test_it_is_free_when_nothing_of_its_deployment_is_left(
    berth: Berth, domain: str, state: str
) -> None:
    """Nobody has to give it back; and the first one, asking again, is told whose it is now."""
    one, two = fresh(), fresh()
    want(berth, one, domain)
    berth.report(one, state, execution=executions(berth, one)[0]["name"])

    assert want(berth, two, domain).status_code == 202

    assert holder(berth, domain)["deployment"] == two
    back = want(berth, one, domain)
    assert back.status_code == 409
    assert two in back.json()["detail"]


def test_it_is_free_when_its_deployment_has_another_one_now(berth: Berth, domain: str) -> None:
    """What counts is what its deployment wants."""
    one = fresh()
    berth.wish(one, load_balancer={"domain": f"other.{domain}"})
    promised(berth, domain, one, ago=timedelta(hours=1))

    assert want(berth, fresh(), domain).status_code == 202


def test_a_promise_that_was_never_used_runs_out(berth: Berth, domain: str) -> None:
    """The request died between the two writes; minutes later the domain is anybody's."""
    promised(berth, domain, fresh(), ago=timedelta(minutes=3))

    assert want(berth, fresh(), domain).status_code == 202


def test_a_promise_that_may_still_be_used_is_waited_for(berth: Berth, domain: str) -> None:
    """Nobody knows yet, so nobody is told that it is taken: the same request may be sent again."""
    promised(berth, domain, fresh(), ago=timedelta(seconds=1))

    answer = want(berth, fresh(), domain)

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert domain in answer.json()["detail"]


def test_a_lost_reply_is_no_other_deployment(berth: Berth, domain: str) -> None:
    """The promise was written and nobody was told; the repeat of the write finds its own words."""
    name = fresh()
    berth.cloud.lose_reply(WRITE)

    assert want(berth, name, domain).status_code == 202
    assert holder(berth, domain)["deployment"] == name


def test_an_object_that_somebody_broke_is_named(berth: Berth, domain: str) -> None:
    """A person wrote into the registry; the answer says where."""
    berth.put(f"domains/{domain}.json", {"owner": "me"})

    answer = want(berth, fresh(), domain)

    assert answer.status_code == 500
    assert f"domains/{domain}.json" in answer.json()["detail"]


def test_without_a_domain_nothing_is_promised(berth: Berth) -> None:
    """Most deployments have none."""
    before = berth.cloud.calls.count(WRITE)

    assert ask(berth, fresh()).status_code == 202

    assert berth.cloud.calls.count(WRITE) == before + 1
