"""Live tailing: new log entries as they arrive, on a gRPC stream."""

from __future__ import annotations

import asyncio
import importlib
import re
import threading
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import grpc
from google.protobuf import json_format

from localcloud.errors import ApiError, invalid
from localcloud.services._log_query import query
from localcloud.streaming import abort, admitted, metadata
from localcloud.transport import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from localcloud.cloud import Cloud
    from localcloud.store import Resource

METHOD = "logging.entries.tail"
_PATH = "/google.logging.v2.LoggingServiceV2/TailLogEntries"
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


def handlers(cloud: Cloud) -> list[grpc.GenericRpcHandler]:
    """Return the handlers for one cloud's gRPC server."""
    return [_Handlers(cloud)]


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc ships no types
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def service(self, handler_call_details: Any) -> Any:
        if handler_call_details.method != _PATH:
            return None
        return grpc.stream_stream_rpc_method_handler(
            self._tail,
            request_deserializer=_types().TailLogEntriesRequest.pb().FromString,
            response_serializer=_types().TailLogEntriesResponse.pb().SerializeToString,
        )

    async def _tail(self, requests: AsyncIterator[Any], context: Any) -> AsyncIterator[Any]:
        first = await anext(aiter(requests))
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Resource] = asyncio.Queue()

        def tell(entry: Resource) -> None:
            loop.call_soon_threadsafe(arrived.put_nowait, entry)

        try:
            # From here on nothing is missed, whatever the questions below take.
            with _LOCK:
                _TAILS.setdefault(self._cloud, set()).add(tell)
            matches = await asyncio.to_thread(_open, self._cloud, first, metadata(context))
            while True:
                entry = await arrived.get()
                if matches(entry):
                    yield _response(entry)
        except (ApiError, ConnectionFailed) as error:
            await abort(context, error)
        finally:
            with _LOCK:
                _TAILS.get(self._cloud, set()).discard(tell)


def _open(cloud: Cloud, first: Any, headers: dict[str, str]) -> Callable[[Resource], bool]:
    names = [cloud.by_id(name) for name in first.resource_names]
    with admitted(cloud, METHOD, "logging.logEntries.list", names, headers=headers):
        if not names:
            raise invalid("Required field resource_names is empty")
        for name in names:
            check_resource(name)
        return query(first.filter)


def _response(entry: Resource) -> Any:
    response = _types().TailLogEntriesResponse.pb()()
    json_format.ParseDict(entry, response.entries.add(), ignore_unknown_fields=True)
    return response


def _types() -> Any:
    # a third of a second to import, which every start would take and few programs ever need
    return importlib.import_module("google.cloud.logging_v2.types")
