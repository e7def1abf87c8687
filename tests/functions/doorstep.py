"""Verify on a local cloud, as the account and with the rights that the installation gives it."""

from __future__ import annotations

import base64
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from install.names import Names
from install.rights import rights
from install.roles import CUSTOM_ROLES
from planner.target import Target
from schemas.deployment import Spec
from schemas.platform import Platform
from tests.functions.conftest import BUCKET
from tests.functions.tracking import Parts, Tracking, basic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from install.rights import Right
    from localcloud.cloud import Cloud
    from tests.functions.berth import Berth

PASSWORD = "a-made-up-password-of-the-tests"
REGION = "europe-west1"
PARTS = "parts-of-the-tests"
APIS = ("iamcredentials.googleapis.com", "secretmanager.googleapis.com")


def names(cloud: Cloud) -> Names:
    """Return what things are called there."""
    return Names(cloud.project, cloud.number, REGION)


def settle(berth: Berth) -> None:
    """Make the accounts that verify comes as, give them their rights, and the bucket of parts."""
    cloud, called = berth.cloud, names(berth.cloud)
    cloud.enable(*APIS)
    accounts = f"https://iam.googleapis.com/v1/projects/{cloud.project}/serviceAccounts"
    for name in ("verify", "stranger"):
        berth.google("POST", accounts, {"accountId": f"berth-{name}"})
    title, permissions = CUSTOM_ROLES["berthSigner"]
    role = {"title": title, "includedPermissions": list(permissions), "stage": "GA"}
    url = f"https://iam.googleapis.com/v1/projects/{cloud.project}/roles"
    berth.google("POST", url, {"roleId": "berthSigner", "role": role})
    for right in rights(called):
        if right.account == "verify":
            _bind(cloud, _place(cloud, right), right.role, called.member("verify"))
    url = f"https://storage.googleapis.com/storage/v1/b?project={cloud.project}"
    berth.google("POST", url, {"name": PARTS, "location": "EU"})
    # In place of signatures: whoever has an address of a part may put it there.
    place = f"//storage.googleapis.com/projects/_/buckets/{PARTS}"
    _bind(cloud, place, "roles/storage.objectUser", "allUsers")


def keep_password(berth: Berth, name: str) -> None:
    """Keep the admin's password where verify may read it."""
    secret = f"mlflow-{name}-admin-password"
    project = f"projects/{berth.cloud.project}"
    secrets = f"https://secretmanager.googleapis.com/v1/{project}/secrets"
    replication = {"userManaged": {"replicas": [{"location": REGION}]}}
    berth.google("POST", f"{secrets}?secretId={secret}", {"replication": replication})
    data = base64.b64encode(PASSWORD.encode()).decode()
    berth.google("POST", f"{secrets}/{secret}:addVersion", {"payload": {"data": data}})
    policy = {
        "bindings": [
            {
                "role": "roles/secretmanager.secretAccessor",
                "members": [names(berth.cloud).member("verify")],
            }
        ]
    }
    berth.google("POST", f"{secrets}/{secret}:setIamPolicy", {"policy": policy})


@contextmanager
def without(cloud: Cloud, right: Right) -> Iterator[None]:
    """Take one of verify's rights away, and give it back."""
    place, member = _place(cloud, right), names(cloud).member("verify")
    before = cloud.iam.policy(place)
    kept = [
        one for one in before["bindings"] if (one["role"], one["members"]) != (right.role, [member])
    ]
    assert len(kept) == len(before["bindings"]) - 1, right
    cloud.iam.set_policy(place, {"version": 3, "bindings": kept})
    try:
        yield
    finally:
        cloud.iam.set_policy(place, {"version": 3, "bindings": before["bindings"]})


def target(berth: Berth, name: str) -> Target:
    """Return a deployment as verify sees it."""
    spec = Spec.model_validate(berth.get(f"deployments/{name}/spec.json"))
    return Target(spec, Platform.model_validate(berth.get("platform.json")))


def mlflow(berth: Berth, *, login: bool = False, **options: Any) -> Tracking:
    """Return a server, with a login of its own or with none."""
    parts = Parts(berth.cloud, PARTS)
    wanted = basic("admin", PASSWORD)
    return Tracking(lambda header: not login or header == wanted, parts=parts, **options)


def prove(berth: Berth, name: str, **observed: Any) -> Any:
    """Ask for the proof as the workflow does."""
    body = {"deployment": name, "generation": 1, "observed": observed}
    answer = berth.helper("verify", body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def failing(proof: Any) -> tuple[list[str], bool]:
    """Return which checks failed, and whether another try is worth it."""
    return [check["name"] for check in proof["checks"] if not check["ok"]], proof["retry"]


def detail(proof: Any, name: str) -> str:
    """Return what was found by a check."""
    return " | ".join(check["detail"] for check in proof["checks"] if check["name"] == name)


def _place(cloud: Cloud, right: Right) -> str:
    if right.on == "registry":
        return f"//storage.googleapis.com/projects/_/buckets/{BUCKET}"
    email = names(cloud).account(right.on)
    return f"//iam.googleapis.com/projects/{cloud.project}/serviceAccounts/{email}"


def _bind(cloud: Cloud, place: str, role: str, member: str) -> None:
    policy = cloud.iam.policy(place)
    binding = {"role": role, "members": [member]}
    bindings = [*policy.get("bindings", []), binding]
    cloud.iam.set_policy(place, {"version": 3, "bindings": bindings})
