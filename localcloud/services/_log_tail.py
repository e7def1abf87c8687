"""Live tailing: new log entries as they arrive, on a gRPC stream."""

from __future__ import annotations

import asyncio
import importlib
import re
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from google.protobuf import json_format

from localcloud.errors import invalid
from localcloud.services._log_query import query
from localcloud.streaming import StreamMethod, admitted

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable

    from localcloud.cloud import Cloud
    from localcloud.store import Resource

METHOD = "logging.entries.tail"
_RESOURCE = re.compile(r"(projects|folders|organizations|billingAccounts)/[^/]+(/.*)?")

_LOCK = threading.Lock()
_TAILS: WeakKeyDictionary[Cloud, set[Callable[[Resource], None]]] = WeakKeyDictionary()


def announce(cloud: Cloud, entry: Resource) -> None:
    """Tell whoever tails the logs of a cloud of a new entry."""
    with _LOCK:
        tails = list(_TAILS.get(cloud, ()))
    for tail in tails:
        tail(entry)


def check_resource(name: str) -> None:
    """Refuse what cannot have logs."""
    if not _RESOURCE.fullmatch(name):
        raise invalid(
            f'Resource name "{name}" is not one of projects/[PROJECT_ID], '
            "organizations/[ORGANIZATION_ID], billingAccounts/[BILLING_ACCOUNT_ID], "
            "folders/[FOLDER_ID]"
        )


async def tail(
    cloud: Cloud, first: Any, _requests: AsyncIterator[Any], headers: dict[str, str]
) -> AsyncGenerator[Any]:
    """Yield entries that match the first request, until the client goes away."""
    loop = asyncio.get_running_loop()
    arrived: asyncio.Queue[Resource] = asyncio.Queue()

    def tell(entry: Resource) -> None:
        loop.call_soon_threadsafe(arrived.put_nowait, entry)

    try:
        # From here on nothing is missed, whatever the questions below take.
        with _LOCK:
            _TAILS.setdefault(cloud, set()).add(tell)
        matches = await asyncio.to_thread(_open, cloud, first, headers)
        while True:
            entry = await arrived.get()
            if matches(entry):
                yield _response(entry)
    finally:
        with _LOCK:
            _TAILS.get(cloud, set()).discard(tell)


def _open(cloud: Cloud, first: Any, headers: dict[str, str]) -> Callable[[Resource], bool]:
    names = [cloud.by_id(name) for name in first.resource_names]
    with admitted(cloud, METHOD, "logging.logEntries.list", names, headers=headers):
        if not names:
            raise invalid("Required field resource_names is empty")
        for name in names:
            check_resource(name)
        return query(first.filter)


def _response(entry: Resource) -> Any:
    # a third of a second to import, which every start would take and few programs ever need
    types = importlib.import_module("google.cloud.logging_v2.types")
    response = types.TailLogEntriesResponse.pb()()
    json_format.ParseDict(entry, response.entries.add(), ignore_unknown_fields=True)
    return response


METHODS = {METHOD: StreamMethod("/google.logging.v2.LoggingServiceV2/TailLogEntries", tail)}
