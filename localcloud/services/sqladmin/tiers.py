"""Tiers, editions and flags: what an instance may be, as data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.services.sqladmin.names import invalid_request

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

GIB = 1024**3
SHARED = {"db-f1-micro": 0.6, "db-g1-small": 1.7}
PERF = re.compile(r"db-perf-optimized-N-(2|4|8|16|32|48|64|80|96|128)")
CUSTOM = re.compile(r"db-custom-(\d+)-(\d+)")

# memory in GiB, from -> max_connections, as Cloud SQL chooses it
CONNECTIONS = ((0, 25), (1.7, 50), (3.75, 100), (6, 200), (7.5, 400), (15, 500), (30, 600))
MOST_CONNECTIONS = ((60, 800), (120, 1000))

# name -> (type, least, most, needs a restart); those of cloudsql.* concern the service, not the server
FLAGS: dict[str, tuple[str, int | None, int | None, bool]] = {
    "cloudsql.iam_authentication": ("BOOLEAN", None, None, False),
    "idle_in_transaction_session_timeout": ("INTEGER", 0, 2147483647, False),
    "lock_timeout": ("INTEGER", 0, 2147483647, False),
    "log_connections": ("BOOLEAN", None, None, False),
    "log_disconnections": ("BOOLEAN", None, None, False),
    "log_lock_waits": ("BOOLEAN", None, None, False),
    "log_min_duration_statement": ("INTEGER", -1, 2147483647, False),
    "log_statement": ("STRING", None, None, False),
    "max_connections": ("INTEGER", 14, 262143, True),
    "max_locks_per_transaction": ("INTEGER", 10, 2147483647, True),
    "random_page_cost": ("FLOAT", None, None, False),
    "statement_timeout": ("INTEGER", 0, 2147483647, False),
    "temp_file_limit": ("INTEGER", -1, 2147483647, False),
    "work_mem": ("INTEGER", 64, 2147483647, False),
}


def default_edition(version: str) -> str:
    """Return the edition Cloud SQL chooses when none is sent."""
    major = int(version.removeprefix("POSTGRES_").partition("_")[0])
    return "ENTERPRISE_PLUS" if major >= 16 else "ENTERPRISE"  # noqa: PLR2004 - Google's rule


def check_tier(tier: str, edition: str) -> None:
    """Refuse a tier its edition does not have, in Google's words."""
    if edition == "ENTERPRISE_PLUS":
        if not PERF.fullmatch(tier):
            raise invalid_request(
                f"Invalid Tier ({tier}) for (ENTERPRISE_PLUS) Edition. Use a predefined Tier like "
                "db-perf-optimized-N-* instead."
            )
        return
    if edition != "ENTERPRISE":
        raise invalid_request(f"Invalid edition ({edition}).")
    custom = CUSTOM.fullmatch(tier)
    if tier not in SHARED and custom is None:
        raise invalid_request(
            f"Invalid Tier ({tier}) for (ENTERPRISE) Edition. Use a custom Tier like "
            "db-custom-1-3840 instead."
        )
    if custom is not None:
        _check_custom(tier, int(custom[1]), int(custom[2]))


def _check_custom(tier: str, processors: int, megabytes: int) -> None:
    if processors != 1 and (processors % 2 or not 2 <= processors <= 96):  # noqa: PLR2004
        raise invalid_request(f"Invalid Tier ({tier}): vCPUs must be 1 or an even number up to 96.")
    least = max(3840, int(0.9 * 1024 * processors))
    if megabytes % 256 or not least <= megabytes <= int(6.5 * 1024 * processors):
        raise invalid_request(
            f"Invalid Tier ({tier}): memory must be a multiple of 256 MB, at least 3.75 GB, and "
            "0.9 to 6.5 GB per vCPU."
        )


def memory(tier: str) -> float:
    """Return the memory of a tier in GiB."""
    if tier in SHARED:
        return SHARED[tier]
    custom = CUSTOM.fullmatch(tier)
    if custom is not None:
        return int(custom[2]) / 1024
    return 8.0 * int(tier.rpartition("-")[2])


def server_options(settings: Resource) -> dict[str, str]:
    """Return the settings of the server that follow from tier and flags."""
    size = memory(settings["tier"])
    most = next(n for at, n in reversed((*CONNECTIONS, *MOST_CONNECTIONS)) if size >= at)
    options = {"max_connections": str(most)}
    for flag in settings.get("databaseFlags", []):
        if not flag["name"].startswith("cloudsql."):
            options[flag["name"]] = flag["value"]
    return options


def check_flags(flags: list[Resource]) -> None:
    """Refuse flags Cloud SQL would not know, and values of the wrong kind."""
    for flag in flags:
        kind, least, most, _ = FLAGS.get(flag.get("name", ""), ("", None, None, False))
        value = str(flag.get("value", ""))
        bad = not kind or (kind == "BOOLEAN" and value not in {"on", "off"})
        if kind == "INTEGER":
            number = int(value) if re.fullmatch(r"-?\d+", value) else None
            bad = number is None or (least is not None and number < least)
            bad = bad or (most is not None and number is not None and number > most)
        if bad:
            raise invalid_request(
                f"Invalid flag or value: {flag.get('name')}={value}.", reason="invalidFlag"
            )


def flag(settings: Resource, name: str) -> str | None:
    """Return the value of one flag."""
    found = [one["value"] for one in settings.get("databaseFlags", []) if one["name"] == name]
    return found[0] if found else None


def list_flags(call: Call) -> Resource:
    """List the flags that can be set here."""
    del call
    items: list[Resource] = []
    for name, (kind, least, most, restart) in FLAGS.items():
        item: dict[str, Any] = {
            "kind": "sql#flag",
            "name": name,
            "type": kind,
            "appliesTo": ["POSTGRES_16", "POSTGRES_17", "POSTGRES_18"],
            "requiresRestart": restart,
        }
        if least is not None and most is not None:
            item |= {"minValue": str(least), "maxValue": str(most)}
        items.append(item)
    return {"kind": "sql#flagsList", "items": items}


def list_tiers(call: Call) -> Resource:
    """List the predefined tiers and the usual custom ones."""
    names = [*SHARED, "db-custom-1-3840", "db-custom-2-7680", "db-custom-4-15360"]
    names += [f"db-perf-optimized-N-{size}" for size in (2, 4, 8, 16)]
    return {
        "kind": "sql#tiersList",
        "items": [
            {
                "kind": "sql#tier",
                "tier": name,
                "RAM": str(int(memory(name) * GIB)),
                "DiskQuota": str(3062 * GIB if name in SHARED else 65536 * GIB),
                "region": [call.cloud.region],
            }
            for name in names
        ],
    }
