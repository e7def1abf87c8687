"""The two lists of a bucket: who may do what with it, and what new objects get."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.services.storage import names, views
from localcloud.services.storage.rights import acls

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource
    from localcloud.services.storage.rights.acls import Grant
    from localcloud.services.storage.shelf import Bucket


def shown(call: Call, found: Bucket, *, default: str = "noAcl") -> Resource:
    """Show a bucket as the call's ``projection`` asks for."""
    full = (call.get("projection") or default) == "full"
    return views.bucket(found, acl=own(call.cloud, found) if full else None)


def own(cloud: Cloud, bucket: Bucket) -> list[Grant]:
    """Return a bucket's own list: its policy's legacy roles."""
    policy = cloud.iam.policy(names.full_name(bucket.name))
    return acls.from_policy(policy, acls.BUCKET_ROLES, cloud.number)


def replace_own(cloud: Cloud, bucket: Bucket, grants: list[Grant]) -> None:
    """Replace a bucket's own list, and leave the rest of its policy as it is."""
    acls.refuse_public(bucket, grants)
    full = names.full_name(bucket.name)
    policy = cloud.iam.policy(full)
    legacy = set(acls.BUCKET_ROLES.values())
    kept = [
        binding
        for binding in policy.get("bindings", [])
        if binding["role"] not in legacy or "condition" in binding
    ]
    bindings = acls.to_bindings(grants, acls.BUCKET_ROLES, cloud.project)
    cloud.iam.set_policy(full, policy | {"bindings": kept + bindings})


def wanted(call: Call, bucket: Bucket, *, new: bool = False) -> tuple[list[Grant] | None, Resource]:
    """Return the list a call gives a bucket, and what else changes in it; None for no change."""
    number = call.cloud.number
    asked = [call.get("predefinedAcl"), call.get("predefinedDefaultObjectAcl")]
    listed = [call.body.get("acl"), call.body.get("defaultObjectAcl")]
    if acls.uniform(bucket) and (any(asked) or any(listed)):
        raise acls.legacy_refusal("bucket")
    owners = f"project-owners-{number}"
    grants: list[Grant] | None = None
    if asked[0]:
        grants = acls.predefined(asked[0], number=number, owner=owners)
    elif listed[0] and not acls.uniform(bucket):
        grants = acls.checked(listed[0], roles=acls.BUCKET_ROLES, number=number)
    elif listed[0] is not None and not acls.uniform(bucket) and not new:
        grants = []
    if grants is not None and all(grant["entity"] != owners for grant in grants):
        # Whatever a list says, the project's owners stay owners.
        grants = [{"entity": owners, "role": "OWNER"}, *grants]
    default: list[Grant] | None = None
    if asked[1]:
        default = acls.predefined(asked[1], number=number, owner="")
    elif listed[1] is not None:
        default = acls.checked(listed[1], roles=acls.OBJECT_ROLES, number=number)
    if default is None and new:
        default = acls.predefined("projectPrivate", number=number, owner="")
    acls.refuse_public(bucket, [*(grants or []), *(default or [])])
    return grants, {} if default is None else {"_defaultObjectAcl": default}
