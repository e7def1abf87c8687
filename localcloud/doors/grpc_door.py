"""The gRPC side of the door: every message becomes the HTTP request it stands for.

Google's own front end does the reverse: it turns REST into gRPC by the ``google.api.http`` rules.
So there is one pipeline, and what a fault, a quota or a log entry is, is so for both.
"""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import grpc
from google.api_core import path_template
from google.protobuf import json_format, message
from google.rpc import (
    code_pb2,
    error_details_pb2,  # noqa: F401 - registers the types that details are of
    status_pb2,
)

from localcloud.documents.protos import rpc_of
from localcloud.errors import ApiError
from localcloud.transport import ConnectionFailed, Request, Response, json_response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from localcloud.cloud import Cloud
    from localcloud.documents.protos import Protos, Rpc, Rule
    from localcloud.doors.streaming import StreamMethod
    from localcloud.service import Service

log = logging.getLogger(__name__)

_WORKERS = 64
_MOST = 64 * 1024 * 1024
_CODES = {code.value[0]: code for code in grpc.StatusCode}
_OK = 200
_CANONICAL = {
    400: 3,
    401: 16,
    403: 7,
    404: 5,
    409: 10,
    412: 9,
    413: 8,
    429: 8,
    499: 1,
    500: 13,
    501: 12,
    503: 14,
    504: 4,
}


