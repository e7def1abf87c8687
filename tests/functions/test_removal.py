"""Taking deployments away: in every state, any number of times, whatever runs for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.functions.waiting import ask, executions, spec, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.berth import Berth


# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-removal")


@pytest.fixture(scope="module")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The api with workflows behind it that wait."""
    with waiting(tmp_path_factory.mktemp("berth")) as made:
        yield made


@pytest.fixture(autouse=True)
def every_fault_happens(berth: Berth) -> Iterator[None]:
    """A planned fault that never happened fails the test."""
    yield
    assert berth.cloud.unused_faults() == {}


def test_deleting_cancels_what_runs_and_starts_the_teardown(berth: Berth) -> None:
    """202 in the middle of provisioning; the old execution is stopped."""
    ask(berth, "away")
    name = executions(berth, "away")[0]["name"]
    berth.report("away", "PROVISIONING", execution=name)

    answer = berth.api("DELETE", "/v1/deployments/away")

    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == "/v1/deployments/away"
    assert (answer.json()["state"], answer.json()["generation"]) == ("DELETING", 2)
    (running,) = executions(berth, "away")
    assert running["state"] == "CANCELLED"
    (teardown,) = executions(berth, "away", "teardown")
    assert json.loads(teardown["argument"]) == {"deployment": "away", "generation": 2}
    assert spec(berth, "away")["desired"] == "absent"


@pytest.mark.parametrize(
    ("state", "certificate"),
    [("READY", "PROVISIONING"), ("READY", "FAILED"), ("FAILED", "ACTIVE")],
)
def test_deleting_cancels_who_watches_a_domain(berth: Berth, state: str, certificate: str) -> None:
    """The deployment is made, and its execution still looks at the certificate for days."""
    deployment = f"w-{state.lower()}-{certificate.lower()}"[:20].rstrip("-")
    ask(berth, deployment, load_balancer={"domain": f"{deployment}.example.com"})
    name = executions(berth, deployment)[0]["name"]
    berth.report(deployment, state, execution=name, certificate=certificate)

    answer = berth.api("DELETE", f"/v1/deployments/{deployment}")

    assert answer.status_code == 202, answer.text
    assert executions(berth, deployment)[0]["state"] == "CANCELLED"
    assert len(executions(berth, deployment, "teardown")) == 1


def test_deleting_cancels_even_when_the_reply_to_its_write_is_lost(berth: Berth) -> None:
    """The write took effect, so what follows from it must follow, the event included."""
    ask(berth, "unheard")
    name = executions(berth, "unheard")[0]["name"]
    berth.report("unheard", "PROVISIONING", execution=name)
    berth.cloud.lose_reply("storage.objects.insert")

    answer = berth.api("DELETE", "/v1/deployments/unheard")

    assert (answer.status_code, answer.json()["generation"]) == (202, 2)
    assert executions(berth, "unheard")[0]["state"] == "CANCELLED"


def test_deleting_twice_is_deleting_once(berth: Berth) -> None:
    """The same answer; nothing more is started once the teardown has begun."""
    ask(berth, "twice")
    first = berth.api("DELETE", "/v1/deployments/twice")
    execution = executions(berth, "twice", "teardown")[0]["name"]
    berth.report("twice", "DELETING", generation=2, execution=execution)

    second = berth.api("DELETE", "/v1/deployments/twice")

    assert (first.status_code, second.status_code) == (202, 202)
    assert second.json() == first.json()
    assert len(executions(berth, "twice", "teardown")) == 1


@pytest.mark.parametrize("state", ["PENDING", "READY", "FAILED", "DELETED"])
def test_deleting_is_legal_in_every_state(berth: Berth, state: str) -> None:
    """Whatever it is doing, and even when it is gone."""
    name = f"s-{state.lower()}"
    berth.wish(name, desired="absent" if state == "DELETED" else "present")
    if state != "PENDING":
        berth.report(name, state)

    answer = berth.api("DELETE", f"/v1/deployments/{name}")

    assert answer.status_code == 202, answer.text
    assert answer.json()["state"] == ("DELETED" if state == "DELETED" else "DELETING")


def test_a_removal_that_failed_can_be_repeated(berth: Berth) -> None:
    """DELETE again is the way, and POST says so."""
    berth.wish("half", desired="absent", generation=2)
    berth.report("half", "FAILED", generation=2)

    asked = ask(berth, "half")
    again = berth.api("DELETE", "/v1/deployments/half")

    assert asked.status_code == 409
    assert "DELETE again" in asked.json()["remedy"]
    assert (again.status_code, again.json()["generation"]) == (202, 3)
    assert len(executions(berth, "half", "teardown")) == 1


def test_while_it_is_being_removed_it_cannot_be_asked_for(berth: Berth) -> None:
    """409 says when to come back."""
    berth.wish("going", desired="absent", generation=2)
    berth.report("going", "DELETING", generation=2)

    answer = ask(berth, "going")

    assert answer.status_code == 409
    assert "being removed" in answer.json()["detail"]


def test_a_teardown_that_nobody_goes_on_with_is_taken_up(berth: Berth) -> None:
    """An execution that had too much to do let go of the lease, and could not start the next one."""
    berth.wish("huge", desired="absent", generation=2)
    berth.report("huge", "DELETING", generation=2, execution=None)

    answer = berth.api("DELETE", "/v1/deployments/huge")

    assert (answer.status_code, answer.json()["generation"]) == (202, 2)
    (teardown,) = executions(berth, "huge", "teardown")
    assert json.loads(teardown["argument"]) == {"deployment": "huge", "generation": 2}


def test_deleting_goes_on_where_nothing_could_be_cancelled(berth: Berth) -> None:
    """The teardown waits for what still runs, so a cancellation that fails is no reason to stop."""
    ask(berth, "deaf")
    name = executions(berth, "deaf")[0]["name"]
    berth.report("deaf", "PROVISIONING", execution=name)
    berth.cloud.reset("cloudbuild.projects.builds.list")

    answer = berth.api("DELETE", "/v1/deployments/deaf")

    assert answer.status_code == 202, answer.text
    assert len(executions(berth, "deaf", "teardown")) == 1


def test_a_name_can_be_used_again_once_it_is_free(berth: Berth) -> None:
    """After DELETED a new one begins, whoever asks, with a later generation."""
    berth.wish("reborn", desired="absent", generation=2, team="fraud")
    berth.report("reborn", "DELETED", generation=2, team="fraud")

    answer = ask(berth, "reborn")

    assert (answer.status_code, answer.json()["generation"]) == (202, 3)
    assert answer.json()["team"] == "risk"
