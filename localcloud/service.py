"""What a fake of one Google API consists of: a table of handlers, and what a handler is given."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError, invalid
from localcloud.store import Resource
from localcloud.transport import Download, Upload

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localcloud.cloud import Cloud
    from localcloud.documents.protos import Protos
    from localcloud.doors.streaming import StreamMethod
    from localcloud.identity.principals import Principal
    from localcloud.store import Collection

__all__ = ["Call", "Download", "Handler", "Needs", "Reply", "Resource", "Service", "Upload", "page"]


@dataclass(frozen=True)
class Reply:
    """An answer that is more than a 200 with a resource; it is not checked against the document."""

    status: int = 200
    body: Resource | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)


class Call:
    """One call as a handler sees it: authorised, validated, converted."""

    def __init__(  # noqa: PLR0913 - the pipeline is the only caller
        self,
        *,
        cloud: Cloud,
        service: Service,
        method: str,
        http_method: str,
        url: str,
        params: dict[str, Any],
        body: Resource,
        headers: dict[str, str],
        caller: Principal,
        upload: Upload | None = None,
        raw: bytes = b"",
    ) -> None:
        """Gather what the pipeline found."""
        self.cloud = cloud
        self.service = service
        self.method = method
        self.http_method = http_method
        self.url = url
        self.params = params
        self.body = body
        self.headers = headers
        self.caller = caller
        self.upload = upload
        self.raw = raw

    def __getitem__(self, name: str) -> Any:
        """Give a path or query parameter that the document requires."""
        return self.params[name]

    def get(self, name: str, default: Any = None) -> Any:
        """Give a parameter, or a default when the caller left it out."""
        return self.params.get(name, default)

    @property
    def store(self) -> Collection:
        """The collection of this API."""
        return self.cloud.store.of(self.service.api)

    @property
    def now(self) -> str:
        """The present moment, as a resource carries it."""
        return self.cloud.clock.rfc3339()

    @property
    def resource(self) -> str:
        """The resource name IAM is asked about."""
        return self.service.resource(self)

    def require(self, permission: str, resource: str, *, api: str | None = None) -> None:
        """Refuse the call unless the caller has one more permission, such as actAs."""
        words = self.service.denial if api is None else None
        if words is not None:
            if not self.cloud.iam.allowed(
                self.caller.member, permission, self.service.api, resource
            ):
                raise words(self, permission)
            return
        self.cloud.iam.check(self.caller.member, permission, api or self.service.api, resource)

    def mask(self) -> list[str]:
        """Give the update mask as camelCase paths; empty when the caller sent none."""
        raw = self.params.get("updateMask") or ""
        return [camel(path.strip()) for path in raw.split(",") if path.strip()]

    def bytes_field(self, value: str) -> bytes:
        """Decode a base64 field of the body, either alphabet."""
        try:
            padded = value + "=" * (-len(value) % 4)
            return base64.b64decode(padded.replace("-", "+").replace("_", "/"), validate=True)
        except ValueError:
            raise invalid("Invalid value (TYPE_BYTES): Base64 decoding failed") from None


Handler = Any
"""A function from Call to Resource, Reply, Download or None."""


@dataclass(frozen=True, init=False)
class Needs:
    """The permissions a method needs; none at all makes it public to every identity.

    ``resource`` says what they are checked on when that is not the service's usual resource.
    ``api`` names the API whose policies count when they are not the service's own.
    ``anonymous`` lets callers without any token through to the permission check (for allUsers).
    ``also`` is asked before a caller is refused: a right that no policy holds, such as an ACL.
    """

    permissions: tuple[str, ...]
    resource: Callable[[Call], str] | None
    anonymous: bool
    api: str | None
    also: Callable[[Call, str], bool] | None

    def __init__(
        self,
        *permissions: str,
        resource: Callable[[Call], str] | None = None,
        anonymous: bool = False,
        api: str | None = None,
        also: Callable[[Call, str], bool] | None = None,
    ) -> None:
        """Freeze what was given."""
        object.__setattr__(self, "permissions", permissions)
        object.__setattr__(self, "resource", resource)
        object.__setattr__(self, "anonymous", anonymous)
        object.__setattr__(self, "api", api)
        object.__setattr__(self, "also", also)


PUBLIC = Needs()
"""For methods that ask for no permission, such as testIamPermissions."""


def named_resource(call: Call) -> str:
    """Find the resource a method is about: the first full name among its parameters."""
    for key in ("name", "parent", "resource"):
        value = call.get(key)
        if isinstance(value, str) and "/" in value:
            return value
    return f"projects/{call.cloud.project}"


class Service:
    """One version of one Google API."""

    def __init__(  # noqa: PLR0913 - a declaration, always written with keywords
        self,
        api: str,
        version: str,
        handlers: Mapping[str, Callable[[Call], Any]],
        *,
        permissions: Mapping[str, str | Needs],
        required: Mapping[str, Sequence[str]] | None = None,
        errors: str = "modern",
        resource: Callable[[Call], str] = named_resource,
        denial: Callable[[Call, str], ApiError] | None = None,
        hosts: Sequence[str] = (),
        uploads: Sequence[str] = (),
        extra: Mapping[str, Callable[[Call], Any]] | None = None,
        protos: Protos | None = None,
        streams: Mapping[str, StreamMethod] | None = None,
        on_start: Callable[[Cloud], None] | None = None,
        on_stop: Callable[[Cloud], None] | None = None,
    ) -> None:
        """Declare the API.

        Args:
            api: its name in the discovery documents, such as ``secretmanager``.
            version: such as ``v1``.
            handlers: by method id.
            permissions: by method id; every handler needs an entry.
            required: body fields by method id, dotted, that the document only calls required.
            errors: the style of error bodies, ``modern`` or ``legacy``.
            resource: what IAM is asked about.
            denial: words the refusal of a permission, where the API has words of its own.
            hosts: extra host names; ``*`` stands for anything.
            uploads: method ids that take media.
            extra: routes no document knows, as ``"PUT /{bucket}/{object+}"``; no IAM check.
            protos: the client library whose gRPC methods mean this API's.
            streams: methods only gRPC has, by the id the call log and planned faults know them by.
            on_start: called once the cloud is up, to bring back what must run.
            on_stop: called before the cloud goes away.
        """
        self.api = api
        self.version = version
        self.handlers = dict(handlers)
        self.permissions = {
            method: needs if isinstance(needs, Needs) else Needs(needs)
            for method, needs in permissions.items()
        }
        self.required = {method: tuple(fields) for method, fields in (required or {}).items()}
        self.errors = errors
        self.resource = resource
        self.denial = denial
        self.hosts = tuple(hosts)
        self.uploads = frozenset(uploads)
        self.extra = dict(extra or {})
        self.protos = protos
        self.streams = dict(streams or {})
        self.on_start = on_start
        self.on_stop = on_stop

    @property
    def host(self) -> str:
        """The API's own host name, which is also its name in serviceusage."""
        return f"{self.api}.googleapis.com"


def page(
    call: Call,
    items: Sequence[Resource],
    field_name: str,
    size_param: str = "pageSize",
    *,
    default: int = 100,
    most: int = 1000,
) -> Resource:
    """Cut a list into pages; the token says where the next one starts."""
    size = call.get(size_param) or default
    if size < 0:
        raise invalid(f"Invalid value for {size_param}: must not be negative")
    start = _offset(call.get("pageToken"))
    chunk = list(items[start : start + min(size, most)])
    answer: Resource = {field_name: chunk} if chunk else {}
    if start + len(chunk) < len(items):
        token = f"offset:{start + len(chunk)}"
        answer["nextPageToken"] = base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")
    return answer


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError:
        text = ""
    found = re.fullmatch(r"offset:(\d+)", text)
    if found is None:
        raise invalid("The page token is invalid.")
    return int(found[1])


def camel(path: str) -> str:
    """Turn a snake_case path into the camelCase the documents use."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), path)
