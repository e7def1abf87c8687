"""Changes of a zone's records: wholly or not at all, and every rule a zone must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.clock import rfc3339
from localcloud.errors import ApiError
from localcloud.faults import latency
from localcloud.service import page
from localcloud.services.dns import names, rrdata

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Resource

MOST_TTL = 2**31 - 1
_APEX = ("NS", "SOA")


def create(call: Call) -> Resource:
    """Delete and add record sets, in one step."""
    zone = names.zone(call)
    additions, deletions = call.body.get("additions", []), call.body.get("deletions", [])
    if not additions and not deletions:
        raise names.required("entity.change")
    for verb, given in (("create", additions), ("delete", deletions)):
        if given:
            call.require(f"dns.resourceRecordSets.{verb}", names.project(call))
    return applied(call, zone, additions, deletions)


def applied(
    call: Call,
    zone: Resource,
    additions: list[Resource],
    deletions: list[Resource],
    *,
    entity: str = "",
) -> Resource:
    """Carry out a change; ``entity`` is what messages call the one record set it is about."""

    def what(list_name: str, at: int) -> str:
        return entity or f"entity.change.{list_name}[{at}]"

    added = [checked(one, zone, what("additions", at)) for at, one in enumerate(additions)]
    gone = [checked(one, zone, what("deletions", at)) for at, one in enumerate(deletions)]
    place = f"{names.zone_key(call)}/rrsets/"
    with call.store.lock():
        for at, one in enumerate(gone):
            _delete(call, place, one, what("deletions", at))
        for at, one in enumerate(added):
            _add(call, place, one, what("additions", at))
        _check_apex(call, place, zone)
        _count_up(call, place, zone)
        recorded = _recorded(call, added, gone)
    call.cloud.issuance.consider()
    return shown(call, recorded)


def get(call: Call) -> Resource:
    """Show a change."""
    names.zone(call)
    found = call.store.find(f"{names.zone_key(call)}/changes/{call['changeId']}")
    if found is None:
        raise names.absent("parameters.changeId", str(call["changeId"]))
    return shown(call, found)


def list_changes(call: Call) -> Resource:
    """List the changes of a zone, oldest first unless it is asked otherwise."""
    names.zone(call)
    found = call.store.children(f"{names.zone_key(call)}/changes/")
    if call.get("sortOrder") == "descending":
        found.reverse()
    answer = page(call, [shown(call, one) for one in found], "changes", "maxResults")
    return {"kind": "dns#changesListResponse", "changes": [], **answer}


def shown(call: Call, stored: Resource) -> Resource:
    """Show a change as far as it has come: to all servers, or not yet."""
    done = stored["doneAt"] <= call.cloud.clock.now()
    kept = {name: value for name, value in stored.items() if name != "doneAt"}
    return {**kept, "status": "done" if done else "pending"}


def checked(body: Resource, zone: Resource, at: str) -> Resource:
    """Check one record set and complete it."""
    if "routingPolicy" in body:
        raise ApiError(501, "The local cloud's DNS has no routing policies.")
    for field in ("name", "type"):
        if not body.get(field):
            raise names.required(f"{at}.{field}")
    name, kind = body["name"].lower(), body["type"]
    apex = zone["dnsName"]
    if not names.DOMAIN.fullmatch(name) or not (name == apex or name.endswith(f".{apex}")):
        raise names.wrong(f"{at}.name", body["name"])
    valid = rrdata.VALID.get(kind)
    if valid is None:
        raise names.wrong(f"{at}.type", kind)
    ttl = body.get("ttl", 0)
    if not 0 <= ttl <= MOST_TTL:
        raise names.wrong(f"{at}.ttl", ttl)
    found = _data(body, kind, valid, at)
    return {
        "kind": "dns#resourceRecordSet",
        "name": name,
        "type": kind,
        "ttl": ttl,
        "rrdatas": [rrdata.written(kind, data) for data in found],
    }


def _data(body: Resource, kind: str, valid: Callable[[str], bool], at: str) -> list[str]:
    """Return the records of a set, if each is one of its type."""
    found: list[str] = body.get("rrdatas", [])
    if not found:
        raise names.required(f"{at}.rrdata")
    for number, data in enumerate(found):
        if not valid(data):
            raise names.wrong(f"{at}.rrdata[{number}]", data)
    if len(set(found)) < len(found) or (kind in rrdata.SINGLE and len(found) > 1):
        raise names.wrong(f"{at}.rrdata", ", ".join(found))
    return found


def key_of(place: str, name: str, kind: str) -> str:
    """Return the key of a record set."""
    return f"{place}{name}/{kind}"


def _delete(call: Call, place: str, one: Resource, at: str) -> None:
    key = key_of(place, one["name"], one["type"])
    present = call.store.find(key)
    if present is None:
        raise names.absent(at, f"{one['name']} ({one['type']})")
    same = present["ttl"] == one["ttl"] and sorted(present["rrdatas"]) == sorted(one["rrdatas"])
    # the SOA counts up by itself: nobody can know its serial
    if not same and one["type"] != "SOA":
        raise ApiError(412, f"Precondition not met for '{at}'", reason="conditionNotMet")
    call.store.delete(key)


def _add(call: Call, place: str, one: Resource, at: str) -> None:
    key = key_of(place, one["name"], one["type"])
    if call.store.find(key) is not None:
        raise names.taken(at, f"{one['name']} ({one['type']})")
    others = [other["type"] for other in call.store.children(f"{place}{one['name']}/")]
    if others and "CNAME" in (*others, one["type"]):
        raise ApiError(
            400,
            f"The resource record set '{at}' is invalid because the DNS name '{one['name']}' has "
            f"a resource record set of the type '{others[0]}'; a DNS name may have either one "
            "CNAME resource record set or resource record sets of other types, but not both.",
            reason="cnameResourceRecordSetConflict",
        )
    call.store.create(key, one)


def _check_apex(call: Call, place: str, zone: Resource) -> None:
    for kind in _APEX:
        if call.store.find(key_of(place, zone["dnsName"], kind)) is None:
            raise ApiError(
                400,
                "The change is invalid because a zone must contain exactly one resource record "
                f"set of type '{kind}' at the apex.",
                reason="invalidZoneApex",
            )


def _count_up(call: Call, place: str, zone: Resource) -> None:
    """Give the zone's SOA its next serial number."""

    def counted(present: Resource) -> Resource:
        parts = present["rrdatas"][0].split()
        parts[2] = str(int(parts[2]) + 1)
        return {**present, "rrdatas": [" ".join(parts)]}

    call.store.update(key_of(place, zone["dnsName"], "SOA"), counted)


def _recorded(call: Call, added: list[Resource], gone: list[Resource]) -> Resource:
    key = names.zone_key(call)
    number = str(call.store.next_number(f"{key}/changes"))
    now = call.cloud.clock.now()
    change: Resource = {
        "kind": "dns#change",
        "id": number,
        "startTime": rfc3339(now),
        "doneAt": now + call.cloud.latency.get(latency.NAME_SERVERS, 0.0),
    }
    if added:
        change["additions"] = added
    if gone:
        change["deletions"] = gone
    return call.store.put(f"{key}/changes/{number}", change)
