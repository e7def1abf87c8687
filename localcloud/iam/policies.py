"""Policies: kept per resource, inherited from the project, asked on every call."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError, aborted, error_info, invalid
from localcloud.iam import predefined
from localcloud.iam.bindings import arranged
from localcloud.iam.conditions import Circumstances, compile_condition
from localcloud.iam.groups import Groups
from localcloud.iam.propagation import InEffect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from localcloud.cloud import Cloud

Policy = dict[str, Any]

ORGANIZATION = "//cloudresourcemanager.googleapis.com/organizations/1"
"""What is above the project; nobody can call it, its administrator is the project's owner."""

_PROJECTS = "//cloudresourcemanager.googleapis.com/projects/"
_MEMBER = re.compile(
    r"allUsers|allAuthenticatedUsers"
    r"|(user|serviceAccount|group):[^@:\s]+@[^@:\s]+"
    r"|domain:[^@:\s/]+"
    r"|(projectOwner|projectEditor|projectViewer):[^\s]+"
    r"|deleted:(user|serviceAccount|group):[^@:\s]+@[^@:\s?]+\?uid=\d+"
    r"|principal(Set)?://[^\s]+"
)
_EMPTY_ETAG = "ACAB"
_CONDITIONAL_VERSION = 3
_BY_NUMBER = frozenset({"secretmanager"})


