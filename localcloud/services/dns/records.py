"""Record sets one by one; each change is a change of the zone all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.service import page
from localcloud.services.dns import changes, names, rrdata

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

_ENTITY = "entity.resourceRecordSet"


def list_records(call: Call) -> Resource:
    """List the record sets of a zone, by name and type."""
    names.zone(call)
    name, kind = call.get("name"), call.get("type")
    if kind and not name:
        raise names.required("parameters.name")
    found = [
        one
        for _, one in call.store.under(f"{names.zone_key(call)}/rrsets/")
        if name in (None, one["name"]) and kind in (None, one["type"])
    ]
    found.sort(key=lambda one: (list(reversed(one["name"].split("."))), one["type"]))
    answer = page(call, found, "rrsets", "maxResults")
    return {"kind": "dns#resourceRecordSetsListResponse", "rrsets": [], **answer}


def get(call: Call) -> Resource:
    """Show a record set."""
    names.zone(call)
    name, kind = str(call["name"]).lower(), str(call["type"])
    if not names.DOMAIN.fullmatch(name):
        raise names.wrong("parameters.name", call["name"])
    if kind not in rrdata.VALID:
        raise names.wrong("parameters.type", kind)
    found = call.store.find(_key(call, name, kind))
    if found is None:
        raise names.absent("parameters.name", f"{name} ({kind})")
    return found


def create(call: Call) -> Resource:
    """Add a record set."""
    zone = names.zone(call)
    changes.applied(call, zone, [call.body], [], entity=_ENTITY)
    return call.store.fetch(_key(call, call.body["name"].lower(), call.body["type"]))


def patch(call: Call) -> Resource:
    """Change a record set."""
    zone, before = names.zone(call), get(call)
    sent = {name: value for name, value in call.body.items() if value is not None}
    changes.applied(call, zone, [{**before, **sent}], [before], entity=_ENTITY)
    after = {**before, **sent}
    return call.store.fetch(_key(call, after["name"].lower(), after["type"]))


def delete(call: Call) -> Resource:
    """Delete a record set."""
    changes.applied(call, names.zone(call), [], [get(call)], entity=_ENTITY)
    return {}


def _key(call: Call, name: str, kind: str) -> str:
    return changes.key_of(f"{names.zone_key(call)}/rrsets/", name, kind)
