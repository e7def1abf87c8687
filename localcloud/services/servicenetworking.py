"""Service Networking: private services access, the peering that a private Cloud SQL address needs.

There is one producer of services, Google. A connection belongs to a network of the project and
holds the ranges of addresses that were set aside for it.
"""

from __future__ import annotations

import hashlib
import uuid
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, already_exists, invalid, not_found, precondition
from localcloud.service import Needs, Service
from localcloud.services.compute import names, networks

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

PRODUCER = "services/servicenetworking.googleapis.com"
PEERING = "servicenetworking-googleapis-com"
_CONSTRAINT = "compute.restrictVpcPeering"
_ANY = "-"


def create(call: Call) -> Resource:
    """Begin to connect a network; the ranges must have been set aside for it."""
    _producer(call, call["parent"])
    key = _network(call, call.body.get("network", ""))
    ranges = _ranges(call, key, call.body.get("reservedPeeringRanges", []))

    def work() -> Resource:
        if not call.cloud.constraints.permits(_CONSTRAINT, key, f"under:{key}"):
            raise precondition(
                f"Constraint constraints/{_CONSTRAINT} violated for project {call.cloud.number}."
            )
        present = connection(call.cloud, key)
        if present is not None and present["reservedPeeringRanges"] != ranges:
            # as users report it: create again, and Google says what to do instead
            raise precondition(
                "Cannot modify allocated ranges in CreateConnection. Please use UpdateConnection."
            )
        return _put(call.cloud, key, ranges)

    return _operation(call, work, "google.cloud.servicenetworking.v1.Connection")


def patch(call: Call) -> Resource:
    """Begin to give a connection other ranges."""
    name = str(call["name"])
    _producer(call, name.partition("/connections/")[0])
    if name.rpartition("/")[2] not in {_ANY, PEERING}:
        raise not_found(f"Connection '{name}' was not found")
    key = _network(call, call.body.get("network", ""))
    if any(path != "reservedPeeringRanges" for path in call.mask()):
        raise invalid("Only reserved_peering_ranges can be updated.")
    ranges = _ranges(call, key, call.body.get("reservedPeeringRanges", []))
    present = connection(call.cloud, key)
    if present is None:
        raise not_found(f"The network '{key}' has no connection to {PRODUCER}.")
    gone = sorted(set(present["reservedPeeringRanges"]) - set(ranges))
    if gone and not call.get("force"):
        raise precondition(
            f"Cannot remove allocated ranges {', '.join(gone)}: set force to do it all the same."
        )
    return _operation(
        call,
        lambda: _put(call.cloud, key, ranges),
        "google.cloud.servicenetworking.v1.Connection",
    )


def list_connections(call: Call) -> Resource:
    """List the connections of a network, or of all."""
    _producer(call, call["parent"])
    wanted = call.get("network")
    key = _network(call, wanted) if wanted else None
    found = [
        one
        for name, one in call.store.under(f"{PRODUCER}/connections/")
        if key in (None, name.removeprefix(f"{PRODUCER}/connections/"))
    ]
    return {"connections": found} if found else {}


def delete(call: Call) -> Resource:
    """Begin to disconnect a network that no instance has an address in any more."""
    name = str(call["name"])
    _producer(call, name.partition("/connections/")[0])
    key = _network(call, call.body.get("consumerNetwork", ""))
    if name.rpartition("/")[2] not in {_ANY, PEERING} or connection(call.cloud, key) is None:
        raise not_found(f"Connection '{name}' of '{key}' was not found")

    def work() -> None:
        if _instances(call.cloud, key):
            raise precondition(
                "Failed to delete connection; Producer services (e.g. CloudSQL, Cloud Memstore, "
                "etc.) are still using this connection."
            )
        with call.cloud.store.lock():
            call.store.delete(f"{PRODUCER}/connections/{key}")
            _peer(call.cloud, key, there=False)

    return _operation(call, work, None)


def connection(cloud: Cloud, network: str) -> Resource | None:
    """Return the connection of a network by the network's key, if it has one."""
    return cloud.store.of("servicenetworking").find(f"{PRODUCER}/connections/{network}")


def get_operation(call: Call) -> Resource:
    """Show an operation."""
    found = call.store.find(str(call["name"]))
    if found is None:
        raise not_found(f"Operation '{call['name']}' was not found")
    return found


