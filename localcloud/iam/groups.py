"""Groups of people and accounts, as a test or a command fills them; Google has them elsewhere."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from localcloud.store import Collection

_MEMBER = re.compile(r"(user|serviceAccount|group):[^@:\s]+@[^@:\s]+")


class Groups:
    """Who is in which group, also by way of another group."""

    def __init__(self, kept: Collection) -> None:
        """Keep groups in ``kept``."""
        self._kept = kept

    def set(self, email: str, members: Iterable[str]) -> None:
        """Make a group of exactly these members, written as in policies; none: it is gone."""
        listed = sorted(set(members))
        wrong = [member for member in listed if not _MEMBER.fullmatch(member)]
        if wrong or not _MEMBER.fullmatch(f"group:{email}"):
            raise ValueError(
                f"{', '.join(wrong) or email} is no member: members are written user:E-MAIL, "
                "serviceAccount:E-MAIL or group:E-MAIL, and a group is an e-mail address"
            )
        self._kept.put(email.lower(), {"members": [member.lower() for member in listed]})

    def of(self, member: str) -> list[str]:
        """Give the groups a member (in lower case) is in, as policies write them."""
        everywhere = {f"group:{email}": held["members"] for email, held in self._kept.under("")}
        found: list[str] = []
        names = [member]
        while names:
            name = names.pop()
            inside = [g for g, held in everywhere.items() if name in held and g not in found]
            found += inside
            names += inside
        return found
