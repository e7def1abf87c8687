"""What a secret may be: its labels, replication and aliases, when it rotates, and when it is over.

The facts are in the descriptions of the API's discovery document.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from localcloud import labels
from localcloud.clock import rfc3339, seconds
from localcloud.errors import invalid

if TYPE_CHECKING:
    from localcloud.store import Resource

_ALIAS = re.compile(r"(?!(?:latest|NEW)$)[A-Za-z][A-Za-z0-9_-]{0,62}")
_MOST_ALIASES = 50
_ROTATIONS = (3600, 3_153_600_000)


def check_replication(replication: Resource) -> None:
    """Refuse a replication that is neither automatic nor in places, or both."""
    if len(replication.keys() & {"automatic", "userManaged"}) != 1:
        raise invalid("Replication must be either automatic or userManaged.")
    managed = replication.get("userManaged")
    if managed is not None and not managed.get("replicas"):
        raise invalid("A userManaged replication needs at least one replica.")


def check_sent(body: Resource) -> None:
    """Refuse labels and aliases that cannot be, and two times to expire at once."""
    sent = body.get("labels", {})
    if len(sent) > labels.MOST:
        raise invalid(f"A secret has at most {labels.MOST} labels.")
    unfit = labels.unfit(sent)
    if unfit is not None:
        raise invalid(
            f"Label [{unfit[0]}:{unfit[1]}] must be lower case letters, digits, dashes and "
            "underscores, at most 63 characters, the key beginning with a letter."
        )
    aliases = body.get("versionAliases", {})
    for alias in aliases:
        if not _ALIAS.fullmatch(alias):
            raise invalid(
                f"The alias [{alias}] must begin with a letter, hold letters, digits, hyphens and "
                "underscores only, and cannot be 'latest' or 'NEW'."
            )
    if len(aliases) > _MOST_ALIASES:
        raise invalid(f"A secret has at most {_MOST_ALIASES} version aliases.")
    if "ttl" in body and "expireTime" in body:
        raise invalid(
            "Invalid value at 'secret' (oneof), oneof field 'expiration' is already set. Cannot "
            "set 'ttl'"
        )


def settled(secret: Resource, mask: list[str], now: float) -> Resource:
    """Return a secret as it is kept: a time to live becomes the moment when it is over."""
    kept = dict(secret)
    if "ttl" in kept:
        kept["expireTime"] = later(now, kept.pop("ttl"))
    if {"ttl", "expireTime"} & set(mask) and over(kept, now):
        raise invalid("The expiration of a secret must be in the future.")
    rotation = kept.get("rotation")
    if rotation:
        if not kept.get("topics"):
            raise invalid("Secret.topics must be set to configure rotation.")
        period = rotation.get("rotationPeriod")
        if period and not rotation.get("nextRotationTime"):
            raise invalid("next_rotation_time must be set if rotation_period is set.")
        if period and not _ROTATIONS[0] <= seconds(period) <= _ROTATIONS[1]:
            raise invalid("rotation_period must be between 3600s (1h) and 3153600000s (100y).")
    return kept


def over(resource: Resource, now: float, field: str = "expireTime") -> bool:
    """Say whether a moment in a resource has come."""
    moment = resource.get(field)
    return moment is not None and datetime.fromisoformat(moment) <= datetime.fromtimestamp(now, UTC)


def later(now: float, duration: str) -> str:
    """Return the moment a duration from now; 400 when no calendar has it."""
    try:
        return rfc3339(now + seconds(duration))
    except (OverflowError, ValueError):
        raise invalid(f"The duration {duration} is too long.") from None
