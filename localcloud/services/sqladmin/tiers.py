"""Tiers and editions: what an instance may be, as data."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.services.sqladmin import flags
from localcloud.services.sqladmin.engines import kind
from localcloud.services.sqladmin.names import invalid_request

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

GIB = 1024**3
SHARED = {"db-f1-micro": 0.6, "db-g1-small": 1.7}
PERF = re.compile(r"db-perf-optimized-N-(2|4|8|16|32|48|64|80|96|128)")
ARM = re.compile(r"db-c4a-highmem-(1|4|8|16|32|48|64|72)")
CUSTOM = re.compile(r"db-custom-(\d+)-(\d+)")
# the first machine types, which only MySQL has kept; memory in GiB per vCPU
FIRST = re.compile(r"db-n1-(standard|highmem)-(1|2|4|8|16|32|64|96)")
FIRST_MEMORY = {"standard": 3.75, "highmem": 6.5}

# engine -> memory in GiB, from -> max_connections, as Cloud SQL chooses it
CONNECTIONS: dict[str, tuple[tuple[float, int], ...]] = {
    "POSTGRES": (
        *((0, 25), (1.7, 50), (3.75, 100), (6, 200), (7.5, 400), (15, 500), (30, 600)),
        *((60, 800), (120, 1000)),
    ),
    "MYSQL": ((0, 250), (1.7, 1000), (3, 4000)),
}


def default_edition(version: str) -> str:
    """Return the edition Cloud SQL chooses when none is sent."""
    if kind(version) != "POSTGRES":
        return "ENTERPRISE"
    major = int(version.removeprefix("POSTGRES_").partition("_")[0])
    return "ENTERPRISE_PLUS" if major >= 16 else "ENTERPRISE"  # noqa: PLR2004 - Google's rule


def check_tier(tier: str, edition: str, version: str) -> None:
    """Refuse a tier its edition does not have, in Google's words."""
    if edition == "ENTERPRISE_PLUS":
        if not PERF.fullmatch(tier) and not ARM.fullmatch(tier):
            raise invalid_request(
                f"Invalid Tier ({tier}) for (ENTERPRISE_PLUS) Edition. Use a predefined Tier like "
                "db-perf-optimized-N-* instead."
            )
        return
    if edition != "ENTERPRISE":
        raise invalid_request(f"Invalid edition ({edition}).")
    custom = CUSTOM.fullmatch(tier)
    first = kind(version) == "MYSQL" and FIRST.fullmatch(tier)
    if tier not in SHARED and custom is None and not first:
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
    first = FIRST.fullmatch(tier)
    if first is not None:
        return FIRST_MEMORY[first[1]] * int(first[2])
    return 8.0 * int(tier.rpartition("-")[2])


def server_options(found: Resource) -> dict[str, str]:
    """Return the settings of the server that follow from an instance's tier and flags."""
    size = memory(found["settings"]["tier"])
    table = CONNECTIONS[kind(found["databaseVersion"])]
    most = next(count for at, count in reversed(table) if size >= at)
    return {"max_connections": str(most), **flags.for_server(found["settings"])}


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