class GrpcDoor:
    """gRPC servers on loopback, behind the door's TLS: one per host, since a call does not say it."""

    def __init__(self, cloud: Cloud) -> None:
        """Serve the gRPC methods of the cloud's services."""
        self._cloud = cloud
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="grpc")
        self._servers: list[grpc.aio.Server] = []
        self._ports: dict[str, int] = {}
        self._opening = asyncio.Lock()

    async def open(self) -> int:
        """Listen on any free loopback port, for any host, and give it."""
        return await self._open(self._cloud.services)

    async def port(self, host: str) -> int:
        """Give the port that answers for one host."""
        services = self._cloud.router.of_host(host)
        key = ",".join(f"{one.api}.{one.version}" for one in services)
        async with self._opening:
            if key not in self._ports:
                self._ports[key] = await self._open(services)
            return self._ports[key]

    async def _open(self, services: list[Service]) -> int:
        options = [
            ("grpc.max_receive_message_length", _MOST),
            ("grpc.max_send_message_length", _MOST),
            ("grpc.so_reuseport", 0),
        ]
        server = grpc.aio.server(options=options)
        server.add_generic_rpc_handlers((_Table(self, services),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        self._servers.append(server)
        return int(port)

    async def close(self) -> None:
        """Stop listening."""
        await asyncio.gather(*(server.stop(0.5) for server in self._servers))
        self._pool.shutdown(wait=False, cancel_futures=True)

    def handler(self, services: list[Service], path: str) -> grpc.RpcMethodHandler | None:
        """Give the handler of a gRPC path, or None (the client then sees UNIMPLEMENTED)."""
        known = [
            (one, one.protos)
            for one in services
            if one.protos is not None and one.protos.may_have(path)
        ]
        for service, protos in known:
            for stream in service.streams.values():
                if stream.path == path:
                    return self._streaming(service, protos, stream)
        return self._unary(known, path) if known else None

    def _unary(self, known: list[tuple[Service, Protos]], path: str) -> grpc.RpcMethodHandler:
        async def answer(data: bytes, context: Any) -> bytes:
            async with _ended_in_words(context, path):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(
                    self._pool, self._answer, known, path, data, _headers(context)
                )
            raise AssertionError("a call that failed was aborted")

        return grpc.unary_unary_rpc_method_handler(answer)

    def _streaming(
        self, service: Service, protos: Protos, stream: StreamMethod
    ) -> grpc.RpcMethodHandler:
        async def answer(sent: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            async with _ended_in_words(context, stream.path):
                document = self._cloud.router.document(service)
                # the first call of a library imports it, which takes its time
                rpc = await asyncio.to_thread(rpc_of, protos, document, stream.path)
                if rpc is None:
                    raise LookupError(f"{protos.module} has no {stream.path}")
                requests = aiter(_read(rpc, data) async for data in sent)
                first = await anext(requests, None)
                if first is None:
                    raise _refused(3, "The stream ended before its first request.")
                responses = stream.run(self._cloud, first, requests, _headers(context))
                async with aclosing(responses):
                    async for response in responses:
                        yield response.SerializeToString()

        return grpc.stream_stream_rpc_method_handler(answer)

    def _answer(
        self,
        known: list[tuple[Service, Protos]],
        path: str,
        data: bytes,
        headers: dict[str, str],
    ) -> bytes:
        """Ask the pipeline, and put its answer or its refusal into messages."""
        for service, protos in known:
            rpc = rpc_of(protos, self._cloud.router.document(service), path)
            if rpc is None:
                continue
            requests = list(_requests(service.host, rpc.rules, _read(rpc, data), headers))
            if rpc.rules and not requests:
                raise _refused(3, "Invalid resource field value in the request.")
            for request in requests:
                if self._cloud.pipeline.route(request) is None:
                    continue
                response = self._cloud.pipeline.handle(request)
                if response.status != _OK:
                    raise _Refused(_status(response))
                # the document may have fields that the client library does not know yet
                found = json.loads(response.body) if response.body else {}
                made = json_format.ParseDict(found, rpc.response(), ignore_unknown_fields=True)
                return bytes(made.SerializeToString())
        raise _refused(12, f"The local cloud has no method {path}.")


@asynccontextmanager
async def _ended_in_words(context: Any, path: str) -> AsyncIterator[None]:
    """End a call that fails as its client is to see it."""
    try:
        yield
    except ConnectionFailed:
        await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
    except (_Refused, ApiError) as error:
        status = (
            error.status
            if isinstance(error, _Refused)
            else _status(json_response(error.code, error.render("modern")))
        )
        trailing = (("grpc-status-details-bin", status.SerializeToString()),)
        await context.abort(_CODES[status.code], status.message, trailing)
    except Exception:  # a bug in a handler must look like Google's INTERNAL
        log.exception("%s failed", path)
        await context.abort(grpc.StatusCode.INTERNAL, "Internal error encountered.")


def _headers(context: Any) -> dict[str, str]:
    return {
        str(key): value.decode("latin-1") if isinstance(value, bytes) else value
        for key, value in context.invocation_metadata()
    }


def _read(rpc: Rpc, data: bytes) -> Any:
    try:
        return rpc.request.FromString(data)
    except message.DecodeError:
        raise _refused(13, "Error parsing request: the message cannot be read.") from None


class _Table(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc ships no types
    def __init__(self, door: GrpcDoor, services: list[Service]) -> None:
        self._door = door
        self._services = services

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._door.handler(self._services, str(handler_call_details.method))


class _Refused(Exception):  # noqa: N818 - an answer, not an error of ours
    """The call ends with a status other than OK."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


def _refused(code: int, text: str) -> _Refused:
    return _Refused(status_pb2.Status(code=code, message=text))


def _requests(
    host: str, rules: tuple[Rule, ...], asked: Any, headers: dict[str, str]
) -> Iterator[Request]:
    """Make the HTTP request of each rule whose path the message's fields fit."""
    passed = {"content-type": "application/json", "accept": "application/json"}
    if "authorization" in headers:
        passed["authorization"] = headers["authorization"]
    for rule in rules:
        try:
            parts = path_template.transcode([rule], asked)  # type: ignore[no-untyped-call]
        except ValueError:
            continue
        try:
            body, query = _json(parts.get("body")), _json(parts.get("query_params"))
        except (ValueError, json_format.Error) as error:
            raise _refused(3, f"Request contains an invalid argument: {error}") from None
        url = f"https://{host}{parts['uri']}"
        pairs = list(_flattened(query))
        data = b"" if body is None else json.dumps(body).encode()
        yield Request(
            parts["method"].upper(), f"{url}?{urlencode(pairs)}" if pairs else url, passed, data
        )


def _json(part: Any) -> Any:
    return None if part is None else json_format.MessageToDict(part)


def _flattened(fields: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Write fields as query parameters: dotted names, lists as repeated ones."""
    for key, value in (fields or {}).items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _flattened(value, f"{name}.")
            continue
        for item in value if isinstance(value, list) else [value]:
            yield name, str(item).lower() if isinstance(item, bool) else str(item)


def _status(response: Response) -> status_pb2.Status:
    """Turn an error of the pipeline into google.rpc.Status, with the details it can hold."""
    try:
        error = json.loads(response.body)["error"]
        text, name = str(error["message"]), error.get("status")
    except (ValueError, KeyError, TypeError):
        error, text, name = {}, response.body.decode("utf-8", "replace"), None
    code = code_pb2.Code.Value(name) if name in code_pb2.Code.keys() else 0  # noqa: SIM118 - an enum
    status = status_pb2.Status(code=code or _CANONICAL.get(response.status, 2), message=text)
    for detail in error.get("details", []):
        try:
            json_format.ParseDict(detail, status.details.add())
        except json_format.ParseError:
            del status.details[-1]  # a type no client library here knows
    return status
