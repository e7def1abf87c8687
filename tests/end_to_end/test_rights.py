"""The roles of `berth-api` and `berth-verify`: each is needed, and its loss is told by name.

Those of the other accounts are tried on the virtual clock, in tests/workflows/test_rights.py.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from install.names import Names
from install.rights import Right, rights
from tests.end_to_end.installation import PROJECT, REGION, Installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

REGISTRY = f"https://storage.googleapis.com/storage/v1/b/{PROJECT}-berth-registry/iam"
PROJECTS = f"https://cloudresourcemanager.googleapis.com/v3/projects/{PROJECT}"
TOPIC = f"https://pubsub.googleapis.com/v1/projects/{PROJECT}/topics/berth-events"
VERSION_3 = {"options": {"requestedPolicyVersion": 3}}


def read_policy(berth: Installation, on: str) -> Any:
    """Return the policy that a right stands in."""
    if on == "registry":
        return berth.google(REGISTRY, params={"optionsRequestedPolicyVersion": 3})
    if on == "topic":
        return berth.google(f"{TOPIC}:getIamPolicy")
    return berth.google(f"{PROJECTS}:getIamPolicy", "POST", json=VERSION_3)


def write_policy(berth: Installation, on: str, policy: Any) -> None:
    """Write it, whatever has changed since it was read a moment ago."""
    policy = {key: value for key, value in policy.items() if key != "etag"}
    if on == "registry":
        berth.google(REGISTRY, "PUT", json=policy)
    elif on == "topic":
        berth.google(f"{TOPIC}:setIamPolicy", "POST", json={"policy": policy})
    else:
        berth.google(f"{PROJECTS}:setIamPolicy", "POST", json={"policy": policy})


@contextmanager
def without(berth: Installation, account: str, role: str) -> Iterator[None]:
    """Take one role from one of Berth's accounts, and give it back."""
    names = Names(PROJECT, berth.number, REGION)
    [right] = [r for r in rights(names) if r.account == account and r.role.endswith(role)]
    before = read_policy(berth, right.on)
    taken = taken_from(before, right, names.member(account))
    write_policy(berth, right.on, taken)
    try:
        yield
    finally:
        # Not the old policy: deployments that have gone since may have been named in it.
        now_there = read_policy(berth, right.on)
        write_policy(berth, right.on, given_back(now_there, before, right, names.member(account)))


def given_back(policy: Any, before: Any, right: Right, member: str) -> Any:
    """Return the policy with the member in the bindings of the role that it was in before."""
    lost = [
        {**binding, "members": [member]}
        for binding in before["bindings"]
        if binding["role"] == right.role and member in binding["members"]
    ]
    return {**policy, "bindings": [*policy.get("bindings", []), *lost]}


def taken_from(policy: Any, right: Right, member: str) -> Any:
    """Return the policy without the member in the binding of the role."""
    bindings = [
        {**binding, "members": [m for m in binding["members"] if m != member]}
        if binding["role"] == right.role
        else binding
        for binding in policy["bindings"]
    ]
    assert bindings != policy["bindings"], f"{member} does not hold {right.role}"
    return {**policy, "bindings": [binding for binding in bindings if binding["members"]]}


def wait_for_log(berth: Installation, words: str, *, since: str) -> str:
    """Return the log entry of the api that has the words."""
    query = f'resource.labels.service_name="berth-api" AND timestamp>="{since}"'
    body = {"resourceNames": [f"projects/{PROJECT}"], "filter": query, "pageSize": 500}
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        entries = berth.google("https://logging.googleapis.com/v2/entries:list", "POST", json=body)
        for entry in entries.get("entries", []):
            if words in str(entry):
                return str(entry)
        time.sleep(0.2)
    pytest.fail(f"the api did not log {words!r}")


def now() -> str:
    """Return the time as Google writes it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))


def test_the_api_needs_the_registry(berth: Installation) -> None:
    """Without storage.objectUser it can tell nothing, and says which permission it lacks."""
    with without(berth, "api", "storage.objectUser"):
        answer = berth.api("GET", "/v1/deployments")

    assert answer.status_code in {502, 503}
    assert "storage.objects." in answer.text


def test_the_api_needs_to_start_executions(berth: Installation) -> None:
    """Without its role for executions a wish is on record, but nothing can be begun."""
    with without(berth, "api", "berthExecutions"):
        answer = berth.api("POST", "/v1/deployments", {"name": "unstarted", "team": "risk"})

    assert answer.status_code == 503
    assert "workflows.executions.create" in answer.text
    assert berth.delete("unstarted")["state"] == "DELETED"


def test_the_api_needs_to_publish(berth: Installation) -> None:
    """Without pubsub.publisher nobody hears of a wish; the log says why, the wish is granted."""
    since = now()
    with without(berth, "api", "pubsub.publisher"), without(berth, "api", "berthExecutions"):
        berth.api("POST", "/v1/deployments", {"name": "unheard", "team": "risk"})
        entry = wait_for_log(berth, "publish", since=since)

    assert "pubsub.topics.publish" in entry
    assert berth.delete("unheard")["state"] == "DELETED"


def test_the_api_needs_to_cancel_builds(berth: Installation) -> None:
    """Without its role for builds, one goes on for a deployment that nobody wants; the log says so."""
    since = now()
    berth.post("unbuilt")
    berth.wait("unbuilt", "PROVISIONING")
    with without(berth, "api", "berthBuildCanceller"):
        assert berth.delete("unbuilt")["state"] == "DELETED"
        entry = wait_for_log(berth, "could not cancel", since=since)

    assert "cloudbuild.builds.list" in entry


def test_the_api_needs_to_see_what_requests_are_built_upon(berth: Installation) -> None:
    """Without its role for that, what would be refused at once fails a minute later; the log says so."""
    balancer = {"domain": "mlflow.unseen.example.com", "dns_zone": "nowhere"}
    body = {"name": "unseen", "team": "risk", "load_balancer": balancer}
    since = now()
    told = berth.api("POST", "/v1/deployments", body)
    with without(berth, "api", "berthGround"):
        untold = berth.api("POST", "/v1/deployments", body)
        entry = wait_for_log(berth, "could not look at DNS zone nowhere", since=since)

    assert told.status_code == 409
    assert "has none of this name" in told.text
    assert untold.status_code == 202
    assert "dns.managedZones.get" in entry
    assert berth.delete("unseen")["state"] == "DELETED"


def test_verify_needs_the_registry(berth: Installation) -> None:
    """Without storage.objectViewer it cannot know what to prove, and names the permission."""
    url = f"https://berth-verify-{berth.number}.{REGION}.run.app"
    workflow = f"berth-workflow@{PROJECT}.iam.gserviceaccount.com"
    body = {"deployment": "door", "generation": 1, "observed": {}}
    session = berth.session(berth.token(workflow, "--audience", url))

    with without(berth, "verify", "storage.objectViewer"):
        answer = session.post(url, json=body, timeout=60)

    assert answer.status_code in {502, 503}
    assert "storage.objects.get" in answer.text
