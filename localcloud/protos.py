"""What a gRPC method means in HTTP: read out of Google's own client libraries, so it cannot drift.

A client library knows both sides: its gRPC transport has path and message types of every method,
its REST transport the ``google.api.http`` rules. Nothing is imported before the first call needs it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from google.cloud.location import locations_pb2
from google.iam.v1 import iam_policy_pb2, policy_pb2
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.discovery import Document
    from localcloud.service import Service

Rule = dict[str, str]
"""One ``google.api.http`` rule: method, uri, and body unless there is none."""

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_SHAPE = re.compile(r"[A-Za-z*]+(/[A-Za-z*]+)*")
_PLACEHOLDER = re.compile(r"\{\+?(\w+)\}")


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


@dataclass(frozen=True)
class Rpc:
    """One gRPC method: its message classes, and the HTTP rules of which the first that fits counts."""

    request: Any
    response: Any
    rules: tuple[Rule, ...]


@cache
def _folder(protos: Protos, service: str) -> dict[str, tuple[Any, Any, tuple[Rule, ...]]]:
    """Read one gRPC service's transports: by RPC, request class, response class and rules."""
    place = f"{protos.module}.services.{_WORDS.sub('_', service).lower()}.transports"
    if find_spec(protos.module) is None or find_spec(place) is None:
        return {}
    grpc = import_module(f"{place}.grpc")
    transport = next(kind for name, kind in vars(grpc).items() if name.endswith("GrpcTransport"))
    rest = import_module(f"{place}.rest_base") if find_spec(f"{place}.rest_base") else None
    rules = _rest_rules(rest) if rest is not None else {}
    bare = object.__new__(transport)
    bare._stubs = {}
    bare._logged_channel = _Recorder()
    found = {}
    for name, value in vars(transport).items():
        stub = getattr(bare, name) if isinstance(value, property) and name not in _OWN else None
        if stub is not None:
            path, request, response = stub
            rpc = path.rpartition("/")[2]
            found[rpc] = (request or _MIXED_IN.get(rpc), response, rules.get(rpc, ()))
    return found


_OWN = frozenset({"grpc_channel", "operations_client", "kind", "host"})


class _Recorder:
    """Stands where a transport has its channel, and notes what is asked of it."""

    def unary_unary(self, path: str, request_serializer: Any, response_deserializer: Any) -> Any:
        # Both are methods of the message class, which is what is wanted.
        return path, _owner(request_serializer), _owner(response_deserializer)

    def stream_stream(self, *_: Any, **__: Any) -> None:
        return None

    unary_stream = stream_unary = stream_stream


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


def rpc_of(service: Service, document: Document, path: str) -> Rpc | None:
    """Give what a gRPC path means for an API, or None when the API has no such method."""
    own = service.grpc_methods.get(path)
    if own is not None:
        request, response, method_id = own
        request, response = _pb(request), _pb(response)
        return Rpc(request, response, (derived(document, method_id, request.DESCRIPTOR),))
    protos = service.protos
    if protos is None:
        return None
    owner, _, rpc = path.removeprefix("/").rpartition("/")
    if not protos.has(path):
        return _shared(owner, rpc, service.version)
    known = _folder(protos, owner.rpartition(".")[2]).get(rpc)
    if known is None or known[0] is None:
        return None
    request, response, rules = known
    by_service = f"{owner.rpartition('.')[2]}/{rpc}"
    named = protos.methods.get(by_service) or protos.methods.get(rpc)
    if named is not None:
        rules = (derived(document, named, request.DESCRIPTOR),)
    return Rpc(request, response, rules)


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
        shape = shape.replace("[^/]+", "*")
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


def _shared(owner: str, rpc: str, version: str) -> Rpc | None:
    """Give a method of the interfaces every API may mix in; the host says which API is meant."""
    entry = _SHARED.get(f"{owner}/{rpc}")
    if entry is None:
        return None
    response, *rules = entry
    made = [
        {"method": verb, "uri": f"/{version}{uri}", **({"body": "*"} if verb == "post" else {})}
        for verb, uri in rules
    ]
    return Rpc(_MIXED_IN[rpc], response, tuple(made))


_MIXED_IN: dict[str, Any] = {
    "GetOperation": operations_pb2.GetOperationRequest,
    "ListOperations": operations_pb2.ListOperationsRequest,
    "DeleteOperation": operations_pb2.DeleteOperationRequest,
    "CancelOperation": operations_pb2.CancelOperationRequest,
    "WaitOperation": operations_pb2.WaitOperationRequest,
    "GetLocation": locations_pb2.GetLocationRequest,
    "ListLocations": locations_pb2.ListLocationsRequest,
    "SetIamPolicy": iam_policy_pb2.SetIamPolicyRequest,
    "GetIamPolicy": iam_policy_pb2.GetIamPolicyRequest,
    "TestIamPermissions": iam_policy_pb2.TestIamPermissionsRequest,
}

_OPERATIONS, _LOCATIONS = "google.longrunning.Operations", "google.cloud.location.Locations"
_POLICIES = "google.iam.v1.IAMPolicy"
_SHARED: dict[str, Any] = {
    f"{_OPERATIONS}/GetOperation": (operations_pb2.Operation, ("get", "/{name=**}")),
    f"{_OPERATIONS}/ListOperations": (
        operations_pb2.ListOperationsResponse,
        ("get", "/{name=**}/operations"),
    ),
    f"{_OPERATIONS}/DeleteOperation": (empty_pb2.Empty, ("delete", "/{name=**}")),
    f"{_OPERATIONS}/CancelOperation": (empty_pb2.Empty, ("post", "/{name=**}:cancel")),
    f"{_OPERATIONS}/WaitOperation": (operations_pb2.Operation, ("post", "/{name=**}:wait")),
    f"{_LOCATIONS}/GetLocation": (locations_pb2.Location, ("get", "/{name=**}")),
    f"{_LOCATIONS}/ListLocations": (
        locations_pb2.ListLocationsResponse,
        ("get", "/{name=**}/locations"),
    ),
    f"{_POLICIES}/SetIamPolicy": (policy_pb2.Policy, ("post", "/{resource=**}:setIamPolicy")),
    f"{_POLICIES}/GetIamPolicy": (
        policy_pb2.Policy,
        ("get", "/{resource=**}:getIamPolicy"),
        ("post", "/{resource=**}:getIamPolicy"),
    ),
    f"{_POLICIES}/TestIamPermissions": (
        iam_policy_pb2.TestIamPermissionsResponse,
        ("post", "/{resource=**}:testIamPermissions"),
    ),
}
