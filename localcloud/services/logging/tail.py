"""Live tailing: new log entries as they arrive, on a gRPC stream."""

from __future__ import annotations

import asyncio
import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format

from localcloud.documents.protos import library
from localcloud.doors.streaming import StreamMethod, admitted
from localcloud.errors import invalid
from localcloud.services.logging.query import query

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator

    from localcloud.cloud import Cloud
    from localcloud.store import Resource

METHOD = "logging.entries.tail"
_RESOURCE = re.compile(r"(projects|folders|organizations|billingAccounts)/[^/]+(/.*)?")


class _Tails:
    """Who tails the logs of a cloud."""

    def __init__(self, _: Cloud) -> None:
        self._lock = threading.Lock()
        self._tails: set[Callable[[Resource], None]] = set()

    def announce(self, entry: Resource) -> None:
        with self._lock:
            tails = list(self._tails)
        for tell in tails:
            tell(entry)

    @contextmanager
    def hearing(self, tell: Callable[[Resource], None]) -> Iterator[None]:
        with self._lock:
            self._tails.add(tell)
        try:
            yield
        finally:
            with self._lock:
                self._tails.discard(tell)


def announce(cloud: Cloud, entry: Resource) -> None:
    """Tell whoever tails the logs of a cloud of a new entry."""
    cloud.belongings.get(_Tails).announce(entry)


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

    # From here on nothing is missed, whatever the questions below take.
    with cloud.belongings.get(_Tails).hearing(tell):
        matches = await asyncio.to_thread(_open, cloud, first, headers)
        while True:
            entry = await arrived.get()
            if matches(entry):
                yield _response(entry)


def _open(cloud: Cloud, first: Any, headers: dict[str, str]) -> Callable[[Resource], bool]:
    names = [cloud.by_id(name) for name in first.resource_names]
    like = "logging.entries.list"
    with admitted(cloud, METHOD, "logging.logEntries.list", names, headers=headers, like=like):
        if not names:
            raise invalid("Required field resource_names is empty")
        for name in names:
            check_resource(name)
        return query(first.filter)


def _response(entry: Resource) -> Any:
    # a third of a second to import, which every start would take and few programs ever need
    types = library("google.cloud.logging_v2.types")
    response = types.TailLogEntriesResponse.pb()()
    json_format.ParseDict(entry, response.entries.add(), ignore_unknown_fields=True)
    return response


METHODS = {METHOD: StreamMethod("/google.logging.v2.LoggingServiceV2/TailLogEntries", tail)}
