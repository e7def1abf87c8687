"""Cloud Armor's policies: rules by priority, each with ranges and what happens to their callers."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from localcloud.merge import merged, patched
from localcloud.services.compute import names
from localcloud.services.compute.kinds import Kind, no_labels
from localcloud.services.compute.methods import change, check_fingerprint_of, existing, with_labels

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

LAST = 2147483647
"""The priority of the rule that is asked when no other says anything."""

ACTIONS = ("allow", "deny(403)", "deny(404)", "deny(502)")
MOST_RANGES = 10
"""How many ranges a rule may have, as the document says."""

_BY_ADDRESS = "SRC_IPS_V1"
_RULE_FIELDS = frozenset({"action", "description", "kind", "match", "preview", "priority"})
_POLICY_FIELDS = frozenset({"description", "fingerprint", "name", "rules", "type"})


def prepared(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete a policy."""
    no_labels({} if before is not None else body)
    body = {name: value for name, value in body.items() if name != "labels"}
    for field in sorted(body.keys() - _POLICY_FIELDS):
        raise names.not_here(f"security policy with {field}", body[field])
    kind = body.get("type", "CLOUD_ARMOR")
    if kind != "CLOUD_ARMOR":
        raise names.not_here("security policy of type", kind)
    if before is not None and body.get("rules") != before["rules"]:
        raise names.wrong(
            "resource.rules", "...", "Rules are changed by addRule, patchRule and removeRule."
        )
    if before is not None:
        return with_labels({**body, "type": kind, "labels": before.get("labels", {})})
    del call
    rules = [checked(rule, f"rules[{at}].") for at, rule in enumerate(body.get("rules", []))]
    rules = rules or [checked(_default("allow"), "")]
    return with_labels({**body, "type": kind, "rules": arranged(rules)})


def arranged(rules: list[Resource]) -> list[Resource]:
    """Return rules by priority, if there is a last one and no two are the same."""
    priorities = [rule["priority"] for rule in rules]
    if len(set(priorities)) < len(priorities):
        raise names.wrong(
            "resource.rules", priorities, "Cannot have rules with the same priorities."
        )
    if LAST not in priorities:
        raise names.wrong(
            "resource.rules",
            priorities,
            f"The policy must have a default rule with priority {LAST} that matches all.",
        )
    return sorted(rules, key=lambda rule: int(rule["priority"]))


def checked(rule: Resource, at: str) -> Resource:
    """Check and complete one rule."""
    for field in sorted(rule.keys() - _RULE_FIELDS):
        raise names.not_here(f"security rule with {field}", rule[field])
    for field in ("action", "match"):
        if not rule.get(field):
            raise names.required(f"resource.{at}{field}")
    priority = rule.get("priority")
    if priority is None:
        raise names.required(f"resource.{at}priority")
    if not 0 <= priority <= LAST:
        raise names.wrong(f"resource.{at}priority", priority, f"It must be from 0 to {LAST}.")
    if rule["action"] not in ACTIONS:
        raise _unknown_action(at, rule["action"])
    ranges = _ranges(rule["match"], at)
    if priority == LAST and (ranges != ["*"] or rule.get("preview")):
        raise names.wrong(
            f"resource.{at}match", ranges, "The default rule must match all, and not as a preview."
        )
    return {"kind": "compute#securityPolicyRule", "preview": False, **rule}


def _unknown_action(at: str, action: str) -> Exception:
    if action.partition("(")[0] in {"throttle", "rate_based_ban", "redirect"}:
        return names.not_here("security rule with action", action)
    return names.wrong(f"resource.{at}action", action, f"It must be one of {', '.join(ACTIONS)}.")


def _ranges(match: Resource, at: str) -> list[str]:
    if "expr" in match:
        raise names.not_here("security rule with match.expr", match["expr"].get("expression"))
    if match.get("versionedExpr") != _BY_ADDRESS:
        raise names.wrong(
            f"resource.{at}match.versionedExpr",
            match.get("versionedExpr", ""),
            f"It must be {_BY_ADDRESS}.",
        )
    found: list[str] = match.get("config", {}).get("srcIpRanges", [])
    field = f"resource.{at}match.config.srcIpRanges"
    if not found:
        raise names.required(field)
    if len(found) > MOST_RANGES:
        raise names.wrong(
            field, len(found), f"The number of source IP ranges must be at most {MOST_RANGES}."
        )
    for one in found:
        _check_range(field, one)
    return found


def _check_range(field: str, text: str) -> None:
    if text == "*":
        return
    try:
        ipaddress.ip_network(text)
    except ValueError as why:
        raise names.wrong(field, text, f"It is not an address or range: {why}.") from None


def _default(action: str) -> Resource:
    match = {"versionedExpr": _BY_ADDRESS, "config": {"srcIpRanges": ["*"]}}
    return {
        "priority": LAST,
        "action": action,
        "match": match,
        "description": "default rule",
    }


def patch(call: Call) -> Resource:
    """Change what is about the whole policy."""

    def changed(present: Resource) -> Resource:
        check_fingerprint_of(POLICIES, call, present, needed=True)
        mask = call.mask()
        body = POLICIES.writable(call.body)
        sent = merged(POLICIES.writable(present), body, mask) if mask else patched(present, body)
        wanted = POLICIES.writable({**sent, "name": present["name"]})
        wanted.setdefault("rules", present["rules"])
        return {**present, **prepared(call, wanted, present)}

    return change(POLICIES, call, "patch", changed)


def get_rule(call: Call) -> Resource:
    """Show one rule."""
    return _found(existing(POLICIES, call), call)


def add_rule(call: Call) -> Resource:
    """Add a rule; its priority must be a new one."""
    _no_rehearsal(call)
    return change(
        POLICIES,
        call,
        "addRule",
        lambda present: {
            **present,
            "rules": arranged([*present["rules"], checked(call.body, "")]),
        },
    )


def patch_rule(call: Call) -> Resource:
    """Change one rule."""
    _no_rehearsal(call)

    def changed(present: Resource) -> Resource:
        before = _found(present, call)
        mask = call.mask()
        body = {name: value for name, value in call.body.items() if name != "kind"}
        after = checked(merged(before, body, mask) if mask else patched(before, body), "")
        if before["priority"] == LAST != after["priority"]:
            raise names.wrong("priority", after["priority"], "The default rule is the last one.")
        others = [rule for rule in present["rules"] if rule["priority"] != before["priority"]]
        return {**present, "rules": arranged([*others, after])}

    return change(POLICIES, call, "patchRule", changed)


def remove_rule(call: Call) -> Resource:
    """Remove a rule; not the default one."""

    def changed(present: Resource) -> Resource:
        gone = _found(present, call)["priority"]
        return {
            **present,
            "rules": arranged([rule for rule in present["rules"] if rule["priority"] != gone]),
        }

    return change(POLICIES, call, "removeRule", changed)


def _found(policy: Resource, call: Call) -> Resource:
    priority = call.get("priority")
    if priority is None:
        raise names.required("priority")
    for rule in policy["rules"]:
        if rule["priority"] == priority:
            return dict(rule)
    raise names.wrong(
        "priority", priority, "The security policy does not contain a rule at this priority."
    )


def _no_rehearsal(call: Call) -> None:
    if call.get("validateOnly"):
        raise names.not_here("security rule with", "validateOnly")


POLICIES = Kind(
    collection="securityPolicies",
    parameter="securityPolicy",
    word="compute#securityPolicy",
    prepared=prepared,
    output_only=frozenset({"labelFingerprint", "parent"}),
    fingerprint=True,
)
