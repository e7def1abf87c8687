"""Workflows are deployed, revised and removed as Google's API does it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import Cloud
from localcloud.services import iam, logging
from localcloud.services.workflowexecutions import SERVICE as EXECUTIONS
from localcloud.services.workflows import SERVICE as WORKFLOWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.clock import VirtualClock

HOST = "https://workflows.googleapis.com/v1/"
PARENT = "projects/berth-local/locations/europe-west1"
GOOD = "- a: {return: 1}"


class Caller:
    """Somebody who calls the API."""

    def __init__(self, cloud: Cloud, email: str = "owner@example.com") -> None:
        """Act as ``email``."""
        self.cloud = cloud
        self.email = email

    def __call__(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Make a call; give status and answer."""
        token = self.cloud.tokens.access_token(self.email)
        content = b"" if body is None else json.dumps(body).encode()
        headers = {"authorization": f"Bearer {token}"}
        answer = self.cloud.request(method, HOST + path, headers=headers, body=content)
        return answer.status, json.loads(answer.body or b"null")

    def deploy(self, name: str = "w", **fields: Any) -> dict[str, Any]:
        """Create a workflow and give the finished operation."""
        body = {"sourceContents": GOOD, **fields}
        status, operation = self("POST", f"{PARENT}/workflows?workflowId={name}", body)
        assert status == 200, operation
        return self.finished(operation)

    def finished(self, operation: dict[str, Any]) -> dict[str, Any]:
        """Wait for an operation."""
        clock: Any = self.cloud.clock
        clock.run_until_idle()
        found: dict[str, Any] = self("GET", operation["name"])[1]
        assert found["done"]
        return found


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A project with the Workflows APIs enabled."""
    services = [WORKFLOWS, EXECUTIONS, iam.SERVICE, logging.SERVICE]
    made = Cloud(tmp_path / "state", clock=clock, only=services)
    made.start()
    made.enable("workflows.googleapis.com", "workflowexecutions.googleapis.com")
    yield made
    made.close()


@pytest.fixture
def owner(cloud: Cloud) -> Caller:
    """The owner of the project."""
    return Caller(cloud)


def test_a_workflow_is_there_when_its_operation_is_done(owner: Caller) -> None:
    """Creating is an operation; its response is the workflow."""
    operation = owner.deploy(labels={"a": "b"}, userEnvVars={"X": "1"})
    assert operation["metadata"]["verb"] == "create"
    found = owner("GET", f"{PARENT}/workflows/w")[1]
    assert operation["response"]["revisionId"] == found["revisionId"]
    assert found["name"] == f"{PARENT}/workflows/w"
    assert found["state"] == "ACTIVE"
    assert found["revisionId"].startswith("000001-")
    assert found["serviceAccount"].endswith("-compute@developer.gserviceaccount.com")


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"sourceContents": "- a: {return: '${x}'}"}, "failed to build: error in step a: "),
        ({"sourceContents": ""}, "source"),
        ({}, "source"),
        ({"sourceContents": GOOD, "labels": {"A": "b"}}, "label"),
        ({"sourceContents": GOOD, "userEnvVars": {"GOOGLE_X": "1"}}, "GOOGLE"),
        ({"sourceContents": GOOD, "userEnvVars": {"1X": "1"}}, "invalid"),
        ({"sourceContents": GOOD, "userEnvVars": {f"X{n}": "" for n in range(21)}}, "at most 20"),
        ({"sourceContents": GOOD, "userEnvVars": {"X": "x" * 4097}}, "larger"),
        ({"sourceContents": GOOD, "description": "x" * 1001}, "longer"),
        ({"sourceContents": GOOD, "callLogLevel": "LOG_SOME"}, "LOG_SOME"),
        ({"sourceContents": GOOD, "steps": []}, "steps"),
    ],
)
def test_what_cannot_be_deployed(owner: Caller, body: dict[str, Any], message: str) -> None:
    """A mistake is refused at once, in Google's words."""
    status, answer = owner("POST", f"{PARENT}/workflows?workflowId=w", body)
    assert status == 400
    assert answer["error"]["status"] == "INVALID_ARGUMENT"
    assert message.lower() in json.dumps(answer["error"]).lower()


@pytest.mark.parametrize("name", ["", "1w", "w-", "w.x", "w" * 65])
def test_names_have_rules(owner: Caller, name: str) -> None:
    """A workflow ID begins with a letter and ends with a letter or a digit."""
    status, _ = owner("POST", f"{PARENT}/workflows?workflowId={name}", {"sourceContents": GOOD})
    assert status == 400


def test_creating_twice_ends_in_already_exists(owner: Caller) -> None:
    """The second operation fails; the workflow stays as it was."""
    owner.deploy()
    operation = owner.deploy(description="another")
    assert operation["error"]["code"] == 6
    assert "description" not in owner("GET", f"{PARENT}/workflows/w")[1]


