"""What the world's name servers say: the project's public zones, and records kept elsewhere.

The project's zones are taken to be delegated by their parents. Records that somebody keeps with
another provider are made with ``publish``, by a test or by ``python -m localcloud record``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.services.dns.rrdata import VALID

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.store import Resource

_LONGEST_CHAIN = 8
_ELSEWHERE = "dns.elsewhere"


class Resolver:
    """Looks names up as anybody on the internet would."""

    def __init__(self, cloud: Cloud) -> None:
        """Look into the zones of ``cloud``."""
        self._cloud = cloud
        self._elsewhere = cloud.store.of(_ELSEWHERE)

    def publish(self, name: str, kind: str, *data: str) -> None:
        """Set the records of one name and type that are kept with another provider."""
        valid = VALID.get(kind)
        wrong = [one for one in data if valid is None or not valid(one)]
        if wrong:
            raise ValueError(f"{wrong[0]!r} is not the data of a record of type {kind}")
        self._elsewhere.put(f"{kind}/{_full(name)}", {"rrdatas": list(data)})
        self._cloud.issuance.consider()

    def withdraw(self, name: str, kind: str) -> None:
        """Remove what ``publish`` set."""
        key = f"{kind}/{_full(name)}"
        if self._elsewhere.find(key) is not None:
            self._elsewhere.delete(key)
        self._cloud.issuance.consider()

    def lookup(self, name: str, kind: str) -> list[str]:
        """Give the records of a name, following aliases; nothing when there are none."""
        asked = _full(name)
        for _ in range(_LONGEST_CHAIN):
            found = self.records(asked, kind)
            alias = self.records(asked, "CNAME")
            if found or not alias:
                return found
            asked = alias[0]
        return []

    def records(self, name: str, kind: str) -> list[str]:
        """Give the records of exactly this name and type."""
        asked = _full(name)
        place = self._zone(asked)
        if place is not None:
            found = self._in_zone(place, asked, kind)
            if found or kind in {"NS", "SOA"}:
                return found
        kept = self._elsewhere.find(f"{kind}/{asked}")
        return list(kept["rrdatas"]) if kept else []

    def _in_zone(self, place: str, asked: str, kind: str) -> list[str]:
        dns = self._cloud.store.of("dns")
        wildcard = f"*.{asked.partition('.')[2]}"
        for one in (asked, wildcard):
            found: Resource | None = dns.find(f"{place}/rrsets/{one}/{kind}")
            if found is not None:
                return list(found["rrdatas"])
            if dns.children(f"{place}/rrsets/{one}/"):
                # a name that exists is not a wildcard's business
                return []
        return []

    def _zone(self, asked: str) -> str | None:
        """Give the key of the closest public zone a name is in."""
        best, longest = None, 0
        place = f"projects/{self._cloud.project}/managedZones/"
        for zone in self._cloud.store.of("dns").children(place):
            apex = str(zone["dnsName"])
            inside = asked == apex or asked.endswith(f".{apex}")
            if zone["visibility"] == "public" and inside and len(apex) > longest:
                best, longest = f"{place}{zone['name']}", len(apex)
        return best


def _full(name: str) -> str:
    return name.lower().removesuffix(".") + "."
