"""Cloud DNS: zones and records, which the local cloud's own door goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.service import Service
from localcloud.services.dns import changes, records, zones

if TYPE_CHECKING:
    from localcloud.service import Call


def _resource(call: Call) -> str:
    return call.cloud.by_id(f"projects/{call['project']}")


METHODS = {
    "projects.get": (zones.project, "dns.projects.get"),
    "managedZones.create": (zones.create, "dns.managedZones.create"),
    "managedZones.get": (zones.get, "dns.managedZones.get"),
    "managedZones.list": (zones.list_zones, "dns.managedZones.list"),
    "managedZones.patch": (zones.patch, "dns.managedZones.update"),
    "managedZones.update": (zones.update, "dns.managedZones.update"),
    "managedZones.delete": (zones.delete, "dns.managedZones.delete"),
    "managedZoneOperations.get": (zones.get_operation, "dns.managedZoneOperations.get"),
    "managedZoneOperations.list": (zones.list_operations, "dns.managedZoneOperations.list"),
    "changes.create": (changes.create, "dns.changes.create"),
    "changes.get": (changes.get, "dns.changes.get"),
    "changes.list": (changes.list_changes, "dns.changes.list"),
    "resourceRecordSets.create": (records.create, "dns.resourceRecordSets.create"),
    "resourceRecordSets.get": (records.get, "dns.resourceRecordSets.get"),
    "resourceRecordSets.list": (records.list_records, "dns.resourceRecordSets.list"),
    "resourceRecordSets.patch": (records.patch, "dns.resourceRecordSets.update"),
    "resourceRecordSets.delete": (records.delete, "dns.resourceRecordSets.delete"),
}

SERVICE = Service(
    "dns",
    "v1",
    {f"dns.{name}": handler for name, (handler, _) in METHODS.items()},
    permissions={f"dns.{name}": permission for name, (_, permission) in METHODS.items()},
    errors="legacy",
    resource=_resource,
)