def test_an_account_must_be_one_the_caller_may_use(cloud: Cloud, owner: Caller) -> None:
    """Neither an unknown account nor one without actAs can run a workflow."""
    cloud.grant("user:dev@example.com", "roles/workflows.editor")
    body = {"sourceContents": GOOD, "serviceAccount": "x@berth-local.iam.gserviceaccount.com"}
    dev = Caller(cloud, "dev@example.com")
    url = f"{PARENT}/workflows?workflowId=w"
    # without an account it is the default one, which must be one the caller may use as well
    for caller, sent in ((owner, body), (dev, body), (dev, {"sourceContents": GOOD})):
        status, answer = caller("POST", url, sent)
        assert (status, "actAs" in answer["error"]["message"]) == (403, True)
    cloud.grant("user:dev@example.com", "roles/iam.serviceAccountUser")
    assert dev("POST", url, {"sourceContents": GOOD})[0] == 200


def test_only_what_runs_makes_a_revision(owner: Caller) -> None:
    """A new source is a new revision, a new description is none; both stay readable."""
    owner.deploy()
    first = owner("GET", f"{PARENT}/workflows/w")[1]["revisionId"]
    mask = f"{PARENT}/workflows/w?updateMask="
    owner.finished(owner("PATCH", mask + "description", {"description": "d"})[1])
    assert owner("GET", f"{PARENT}/workflows/w")[1]["revisionId"] == first
    changed = {"sourceContents": "- a: {return: 2}", "description": "ignored"}
    operation = owner.finished(owner("PATCH", mask + "sourceContents", changed)[1])
    assert operation["metadata"]["verb"] == "update"
    now = owner("GET", f"{PARENT}/workflows/w")[1]
    assert now["revisionId"].startswith("000002-")
    assert now["description"] == "d"
    older = owner("GET", f"{PARENT}/workflows/w?revisionId={first}")[1]
    assert older["sourceContents"] == GOOD
    listed = owner("GET", f"{PARENT}/workflows/w:listRevisions")[1]["workflows"]
    assert [item["revisionId"] for item in listed] == [now["revisionId"], first]
    assert owner("GET", f"{PARENT}/workflows/w?revisionId=000009-abc")[0] == 404


@pytest.mark.parametrize(
    ("mask", "body"),
    [
        ("name", {"name": "x"}),
        ("nonsense", {}),
        ("sourceContents.line", {"sourceContents": GOOD}),
        ("labels.a.b", {"labels": {"a": "b"}}),
        ("revisionId", {"revisionId": "000009-abc"}),
        ("state,description", {"description": "d"}),
        ("cryptoKeyName", {"cryptoKeyName": "k"}),
        ("", {}),
        ("sourceContents", {"sourceContents": "- a: {}"}),
        ("sourceContents", {}),
    ],
)
def test_what_cannot_be_changed(owner: Caller, mask: str, body: dict[str, Any]) -> None:
    """A patch is checked like a new workflow."""
    owner.deploy()
    status, _ = owner("PATCH", f"{PARENT}/workflows/w?updateMask={mask}", body)
    assert status == 400


def test_masks(owner: Caller) -> None:
    """A mask may name one entry of a map, several fields in either spelling, or everything."""
    owner.deploy(labels={"a": "1", "b": "2"}, userEnvVars={"X": "1"}, description="old")
    path = f"{PARENT}/workflows/w?updateMask="

    def patched(mask: str, **body: Any) -> dict[str, Any]:
        owner.finished(owner("PATCH", path + mask, body)[1])
        found: dict[str, Any] = owner("GET", f"{PARENT}/workflows/w")[1]
        return found

    one = patched("labels.a,call_log_level", labels={"a": "3", "c": "4"}, callLogLevel="LOG_NONE")
    assert (one["labels"], one["callLogLevel"]) == ({"a": "3", "b": "2"}, "LOG_NONE")
    assert one["revisionId"].startswith("000001-")
    two = patched("userEnvVars.X,description", userEnvVars={"X": "2"})
    assert (two["userEnvVars"], "description" in two) == ({"X": "2"}, False)
    assert two["revisionId"].startswith("000002-")
    three = patched("*", sourceContents=GOOD)
    assert not {"labels", "userEnvVars", "callLogLevel"} & three.keys()


def test_two_updates_at_once_keep_both(cloud: Cloud, owner: Caller) -> None:
    """Each changes what it names in what is there when it happens."""
    owner.deploy(labels={"a": "1"})
    cloud.latency["workflows.projects.locations.workflows.patch"] = 10.0
    path = f"{PARENT}/workflows/w?updateMask=labels."
    first = owner("PATCH", path + "b", {"labels": {"b": "2"}})[1]
    second = owner("PATCH", path + "c", {"labels": {"c": "3"}})[1]
    assert "error" not in owner.finished(first)
    assert "error" not in owner.finished(second)
    assert owner("GET", f"{PARENT}/workflows/w")[1]["labels"] == {"a": "1", "b": "2", "c": "3"}