class Iam:
    """Every policy of the project, and the question whether somebody may do something."""

    def __init__(self, cloud: Cloud) -> None:
        """Keep policies in the cloud's store."""
        self._cloud = cloud
        self._policies = cloud.store.of("iam.policies")
        self._in_effect = InEffect(cloud)
        self.groups = Groups(cloud.store.of("iam.groups"))

    # -- asking ---------------------------------------------------------------------------

    def allowed(
        self,
        member: str,
        permission: str,
        api: str,
        resource_name: str,
        *,
        attributes: Mapping[str, Sequence[str]] | None = None,
    ) -> bool:
        """Tell whether a member has a permission on a resource or on anything above it."""
        name = self._cloud.by_id(resource_name)
        if not self._ours(name):
            return False
        found = Circumstances(
            # Conditions see the name as the API itself writes it: with the project number in
            # Secret Manager (cloud.google.com/iam/docs/conditions-resource-attributes).
            name=self._cloud.by_number(name) if api in _BY_NUMBER else name,
            service=f"{api}.googleapis.com",
            type=resource_type(api, name),
            attributes=attributes or {},
            now=self._cloud.clock.now(),
        )
        return any(
            self._bound(member, permission, full, found) for full in self._ancestry(api, name)
        )

    def check(
        self,
        member: str,
        permission: str,
        api: str,
        resource_name: str,
        *,
        attributes: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Raise Google's 403 unless the member has the permission."""
        if self.allowed(member, permission, api, resource_name, attributes=attributes):
            return
        shown = f"//{api}.googleapis.com/{resource_name}"
        raise ApiError(
            403,
            f"Permission '{permission}' denied on resource '{shown}' (or it may not exist).",
            details=[
                error_info(
                    "IAM_PERMISSION_DENIED",
                    domain="iam.googleapis.com",
                    permission=permission,
                    resource=resource_name,
                )
            ],
        )

    def _bound(self, member: str, permission: str, full: str, found: Circumstances) -> bool:
        text = self._in_effect.text(full)
        if text is None:
            return False

        def basic(role: str) -> bool:
            project = self._in_effect.text(_PROJECTS + self._cloud.project)
            return project is not None and arranged(project).has(member, role)

        return any(
            self.role_grants(role, permission)
            for role in arranged(text).roles(member, found, basic=basic, groups=self.groups.of)
        )

    def role_grants(self, role: str, permission: str) -> bool:
        """Tell whether a role of any kind contains a permission."""
        if role.startswith("roles/"):
            return predefined.grants(role, permission)
        custom = self._cloud.store.of("iam").find(role)
        return (
            custom is not None
            and not custom.get("deleted")
            and permission in custom.get("includedPermissions", [])
        )

    def _ancestry(self, api: str, name: str) -> Iterator[str]:
        bucket, objects, _ = name.partition("/objects/")
        if api == "storage" and objects:
            # an object's own name may hold slashes, so it says nothing about what is above it
            yield f"//storage.googleapis.com/{name}"
            name = bucket
        parts = name.split("/")
        while len(parts) > 2:  # noqa: PLR2004 - "projects/p" itself is the project
            yield f"//{api}.googleapis.com/{'/'.join(parts)}"
            del parts[-2:]
        if api == "iap":
            # above every guarded thing, and no pair of collection and name like the rest
            yield f"//iap.googleapis.com/{'/'.join(parts)}/iap_web"
        yield _PROJECTS + self._cloud.project
        yield ORGANIZATION

    def _ours(self, name: str) -> bool:
        parts = name.split("/")
        return parts[0] != "projects" or (
            len(parts) > 1 and parts[1] in {self._cloud.project, "_", "-"}
        )

    # -- policies -------------------------------------------------------------------------

    def policy(self, full: str, *, version: int = _CONDITIONAL_VERSION) -> Policy:
        """Give a resource's own policy; below version 3 its conditions are hidden in the role."""
        policy = self._policies.find(self._key(full))
        if policy is None:
            return {"etag": _EMPTY_ETAG}
        if version < _CONDITIONAL_VERSION and _conditional(policy):
            policy["bindings"] = [_without_condition(item) for item in policy["bindings"]]
            policy["version"] = 1
        return policy

    def set_policy(
        self, full: str, policy: Policy, *, audit: bool = False, public: bool = True
    ) -> Policy:
        """Replace a resource's policy; 409 when its etag is out of date.

        ``audit`` lets the policy's auditConfigs replace the present ones; ``public`` tells whether
        the resource may be opened to everyone.
        """
        key = self._key(full)
        bindings = self._checked(policy, public=public)
        with self._cloud.store.lock():
            current = self._policies.find(key) or {"etag": _EMPTY_ETAG}
            sent = policy.get("etag")
            if sent and sent != current["etag"]:
                raise aborted(
                    "There were concurrent policy changes. Please retry the whole "
                    "read-modify-write with exponential backoff."
                )
            stored: Policy = {"version": 1, "etag": self._next_etag()}
            if bindings:
                stored["bindings"] = bindings
            if _conditional(stored):
                stored["version"] = _CONDITIONAL_VERSION
            configs = policy.get("auditConfigs") if audit else current.get("auditConfigs")
            if configs:
                stored["auditConfigs"] = configs
            before = self._policies.raw(key)
            kept = self._policies.put(key, stored)
            self._in_effect.changed(key, before)
            return kept

    def forget(self, full: str) -> None:
        """Drop the policy of a resource that is gone, and of everything below it."""
        key = self._key(full)
        with self._cloud.store.lock():
            for name, _ in [*self._policies.under(key + "/"), (key, None)]:
                if self._policies.find(name) is not None:
                    self._policies.delete(name)
                self._in_effect.at_once(name)

    def forget_account(self, email: str, unique_id: str) -> None:
        """Mark a deleted account in every policy; a new one of that name inherits nothing."""
        gone = f"deleted:serviceAccount:{email}?uid={unique_id}"
        self._rename(f"serviceAccount:{email}", gone)

    def restore_account(self, email: str, unique_id: str) -> None:
        """Undo ``forget_account`` for an account that came back."""
        self._rename(f"deleted:serviceAccount:{email}?uid={unique_id}", f"serviceAccount:{email}")

    def _rename(self, before: str, after: str) -> None:
        with self._cloud.store.lock():
            for name, policy in self._policies.under("//"):
                changed = False
                for binding in policy.get("bindings", []):
                    if before in binding["members"]:
                        binding["members"] = [
                            after if member == before else member for member in binding["members"]
                        ]
                        changed = True
                if changed:
                    policy["etag"] = self._next_etag()
                    self._policies.put(name, policy)
                    self._in_effect.at_once(name)

    def modified_roles(self, full: str, policy: Policy) -> list[str]:
        """List the roles whose members differ between the present policy and a new one."""
        before, after = _members(self.policy(full)), _members(policy)
        return sorted({role for role, _, _ in before ^ after})

    def _next_etag(self) -> str:
        number = self._policies.next_number("etag")
        return base64.b64encode(b"\x07\x06" + number.to_bytes(6, "big")).decode()

    def _key(self, full: str) -> str:
        host, _, name = full.removeprefix("//").partition("/")
        return f"//{host}/{self._cloud.by_id(name)}"

    def _checked(self, policy: Policy, *, public: bool) -> list[dict[str, Any]]:
        bindings = []
        conditional = False
        for binding in policy.get("bindings", []):
            role, members = binding.get("role", ""), binding.get("members", [])
            if not self._known_role(role):
                raise invalid(f"Role {role} is not supported for this resource.")
            for member in members:
                self._check_member(member, public=public)
            entry: dict[str, Any] = {"role": role, "members": sorted(set(members))}
            condition = binding.get("condition")
            if condition:
                conditional = True
                if not condition.get("title"):
                    raise invalid("Condition title is required.")
                compile_condition(condition.get("expression", ""))
                entry["condition"] = condition
            if members:
                bindings.append(entry)
        if conditional and policy.get("version") != _CONDITIONAL_VERSION:
            raise invalid(
                "Policies with conditional role bindings must set the version field to 3."
            )
        return _merged(bindings)

    def _known_role(self, role: str) -> bool:
        if role.startswith("roles/"):
            return predefined.known(role)
        custom = self._cloud.store.of("iam").find(self._cloud.by_id(role))
        return custom is not None and not custom.get("deleted")

    def _check_member(self, member: str, *, public: bool) -> None:
        if not _MEMBER.fullmatch(member):
            raise invalid(f"Invalid member {member}: members need a type prefix and an identity.")
        if member in {"allUsers", "allAuthenticatedUsers"} and not public:
            raise invalid(f"Members of type {member} cannot be set on this resource.")
        kind, _, email = member.partition(":")
        if kind == "serviceAccount" and not self._cloud.account_exists(email):
            raise invalid(f"Service account {email} does not exist.")


def resource_type(api: str, name: str) -> str:
    """Give what conditions call ``resource.type``, such as ``storage.googleapis.com/Bucket``."""
    if api == "storage" and "/objects/" in name:
        return "storage.googleapis.com/Object"
    parts = name.split("/")
    if len(parts) <= 2:  # noqa: PLR2004 - "projects/p"
        return "cloudresourcemanager.googleapis.com/Project"
    collection = parts[-2] if len(parts) % 2 == 0 else parts[-1]
    kind = collection[:-3] + "y" if collection.endswith("ies") else collection.removesuffix("s")
    return f"{api}.googleapis.com/{kind[:1].upper()}{kind[1:]}"


def _conditional(policy: Policy) -> bool:
    return any("condition" in binding for binding in policy.get("bindings", []))


def _without_condition(binding: dict[str, Any]) -> dict[str, Any]:
    condition = binding.get("condition")
    if condition is None:
        return binding
    digest = hashlib.sha256(condition["expression"].encode()).hexdigest()[:20]
    return {"role": f"{binding['role']}_withcond_{digest}", "members": binding["members"]}


def _members(policy: Policy) -> set[tuple[str, str, str]]:
    return {
        (binding.get("role", ""), member, (binding.get("condition") or {}).get("expression", ""))
        for binding in policy.get("bindings", [])
        for member in binding.get("members", [])
    }


def _merged(bindings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    for binding in bindings:
        key = (binding["role"], str(binding.get("condition")))
        if key in merged:
            members = {*merged[key]["members"], *binding["members"]}
            merged[key]["members"] = sorted(members)
        else:
            merged[key] = binding
    return list(merged.values())
