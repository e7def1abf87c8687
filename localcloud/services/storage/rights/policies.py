"""The IAM policy of a bucket: written whole, guarded by its etag."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, invalid
from localcloud.iam import held
from localcloud.services.storage import names, shelf
from localcloud.services.storage.depots import depot_of
from localcloud.services.storage.preconditions import failed

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

_CONDITIONAL_VERSION = 3
_PUBLIC = {"allUsers", "allAuthenticatedUsers"}

_LEGACY = {
    "roles/storage.legacyBucketOwner": ("projectEditor", "projectOwner"),
    "roles/storage.legacyBucketReader": ("projectViewer",),
    "roles/storage.legacyObjectOwner": ("projectEditor", "projectOwner"),
    "roles/storage.legacyObjectReader": ("projectViewer",),
}
"""What Google binds on a new bucket, so that the project's basic roles reach its objects."""


def begin(cloud: Cloud, bucket: str) -> None:
    """Give a new bucket the policy Google gives it."""
    bindings = [
        {"role": role, "members": [f"{kind}:{cloud.project}" for kind in kinds]}
        for role, kinds in _LEGACY.items()
    ]
    cloud.iam.forget(names.full_name(bucket))
    cloud.iam.set_policy(names.full_name(bucket), {"bindings": bindings})


def end(cloud: Cloud, bucket: str) -> None:
    """Drop the policy of a bucket that is gone."""
    cloud.iam.forget(names.full_name(bucket))


def get(call: Call) -> Resource:
    """Show a bucket's policy; a caller that knows no conditions does not get one that has them."""
    bucket = shelf.fetch_bucket(depot_of(call.cloud), call["bucket"]).name
    asked = call.get("optionsRequestedPolicyVersion") or 1
    policy = call.cloud.iam.policy(names.full_name(bucket))
    present = policy.get("version", 1)
    if asked < present:
        raise invalid(
            f"Requested policy version ({asked}) cannot be less than the existing policy "
            f"version ({present}). For more information, please refer to "
            "https://cloud.google.com/iam/docs/policies#versions."
        )
    return _shown(bucket, policy)


def replace_policy(call: Call) -> Resource:
    """Replace a bucket's policy; 412 when the etag sent is not the present one."""
    depot = depot_of(call.cloud)
    with depot.transaction():
        bucket = shelf.fetch_bucket(depot, call["bucket"])
        full = names.full_name(bucket.name)
        sent = call.body.get("etag")
        if sent and sent != call.cloud.iam.policy(full).get("etag"):
            raise failed()
        access = bucket.resource["iamConfiguration"]
        members = {
            member
            for binding in call.body.get("bindings", [])
            for member in binding.get("members", [])
        }
        if access["publicAccessPrevention"] == "enforced" and members & _PUBLIC:
            message = "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is enforced."
            raise ApiError(412, message, reason="conditionNotMet")
        _check_conditions(call.body, access)
        policy: Resource = {
            key: call.body[key] for key in ("bindings", "version") if key in call.body
        }
        stored = call.cloud.iam.set_policy(full, policy)
        # A policy is metadata of its bucket.
        shelf.save_bucket(depot, replace(bucket))
        return _shown(bucket.name, stored)


def _check_conditions(policy: Resource, access: Resource) -> None:
    """Refuse conditions where Google does, as googleapis/python-storage's system tests have it."""
    if not any(binding.get("condition") for binding in policy.get("bindings", [])):
        return
    if not access["uniformBucketLevelAccess"]["enabled"]:
        message = "To set an IAM policy with conditions, first enable uniform bucket-level access."
        raise ApiError(412, message, reason="conditionNotMet")
    if policy.get("version", 1) < _CONDITIONAL_VERSION:
        raise invalid("The policy version must be at least 3 when a binding has a condition.")


def test(call: Call) -> Resource:
    """Say which of the permissions named the caller has on a bucket."""
    shelf.fetch_bucket(depot_of(call.cloud), call["bucket"])
    answer = held(call, call.get("permissions") or [])
    return {"kind": "storage#testIamPermissionsResponse", **answer}


def _shown(bucket: str, policy: Resource) -> Resource:
    return {
        "kind": "storage#policy",
        "resourceId": f"projects/_/buckets/{bucket}",
        "version": policy.get("version", 1),
        "etag": policy["etag"],
        "bindings": policy.get("bindings", []),
    }
