"""Access control lists as values: entities, roles, predefined lists, and what they allow.

A bucket's list is its IAM policy seen differently: Google keeps the legacy bucket roles and the
list in step (cloud.google.com/storage/docs/access-control/iam-roles#basic-roles-legacy). An
object's list, and the one new objects get, are kept with the object and the bucket.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.cloud import Cloud
    from localcloud.services.storage.shelf import Bucket, Resource

    Grant = dict[str, str]

BUCKET_ROLES = {
    "OWNER": "roles/storage.legacyBucketOwner",
    "WRITER": "roles/storage.legacyBucketWriter",
    "READER": "roles/storage.legacyBucketReader",
}
OBJECT_ROLES = {
    "OWNER": "roles/storage.legacyObjectOwner",
    "READER": "roles/storage.legacyObjectReader",
}
PUBLIC = frozenset({"allUsers", "allAuthenticatedUsers"})

_TEAMS = {"owners": "projectOwner", "editors": "projectEditor", "viewers": "projectViewer"}
_BASIC = {"owners": "roles/owner", "editors": "roles/editor", "viewers": "roles/viewer"}
_ENTITY = re.compile(
    r"allUsers|allAuthenticatedUsers|(user|group)-[^@\s]+@[^@\s]+|domain-[^@\s]+"
    r"|project-(owners|editors|viewers)-[a-z0-9-]+"
)
_PREDEFINED: dict[str, tuple[tuple[str, str], ...]] = {
    "authenticatedRead": (("{owner}", "OWNER"), ("allAuthenticatedUsers", "READER")),
    "bucketOwnerFullControl": (
        ("{owner}", "OWNER"),
        ("project-owners-{project}", "OWNER"),
    ),
    "bucketOwnerRead": (("{owner}", "OWNER"), ("project-owners-{project}", "READER")),
    "private": (("{owner}", "OWNER"),),
    "projectPrivate": (
        ("{owner}", "OWNER"),
        ("project-owners-{project}", "OWNER"),
        ("project-editors-{project}", "OWNER"),
        ("project-viewers-{project}", "READER"),
    ),
    "publicRead": (("{owner}", "OWNER"), ("allUsers", "READER")),
    "publicReadWrite": (("{owner}", "OWNER"), ("allUsers", "WRITER")),
}


NAMES = frozenset(_PREDEFINED)
"""What a predefined list can be called."""


def uniform(bucket: Bucket) -> bool:
    """Say whether a bucket has switched lists off."""
    return bool(bucket.resource["iamConfiguration"]["uniformBucketLevelAccess"]["enabled"])


def refusal(verb: str) -> ApiError:
    """Return the refusal for lists on a bucket with uniform access."""
    message = (
        f"Cannot {verb} when uniform bucket-level access is enabled. Read more at "
        "https://cloud.google.com/storage/docs/uniform-bucket-level-access"
    )
    return ApiError(400, message, reason="invalid")


def legacy_refusal(kind: str) -> ApiError:
    """Return the refusal for the methods that read or write one list."""
    return refusal(
        {
            "bucket": "use ACL API to update bucket policy",
            "default": "use ACL API to update bucket policy",
            "object": "get legacy ACL for an object",
        }[kind]
    )


def predefined(name: str, *, number: str, owner: str) -> list[Grant]:
    """Return the list a predefined name stands for; *owner* is an entity, or empty for none."""
    grants: dict[str, str] = {}
    for entity, role in _PREDEFINED[name]:
        found = entity.format(project=number, owner=owner)
        if found:
            grants.setdefault(found, role)
    return [{"entity": entity, "role": role} for entity, role in grants.items()]


def checked(given: Iterable[Resource], *, roles: Iterable[str], number: str) -> list[Grant]:
    """Return grants in the form they are kept in, one for each entity; the last one counts."""
    known = set(roles)
    grants: dict[str, str] = {}
    for item in given:
        entity = normal(item.get("entity"), number=number)
        role = str(item.get("role") or "")
        if role not in known:
            raise ApiError(400, f"Invalid value for role: {role}", reason="invalid")
        grants[entity] = role
    return [{"entity": entity, "role": role} for entity, role in grants.items()]


def normal(entity: Any, *, number: str) -> str:
    """Return an entity as it is kept, projects by number; 400 if nobody can be called that."""
    text = str(entity or "")
    if not _ENTITY.fullmatch(text):
        raise ApiError(400, f"Could not parse entity: {text}", reason="invalid")
    if text.startswith("project-"):
        return "-".join([*text.split("-")[:2], number])
    return text


def refuse_public(bucket: Bucket, grants: Iterable[Grant]) -> None:
    """Refuse a list that opens something where public access is prevented."""
    enforced = bucket.resource["iamConfiguration"]["publicAccessPrevention"] == "enforced"
    if enforced and any(grant["entity"] in PUBLIC for grant in grants):
        message = "The member bindings allUsers and allAuthenticatedUsers are not allowed since public access prevention is enforced."
        raise ApiError(412, message, reason="conditionNotMet")


def role_of(cloud: Cloud, grants: Iterable[Grant], member: str) -> str | None:
    """Return the best role a list gives a member, or None."""
    found = {grant["role"] for grant in grants if _is(cloud, grant["entity"], member)}
    return next((role for role in ("OWNER", "WRITER", "READER") if role in found), None)


def _is(cloud: Cloud, entity: str, member: str) -> bool:
    if entity == "allUsers":
        return True
    if member == "allUsers":
        return False
    if entity == "allAuthenticatedUsers":
        return True
    email = member.partition(":")[2].lower()
    kind, _, rest = entity.partition("-")
    if kind == "domain":
        return email.rpartition("@")[2] == rest.lower()
    if kind == "project":
        project = f"projects/{cloud.project}"
        full = f"//cloudresourcemanager.googleapis.com/{project}"
        role = _BASIC[rest.partition("-")[0]]
        bindings = cloud.iam.policy(full).get("bindings", [])
        return any(b["role"] == role and member in b["members"] for b in bindings)
    return kind == "user" and rest.lower() == email


# The same list as a policy


def member_of(entity: str, project: str) -> str:
    """Return an entity as policies write it."""
    if entity in PUBLIC:
        return entity
    kind, _, rest = entity.partition("-")
    if kind == "project":
        return f"{_TEAMS[rest.partition('-')[0]]}:{project}"
    if kind == "user" and rest.endswith(".gserviceaccount.com"):
        kind = "serviceAccount"
    return f"{kind}:{rest}"


def entity_of(member: str, number: str) -> str:
    """Return a member of a policy as lists write it."""
    kind, _, rest = member.partition(":")
    team = next((team for team, name in _TEAMS.items() if name == kind), None)
    if team is not None:
        return f"project-{team}-{number}"
    return member if member in PUBLIC else f"{_KINDS.get(kind, kind)}-{rest}"


_KINDS = {"serviceAccount": "user"}


def from_policy(policy: Resource, roles: dict[str, str], number: str) -> list[Grant]:
    """Return the list that a policy's legacy roles amount to."""
    names = {full: short for short, full in roles.items()}
    return [
        {"entity": entity_of(member, number), "role": names[binding["role"]]}
        for binding in policy.get("bindings", [])
        if binding["role"] in names and "condition" not in binding
        for member in binding["members"]
    ]


