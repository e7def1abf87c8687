"""Which rule of a security policy is meant for a client, and what it says."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.store import Resource

ALLOW = "allow"


@dataclass(frozen=True)
class Verdict:
    """What a policy decided: the rule that counts, and one that would have as a preview."""

    policy: str
    rule: Resource
    preview: Resource | None = None

    @property
    def status(self) -> int | None:
        """The status of the refusal; None where the client may pass."""
        action = str(self.rule["action"])
        return None if action == ALLOW else int(action.removeprefix("deny(").removesuffix(")"))


def verdict(policy: Resource, client: str) -> Verdict:
    """Ask the rules in their order; the first that names the client counts."""
    address = ipaddress.ip_address(client)
    preview = None
    for rule in sorted(policy["rules"], key=lambda one: int(one["priority"])):
        if not any(_holds(one, address) for one in rule["match"]["config"]["srcIpRanges"]):
            continue
        if not rule.get("preview"):
            return Verdict(policy["name"], rule, preview)
        preview = preview or rule
    raise LookupError(f"the policy {policy['name']} has no default rule")


def logged(rule: Resource, policy: str) -> Resource:
    """Describe a rule for the log."""
    return {
        "name": policy,
        "priority": rule["priority"],
        "configuredAction": str(rule["action"]).partition("(")[0].upper(),
        "outcome": "ACCEPT" if rule["action"] == ALLOW else "DENY",
    }


def _holds(text: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if text == "*":
        return True
    found = ipaddress.ip_network(text)
    return found.version == address.version and address in found
