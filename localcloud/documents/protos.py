"""What a gRPC method means in HTTP: read out of Google's own client libraries, so it cannot drift.

A client library knows both sides: its gRPC transport has path and message types of every method,
its REST transport the ``google.api.http`` rules. Nothing is imported before the first call needs it.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from google.cloud.location import locations_pb2
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.documents.discovery import Document

Rule = dict[str, str]
"""One ``google.api.http`` rule: method, uri, and body unless there is none."""

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SHAPE = re.compile(r"[A-Za-z*]+(/[A-Za-z*]+)*")
_PLACEHOLDER = re.compile(r"\{\+?(\w+)\}")
_MOST_KEPT = 1000
_IMPORTING = threading.RLock()


@dataclass(frozen=True)
class Protos:
    """Where the messages of an API are.

    Args:
        package: what gRPC paths begin with, such as ``google.cloud.run.v2``.
        module: the client library, such as ``google.cloud.run_v2``.
        methods: method ids by ``Service/Rpc`` or by RPC alone, for libraries that have no REST
            transport to read rules from.

    """

    package: str
    module: str
    methods: Mapping[str, str] = field(default_factory=dict, hash=False)

    def has(self, path: str) -> bool:
        """Tell whether a gRPC path is one of this package's."""
        return path.removeprefix("/").rpartition("/")[0].rpartition(".")[0] == self.package

    def may_have(self, path: str) -> bool:
        """Tell, without importing anything, whether a path may mean a method of this API."""
        return self.has(path) or path.removeprefix("/") in _SHARED


@dataclass(frozen=True)
class Rpc:
    """One gRPC method: its message classes, and the HTTP rules of which the first that fits counts."""

    request: Any
    response: Any
    rules: tuple[Rule, ...]


@cache
def _folder(protos: Protos, service: str) -> dict[str, Rpc]:
    """Read one gRPC service's transports: by RPC, its message classes and rules."""
    place = f"{protos.module}.services.{_WORDS.sub('_', service).lower()}.transports"
    grpc = library(f"{place}.grpc")
    if grpc is None:
        return {}
    transport = next(kind for name, kind in vars(grpc).items() if name.endswith("GrpcTransport"))
    rest = library(f"{place}.rest_base")
    rules = _rest_rules(rest) if rest is not None else {}
    bare = object.__new__(transport)
    bare._stubs = {}
    bare._logged_channel = _Recorder()
    found = {}
    for name, value in vars(transport).items():
        stub = getattr(bare, name) if isinstance(value, property) and name not in _OWN else None
        if stub is None:
            continue
        path, request, response = stub
        rpc = path.rpartition("/")[2]
        request = request or _MIXED_IN.get(rpc)
        if request is not None:
            found[rpc] = Rpc(request, response, rules.get(rpc, ()))
    return found


def library(name: str) -> Any:
    """Import a module of one of Google's client libraries; None when it is not there.

    One at a time: the modules of a library import each other in circles, and of two threads that
    begin such a circle in different places Python lets one go on with half a module.
    """
    with _IMPORTING:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{name}.".startswith(f"{error.name}."):
                raise
            return None


_OWN = frozenset({"grpc_channel", "operations_client", "kind", "host"})


class _Recorder:
    """Stands where a transport has its channel, and notes what is asked of it."""

    def unary_unary(self, path: str, request_serializer: Any, response_deserializer: Any) -> Any:
        # Both are methods of the message class, which is what is wanted.
        return path, _owner(request_serializer), _owner(response_deserializer)

    stream_stream = unary_unary

    def unary_stream(self, *_: Any, **__: Any) -> None:
        return None

    stream_unary = unary_stream


def _owner(method: Any) -> Any:
    # Protobuf's own classes come without proto-plus: there the serializer is a function of the base.
    return _pb(getattr(method, "__self__", None))


def _rest_rules(rest: Any) -> dict[str, tuple[Rule, ...]]:
    base = next(kind for name, kind in vars(rest).items() if name.endswith("RestTransport"))
    return {
        name.removeprefix("_Base"): tuple(kind._get_http_options())  # noqa: SLF001 - the only place they are
        for name, kind in vars(base).items()
        if hasattr(kind, "_get_http_options")
    }


@lru_cache(_MOST_KEPT)
def rpc_of(protos: Protos, document: Document, path: str) -> Rpc | None:
    """Give what a gRPC path means for an API, or None when the API has no such method."""
    owner, _, rpc = path.removeprefix("/").rpartition("/")
    if not protos.has(path):
        return _shared(protos, document, f"{owner}/{rpc}")
    service = owner.rpartition(".")[2]
    known = _folder(protos, service).get(rpc)
    named = protos.methods.get(f"{service}/{rpc}") or protos.methods.get(rpc)
    if known is None or named is None:
        return known
    return replace(known, rules=(derived(document, named, known.request.DESCRIPTOR),))