def to_bindings(grants: Iterable[Grant], roles: dict[str, str], project: str) -> list[Resource]:
    """Return a list as bindings of legacy roles."""
    members: dict[str, list[str]] = {}
    for grant in grants:
        members.setdefault(roles[grant["role"]], []).append(member_of(grant["entity"], project))
    return [{"role": role, "members": sorted(found)} for role, found in members.items()]


# How grants are shown


def shown(grant: Grant, *, kind: str, of: Resource, number: str) -> Resource:
    """Show one grant as an access control of a bucket or an object; *of* says of which."""
    entity = grant["entity"]
    path = "/".join([of["bucket"], *filter(None, [of.get("object"), of.get("generation")])])
    item: Resource = {
        "kind": kind,
        "entity": entity,
        "role": grant["role"],
        "etag": of["etag"],
    }
    if of.get("listed", True):
        item |= {"id": f"{path}/{entity}", "bucket": of["bucket"]}
        item |= {key: of[key] for key in ("object", "generation") if key in of}
    who, _, rest = entity.partition("-")
    if who in {"user", "group"}:
        item["email"] = rest
    elif who == "domain":
        item["domain"] = rest
    elif who == "project":
        item["projectTeam"] = {"projectNumber": number, "team": rest.partition("-")[0]}
    return item
