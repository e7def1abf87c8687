"""What the project promises, in both versions of its API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

HOST = "cloudresourcemanager.googleapis.com"
ANA = "ana@example.com"


def test_project_has_a_number(ask: Ask) -> None:
    """v1 and v3 spell the same project."""
    old = ask("GET", f"{HOST}/v1/projects/berth-local").json()
    new = ask("GET", f"{HOST}/v3/projects/berth-local").json()

    assert old["projectNumber"] == "123456789012"
    assert old["lifecycleState"] == new["state"] == "ACTIVE"
    assert new["name"] == "projects/123456789012"


@pytest.mark.parametrize("version", ["v1", "v3"])
@pytest.mark.parametrize("project", ["berth-local", "123456789012"])
def test_policy_is_changed_by_read_modify_write(
    cloud: Cloud, ask: Ask, version: str, project: str
) -> None:
    """The whole policy is written back under its etag; a stale one is 409."""
    url = f"{HOST}/{version}/projects/{project}"
    policy = ask("POST", f"{url}:getIamPolicy", {"options": {"requestedPolicyVersion": 3}}).json()
    policy["bindings"].append({"role": "roles/logging.logWriter", "members": [f"user:{ANA}"]})

    assert ask("POST", f"{url}:setIamPolicy", {"policy": policy}).status == 200
    stale = ask("POST", f"{url}:setIamPolicy", {"policy": policy})

    assert (stale.status, stale.json()["error"]["status"]) == (409, "ABORTED")
    name = "projects/berth-local"
    assert cloud.iam.allowed(f"user:{ANA}", "logging.logEntries.create", "logging", name)


def test_policy_without_version_3_loses_conditions(cloud: Cloud, ask: Ask) -> None:
    """Asking for an old version hides them: writing that back would destroy them."""
    url = f"{HOST}/v3/projects/berth-local"
    condition = {"title": "t", "expression": "resource.name == 'x'"}
    policy = cloud.iam.policy(f"//{HOST}/projects/berth-local")
    policy["bindings"].append(
        {"role": "roles/viewer", "members": [f"user:{ANA}"], "condition": condition}
    )
    ask("POST", f"{url}:setIamPolicy", {"policy": {**policy, "version": 3}})

    old = ask("POST", f"{url}:getIamPolicy", {}).json()

    assert old["version"] == 1
    assert any("_withcond_" in binding["role"] for binding in old["bindings"])
    assert ask("POST", f"{url}:setIamPolicy", {"policy": old}).status == 400


def test_audit_configs_need_their_mask(ask: Ask) -> None:
    """A plain read-modify-write does not touch them."""
    url = f"{HOST}/v3/projects/berth-local"
    config = [{"service": "allServices", "auditLogConfigs": [{"logType": "DATA_READ"}]}]
    policy = ask("POST", f"{url}:getIamPolicy", {}).json()
    changed = {**policy, "auditConfigs": config}

    ignored = ask("POST", f"{url}:setIamPolicy", {"policy": changed}).json()
    kept = ask(
        "POST",
        f"{url}:setIamPolicy",
        {"policy": {**changed, "etag": ignored["etag"]}, "updateMask": "auditConfigs,bindings"},
    ).json()

    assert "auditConfigs" not in ignored
    assert kept["auditConfigs"] == config


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/projects/berth-local", None),
        ("GET", "/v3/projects/berth-local", None),
        ("POST", "/v3/projects/berth-local:getIamPolicy", {}),
        ("POST", "/v3/projects/berth-local:setIamPolicy", {"policy": {}}),
    ],
)
def test_strangers_see_nothing(ask: Ask, method: str, path: str, body: object) -> None:
    """Reading the project needs a role on it."""
    assert ask(method, HOST + path, body, who="stranger@example.com").status == 403


def test_lists_show_only_what_one_may_see(ask: Ask) -> None:
    """A stranger's list is empty, not forbidden."""
    mine = ask("GET", f"{HOST}/v1/projects").json()
    searched = ask("GET", f"{HOST}/v3/projects:search").json()
    theirs = ask("GET", f"{HOST}/v1/projects", who="stranger@example.com").json()

    assert [item["projectId"] for item in mine["projects"]] == ["berth-local"]
    assert searched["projects"][0]["projectId"] == "berth-local"
    assert theirs == {}


def test_permissions_can_be_tested(cloud: Cloud, ask: Ask) -> None:
    """TestIamPermissions gives those the caller has, and refuses nobody."""
    cloud.grant(f"user:{ANA}", "roles/browser")
    asked = {
        "permissions": ["resourcemanager.projects.get", "resourcemanager.projects.setIamPolicy"]
    }

    url = f"{HOST}/v3/projects/berth-local:testIamPermissions"

    assert ask("POST", url, asked, who=ANA).json() == {
        "permissions": ["resourcemanager.projects.get"]
    }
    assert ask("POST", url, asked, who="stranger@example.com").json() == {}


@pytest.mark.parametrize("permission", ["storage.*", "*", "owner", "", "storage.buckets.get "])
def test_what_is_no_permission_cannot_be_tested(ask: Ask, permission: str) -> None:
    """Not even an owner has a wildcard."""
    url = f"{HOST}/v3/projects/berth-local:testIamPermissions"

    answer = ask("POST", url, {"permissions": ["resourcemanager.projects.get", permission]})

    assert answer.status == 400
    assert answer.json()["error"]["message"].startswith(f"Permission {permission} is not valid")


def test_a_project_is_in_its_organization(ask: Ask) -> None:
    """The ancestry names both, nearest first, to those who may see the project."""
    url = f"{HOST}/v1/projects/berth-local:getAncestry"

    found = [one["resourceId"] for one in ask("POST", url, {}).json()["ancestor"]]

    assert [(one["type"], one["id"]) for one in found] == [
        ("project", "berth-local"),
        ("organization", "1"),
    ]
    assert ask("POST", url, {}, who="stranger@example.com").status == 403
