"""One policy, arranged by member, so that asking is quick however many bindings it has."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from localcloud.iam.conditions import Circumstances, compile_condition

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CONVENIENCE = {
    "projectowner": "roles/owner",
    "projecteditor": "roles/editor",
    "projectviewer": "roles/viewer",
}
"""Members that stand for whoever has a basic role on the project."""


class Bindings:
    """What a policy says, by member in lower case."""

    def __init__(self, policy: dict[str, Any]) -> None:
        """Arrange the bindings and compile their conditions once."""
        self._of: defaultdict[str, list[tuple[str, Callable[[Circumstances], bool] | None]]]
        self._of = defaultdict(list)
        for binding in policy.get("bindings", []):
            condition = binding.get("condition")
            test = compile_condition(condition["expression"]) if condition else None
            for member in binding.get("members", []):
                self._of[member.lower()].append((binding["role"], test))
        self._names_groups = any(name.startswith("group:") for name in self._of)

    def roles(
        self,
        member: str,
        found: Circumstances,
        *,
        basic: Callable[[str], bool],
        groups: Callable[[str], Iterable[str]],
    ) -> Iterator[str]:
        """Give the roles a member has under these circumstances.

        ``basic`` tells whether the member has a basic role on the project, ``groups`` gives the
        groups it is in.
        """
        for entry in self._entries(member, basic, groups):
            for role, test in self._of[entry]:
                if test is None or test(found):
                    yield role

    def _entries(
        self,
        member: str,
        basic: Callable[[str], bool],
        groups: Callable[[str], Iterable[str]],
    ) -> Iterator[str]:
        """Give the entries that stand for a member, of those the policy has."""
        names = ["allusers"]
        if member != "allUsers":
            lower = member.lower()
            kind, _, email = lower.partition(":")
            names += ["allauthenticatedusers", lower]
            if kind == "user":
                names.append("domain:" + email.rpartition("@")[2])
            if self._names_groups:
                names += groups(lower)
        yield from (name for name in names if name in self._of)
        if member == "allUsers":
            return
        for entry in list(self._of):
            role = CONVENIENCE.get(entry.partition(":")[0])
            if role is not None and basic(role):
                yield entry

    def has(self, member: str, role: str) -> bool:
        """Tell whether a member itself is bound to a role, whatever the condition."""
        lower = member.lower()
        return lower in self._of and any(bound == role for bound, _ in self._of[lower])


@lru_cache(maxsize=1024)
def arranged(text: str) -> Bindings:
    """Arrange a stored policy, once for each of its states."""
    return Bindings(json.loads(text))
