"""Asking for deployments: repeats, races, conflicts, and what is told about it."""

from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from schemas.plan import Plan
from tests.functions.waiting import ask, executions, spec, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.berth import Berth

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-lifecycle")

START = "workflowexecutions.projects.locations.workflows.executions.create"


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


def test_asking_is_202_and_says_where_to_look(berth: Berth) -> None:
    """The spec is on record, one execution is started with a reference to it and nothing else."""
    answer = ask(berth, "demo")

    assert answer.status_code == 202, answer.text
    assert answer.headers["Location"] == "/v1/deployments/demo"
    assert answer.json()["state"] == "PENDING"
    assert answer.json()["request"]["access"]["members"] == ["user:ana@example.com"]
    (execution,) = executions(berth, "demo")
    assert json.loads(execution["argument"]) == {"deployment": "demo", "generation": 1}
    assert (spec(berth, "demo")["generation"], spec(berth, "demo")["desired"]) == (1, "present")


def test_a_rehearsal_makes_nothing(berth: Berth) -> None:
    """validate_only answers with the plan, and that is all."""
    before = len(berth.cloud.calls)
    answer = berth.api(
        "POST", "/v1/deployments?validate_only=true", {"name": "never", "team": "risk"}
    )

    assert answer.status_code == 200
    assert berth.api("GET", "/v1/deployments/never").status_code == 404
    writes = [call for call in list(berth.cloud.calls)[before:] if "insert" in call.method]
    assert writes == []


def test_a_name_and_a_team_are_enough(berth: Berth) -> None:
    """The plan shows every part, with the one who asked among those who may enter."""
    body = {"name": "smallest", "team": "risk"}
    answer = berth.api("POST", "/v1/deployments?validate_only=true", body)

    assert answer.status_code == 200, answer.text
    plan = Plan.model_validate(answer.json())
    assert [part.part for part in plan.parts] == [
        "identity",
        "image",
        "backend_store",
        "artifact_root",
        "schema",
        "tracking_server",
        "access",
    ]
    assert "user:ana@example.com" in answer.text


def test_a_rehearsal_is_refused_as_the_request_would_be(berth: Berth) -> None:
    """What exists with other content, belongs to others or is one too many is not planned."""
    small = {"team": "fraud", "region": "us-central1", "placement": "dedicated"}
    body = {"name": "rehearsed", "team": "risk"}
    assert ask(berth, "rehearsed").status_code == 202
    assert berth.api("POST", "/v1/deployments", {"name": "only", **small}).status_code == 202

    for wish, status in (
        ({**body, "size": "large"}, 409),
        ({**body, "team": "ghosts"}, 409),
        ({**small, "name": "more"}, 403),
        (body, 202),
    ):
        real, rehearsal = (
            berth.api("POST", f"/v1/deployments{query}", wish, who="owner@example.com")
            for query in ("", "?validate_only=true")
        )
        assert real.status_code == status
        assert rehearsal.status_code == (200 if status == 202 else status)
        assert status == 202 or rehearsal.json() == real.json()


def test_twenty_at_once_make_one(berth: Berth) -> None:
    """One spec, and every caller gets the same answer."""
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: ask(berth, "twenty"), range(20)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.text for answer in answers}) == 1
    assert spec(berth, "twenty")["generation"] == 1


def test_a_repeat_hears_what_the_first_one_heard(berth: Berth) -> None:
    """POST tells what was accepted; how far it is by now is for GET to say."""
    first = ask(berth, "steady")
    execution = executions(berth, "steady")[0]["name"]
    berth.report(
        "steady", "PROVISIONING", execution=execution, parts={"identity": {"state": "DONE"}}
    )

    second = ask(berth, "steady")

    assert second.json() == first.json()
    assert berth.api("GET", "/v1/deployments/steady").json()["state"] == "PROVISIONING"


def test_a_colleague_repeats_the_same(berth: Berth) -> None:
    """Who asks first is a member; the same request of another of the team changes nothing."""
    ask(berth, "shared")
    berth.report("shared", "READY", execution=executions(berth, "shared")[0]["name"])

    answer = ask(berth, "shared", who="bob@risk.example.com")

    assert answer.status_code == 202, answer.text
    assert answer.json()["created_by"] == "ana@example.com"
    assert len(executions(berth, "shared")) == 1


