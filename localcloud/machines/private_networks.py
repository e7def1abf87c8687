"""Who gets to a database server that has a private address only."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from localcloud.cloud import Cloud
    from localcloud.store import Resource

_NETWORK = re.compile(
    r"(?:https://(?:www|compute)\.googleapis\.com/compute/v1/)?"
    r"(?P<key>projects/[^/]+/global/networks/[^/]+)"
)


def network_of(cloud: Cloud, settings: Resource) -> str | None:
    """Return the key of the network an instance is in; None for a public address only."""
    text = settings.get("ipConfiguration", {}).get("privateNetwork")
    found = _NETWORK.fullmatch(text or "")
    return cloud.by_id(found["key"]) if found is not None else text or None


def only(instance: Resource) -> bool:
    """Tell whether an instance has no public address."""
    addresses = instance.get("settings", {}).get("ipConfiguration", {})
    return bool(addresses.get("privateNetwork")) and not addresses.get("ipv4Enabled", True)


def reaches(cloud: Cloud, access: Mapping[str, Any], network: str) -> bool:
    """Tell whether a Cloud Run template's VPC access leads into a network."""
    if access.get("connector"):
        return True
    compute = cloud.store.of("compute")
    for one in access.get("networkInterfaces", []):
        subnet = one.get("subnetwork", "").rpartition("/")[2]
        place = f"projects/{cloud.project}/regions/"
        named = one.get("network", "").rpartition("/")[2]
        if not named and subnet:
            found = [
                resource["network"].rpartition("/")[2]
                for key, resource in compute.under(place)
                if key.endswith(f"/subnetworks/{subnet}")
            ]
            named = next(iter(found), "")
        if named == network.rpartition("/")[2]:
            return True
    return False
