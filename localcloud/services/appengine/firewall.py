"""appengine.apps.firewall.ingressRules: kept here, and carried out at the front end."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

from localcloud.errors import already_exists, invalid, not_found
from localcloud.merge import merged
from localcloud.service import page
from localcloud.services.appengine import applications

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call
    from localcloud.store import Resource

LAST = 2147483647
"""The priority of the default rule, of which only the action can be changed."""

_ACTIONS = ("ALLOW", "DENY")
_LONGEST_DESCRIPTION = 400
_MOST_RULES = 1000
_SETTABLE = frozenset({"action", "description", "priority", "sourceRange"})


def allows(cloud: Cloud, app: str, address: str) -> bool:
    """Tell whether the rules let a client's address in: the first that matches decides."""
    for rule in _rules(cloud.store.of("appengine").children(f"{app}/firewall/ingressRules/")):
        if _matches(rule, address):
            return bool(rule["action"] == "ALLOW")
    return True


def listed(call: Call) -> Resource:
    """List the rules by priority, or those an address is matched by."""
    found = _rules(call.store.children(_prefix(call)))
    address = call.get("matchingAddress")
    if address:
        try:
            ipaddress.ip_address(address)
        except ValueError:
            raise invalid(f"matching_address: '{address}' is no IP address") from None
        found = [one for one in found if _matches(one, address)]
    return page(call, found, "ingressRules")


def get(call: Call) -> Resource:
    """Give one rule."""
    return _fetch(call)


def create(call: Call) -> Resource:
    """Add a rule."""
    rule = _checked(call.body)
    prefix = _prefix(call)
    with call.store.lock():
        if call.store.find(f"{prefix}{rule['priority']}") is not None:
            raise already_exists(f"A rule with priority {rule['priority']} already exists.")
        if call.store.count(prefix) >= _MOST_RULES:
            raise invalid(f"An application can have at most {_MOST_RULES} firewall rules.")
        return call.store.put(f"{prefix}{rule['priority']}", rule)


def patch(call: Call) -> Resource:
    """Change a rule; a new priority moves it."""
    current = _fetch(call)
    paths = call.mask()
    for path in paths:
        if path not in _SETTABLE:
            raise invalid(f"Invalid update mask: '{path}' is not a field that can be updated.")
    changed = _checked(merged(current, call.body, paths))
    prefix = _prefix(call)
    if current["priority"] == LAST and any(
        changed.get(key) != current.get(key) for key in ("priority", "sourceRange")
    ):
        raise invalid("Only the action of the default rule can be modified.")
    with call.store.lock():
        moved = changed["priority"] != current["priority"]
        if moved and call.store.find(f"{prefix}{changed['priority']}") is not None:
            raise already_exists(f"A rule with priority {changed['priority']} already exists.")
        call.store.delete(f"{prefix}{current['priority']}")
        return call.store.put(f"{prefix}{changed['priority']}", changed)


def delete(call: Call) -> Resource:
    """Remove a rule."""
    current = _fetch(call)
    if current["priority"] == LAST:
        raise invalid("The default rule cannot be deleted.")
    call.store.delete(f"{_prefix(call)}{current['priority']}")
    return {}


def batch_update(call: Call) -> Resource:
    """Replace all rules at once; without a default rule in the list the present one stays."""
    rules = [_checked(one) for one in call.body.get("ingressRules", [])]
    taken = [one["priority"] for one in rules]
    if len(set(taken)) < len(taken):
        raise invalid("Two rules have the same priority.")
    if len(rules) > _MOST_RULES:
        raise invalid(f"An application can have at most {_MOST_RULES} firewall rules.")
    prefix = _prefix(call)
    with call.store.lock():
        for one in call.store.children(prefix):
            if one["priority"] != LAST or LAST in taken:
                call.store.delete(f"{prefix}{one['priority']}")
        for one in rules:
            call.store.put(f"{prefix}{one['priority']}", one)
    return {"ingressRules": _rules(call.store.children(prefix))}


def _prefix(call: Call) -> str:
    return f"{applications.fetch(call)['name']}/firewall/ingressRules/"


def _fetch(call: Call) -> Resource:
    found = call.store.find(f"{_prefix(call)}{call['ingressRulesId']}")
    if found is None:
        raise not_found(f"Firewall rule with priority {call['ingressRulesId']} was not found.")
    return found


def _checked(rule: Resource) -> Resource:
    priority = rule.get("priority", 0)
    if not 1 <= priority <= LAST:
        raise invalid(f"priority: must be between 1 and {LAST}, is {priority}")
    if rule.get("action") not in _ACTIONS:
        raise invalid("action: must be ALLOW or DENY")
    source = rule.get("sourceRange", "")
    if source != "*":
        try:
            ipaddress.ip_network(source)
        except ValueError as error:
            raise invalid(f"source_range: {error}") from None
    if priority == LAST and source != "*":
        raise invalid("Only the action of the default rule can be modified.")
    if len(rule.get("description", "")) > _LONGEST_DESCRIPTION:
        raise invalid(f"description: must be at most {_LONGEST_DESCRIPTION} characters")
    return dict(rule)


def _rules(found: list[Resource]) -> list[Resource]:
    return sorted(found, key=lambda rule: int(rule["priority"]))


def _matches(rule: Resource, address: str) -> bool:
    source = rule["sourceRange"]
    return source == "*" or ipaddress.ip_address(address) in ipaddress.ip_network(source)