def test_an_account_may_be_given_by_its_number(cloud: Cloud, owner: Caller) -> None:
    """Or by its e-mail alone, or under any project."""
    robot = cloud.request(
        "POST",
        "https://iam.googleapis.com/v1/projects/berth-local/serviceAccounts",
        headers={"authorization": f"Bearer {cloud.tokens.access_token('owner@example.com')}"},
        body=b'{"accountId": "robot-one"}',
    ).json()
    whole = f"projects/berth-local/serviceAccounts/{robot['email']}"
    for number, given in enumerate(
        (robot["uniqueId"], robot["email"], f"projects/-/serviceAccounts/{robot['email']}")
    ):
        made = owner.deploy(f"w{number}", serviceAccount=given)["response"]
        assert made["serviceAccount"] == whole


def test_a_key_needs_cloud_kms(owner: Caller) -> None:
    """Which there is not: a key of another place and a well-formed one are refused, with reasons."""
    for place, words in (("us-central1", "location"), ("europe-west1", "no Cloud KMS")):
        key = f"projects/berth-local/locations/{place}/keyRings/r/cryptoKeys/k"
        body = {"sourceContents": GOOD, "cryptoKeyName": key}
        status, answer = owner("POST", f"{PARENT}/workflows?workflowId=w", body)
        assert (status, words in answer["error"]["message"]) == (400, True)


def test_lists_of_all_places(owner: Caller) -> None:
    """A dash stands for every location; a filter may name what a workflow has, and no more."""
    owner.deploy("here")
    there = "projects/berth-local/locations/us-central1"
    owner.finished(
        owner("POST", f"{there}/workflows?workflowId=there", {"sourceContents": GOOD})[1]
    )
    listed = owner("GET", "projects/berth-local/locations/-/workflows")[1]["workflows"]
    assert [item["name"].split("/")[3] for item in listed] == ["europe-west1", "us-central1"]
    assert len(owner("GET", f"{there}/workflows?filter=state%3DACTIVE")[1]["workflows"]) == 1
    for bad in ("colour%3Dred", "state%3DSLEEPING", "createTime%3E%22soon%22", "anything"):
        assert owner("GET", f"{there}/workflows?filter={bad}")[0] == 400, bad
    assert owner("GET", "projects/berth-local/locations/Moon/workflows")[0] == 404


def test_lists_are_filtered_ordered_and_cut(owner: Caller) -> None:
    """Filter, order and page work together."""
    for name in ("b", "a", "c"):
        owner.deploy(name, labels={"team": "x" if name != "c" else "y"})
    query = f"{PARENT}/workflows?filter=labels.team%3Dx&orderBy=name%20desc&pageSize=1"
    first = owner("GET", query)[1]
    assert [item["name"][-1] for item in first["workflows"]] == ["b"]
    second = owner("GET", f"{query}&pageToken={first['nextPageToken']}")[1]
    assert [item["name"][-1] for item in second["workflows"]] == ["a"]
    assert "nextPageToken" not in second
    assert owner("GET", f"{PARENT}/workflows?orderBy=color")[0] == 400


def test_what_is_not_there(owner: Caller) -> None:
    """Reading, changing and deleting nothing is 404."""
    path = f"{PARENT}/workflows/nosuch"
    assert owner("GET", path)[0] == 404
    assert owner("PATCH", path, {"description": "x"})[0] == 404
    assert owner("DELETE", path)[0] == 404
    assert (
        owner(
            "POST",
            "projects/berth-local/locations/moon/workflows?workflowId=w",
            {"sourceContents": GOOD},
        )[0]
        == 404
    )


def test_deleting_makes_the_name_free(owner: Caller) -> None:
    """After the operation the workflow is gone, and may be made again."""
    owner.deploy()
    operation = owner.finished(owner("DELETE", f"{PARENT}/workflows/w")[1])
    assert operation["response"]["@type"].endswith("Empty")
    assert owner("GET", f"{PARENT}/workflows/w")[0] == 404
    assert "error" not in owner.deploy()


def test_rights(cloud: Cloud) -> None:
    """A viewer reads and does not deploy; a stranger does neither."""
    Caller(cloud).deploy()
    cloud.grant("user:viewer@example.com", "roles/workflows.viewer")
    viewer, stranger = Caller(cloud, "viewer@example.com"), Caller(cloud, "stranger@example.com")
    assert viewer("GET", f"{PARENT}/workflows/w")[0] == 200
    status, answer = viewer("DELETE", f"{PARENT}/workflows/w")
    assert status == 403
    assert "workflows.workflows.delete" in answer["error"]["message"]
    assert stranger("GET", f"{PARENT}/workflows/w")[0] == 403


def test_operations_and_locations(owner: Caller) -> None:
    """Operations can be listed and forgotten; the location is known."""
    operation = owner.deploy()
    listed = owner("GET", f"{PARENT}/operations")[1]["operations"]
    assert [item["name"] for item in listed] == [operation["name"]]
    assert owner("DELETE", operation["name"])[0] == 200
    assert owner("GET", operation["name"])[0] == 404
    assert owner("GET", PARENT)[1]["locationId"] == "europe-west1"
    assert owner("GET", "projects/berth-local/locations")[1]["locations"][0]["name"] == PARENT
