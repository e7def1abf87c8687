"""What the IAM API promises about service accounts and custom roles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

ACCOUNTS = "iam.googleapis.com/v1/projects/berth-local/serviceAccounts"
ROLES = "iam.googleapis.com/v1/projects/berth-local/roles"
PROJECT = "//cloudresourcemanager.googleapis.com/projects/berth-local"
CREATE = {"accountId": "robot-two", "serviceAccount": {"description": "managed-by=berth"}}


def test_account_shows_what_google_shows(ask: Ask) -> None:
    """Name, e-mail, number and the description it was made with."""
    made = ask("POST", ACCOUNTS, CREATE).json()

    email = "robot-two@berth-local.iam.gserviceaccount.com"
    assert made["email"] == email
    assert made["name"] == f"projects/berth-local/serviceAccounts/{email}"
    assert made["description"] == "managed-by=berth"
    assert len(made["uniqueId"]) == 21
    assert ask("GET", f"{ACCOUNTS}/{email}").json() == made
    assert ask("GET", f"{ACCOUNTS}/{made['uniqueId']}").json() == made
    assert ask("GET", f"iam.googleapis.com/v1/projects/-/serviceAccounts/{email}").json() == made


@pytest.mark.parametrize("name", ["short", "x" * 31, "Capital-x", "1-number", "ends-with-", ""])
def test_wrong_account_id_is_400(ask: Ask, name: str) -> None:
    """Six to thirty letters, digits and dashes."""
    assert ask("POST", ACCOUNTS, {"accountId": name}).status == 400


def test_taken_account_is_409(ask: Ask) -> None:
    """A repeat says so in Google's words."""
    ask("POST", ACCOUNTS, CREATE)

    response = ask("POST", ACCOUNTS, CREATE)

    assert response.status == 409
    assert response.json()["error"]["message"] == (
        "Service account robot-two already exists within project projects/berth-local."
    )


