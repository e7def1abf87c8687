"""appengine.apps.operations, and how the other handlers start one: one change at a time."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from localcloud.errors import aborted, invalid, not_found
from localcloud.service import page
from localcloud.services.appengine import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call
    from localcloud.store import Resource

_PACKAGE = "google.appengine.v1"


def start(
    call: Call, rpc: str, target: str, work: Callable[[], Resource | None], kind: str | None
) -> Resource:
    """Start the operation that changes *target*; *kind* is the message it answers with."""
    app = "/".join(target.split("/")[:2])
    metadata = {
        "@type": f"type.googleapis.com/{_PACKAGE}.OperationMetadataV1",
        "method": f"{_PACKAGE}.{rpc}",
        "insertTime": call.now,
        "user": call.caller.email,
        "target": target,
    }
    with call.store.lock():
        refuse_while_busy(call, app)
        return call.cloud.operations.start(
            call,
            name=f"{app}/operations/{uuid.uuid4()}",
            metadata=metadata,
            work=work,
            response_type=None if kind is None else f"{_PACKAGE}.{kind}",
        )


def refuse_while_busy(call: Call, app: str) -> None:
    """Refuse a change while another is under way."""
    for one in call.store.children(f"{app}/operations/"):
        if not one["done"]:
            raise aborted(
                f"Cannot operate on {app} because an operation is already in progress for {app} by "
                f"{one['name'].rpartition('/')[2]}."
            )


def get(call: Call) -> Resource:
    """Give an operation."""
    name = f"{names.app_of(call)}/operations/{call['operationsId']}"
    found = call.store.find(name)
    if found is None:
        raise not_found(f"Operation '{name}' not found.")
    return found


def listed(call: Call) -> Resource:
    """List the operations, newest first."""
    if call.get("filter"):
        raise invalid("filter: the local cloud lists all operations or none")
    found = call.store.children(f"{names.app_of(call)}/operations/")[::-1]
    return page(call, found, "operations")
