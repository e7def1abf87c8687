"""Certificate Manager: authorisations, certificates, and the maps that load balancers go by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.documents.protos import Protos
from localcloud.errors import not_found
from localcloud.service import Service
from localcloud.services.certificatemanager import certificates, maps, names

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

_PREFIX = "certificatemanager.projects.locations."


def _forget_operation(call: Call) -> Resource:
    names.existing(call)
    call.store.delete(names.name_of(call))
    return {}


def _location(call: Call) -> Resource:
    name = names.name_of(call)
    if name.rpartition("/")[2] != "global":
        raise not_found(f"Location '{name}' was not found")
    return {"name": name, "locationId": "global"}


def _verbs(collection: str, word: str, table: dict[str, object]) -> dict[str, tuple[object, str]]:
    """Write a collection's handlers with their permissions."""
    rights = {"patch": "update"}
    return {
        f"{collection}.{verb}": (handler, f"certificatemanager.{word}.{rights.get(verb, verb)}")
        for verb, handler in table.items()
    }


METHODS = {
    **_verbs(
        "dnsAuthorizations",
        "dnsauthorizations",
        {
            "create": certificates.create_authorization,
            "get": names.get,
            "list": names.lister("dnsAuthorizations"),
            "patch": certificates.patch_authorization,
            "delete": certificates.delete_authorization,
        },
    ),
    **_verbs(
        "certificates",
        "certs",
        {
            "create": certificates.create,
            "get": certificates.get,
            "list": certificates.list_certificates,
            "patch": certificates.patch,
            "delete": certificates.delete,
        },
    ),
    **_verbs(
        "certificateMaps",
        "certmaps",
        {
            "create": maps.create,
            "get": maps.get,
            "list": maps.list_maps,
            "patch": maps.patch,
            "delete": maps.delete,
        },
    ),
    **_verbs(
        "certificateMaps.certificateMapEntries",
        "certmapentries",
        {
            "create": maps.create_entry,
            "get": maps.get_entry,
            "list": maps.list_entries,
            "patch": maps.patch_entry,
            "delete": maps.delete_entry,
        },
    ),
    "operations.get": (names.get, "certificatemanager.operations.get"),
    "operations.list": (certificates.operations, "certificatemanager.operations.list"),
    "operations.delete": (_forget_operation, "certificatemanager.operations.delete"),
    "get": (_location, "certificatemanager.locations.get"),
}


def _start(cloud: Cloud) -> None:
    """Look again at certificates that were still waiting when the cloud was stopped."""
    cloud.issuance.consider()


SERVICE = Service(
    "certificatemanager",
    "v1",
    {_PREFIX + name: handler for name, (handler, _) in METHODS.items()},  # type: ignore[misc]
    permissions={_PREFIX + name: permission for name, (_, permission) in METHODS.items()},
    protos=Protos("google.cloud.certificatemanager.v1", "google.cloud.certificate_manager_v1"),
    resource=names.project_of,
    on_start=_start,
)
