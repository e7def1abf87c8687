"""The gRPC side of the door: the same handlers, reached by messages instead of URLs."""

from __future__ import annotations

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
from google.protobuf import any_pb2, json_format
from google.rpc import error_details_pb2, status_pb2

from localcloud.errors import ApiError
from localcloud.transport import ConnectionFailed

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Service

log = logging.getLogger(__name__)

_WORKERS = 64
_MOST = 64 * 1024 * 1024
_CODES = {code.value[0]: code for code in grpc.StatusCode}


class GrpcDoor:
    """A gRPC server on loopback, behind the door's TLS."""

    def __init__(self, cloud: Cloud) -> None:
        """Serve the gRPC methods the cloud's services declare."""
        self._cloud = cloud
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="grpc")
        self._server: grpc.aio.Server | None = None

    async def open(self) -> int:
        """Listen on any free loopback port and give it."""
        options = [
            ("grpc.max_receive_message_length", _MOST),
            ("grpc.max_send_message_length", _MOST),
            ("grpc.so_reuseport", 0),
        ]
        self._server = grpc.aio.server(options=options)
        for service in self._cloud.services:
            if service.grpc is not None:
                self._server.add_generic_rpc_handlers(tuple(service.grpc(self._cloud)))
        self._server.add_generic_rpc_handlers((_Table(self),))
        port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()
        return int(port)

    async def close(self) -> None:
        """Stop listening."""
        if self._server is not None:
            await self._server.stop(0.5)
        self._pool.shutdown(wait=False, cancel_futures=True)

    def handler(self, path: str) -> grpc.RpcMethodHandler | None:
        """Give the handler of a gRPC path, or None (the client then sees UNIMPLEMENTED)."""
        for service in self._cloud.services:
            entry = service.grpc_methods.get(path)
            if entry is not None:
                return self._unary(service, *entry)
        return None

    def _unary(
        self,
        service: Service,
        request_class: Any,
        response_class: Any,
        method_id: str,
    ) -> grpc.RpcMethodHandler:
        async def answer(message: Any, context: Any) -> Any:
            headers = {str(key): _text(value) for key, value in context.invocation_metadata()}
            loop = asyncio.get_running_loop()
            try:
                found = await loop.run_in_executor(
                    self._pool, self._call, service, method_id, message, headers
                )
            except ApiError as error:
                trailing = (("grpc-status-details-bin", _details(error)),)
                await context.abort(_CODES[error.rpc_code], error.message, trailing)
            except ConnectionFailed:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
            except Exception:  # a bug in a handler must look like Google's INTERNAL
                log.exception("%s failed", method_id)
                await context.abort(grpc.StatusCode.INTERNAL, "Internal error encountered.")
            # the document may have fields that the client library does not know yet
            return json_format.ParseDict(found, _pb(response_class)(), ignore_unknown_fields=True)

        return grpc.unary_unary_rpc_method_handler(
            answer,
            request_deserializer=_pb(request_class).FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _call(
        self,
        service: Service,
        method_id: str,
        message: Any,
        headers: dict[str, str],
    ) -> dict[str, Any]:
        method = self._cloud.router.document(service).methods[method_id]
        fields = json_format.MessageToDict(message)
        params = _flattened(fields, set(method.parameters))
        rest = {key: value for key, value in fields.items() if key not in params}
        body = _body(message.DESCRIPTOR.full_name, method.request, rest, service, self._cloud)
        return self._cloud.pipeline.call(
            service, method_id, params=params, body=body, headers=headers
        )


class _Table(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, door: GrpcDoor) -> None:
        self._door = door

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> Any:
        return self._door.handler(str(handler_call_details.method))


def _body(
    message: str, request: str | None, rest: dict[str, Any], service: Service, cloud: Cloud
) -> dict[str, Any]:
    """Find the HTTP body among a message's fields: all of them, or the one that is the resource."""
    if request is None:
        return {}
    if message.rpartition(".")[2] == request:
        return rest
    properties = cloud.router.document(service).schemas[request].get("properties", {})
    if len(rest) == 1:
        ((key, value),) = rest.items()
        if isinstance(value, dict) and key not in properties:
            return value
    return rest


def _flattened(fields: dict[str, Any], names: set[str], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in fields.items():
        name = f"{prefix}{key}"
        if name in names:
            found[name] = value
        elif isinstance(value, dict):
            found.update(_flattened(value, names, f"{name}."))
    return found


def _pb(kind: Any) -> Any:
    return kind.pb() if hasattr(kind, "pb") else kind


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _details(error: ApiError) -> bytes:
    status = status_pb2.Status(code=error.rpc_code, message=error.message)
    for detail in error.render("modern")["error"].get("details", []):
        if detail.get("@type", "").endswith("google.rpc.ErrorInfo"):
            info = error_details_pb2.ErrorInfo(
                reason=detail["reason"],
                domain=detail.get("domain", ""),
                metadata=detail.get("metadata", {}),
            )
            packed = any_pb2.Any()
            packed.Pack(info)
            status.details.append(packed)
    return bytes(status.SerializeToString())