def list_operations(call: Call) -> Resource:
    """List operations."""
    found = call.store.children("operations/")
    return {"operations": found} if found else {}


def _producer(call: Call, name: str) -> None:
    del call
    if name not in {PRODUCER, "services/-"}:
        raise not_found(f"The producer '{name}' was not found; {PRODUCER} is there.")


def _network(call: Call, text: str) -> str:
    if not text:
        raise invalid("Required field 'network' is missing.")
    try:
        return networks.find(call, text, "network")
    except ApiError as error:
        raise ApiError(error.code, error.message) from None


def _ranges(call: Call, network: str, ranges: list[str]) -> list[str]:
    if not ranges:
        raise invalid("At least one reserved peering range must be specified.")
    compute = call.cloud.store.of("compute")
    for name in ranges:
        key = f"projects/{call.cloud.project}/global/addresses/{name}"
        found = compute.find(key)
        if found is None or found.get("purpose") != "VPC_PEERING":
            raise invalid(
                f"Reserved range: '{name}' not found for consumer project: "
                f"'{call.cloud.number}' network: '{network.rpartition('/')[2]}'."
            )
        if found["network"] != names.link(network):
            raise invalid(f"Reserved range: '{name}' belongs to another network.")
    if len(set(ranges)) < len(ranges):
        raise already_exists("A reserved range is named twice.")
    return ranges


def _put(cloud: Cloud, key: str, ranges: list[str]) -> Resource:
    parts = key.split("/")
    parts[1] = cloud.number
    made = {
        "network": "/".join(parts),
        "peering": PEERING,
        "reservedPeeringRanges": ranges,
        "service": PRODUCER,
    }
    with cloud.store.lock():
        cloud.store.of("servicenetworking").put(f"{PRODUCER}/connections/{key}", made)
        _peer(cloud, key, there=True)
    return made


def _peer(cloud: Cloud, key: str, *, there: bool) -> None:
    """Write the peering into the network, where everybody looks for it."""
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    peering = {
        "name": PEERING,
        "network": f"{names.ROOT}projects/{digest}-tp/global/networks/servicenetworking",
        "state": "ACTIVE",
        "stateDetails": "Connected.",
        "autoCreateRoutes": True,
        "exchangeSubnetRoutes": True,
    }

    def changed(network: Resource) -> Resource:
        others = [one for one in network.pop("peerings", []) if one["name"] != PEERING]
        peers = [*others, peering] if there else others
        return {**network, "peerings": peers} if peers else network

    cloud.store.of("compute").update(key, changed)


def _instances(cloud: Cloud, key: str) -> list[str]:
    """Return the Cloud SQL instances that have an address in a network."""
    place = f"projects/{cloud.project}/instances/"
    return [
        name
        for name, one in cloud.store.of("sqladmin").under(place)
        if one.get("settings", {})
        .get("ipConfiguration", {})
        .get("privateNetwork", "")
        .endswith(key)
    ]


def _operation(
    call: Call, work: Callable[[], Resource | None], response_type: str | None
) -> Resource:
    return call.cloud.operations.start(
        call,
        name=f"operations/pssn.p24-{call.cloud.number}-{uuid.uuid4()}",
        work=work,
        response_type=response_type,
    )


def _project(call: Call) -> str:
    return f"projects/{call.cloud.project}"


_CONNECTIONS = "servicenetworking.services.connections."
METHODS: dict[str, tuple[Callable[[Call], Resource], str]] = {
    f"{_CONNECTIONS}create": (create, "servicenetworking.services.addPeering"),
    f"{_CONNECTIONS}patch": (patch, "servicenetworking.services.addPeering"),
    f"{_CONNECTIONS}list": (list_connections, "servicenetworking.services.get"),
    f"{_CONNECTIONS}deleteConnection": (delete, "servicenetworking.services.deleteConnection"),
    "servicenetworking.operations.get": (get_operation, "servicenetworking.operations.get"),
    "servicenetworking.operations.list": (list_operations, "servicenetworking.operations.list"),
}

SERVICE = Service(
    "servicenetworking",
    "v1",
    {method: handler for method, (handler, _) in METHODS.items()},
    permissions={
        method: Needs(permission, resource=_project) for method, (_, permission) in METHODS.items()
    },
    resource=_project,
)
