"""Organization Policy: the project's policies, and what they come to."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

from localcloud.errors import aborted, already_exists, invalid, not_found
from localcloud.org_policies import constraints
from localcloud.service import Call, Needs, Resource, Service, page

if TYPE_CHECKING:
    from collections.abc import Mapping

_KINDS = {"enforce", "allowAll", "denyAll", "values"}


def create(call: Call) -> Resource:
    """Set a policy where none is."""
    constraint = _constraint(call, str(call.body["name"]))
    with call.store.lock():
        if call.cloud.constraints.find(constraint) is not None:
            raise already_exists(f"Policy for constraint {constraint} already exists.")
        return _write(call, constraint, call.body)


def get(call: Call) -> Resource:
    """Show a policy that was set."""
    constraint = _constraint(call, str(call["name"]))
    found = call.cloud.constraints.find(constraint)
    if found is None:
        raise not_found("Requested entity was not found.")
    return found


def list_policies(call: Call) -> Resource:
    """List the policies that were set."""
    return page(call, call.cloud.constraints.listed(), "policies")


def patch(call: Call) -> Resource:
    """Replace a policy's spec; 409 when the etag sent is out of date."""
    constraint = _constraint(call, str(call["name"]))
    mask = call.mask() or ["*"]
    if not set(mask) <= {"*", "policy.spec", "spec", "policy.dryRunSpec", "dryRunSpec"}:
        raise invalid("The update mask may be policy.spec, policy.dryRunSpec or *.")
    with call.store.lock():
        present = get(call)
        sent = call.body.get("etag")
        if sent and sent != present["etag"]:
            raise aborted("The policy was changed concurrently; read it again and retry.")
        wanted = {path.removeprefix("policy.") for path in mask}
        changed = {
            field: call.body.get(field) if wanted & {field, "*"} else present.get(field)
            for field in ("spec", "dryRunSpec")
        }
        return _write(call, constraint, {k: v for k, v in changed.items() if v is not None})


def delete(call: Call) -> None:
    """Remove a policy."""
    get(call)
    call.cloud.constraints.drop(_constraint(call, str(call["name"])))


def effective(call: Call) -> Resource:
    """Show what counts now, the default where nothing was set."""
    constraint = _constraint(call, str(call["name"]))
    found = call.cloud.constraints
    return {"name": found.name(constraint), "spec": {"rules": found.rules(constraint)}}


def list_constraints(call: Call) -> Resource:
    """List the constraints there are here."""
    names = constraints.BOOLEAN | constraints.LIST | constraints.WITHOUT_EFFECT
    return page(call, [_described(call, name) for name in sorted(names)], "constraints")


def _described(call: Call, name: str) -> Resource:
    kind: dict[str, Any] = {"booleanConstraint": {}}
    if name not in constraints.BOOLEAN:
        kind = {"listConstraint": {"supportsIn": name == "gcp.resourceLocations"}}
    full = f"projects/{call.cloud.number}/constraints/{name}"
    return {"name": full, "displayName": name, "constraintDefault": "ALLOW", **kind}


def _write(call: Call, constraint: str, body: Mapping[str, Any]) -> Resource:
    for field in ("spec", "dryRunSpec"):
        _check(constraint, body.get(field, {}))
    number = call.store.next_number("etag")
    etag = base64.b64encode(b"\x08\x07" + number.to_bytes(6, "big")).decode()
    policy: Resource = {"name": call.cloud.constraints.name(constraint), "etag": etag}
    for field in ("spec", "dryRunSpec"):
        if field in body:
            policy[field] = {**body[field], "etag": etag, "updateTime": call.now}
    return call.cloud.constraints.put(constraint, policy)


def _check(constraint: str, spec: Mapping[str, Any]) -> None:
    if spec.get("reset") and (spec.get("rules") or spec.get("inheritFromParent")):
        raise invalid("A policy with reset must have no rules and not inherit from its parent.")
    boolean = constraint in constraints.BOOLEAN
    for rule in spec.get("rules", []):
        kinds = _KINDS & rule.keys()
        if len(kinds) != 1 or ("enforce" in kinds) is not boolean:
            raise invalid(
                f"Each rule of constraints/{constraint} must have "
                f"{'enforce' if boolean else 'one of values, allowAll and denyAll'}."
            )
        if rule.get("condition") or rule.get("parameters"):
            raise invalid("Conditions on tags and parameters are not supported by the local cloud.")


def _constraint(call: Call, name: str) -> str:
    parts = call.cloud.by_number(name).split("/")
    if parts[:3] != ["projects", call.cloud.number, "policies"] or len(parts) != 4:  # noqa: PLR2004
        raise invalid(f"Invalid policy name {name}: projects/PROJECT/policies/CONSTRAINT expected.")
    if not constraints.known(parts[3]):
        raise not_found(f"Constraint constraints/{parts[3]} does not exist.")
    return parts[3]


def _project(call: Call) -> str:
    return f"projects/{call.cloud.project}"


_PREFIX = "orgpolicy.projects.policies."

SERVICE = Service(
    "orgpolicy",
    "v2",
    {
        _PREFIX + "create": create,
        _PREFIX + "get": get,
        _PREFIX + "list": list_policies,
        _PREFIX + "patch": patch,
        _PREFIX + "delete": delete,
        _PREFIX + "getEffectivePolicy": effective,
        "orgpolicy.projects.constraints.list": list_constraints,
    },
    permissions={
        method: Needs(permission, api="cloudresourcemanager")
        for method, permission in {
            _PREFIX + "create": "orgpolicy.policies.create",
            _PREFIX + "get": "orgpolicy.policy.get",
            _PREFIX + "list": "orgpolicy.policies.list",
            _PREFIX + "patch": "orgpolicy.policies.update",
            _PREFIX + "delete": "orgpolicy.policies.delete",
            _PREFIX + "getEffectivePolicy": "orgpolicy.policy.get",
            "orgpolicy.projects.constraints.list": "orgpolicy.constraints.list",
        }.items()
    },
    required={_PREFIX + "create": ("name",)},
    resource=_project,
)