def test_accounts_have_a_quota(cloud: Cloud, ask: Ask) -> None:
    """Beyond the project's number of accounts the answer is 429."""
    cloud.quotas["iam.serviceAccounts"] = 1
    ask("POST", ACCOUNTS, CREATE)

    response = ask("POST", ACCOUNTS, {"accountId": "robot-three"})

    assert (response.status, response.json()["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")


@pytest.mark.parametrize(("project", "status"), [("berth-local", 404), ("-", 403), ("other", 403)])
def test_absent_account(ask: Ask, project: str, status: int) -> None:
    """With the wildcard a missing account reads as forbidden."""
    email = "nobody@berth-local.iam.gserviceaccount.com"

    url = f"iam.googleapis.com/v1/projects/{project}/serviceAccounts/{email}"

    assert ask("GET", url).status == status


def test_patch_needs_a_mask_of_what_may_change(ask: Ask, account: str) -> None:
    """Description and display name may change, the e-mail may not."""
    url = f"{ACCOUNTS}/{account}"
    body: dict[str, Any] = {"serviceAccount": {"description": "new"}, "updateMask": "description"}

    assert ask("PATCH", url, body).json()["description"] == "new"
    assert ask("PATCH", url, {**body, "updateMask": "email"}).status == 400
    assert ask("PATCH", url, {"serviceAccount": {}}).status == 400


def test_disabled_account_cannot_call(cloud: Cloud, ask: Ask, account: str) -> None:
    """Its tokens are worthless until it is enabled again."""
    cloud.grant(f"serviceAccount:{account}", "roles/viewer")
    assert ask("GET", ACCOUNTS, who=account).status == 200

    ask("POST", f"{ACCOUNTS}/{account}:disable", {})
    assert ask("GET", ACCOUNTS, who=account).status == 401

    ask("POST", f"{ACCOUNTS}/{account}:enable", {})
    assert ask("GET", ACCOUNTS, who=account).status == 200


def test_recreated_account_inherits_nothing(cloud: Cloud, ask: Ask, account: str) -> None:
    """Bindings of a deleted account are marked and stay without effect."""
    first = ask("GET", f"{ACCOUNTS}/{account}").json()
    cloud.grant(f"serviceAccount:{account}", "roles/viewer")
    ask("DELETE", f"{ACCOUNTS}/{account}")
    assert ask("GET", ACCOUNTS, who=account).status == 401

    second = ask("POST", ACCOUNTS, {"accountId": "robot-one"}).json()

    assert second["uniqueId"] != first["uniqueId"]
    assert ask("GET", ACCOUNTS, who=account).status == 403
    members = [m for b in cloud.iam.policy(PROJECT)["bindings"] for m in b["members"]]
    assert f"deleted:serviceAccount:{account}?uid={first['uniqueId']}" in members


def test_undelete_brings_account_and_rights_back(cloud: Cloud, ask: Ask, account: str) -> None:
    """Undelete is by number, and restores the bindings."""
    unique = ask("GET", f"{ACCOUNTS}/{account}").json()["uniqueId"]
    cloud.grant(f"serviceAccount:{account}", "roles/viewer")
    ask("DELETE", f"{ACCOUNTS}/{account}")

    restored = ask("POST", f"{ACCOUNTS}/{unique}:undelete", {}).json()["restoredAccount"]

    assert restored["email"] == account
    assert ask("GET", ACCOUNTS, who=account).status == 200
    assert ask("POST", f"{ACCOUNTS}/{unique}:undelete", {}).status == 404


def test_account_policy_lives_on_the_account(cloud: Cloud, ask: Ask, account: str) -> None:
    """ActAs on one account is not actAs on another, nor on the project."""
    url = f"{ACCOUNTS}/{account}"
    policy = ask("POST", f"{url}:getIamPolicy").json()
    binding = {"role": "roles/iam.serviceAccountUser", "members": ["user:ana@example.com"]}
    policy["bindings"] = [binding]

    assert ask("POST", f"{url}:setIamPolicy", {"policy": policy}).status == 200

    name = f"projects/berth-local/serviceAccounts/{account}"
    may = cloud.iam.allowed
    assert may("user:ana@example.com", "iam.serviceAccounts.actAs", "iam", name)
    assert may(
        "user:ana@example.com",
        "iam.serviceAccounts.actAs",
        "iam",
        name.replace("berth-local/", "-/", 1),
    )
    assert not may("user:ana@example.com", "iam.serviceAccounts.actAs", "iam", name + "x")


def test_policy_of_absent_account_is_404(ask: Ask) -> None:
    """A policy needs something to be on."""
    url = f"{ACCOUNTS}/none@berth-local.iam.gserviceaccount.com"

    assert ask("POST", f"{url}:getIamPolicy").status == 404
    assert ask("POST", f"{url}:setIamPolicy", {"policy": {}}).status == 404


def test_accounts_are_listed_in_pages(ask: Ask, account: str) -> None:
    """Twenty a page unless asked otherwise."""
    ask("POST", ACCOUNTS, CREATE)

    first = ask("GET", f"{ACCOUNTS}?pageSize=1").json()

    assert [item["email"] for item in first["accounts"]] == [account]
    second = ask("GET", f"{ACCOUNTS}?pageSize=1&pageToken={first['nextPageToken']}").json()
    assert len(second["accounts"]) == 1


ROLE = {
    "roleId": "bindings.editor",
    "role": {"title": "t", "includedPermissions": ["resourcemanager.projects.getIamPolicy"]},
}


def test_custom_role_grants_until_it_is_deleted(cloud: Cloud, ask: Ask) -> None:
    """A custom role works like any other; deleted it grants nothing; undeleted it does again."""
    made = ask("POST", ROLES, ROLE).json()
    cloud.grant("user:ana@example.com", made["name"])
    url = "cloudresourcemanager.googleapis.com/v3/projects/berth-local:getIamPolicy"

    assert ask("POST", url, {}, who="ana@example.com").status == 200
    assert ask("DELETE", f"{ROLES}/bindings.editor").json()["deleted"] is True
    assert ask("POST", url, {}, who="ana@example.com").status == 403
    assert ask("PATCH", f"{ROLES}/bindings.editor", {"title": "x"}).status == 400
    ask("POST", f"{ROLES}/bindings.editor:undelete", {})
    assert ask("POST", url, {}, who="ana@example.com").status == 200


@pytest.mark.parametrize(
    "body",
    [
        {**ROLE, "roleId": "a-b"},
        {**ROLE, "roleId": "ab"},
        {**ROLE, "role": {"includedPermissions": ["secretmanager.secrets.divine"]}},
        {"roleId": "abc"},
    ],
)
def test_wrong_custom_role_is_400(ask: Ask, body: dict[str, Any]) -> None:
    """Role ids have a form and permissions must exist."""
    assert ask("POST", ROLES, body).status == 400


def test_taken_role_is_409_and_absent_404(ask: Ask) -> None:
    """Names are taken once; what is not there says so."""
    ask("POST", ROLES, ROLE)

    assert ask("POST", ROLES, ROLE).status == 409
    assert ask("GET", f"{ROLES}/none").status == 404
    assert ask("GET", "iam.googleapis.com/v1/roles/none").status == 404


def test_predefined_roles_can_be_read(ask: Ask) -> None:
    """A person can look up what a role contains here."""
    role = ask("GET", "iam.googleapis.com/v1/roles/secretmanager.secretAccessor").json()
    owner = ask("GET", "iam.googleapis.com/v1/roles/owner").json()

    assert role["includedPermissions"] == ["secretmanager.versions.access"]
    assert "secretmanager.secrets.create" in owner["includedPermissions"]
    assert "iam.serviceAccounts.getAccessToken" not in owner["includedPermissions"]
