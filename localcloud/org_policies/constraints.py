"""Organisation policies: what they are, what counts now, and which calls they forbid.

Constraints and their effects as cloud.google.com/resource-manager/docs/organization-policy lists
them. There is one organisation around the one project, and policies are set on the project.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from localcloud.iam.propagation import InEffect

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.store import Resource

BOOLEAN = frozenset(
    {
        "iam.disableServiceAccountCreation",
        "iam.disableServiceAccountKeyCreation",
        "iam.disableServiceAccountKeyUpload",
        "run.managed.requireInvokerIam",
        "sql.restrictPublicIp",
        "storage.publicAccessPrevention",
        "storage.uniformBucketLevelAccess",
    }
)
"""Constraints that are enforced or not."""

LIST = frozenset(
    {
        "compute.restrictVpcPeering",
        "compute.vmExternalIpAccess",
        "gcp.resourceLocations",
        "gcp.restrictServiceUsage",
        "iam.allowServiceAccountCredentialLifetimeExtension",
        "iam.allowedPolicyMemberDomains",
        "run.allowedIngress",
    }
)
"""Constraints that allow or deny values."""

WITHOUT_EFFECT = frozenset(
    {
        "iam.automaticIamGrantsForDefaultServiceAccounts",
        "iam.managed.allowedPolicyMembers",
    }
)
"""Constraints whose policies are kept, and about things that do not exist here."""

_EU = frozenset(
    {"eu", "eur4", "europe-central2", "europe-north1", "europe-southwest1"}
    | {f"europe-west{number}" for number in (1, 3, 4, 8, 9, 10, 12)}
)
_GROUPS: dict[str, Callable[[str], bool]] = {
    "in:eu-locations": lambda place: place in _EU,
    "in:europe-locations": lambda place: place.startswith("eu"),
    "in:us-locations": lambda place: place == "us" or place.startswith(("us-", "nam")),
    "in:asia-locations": lambda place: place.startswith("asia"),
}


class Constraints:
    """The policies of the project; tests use ``set`` and ``drop``, the API the rest."""

    def __init__(self, cloud: Cloud) -> None:
        """Keep policies in the cloud's store."""
        self._cloud = cloud
        self._kept = cloud.store.of("orgpolicy")
        self._in_effect = InEffect(
            cloud, policies="orgpolicy", history="orgpolicy.history", delay="constraints"
        )

    def set(
        self,
        constraint: str,
        *,
        enforce: bool | None = None,
        allowed: list[str] | None = None,
        denied: list[str] | None = None,
    ) -> None:
        """Set a policy without a call; it counts after ``cloud.propagation["constraints"]``."""
        if not known(constraint):
            raise LookupError(f"no constraint {constraint!r}")
        rule: dict[str, Any] = {"enforce": True if enforce is None else enforce}
        if constraint not in BOOLEAN:
            lists = {"allowedValues": allowed, "deniedValues": denied}
            values = {name: given for name, given in lists.items() if given is not None}
            rule = {"values": values} if values else {"denyAll": True}
        self.put(constraint, {"name": self.name(constraint), "spec": {"rules": [rule]}})

    def drop(self, constraint: str) -> None:
        """Remove a policy, so that the default counts again."""
        name = self.name(constraint)
        with self._cloud.store.lock():
            before = self._kept.raw(name)
            if before is not None:
                self._kept.delete(name)
                self._in_effect.changed(name, before)

    def put(self, constraint: str, policy: Resource) -> Resource:
        """Write a policy."""
        name = self.name(constraint)
        with self._cloud.store.lock():
            before = self._kept.raw(name)
            written = self._kept.put(name, policy)
            self._in_effect.changed(name, before)
            return written

    def find(self, constraint: str) -> Resource | None:
        """Give the policy that was set, whether or not it counts yet."""
        return self._kept.find(self.name(constraint))

    def listed(self) -> list[Resource]:
        """Give every policy that was set."""
        return self._kept.children(f"projects/{self._cloud.number}/policies/")

    def name(self, constraint: str) -> str:
        """Give the name of a policy, with the project's number as Google has it."""
        return f"projects/{self._cloud.number}/policies/{constraint}"

    # -- what counts ----------------------------------------------------------------------

    def rules(self, constraint: str) -> list[dict[str, Any]]:
        """Give the rules that count now, those of the default if nothing was set."""
        text = self._in_effect.text(self.name(constraint))
        spec = json.loads(text).get("spec", {}) if text is not None else {}
        rules: list[dict[str, Any]] = spec.get("rules", [])
        if rules and not spec.get("reset"):
            return rules
        return [{"enforce": False}] if constraint in BOOLEAN else [{"allowAll": True}]

    def enforced(self, constraint: str) -> bool:
        """Tell whether a boolean constraint is enforced."""
        return any(rule.get("enforce") for rule in self.rules(constraint))

    def permits(self, constraint: str, *values: str) -> bool:
        """Tell whether a list constraint lets one of several spellings of a value through."""
        rules = self.rules(constraint)
        if any(rule.get("denyAll") for rule in rules):
            return False
        denied = _values(rules, "deniedValues")
        if any(_matches(entry, value) for entry in denied for value in values):
            return False
        allowed = _values(rules, "allowedValues")
        if not allowed:
            return True
        return any(_matches(entry, value) for entry in allowed for value in values)

    def names(self, constraint: str, value: str) -> bool:
        """Tell whether a list constraint allows a value by name, and not only by default."""
        return value in _values(self.rules(constraint), "allowedValues")


def known(constraint: str) -> bool:
    """Tell whether there is such a constraint here."""
    return constraint in BOOLEAN or constraint in LIST or constraint in WITHOUT_EFFECT


def customer_id(domain: str) -> str:
    """Give the directory customer id that stands for a domain in policies."""
    return "C0" + hashlib.sha256(domain.lower().encode()).hexdigest()[:7]


def _values(rules: list[dict[str, Any]], kind: str) -> list[str]:
    return [value for rule in rules for value in rule.get("values", {}).get(kind, [])]


def _matches(entry: str, value: str) -> bool:
    place = value.lower()
    group = _GROUPS.get(entry)
    if group is not None:
        return group(place)
    return entry in {value, f"is:{value}", f"in:{place}-locations"} or entry.lower() == place
