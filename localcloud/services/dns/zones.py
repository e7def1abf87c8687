"""Managed zones, public and private, and the records each has from the start."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.merge import patched
from localcloud.service import page
from localcloud.services.compute import names as compute
from localcloud.services.compute import networks
from localcloud.services.dns import changes, names

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_TTL = 21600
_FIELDS = frozenset(
    {
        "cloudLoggingConfig",
        "description",
        "dnsName",
        "kind",
        "labels",
        "name",
        "privateVisibilityConfig",
        "visibility",
    }
)
_OUTPUT_ONLY = frozenset({"id", "creationTime", "nameServers"})


def create(call: Call) -> Resource:
    """Make a zone with the two record sets every zone has."""
    body = _checked(call, call.body)
    name = body["name"]
    key = f"{names.project(call)}/managedZones/{name}"
    digest = int.from_bytes(hashlib.sha256(f"{key} {call.now}".encode()).digest()[:8], "big")
    letter = "abcde"[digest % 5]
    private = body["visibility"] == "private"
    servers = (
        ["ns-gcp-private.googledomains.com."]
        if private
        else [f"ns-cloud-{letter}{number}.googledomains.com." for number in range(1, 5)]
    )
    zone = {
        "kind": "dns#managedZone",
        **body,
        "id": str(digest % 10**19),
        "creationTime": call.now,
        "nameServers": servers,
    }
    apex = body["dnsName"]
    sets: dict[str, list[str]] = {
        "NS": servers,
        "SOA": [f"{servers[0]} cloud-dns-hostmaster.google.com. 1 21600 3600 259200 300"],
    }
    with call.store.lock():
        if call.store.find(key) is not None:
            raise names.taken("entity.managedZone", name)
        made = call.store.create(key, zone)
        for kind, data in sets.items():
            one = {
                "kind": "dns#resourceRecordSet",
                "name": apex,
                "type": kind,
                "ttl": _TTL,
                "rrdatas": data,
            }
            call.store.create(changes.key_of(f"{key}/rrsets/", apex, kind), one)
    call.cloud.issuance.consider()
    return made


def get(call: Call) -> Resource:
    """Show a zone."""
    return names.zone(call)


def list_zones(call: Call) -> Resource:
    """List zones, those of one domain if it is named."""
    wanted = call.get("dnsName")
    found = [
        one
        for one in call.store.children(f"{names.project(call)}/managedZones/")
        if wanted in (None, one["dnsName"])
    ]
    answer = page(call, found, "managedZones", "maxResults")
    return {"kind": "dns#managedZonesListResponse", "managedZones": [], **answer}


def patch(call: Call) -> Resource:
    """Change the fields that were sent."""
    before = names.zone(call)
    return _changed(call, before, patched(before, _writable(call.body)))


def update(call: Call) -> Resource:
    """Replace what can be changed."""
    before = names.zone(call)
    fixed = {name: before[name] for name in ("name", "dnsName", "visibility", "kind")}
    kept = {name: value for name, value in before.items() if name in _OUTPUT_ONLY}
    return _changed(call, before, {**kept, **fixed, **_writable(call.body)})


def delete(call: Call) -> None:
    """Delete a zone that holds nothing but its own two record sets."""
    zone, key = names.zone(call), names.zone_key(call)
    with call.store.lock():
        inside = call.store.under(f"{key}/")
        sets = [one for name, one in inside if "/rrsets/" in name]
        if any(one["name"] != zone["dnsName"] or one["type"] not in {"NS", "SOA"} for one in sets):
            raise ApiError(
                400,
                f"The resource named '{zone['name']}' cannot be deleted because it contains one or "
                "more 'resource record sets'.",
                reason="containerNotEmpty",
            )
        for name, _ in inside:
            call.store.delete(name)
        call.store.delete(key)


def get_operation(call: Call) -> Resource:
    """Show what a change of a zone's settings did."""
    names.zone(call)
    found = call.store.find(f"{names.zone_key(call)}/operations/{call['operation']}")
    if found is None:
        raise names.absent("parameters.operation", str(call["operation"]))
    return found


def list_operations(call: Call) -> Resource:
    """List what changes of a zone's settings did."""
    names.zone(call)
    found = call.store.children(f"{names.zone_key(call)}/operations/")
    answer = page(call, found, "operations", "maxResults")
    return {"kind": "dns#managedZoneOperationsListResponse", "operations": [], **answer}


def project(call: Call) -> Resource:
    """Show the project."""
    key = names.project(call)
    if key != f"projects/{call.cloud.project}":
        raise names.absent("parameters.project", str(call["project"]))
    return {"kind": "dns#project", "id": call.cloud.project, "number": call.cloud.number}


def _changed(call: Call, before: Resource, after: Resource) -> Resource:
    for field in ("name", "dnsName", "visibility"):
        if after.get(field) != before[field]:
            raise names.wrong(f"entity.managedZone.{field}", after.get(field))
    checked = {**after, **_checked(call, _writable(after))}
    key = names.zone_key(call)
    number = call.store.next_number(f"{key}/operations")
    operation = {
        "kind": "dns#operation",
        "id": f"{before['id']}-{number}",
        "startTime": call.now,
        "status": "done",
        "type": "update",
        "user": call.caller.email,
        "zoneContext": {"oldValue": before, "newValue": checked},
    }
    with call.store.lock():
        call.store.put(key, checked)
        return call.store.put(f"{key}/operations/{operation['id']}", operation)


def _writable(body: Resource) -> Resource:
    return {name: value for name, value in body.items() if name not in _OUTPUT_ONLY}


def _checked(call: Call, given: Resource) -> Resource:
    body = _writable(given)
    for field in sorted(body.keys() - _FIELDS):
        if field == "dnssecConfig" and body[field].get("state", "off") == "off":
            del body[field]
            continue
        raise ApiError(501, f"The local cloud's DNS has no zones with {field}.")
    for field in ("name", "dnsName"):
        if not body.get(field):
            raise names.required(f"entity.managedZone.{field}")
    if "description" not in body:
        raise names.required("entity.managedZone.description")
    if not _NAME.fullmatch(body["name"]):
        raise names.wrong("entity.managedZone.name", body["name"])
    apex = body["dnsName"].lower()
    if not names.DOMAIN.fullmatch(apex) or apex.startswith("*"):
        raise names.wrong("entity.managedZone.dnsName", body["dnsName"])
    body = {"visibility": "public", **body, "dnsName": apex}
    _check_networks(call, body)
    return body


def _check_networks(call: Call, body: Resource) -> None:
    """Check who sees a private zone; the links to networks become full ones."""
    config = body.get("privateVisibilityConfig", {})
    if body["visibility"] == "public" and config:
        raise names.wrong("entity.managedZone.privateVisibilityConfig", "...")
    for at, one in enumerate(config.get("networks", [])):
        place = f"entity.managedZone.privateVisibilityConfig.networks[{at}]"
        if not one.get("networkUrl"):
            raise names.required(f"{place}.networkUrl")
        key = networks.find(call, one["networkUrl"], place)
        one["networkUrl"] = compute.link(key)
