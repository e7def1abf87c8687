"""From host, verb and path to a method: compiled from the documents, literal before parameter."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote

from localcloud.documents.discovery import Document, Method, document, ungroup

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from localcloud.service import Service

_REGIONAL = (
    re.compile(r"(?P<api>[a-z]+)\.[a-z0-9-]+\.rep\.googleapis\.com"),
    re.compile(r"[a-z]+-[a-z]+[0-9]+-(?P<api>[a-z]+)\.googleapis\.com"),
    re.compile(r"(?P<api>[a-z]+)\.mtls\.googleapis\.com"),
)
_REMEMBERED = 500
_EXTRA = re.compile(r"\{([a-z_]+)(\+?)\}")


@dataclass(frozen=True)
class Route:
    """Where a request goes: a method of the document, or a handler no document knows."""

    service: Service
    params: dict[str, str]
    method: Method | None = None
    handler: Callable[..., Any] | None = None
    name: str = ""
    upload: bool = False

    @property
    def method_id(self) -> str:
        """The name under which the call is logged and faults are planned."""
        return self.method.id if self.method is not None else self.name


class UnknownRouteError(LookupError):
    """Nothing answers at this URL (404), or not with this verb (405)."""

    def __init__(self, status: int) -> None:
        """Keep the HTTP status."""
        super().__init__(str(status))
        self.status = status


class Router:
    """The routes of every registered service."""

    def __init__(self, services: Iterable[Service]) -> None:
        """Check the services' tables against their documents; a wrong one stops the program."""
        self.services = list(services)
        self._hosts: dict[str, list[Service]] = {}
        # a call asks twice, before its body is here and after, and the next one is often the same
        self._found = lru_cache(_REMEMBERED)(self._find)
        for service in self.services:
            check(service)

    def document(self, service: Service) -> Document:
        """Give the document of a service."""
        return document(service.api, service.version)

    def serves(self, host: str) -> bool:
        """Tell whether any service answers on a host."""
        return bool(self._of(host))

    def of_host(self, host: str) -> list[Service]:
        """Give the services that answer on a host."""
        return list(self._of(host))

    def names(self, method_id: str) -> bool:
        """Tell whether a method is in some service's document or table of extra routes."""
        return any(
            method_id in service.extra
            or method_id in service.handlers
            or method_id in service.streams
            or self.document(service).names(method_id)
            for service in self.services
        )

    def find(self, host: str, verb: str, path: str) -> Route:
        """Give the route of a request, by its raw (still percent-encoded) path."""
        return self._found(host, verb, path)

    def _find(self, host: str, verb: str, path: str) -> Route:
        wrong_verb = False
        for service in self._of(host):
            verb_taken = False
            for method in self.document(service).routes:
                has_verb = ":" in method.path.rpartition("/")[2]
                if verb_taken and not has_verb:
                    # "name:verb" is never the name of a resource, whatever pattern would take it
                    break
                params, upload = _match(method, path)
                if params is None:
                    continue
                if method.http_method == verb or (upload and verb in {"PUT", "DELETE"}):
                    return Route(service, params, method=method, upload=upload)
                wrong_verb = True
                verb_taken = verb_taken or has_verb
        # the right path with the wrong verb is no other service's business
        for service in () if wrong_verb else self._of(host):
            for name, handler in service.extra.items():
                extra_verb, _, template = name.partition(" ")
                found = _extra(template).fullmatch(path)
                if found is not None and extra_verb == verb:
                    params = {key: unquote(value) for key, value in found.groupdict().items()}
                    return Route(service, params, handler=handler, name=name, upload=True)
        raise UnknownRouteError(405 if wrong_verb else 404)

    def _of(self, host: str) -> list[Service]:
        if host not in self._hosts:
            own = _own_host(host)
            found = [
                service
                for service in self.services
                if service.host == own or any(fnmatchcase(host, extra) for extra in service.hosts)
            ]
            if not found:
                # what callers invent is not worth remembering
                return []
            self._hosts[host] = found
        return self._hosts[host]


def check(service: Service) -> None:
    """Stop the program at start when a table and its document disagree."""
    found = document(service.api, service.version)
    label = f"{service.api} {service.version}"
    for table, ids in (
        ("handlers", service.handlers),
        ("permissions", service.permissions),
        ("required", service.required),
        ("uploads", service.uploads),
    ):
        for method_id in ids:
            if not found.names(method_id):
                raise LookupError(f"{label}: {table} names {method_id}, not in {found.file.name}")
    missing = sorted(service.handlers.keys() - service.permissions.keys())
    if missing:
        raise LookupError(f"{label}: no permission is given for {', '.join(missing)}")


def _own_host(host: str) -> str:
    for pattern in _REGIONAL:
        found = pattern.fullmatch(host)
        if found is not None:
            return f"{found['api']}.googleapis.com"
    return host


def _match(method: Method, path: str) -> tuple[dict[str, str] | None, bool]:
    for prefix in ("/upload", "/resumable/upload"):
        if method.upload_paths and path.startswith(prefix + "/"):
            found = method.match(path.removeprefix(prefix))
            if found is not None:
                return _decoded(found), True
    if method.downloads and path.startswith("/download/"):
        path = path.removeprefix("/download")
    found = method.match(path)
    return (None, False) if found is None else (_decoded(found), False)


def _decoded(found: dict[str, str]) -> dict[str, str]:
    return {ungroup(name): unquote(value) for name, value in found.items()}


def _extra(template: str) -> re.Pattern[str]:
    pieces, end = [], 0
    for found in _EXTRA.finditer(template):
        pieces.append(re.escape(template[end : found.start()]))
        pieces.append(f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})")
        end = found.end()
    pieces.append(re.escape(template[end:]))
    return re.compile("".join(pieces))
