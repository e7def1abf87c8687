"""What is not ours is neither changed nor removed, whatever its name."""

import json
from typing import Any

import pytest

from tests.workflows.berth import Berth
from workflows.bundle import bundle

# A minute of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

PROJECT = "berth-local"
ACCOUNTS = f"https://iam.googleapis.com/v1/projects/{PROJECT}/serviceAccounts"

FOREIGN: dict[str, tuple[str, str, dict[str, Any]]] = {
    "identity": (
        ACCOUNTS,
        f"{ACCOUNTS}/mlflow-demo%40{PROJECT}.iam.gserviceaccount.com",
        {"accountId": "mlflow-demo", "serviceAccount": {"displayName": "somebody's"}},
    ),
    "artifact_root": (
        f"https://storage.googleapis.com/storage/v1/b?project={PROJECT}",
        f"https://storage.googleapis.com/storage/v1/b/{PROJECT}-mlflow-demo",
        {"name": f"{PROJECT}-mlflow-demo", "location": "EUROPE-WEST1"},
    ),
    "backend_store": (
        f"https://sqladmin.googleapis.com/v1/projects/{PROJECT}/instances/berth-pool-1/databases",
        f"https://sqladmin.googleapis.com/v1/projects/{PROJECT}/instances/berth-pool-1/databases/demo",
        {"name": "demo"},
    ),
}


@pytest.fixture
def few_at_once(berth: Berth) -> None:
    """Deploy a teardown that deletes two objects a page, and at most four."""
    source = bundle("teardown").replace("maxResults=200", "maxResults=2")
    assert "most: 6000" in source
    url = f"https://workflows.googleapis.com/v1/projects/{PROJECT}/locations/europe-west1/workflows"
    berth.ask(
        "PATCH",
        f"{url}/berth-teardown?updateMask=sourceContents",
        {"sourceContents": source.replace("most: 6000", "most: 4")},
    )
    berth.clock.advance(60)


@pytest.mark.parametrize("part", FOREIGN)
def test_a_foreign_resource_in_the_way_is_named_and_left_alone(berth: Berth, part: str) -> None:
    """FAILED at that part; the resource is what it was, and ours are taken back."""
    create, url, body = FOREIGN[part]
    berth.ask("POST", create, body)
    berth.clock.advance(600)
    found = berth.ask("GET", url)
    before = berth.resources()

    failed = berth.provision()

    assert failed.state == "FAILED"
    assert failed.error["tags"] == ["NotOurs"]
    assert failed.error["part"] == part
    assert url in failed.error["message"]
    assert berth.ask("GET", url) == found
    assert berth.resources() == before


@pytest.mark.parametrize("part", FOREIGN)
def test_nothing_of_a_part_is_made_when_one_thing_is_in_the_way(berth: Berth, part: str) -> None:
    """Everything is looked at before the first create; so the part leaves no claim either."""
    create, _, body = FOREIGN[part]
    berth.ask("POST", create, body)
    berth.clock.advance(600)

    berth.provision(on_failure="KEEP")

    assert part not in berth.claims()


def test_a_resource_that_lost_its_mark_is_not_removed(berth: Berth) -> None:
    """Whoever took the label off has taken the resource over."""
    berth.provision()
    url = f"https://storage.googleapis.com/storage/v1/b/{PROJECT}-mlflow-demo"
    berth.ask("PATCH", url, {"labels": {"managed-by": "somebody", "berth-deployment": None}})

    removed = berth.tear_down()

    assert removed.state == "DELETED"
    assert berth.ask("GET", url)["name"] == f"{PROJECT}-mlflow-demo"


def test_a_bucket_full_of_objects_is_emptied_first(berth: Berth) -> None:
    """Page by page, every generation, names with slashes and spaces too."""
    berth.provision()
    upload = f"https://storage.googleapis.com/upload/storage/v1/b/{PROJECT}-mlflow-demo/o"
    for number in range(205):
        berth.ask("POST", f"{upload}?uploadType=media&name=artifacts%2F1%2Fa%20b%20{number}", {})

    removed = berth.tear_down()

    url = f"https://storage.googleapis.com/storage/v1/b/{PROJECT}-mlflow-demo"
    assert removed.state == "DELETED", removed.error
    assert berth.answer("GET", url)[0] == 404


def test_an_object_that_may_not_be_deleted_is_named(berth: Berth) -> None:
    """The removal ends and says which one; it does not try for ever."""
    berth.provision()
    upload = f"https://storage.googleapis.com/upload/storage/v1/b/{PROJECT}-mlflow-demo/o"
    berth.ask("POST", f"{upload}?uploadType=media&name=held", {})
    held = f"https://storage.googleapis.com/storage/v1/b/{PROJECT}-mlflow-demo/o/held"
    berth.ask("PATCH", held, {"temporaryHold": True})

    failed = berth.tear_down()

    assert failed.state == "FAILED"
    assert "hold" in failed.status["problem"]["cause"]
    assert failed.error["part"] == "artifact_root"
    berth.ask("PATCH", held, {"temporaryHold": False})
    assert berth.tear_down().state == "DELETED"


def test_more_objects_than_one_execution_can_delete_take_several(
    berth: Berth, few_at_once: None
) -> None:
    """The next execution goes on where the last one stopped, until nothing is left."""
    assert few_at_once is None
    berth.provision()
    upload = f"https://storage.googleapis.com/upload/storage/v1/b/{PROJECT}-mlflow-demo/o"
    for number in range(5):
        berth.ask("POST", f"{upload}?uploadType=media&name={number}", {})

    first = berth.tear_down()

    assert first.result == {"outcome": "continued"}
    assert first.state == "DELETED"
    assert first.status["execution"] != first.execution["name"]
    url = f"https://storage.googleapis.com/storage/v1/b/{PROJECT}-mlflow-demo"
    assert berth.answer("GET", url)[0] == 404


def test_the_policy_of_the_project_is_as_it_was(berth: Berth) -> None:
    """The one binding that a deployment has on the project goes with it; the others stay."""
    full = f"//cloudresourcemanager.googleapis.com/projects/{PROJECT}"
    before = berth.cloud.iam.policy(full)["bindings"]

    berth.provision()
    during = berth.cloud.iam.policy(full)["bindings"]
    berth.tear_down()
    after = berth.cloud.iam.policy(full)["bindings"]

    assert len(during) == len(before) + 1
    assert after == before


def test_a_second_deployment_is_untouched_by_the_removal_of_the_first(berth: Berth) -> None:
    """They share the pool, the image and the policy of the project."""
    berth.provision("one")
    between = berth.resources()
    berth.provision("two")
    berth.tear_down("two")

    assert berth.resources() == between
    assert berth.read("deployments/one/status.json")["state"] == "READY"


def test_the_claims_are_written_before_anything_is_made(berth: Berth) -> None:
    """An execution that dies in its first create leaves a record of what it was about to make."""
    berth.cloud.latency["iam.projects.serviceAccounts.create"] = 0
    execution = berth.launch("provision", "demo", berth.want("demo"))
    while berth.cloud.calls.count("iam.projects.serviceAccounts.create") == 0:
        berth.clock.advance(0.01)
    berth.cancel(execution)

    claim = berth.read("deployments/demo/claims/identity.json")

    assert claim["steps"][0]["name"] == "service_account"
    assert "create" not in json.dumps([sorted(step) for step in claim["steps"]])
