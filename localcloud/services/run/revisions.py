"""run.projects.locations.services.revisions: the handlers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import not_found, precondition
from localcloud.service import page
from localcloud.services.run import names, operations, traffic

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource


def get(call: Call) -> Resource:
    """Give a revision."""
    name = call.cloud.by_id(call["name"])
    found = call.store.find(name)
    if found is None:
        raise not_found(f"Revision '{name.rpartition('/')[2]}' was not found.")
    return found


def listed(call: Call) -> Resource:
    """List a service's revisions, newest first; with ``-`` those of all services."""
    return page(call, names.under(call, "revisions")[::-1], "revisions")


def delete(call: Call) -> Resource:
    """Delete a revision that requests cannot reach."""
    revision = get(call)
    names.check_etag(revision, call.get("etag"))
    name = revision["name"]
    service = call.store.fetch(name.partition("/revisions/")[0])
    if name == service.get("latestCreatedRevision") or name in traffic.reachable(service):
        raise precondition(
            f"Revision '{name.rpartition('/')[2]}' cannot be deleted: it is the latest one or "
            "serves traffic."
        )
    if call.get("validateOnly"):
        return operations.finished(call, name, revision, operations.REVISION)
    call.store.delete(name)
    revision["deleteTime"] = call.now

    def work() -> Resource:
        call.cloud.ingress.fleet.retire(name)
        return revision

    return operations.start(call, revision, work, operations.REVISION)