def derived(document: Document, method_id: str, message: Any) -> Rule:
    """Make the rule of a method out of its discovery document and its request's fields."""
    method = document.methods[method_id]
    inner = {one.name: one.message_type for one in message.fields if one.message_type is not None}

    def place(found: Any) -> str:
        name = _WORDS.sub("_", found[1]).lower()
        if name not in message.fields_by_name:
            owners = [one for one, kind in inner.items() if name in kind.fields_by_name]
            name = f"{owners[0]}.{name}"
        if not found[0].startswith("{+"):
            return f"{{{name}=*}}"
        shape = method.parameters.get(found[1], {}).get("pattern", "").strip("^$")
        shape = shape.replace("[^/]+", "*").replace(".*", "**")
        # A name of another shape is no name of such a resource; other patterns are for the router.
        return f"{{{name}={shape if _SHAPE.fullmatch(shape) else '**'}}}"

    rule = {"method": method.http_method.lower(), "uri": _PLACEHOLDER.sub(place, method.path)}
    if method.request is not None:
        whole = message.name == method.request
        named = [one for one, kind in inner.items() if kind.name == method.request]
        rule["body"] = "*" if whole or not named else named[0]
    return rule


def _pb(kind: Any) -> Any:
    return kind.pb() if hasattr(kind, "pb") else kind


def _shared(protos: Protos, document: Document, path: str) -> Rpc | None:
    """Give a method of an interface that APIs mix in, if this one does; the host says which it is."""
    entry = _SHARED.get(path)
    if entry is None:
        return None
    request, response, ending = entry
    fields = {one.name for one in request.DESCRIPTOR.fields}
    rules = tuple(
        derived(document, method.id, request.DESCRIPTOR)
        for method in document.methods.values()
        if method.id.endswith(ending) and set(_PLACEHOLDER.findall(method.path)) <= fields
    )
    if ending.startswith(".operations"):
        # an operation holds messages of the API, which must be known to be written
        library(f"{protos.module}.types")
    return Rpc(request, response, rules) if rules else None


_OPERATIONS, _LOCATIONS = "google.longrunning.Operations", "google.cloud.location.Locations"
_POLICIES = "google.iam.v1.IAMPolicy"
_SHARED: dict[str, tuple[Any, Any, str]] = {
    f"{_OPERATIONS}/GetOperation": (
        operations_pb2.GetOperationRequest,
        operations_pb2.Operation,
        ".operations.get",
    ),
    f"{_OPERATIONS}/ListOperations": (
        operations_pb2.ListOperationsRequest,
        operations_pb2.ListOperationsResponse,
        ".operations.list",
    ),
    f"{_OPERATIONS}/DeleteOperation": (
        operations_pb2.DeleteOperationRequest,
        empty_pb2.Empty,
        ".operations.delete",
    ),
    f"{_OPERATIONS}/CancelOperation": (
        operations_pb2.CancelOperationRequest,
        empty_pb2.Empty,
        ".operations.cancel",
    ),
    f"{_OPERATIONS}/WaitOperation": (
        operations_pb2.WaitOperationRequest,
        operations_pb2.Operation,
        ".operations.wait",
    ),
    f"{_LOCATIONS}/GetLocation": (
        locations_pb2.GetLocationRequest,
        locations_pb2.Location,
        ".locations.get",
    ),
    f"{_LOCATIONS}/ListLocations": (
        locations_pb2.ListLocationsRequest,
        locations_pb2.ListLocationsResponse,
        ".locations.list",
    ),
    f"{_POLICIES}/SetIamPolicy": (
        iam_policy_pb2.SetIamPolicyRequest,
        policy_pb2.Policy,
        ".setIamPolicy",
    ),
    f"{_POLICIES}/GetIamPolicy": (
        iam_policy_pb2.GetIamPolicyRequest,
        policy_pb2.Policy,
        ".getIamPolicy",
    ),
    f"{_POLICIES}/TestIamPermissions": (
        iam_policy_pb2.TestIamPermissionsRequest,
        iam_policy_pb2.TestIamPermissionsResponse,
        ".testIamPermissions",
    ),
}
_MIXED_IN = {path.rpartition("/")[2]: request for path, (request, _, _) in _SHARED.items()}
