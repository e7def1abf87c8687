"""What the workflows write down and publish: status, claims, metadata, events."""

import base64
import json
from typing import Any

import pytest

from schemas.claim import Claim
from schemas.deployment import Status
from schemas.event import StatusEvent
from tests.workflows.berth import Berth
from tests.workflows.test_failures import is_ready

# A minute of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

TOPIC = "projects/berth-local/topics/berth-events"
SUBSCRIPTION = "projects/berth-local/subscriptions/listener"
PUBSUB = "https://pubsub.googleapis.com/v1"
STORAGE = "https://storage.googleapis.com/storage/v1/b/berth-local-berth-registry/o"


@pytest.fixture
def heard(berth: Berth) -> Any:
    """Return what reads every message that was published since."""
    body = {"topic": TOPIC, "enableMessageOrdering": True}
    berth.ask("PUT", f"{PUBSUB}/{SUBSCRIPTION}", body)

    def read() -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = []
        while found := berth.ask(
            "POST", f"{PUBSUB}/{SUBSCRIPTION}:pull", {"maxMessages": 100, "returnImmediately": True}
        ).get("receivedMessages"):
            messages.extend(one["message"] for one in found)
            berth.ask(
                "POST",
                f"{PUBSUB}/{SUBSCRIPTION}:acknowledge",
                {"ackIds": [one["ackId"] for one in found]},
            )
        return messages

    return read


def event(message: dict[str, Any]) -> StatusEvent:
    """Return the status event in a message."""
    return StatusEvent.model_validate_json(base64.b64decode(message["data"]))


def test_every_change_of_state_is_published_in_order(berth: Berth, heard: Any) -> None:
    """Each state once, as a status event that the schema knows."""
    berth.provision()
    berth.tear_down()

    events = [event(message) for message in heard()]

    assert [one.state for one in events] == ["PROVISIONING", "READY", "DELETING", "DELETED"]
    assert [one.id for one in events] == [
        "demo/1/PROVISIONING",
        "demo/1/READY",
        "demo/2/DELETING",
        "demo/2/DELETED",
    ]
    assert events[1].url is not None


def test_an_event_is_a_cloud_event_that_subscriptions_can_filter(berth: Berth, heard: Any) -> None:
    """Attributes by which to choose, and an order for each deployment."""
    berth.provision()

    message = heard()[-1]
    attributes = message["attributes"]

    assert message["orderingKey"] == "demo"
    assert {key: attributes[key] for key in ("team", "deployment", "state")} == {
        "team": "risk",
        "deployment": "demo",
        "state": "READY",
    }
    assert attributes["ce-specversion"] == "1.0"
    assert attributes["ce-type"] == "berth.deployment.state"
    assert attributes["ce-id"] == event(message).id
    assert attributes["ce-datacontenttype"] == "application/json"


def test_a_failure_is_published_with_its_problem(berth: Berth, heard: Any) -> None:
    """Who listens need not ask what went wrong."""
    berth.cloud.fail("storage.buckets.insert", status=403, message="a rule forbids it")

    berth.provision()
    failed = event(heard()[-1])

    assert failed.state == "FAILED"
    assert failed.problem is not None
    assert failed.problem.cause is not None
    assert "a rule forbids it" in failed.problem.cause


def test_the_status_is_valid_at_every_moment(berth: Berth) -> None:
    """Whoever reads status.json in between finds a whole document, with its metadata beside it."""
    execution = berth.launch("provision", "demo", berth.want("demo"))
    seen: set[str] = set()
    for _ in range(150):
        berth.clock.advance(2)
        found = berth.read("deployments/demo/status.json")
        status = Status.model_validate(found)
        seen.update(f"{part}:{one.state}" for part, one in status.parts.items())
        metadata = berth.ask("GET", f"{STORAGE}/deployments%2Fdemo%2Fstatus.json")["metadata"]
        assert metadata["state"] == status.state
        assert metadata["team"] == "risk"
        assert metadata["generation"] == "1"

    assert is_ready(berth.finish("demo", execution))
    assert {"backend_store:RUNNING", "image:RUNNING", "image:DONE", "verify:DONE"} <= seen