def test_other_content_is_a_conflict_that_names_the_difference(berth: Berth) -> None:
    """409 says what differs and what to do."""
    ask(berth, "taken")

    answer = ask(berth, "taken", size="large")

    assert answer.status_code == 409
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/size"]
    assert "small" in answer.json()["errors"][0]["message"]
    assert "PATCH" in answer.json()["remedy"]
    assert spec(berth, "taken")["request"]["size"] == "small"


def test_the_name_of_another_team_is_taken(berth: Berth) -> None:
    """Nothing of the other team's deployment is told."""
    ask(berth, "theirs")

    answer = berth.api(
        "POST", "/v1/deployments", {"name": "theirs", "team": "ghosts"}, who="owner@example.com"
    )
    rules = {"name": "theirs", "team": "fraud", "region": "us-central1", "placement": "dedicated"}
    stranger = berth.api(
        "POST", "/v1/deployments", rules, who="ci@acme-mlflow.iam.gserviceaccount.com"
    )

    assert answer.status_code == 409
    assert stranger.status_code == 409
    assert stranger.json()["type"] == "urn:berth:problem:name-taken"
    assert "errors" not in stranger.json() or not stranger.json()["errors"]


def test_a_team_gets_no_more_than_its_limit(berth: Berth) -> None:
    """403 names the limit; the deployment that fills it may still be repeated."""
    body = {"team": "fraud", "region": "us-central1", "placement": "dedicated"}
    first = berth.api("POST", "/v1/deployments", {"name": "only", **body})

    second = berth.api("POST", "/v1/deployments", {"name": "more", **body})
    again = berth.api("POST", "/v1/deployments", {"name": "only", **body})

    assert (first.status_code, second.status_code, again.status_code) == (202, 403, 202)
    assert "deployments of the team fraud is 1" in second.json()["detail"]
    assert berth.api("GET", "/v1/deployments/more").status_code == 404


def test_what_could_not_be_started_is_started_by_the_same_request(berth: Berth) -> None:
    """The wish is on record; 503 invites to repeat, and the repeat starts the workflow."""
    berth.cloud.fail(START, 403, message="workflows.executions.create denied")

    refused = ask(berth, "later")
    again = ask(berth, "later")

    assert refused.status_code == 503
    assert "on record" in refused.json()["detail"]
    assert again.status_code == 202
    assert len(executions(berth, "later")) == 1
    assert spec(berth, "later")["generation"] == 1


def test_a_lost_reply_to_the_write_is_no_defeat(berth: Berth) -> None:
    """Our own object is in the way of the retry, and is recognised."""
    berth.cloud.lose_reply("storage.objects.insert")

    answer = ask(berth, "lost")

    assert answer.status_code == 202, answer.text
    assert spec(berth, "lost")["generation"] == 1


def test_a_topic_that_is_down_fails_nothing(berth: Berth) -> None:
    """The registry is the record; the event is only told."""
    berth.cloud.fail("pubsub.projects.topics.publish", 403)

    assert ask(berth, "silent").status_code == 202


def test_after_a_failure_the_same_request_begins_again(berth: Berth) -> None:
    """FAILED is an end; a new generation starts, under a new uid since the old one is gone."""
    ask(berth, "failed")
    uid = spec(berth, "failed")["uid"]
    berth.report("failed", "FAILED", problem={"title": "x", "status": 502, "detail": "y"})

    answer = ask(berth, "failed")

    assert (answer.status_code, answer.json()["state"]) == (202, "PENDING")
    assert answer.json()["generation"] == 2
    assert answer.json()["problem"] is None
    assert spec(berth, "failed")["uid"] != uid
    argument = json.loads(executions(berth, "failed")[0]["argument"])
    assert argument == {"deployment": "failed", "generation": 2}


def test_after_a_clean_failure_other_content_may_be_asked_for(berth: Berth) -> None:
    """What was wrong with the first request is often the reason to change it."""
    ask(berth, "changed")
    berth.report("changed", "FAILED")

    answer = ask(berth, "changed", size="medium")

    assert (answer.status_code, answer.json()["generation"]) == (202, 2)
    assert answer.json()["request"]["size"] == "medium"


