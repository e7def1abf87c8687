"""appengine.apps.services: made with their first version, deleted with their last."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import invalid, not_found
from localcloud.service import page
from localcloud.services.appengine import applications, names, operations, records

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource


def get(call: Call) -> Resource:
    """Give a service."""
    return fetch(call)


def fetch(call: Call) -> Resource:
    """Give the service a call is about; 404 if there is none."""
    applications.fetch(call)
    found = call.store.find(names.service_of(call))
    if found is None:
        raise not_found(f"Service '{call['servicesId']}' not found.")
    return found


def listed(call: Call) -> Resource:
    """List the services."""
    app = applications.fetch(call)["name"]
    return page(call, call.store.children(f"{app}/services/"), "services")


def delete(call: Call) -> Resource:
    """Delete a service with all its versions; ``default`` stays for ever."""
    service = fetch(call)
    name = service["name"]
    if service["id"] == names.DEFAULT:
        raise invalid("The default service (module) cannot be deleted.")

    def work() -> None:
        with call.store.lock():
            for child, _ in call.store.under(f"{name}/"):
                records.forget(call.cloud, child)
            records.forget(call.cloud, name)
        call.cloud.ingress.fleet.remove(name)

    return operations.start(call, "Services.DeleteService", name, work, None)
