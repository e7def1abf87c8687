"""iap.getIamPolicy, setIamPolicy and testIamPermissions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.iam import held
from localcloud.services.iap import resources

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource


def get(call: Call) -> Resource:
    """Give the policy of a resource."""
    name = resources.checked(call, "getIamPolicy")
    version = call.body.get("options", {}).get("requestedPolicyVersion", 1)
    return call.cloud.iam.policy(f"//iap.googleapis.com/{name}", version=version)


def replace(call: Call) -> Resource:
    """Replace the policy of a resource."""
    name = resources.checked(call, "setIamPolicy")
    return call.cloud.iam.set_policy(f"//iap.googleapis.com/{name}", call.body.get("policy", {}))


def test(call: Call) -> Resource:
    """Give those of some permissions that the caller has on a resource."""
    call.params["resource"] = call.cloud.by_id(call["resource"])
    return held(call, call.body.get("permissions", []))