def test_a_ready_deployment_shows_where_it_is(berth: Berth) -> None:
    """URL, every URL, and in the metadata of the object what a list shows."""
    made = berth.provision()
    metadata = berth.ask("GET", f"{STORAGE}/deployments%2Fdemo%2Fstatus.json")["metadata"]

    assert made.status["url"].startswith("https://mlflow-demo-")
    assert made.status["url"] in made.status["urls"]
    assert metadata["url"] == made.status["url"]
    assert metadata["state"] == "READY"
    assert made.result == {"outcome": "READY", "url": made.status["url"]}


def test_the_claims_are_what_the_schema_says(berth: Berth) -> None:
    """A later Berth reads them, so their form is a contract."""
    berth.provision(placement="dedicated")

    parts = berth.claims()
    claims = [
        Claim.model_validate(berth.read(f"deployments/demo/claims/{part}.json")) for part in parts
    ]

    assert {claim.part for claim in claims} == set(parts)
    assert "image" not in parts
    assert {"identity", "backend_store", "artifact_root", "tracking_server"} <= set(parts)


def test_the_parallel_parts_all_report(berth: Berth) -> None:
    """Three branches write one object at the same moment, and no word is lost."""
    made = berth.provision()

    parts = made.status["parts"]

    assert next(iter(parts)) == "identity"
    assert {"image", "backend_store", "artifact_root"} <= set(parts)
    assert all(part["started"] and part["finished"] and part["summary"] for part in parts.values())


def test_a_failed_part_says_so_although_the_others_went_well(berth: Berth) -> None:
    """With KEEP the status shows what is there and what is not."""
    berth.cloud.fail("sql.databases.insert", status=400, message="no")

    failed = berth.provision(on_failure="KEEP")

    states = {part: one["state"] for part, one in failed.status["parts"].items()}
    assert states["backend_store"] == "FAILED"
    assert states["image"] == states["artifact_root"] == states["identity"] == "DONE"
    assert "schema" not in states


def test_a_delete_before_anything_has_begun_ends_well(berth: Berth) -> None:
    """The execution of the request never came to life; there is nothing to remove."""
    berth.want("demo")

    removed = berth.tear_down()

    assert removed.state == "DELETED"
    assert removed.result == {"outcome": "DELETED"}


@pytest.mark.parametrize("kind", ["application/json", "application/problem+json"])
def test_a_planner_that_is_down_is_told_as_such(berth: Berth, kind: str) -> None:
    """Even without anybody to explain it, the deployment is FAILED with words and a remedy."""
    host = "berth-plan-123456789012.europe-west1.run.app"

    def down(_environ: dict[str, Any], start: Any) -> list[bytes]:
        start("500 x", [("Content-Type", kind)])
        return [json.dumps({"detail": "out of order"}).encode()]

    berth.cloud.ingress.mount(host, down)

    failed = berth.provision()
    status = Status.model_validate(failed.status)

    assert status.state == "FAILED"
    assert status.problem is not None
    assert status.problem.cause == "out of order"
    assert status.problem.step == "identity"
    assert status.problem.remedy


def test_an_execution_stays_far_from_the_limits(berth: Berth) -> None:
    """A hundred thousand steps are allowed; the longest way takes a tenth of them."""
    made = berth.provision(
        placement="dedicated", access={"mode": "basic_auth", "admin_username": "admin"}
    )

    url = f"https://workflowexecutions.googleapis.com/v1/{made.execution['name']}/stepEntries"
    count = int(berth.ask("GET", f"{url}?pageSize=1").get("totalSize", 0))

    assert is_ready(made), made.error
    assert 1_000 < count < 15_000
