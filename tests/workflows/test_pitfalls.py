"""Google's pitfalls that concern what the workflows themselves put into a body or a query."""

import base64
import json
import re

import pytest

from tests.functions.overheard import Overheard
from tests.workflows.berth import Berth

THEIRS = {
    "role": "roles/cloudsql.client",
    "members": ["user:dora@example.com"],
    "condition": {"title": "theirs", "expression": "resource.name == 'x'"},
}
KIB = 1024


@pytest.fixture
def overheard(berth: Berth) -> Overheard:
    """Listen to what is sent from now on."""
    pipeline = Overheard(berth.cloud)
    berth.cloud.pipeline = pipeline
    return pipeline


def test_a_policy_is_written_under_its_etag_and_with_its_version(
    berth: Berth, overheard: Overheard
) -> None:
    """Policies: without the etag others' grants are overwritten, without version 3 conditions."""
    assert berth.provision().state == "READY"
    berth.tear_down()

    for body in overheard.bodies(r":setIamPolicy$|/b/[^/]+/iam$"):
        policy = body.get("policy", body)
        assert policy["etag"]
        assert policy["version"] == 3
        assert policy["bindings"]


def test_what_others_have_bound_stays_with_its_condition(berth: Berth) -> None:
    """Policies: a write is the whole policy, so all that was read must be written back."""
    url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{berth.cloud.project}"
    asked = {"options": {"requestedPolicyVersion": 3}}
    policy = berth.ask("POST", f"{url}:getIamPolicy", asked)
    policy |= {"version": 3, "bindings": [*policy["bindings"], THEIRS]}
    before = berth.ask("POST", f"{url}:setIamPolicy", {"policy": policy})["bindings"]

    assert berth.provision().state == "READY"
    berth.tear_down()

    after = berth.ask("POST", f"{url}:getIamPolicy", asked)["bindings"]
    assert THEIRS in after
    assert sorted(map(json.dumps, after)) == sorted(map(json.dumps, before))


def test_an_event_can_be_told_from_its_repetition(berth: Berth, overheard: Overheard) -> None:
    """Pub/Sub: data is base64, and each message has an id, since a repeat is a second message."""
    assert berth.provision().state == "READY"

    seen = set()
    for body in overheard.bodies(r":publish$"):
        (message,) = body["messages"]
        event = json.loads(base64.b64decode(message["data"], validate=True))
        assert message["attributes"]["ce-id"] == event["id"]
        assert all(isinstance(value, str) for value in message["attributes"].values())
        seen.add(event["id"])
    assert len(seen) == len(overheard.bodies(r":publish$"))


def test_nothing_that_a_workflow_sends_is_larger_than_it_can_hold(
    berth: Berth, overheard: Overheard
) -> None:
    """Workflows: all variables together have 512 KB, so a body is far below that."""
    made = berth.provision(placement="dedicated", access={"mode": "basic_auth"})

    assert made.state == "READY"
    assert max(len(json.dumps(one.body)) for one in overheard.sent) < 16 * KIB


def test_records_are_written_only_over_what_was_read(berth: Berth, overheard: Overheard) -> None:
    """Cloud Storage: without a precondition two executions would overwrite each other's words."""
    assert berth.provision().state == "READY"

    uploads = [url for url in overheard.urls if "/upload/storage/" in url]
    # What follows a session's begin says no more than its id.
    theirs = [url for url in uploads if "spec.json" not in url and "upload_id=" not in url]
    assert theirs
    for url in theirs:
        assert re.search(r"[?&]ifGenerationMatch=[0-9]+", url), url