def test_what_was_kept_of_a_failure_keeps_its_names(berth: Berth) -> None:
    """With KEEP the same request goes on from there; other content would strand what is there."""
    ask(berth, "kept", on_failure="KEEP")
    uid = spec(berth, "kept")["uid"]
    berth.report("kept", "FAILED")
    berth.put("deployments/kept/claims/backend_store.json", {})

    other = ask(berth, "kept", on_failure="KEEP", size="medium")
    same = ask(berth, "kept", on_failure="KEEP")

    assert (other.status_code, same.status_code) == (409, 202)
    assert (spec(berth, "kept")["uid"], spec(berth, "kept")["generation"]) == (uid, 2)


def test_an_execution_that_vanished_is_replaced(berth: Berth) -> None:
    """A status that says PROVISIONING while nothing runs would stay so for ever."""
    ask(berth, "stuck")
    name = executions(berth, "stuck")[0]["name"]
    berth.report("stuck", "PROVISIONING", execution=name)
    busy = ask(berth, "stuck")
    berth.google("POST", f"https://workflowexecutions.googleapis.com/v1/{name}:cancel", {})

    answer = ask(berth, "stuck")

    assert busy.json()["generation"] == 1
    assert (answer.status_code, answer.json()["generation"]) == (202, 2)


def balanced(berth: Berth, name: str) -> Any:
    """Ask for a deployment at a domain of its own."""
    return ask(berth, name, load_balancer={"domain": f"{name}.example.com"})


def test_a_watch_that_vanished_is_taken_up_by_the_same_request(berth: Berth) -> None:
    """The deployment stays as it is, in the same generation; somebody looks at its domain again."""
    balanced(berth, "unwatched")
    name = executions(berth, "unwatched")[0]["name"]
    berth.report("unwatched", "READY", execution=name, certificate="PROVISIONING")
    busy = balanced(berth, "unwatched")
    before = len(executions(berth, "unwatched"))
    berth.google("POST", f"https://workflowexecutions.googleapis.com/v1/{name}:cancel", {})

    answer = balanced(berth, "unwatched")

    assert (busy.status_code, before) == (202, 1)
    assert (answer.status_code, answer.json()["generation"]) == (202, 1)
    assert len(executions(berth, "unwatched")) == 2


def test_asking_again_for_what_is_broken_ends_its_watch(berth: Berth) -> None:
    """FAILED with an issued certificate is still watched; the new execution does all of it anew."""
    balanced(berth, "broken")
    name = executions(berth, "broken")[0]["name"]
    berth.report("broken", "FAILED", execution=name, certificate="ACTIVE")

    answer = balanced(berth, "broken")

    assert (answer.status_code, answer.json()["generation"]) == (202, 2)
    states = [execution["state"] for execution in executions(berth, "broken")]
    assert sorted(states) == ["ACTIVE", "CANCELLED"]


def test_a_domain_that_works_is_not_watched(berth: Berth) -> None:
    """The same request again starts nothing."""
    balanced(berth, "proved")
    name = executions(berth, "proved")[0]["name"]
    berth.report("proved", "READY", execution=name, certificate="ACTIVE")
    berth.google("POST", f"https://workflowexecutions.googleapis.com/v1/{name}:cancel", {})

    balanced(berth, "proved")

    assert len(executions(berth, "proved")) == 1


def test_every_wish_is_announced_once(berth: Berth) -> None:
    """PENDING and DELETING come from the api, as CloudEvents in the order of the deployment."""
    url = f"https://pubsub.googleapis.com/v1/projects/{berth.cloud.project}/subscriptions/all"
    _pulled(berth, url)
    ask(berth, "told")
    ask(berth, "told")
    berth.api("DELETE", "/v1/deployments/told")

    messages = _pulled(berth, url)

    assert [message["attributes"]["ce-id"] for message in messages] == [
        "told/1/PENDING",
        "told/2/DELETING",
    ]
    first = messages[0]
    event = json.loads(base64.b64decode(first["data"]))
    assert first["orderingKey"] == "told"
    assert first["attributes"]["ce-type"] == "berth.deployment.state"
    assert (first["attributes"]["team"], first["attributes"]["state"]) == ("risk", "PENDING")
    assert (event["deployment"], event["generation"], event["state"]) == ("told", 1, "PENDING")


def _pulled(berth: Berth, url: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while True:
        body = {"maxMessages": 1000, "returnImmediately": True}
        answer = json.loads(berth.google("POST", f"{url}:pull", body).body)
        received = answer.get("receivedMessages", [])
        if not received:
            return found
        ids = [one["ackId"] for one in received]
        berth.google("POST", f"{url}:acknowledge", {"ackIds": ids})
        found += [one["message"] for one in received]
