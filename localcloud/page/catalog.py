"""What exists, asked of the services' own list methods, which the documents name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError
from localcloud.identity.principals import Principal
from localcloud.service import Call, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cloud import Cloud
    from localcloud.documents.discovery import Document, Method
    from localcloud.service import Resource, Service

_PARAMETER = re.compile(r"\{\+?([^}]+)\}")
_LOCATION = re.compile(r"/locations/([a-z0-9-]+)(?:/|$)")
_MOST_PAGES = 10
_ELSEWHERE = frozenset({"operations", "tiers", "runtimes", "locations"})
"""Lists of what Google offers, and operations, which have a view of their own."""


@dataclass(frozen=True)
class Listing:
    """One list method with everything its path asks for."""

    service: Service
    method: Method
    params: dict[str, str]

    @property
    def title(self) -> str:
        """What it lists, such as ``secrets`` or ``services (europe-west1)``."""
        kind = self.method.id.split(".")[-2]
        found = _LOCATION.search("/".join(self.params.values()) + "/")
        return f"{kind} ({found[1]})" if found else kind


def services(cloud: Cloud) -> list[Resource]:
    """Describe each API: whether it is enabled, how much of its document answers."""
    return [
        {
            "api": service.api,
            "version": service.version,
            "enabled": cloud.enabled(service.host),
            "handled": len(service.handlers),
            "methods": len(cloud.router.document(service).ids),
        }
        for service in cloud.services
    ]


def resources(cloud: Cloud, owner: str, parent: Resource | None = None) -> list[Resource]:
    """List what the project holds, or what one resource of it holds.

    Args:
        cloud: where to look.
        owner: whose e-mail the services' handlers see.
        parent: ``{"api", "version", "params", "name"}`` as an earlier answer had them.

    Returns one ``{"api", "version", "title", "items"}`` per list method that has anything; an item
    is ``{"name", "body", "params"}``.
    """
    listings = _top(cloud) if parent is None else _below(cloud, parent)
    found = []
    for listing in listings:
        items = _items(cloud, owner, listing)
        if items:
            found.append(
                {
                    "api": listing.service.api,
                    "version": listing.service.version,
                    "title": listing.title,
                    "items": items,
                }
            )
    return found


def _top(cloud: Cloud) -> Iterator[Listing]:
    for service in cloud.services:
        for method in _lists(cloud, service):
            names = _names(method)
            if len(names) != 1:
                continue
            ours = names[0].startswith(("project", "apps"))  # an application has its project's id
            if "pattern" not in method.parameters[names[0]] and not ours:
                continue
            for value in _projects(cloud, method.parameters[names[0]].get("pattern")):
                yield Listing(service, method, {names[0]: value})
        yield from _legacy_top(cloud, service)


def _legacy_top(cloud: Cloud, service: Service) -> Iterator[Listing]:
    """Give the lists that take the project as a query parameter, as Cloud Storage does."""
    for method in _lists(cloud, service):
        if not _names(method) and "project" in method.parameters:
            yield Listing(service, method, {"project": cloud.project})


def _below(cloud: Cloud, parent: Resource) -> Iterator[Listing]:
    service = next(
        (
            one
            for one in cloud.services
            if (one.api, one.version) == (parent["api"], parent["version"])
        ),
        None,
    )
    if service is None:
        raise LookupError(f"no such API: {parent['api']} {parent['version']}")
    known = dict(parent["params"])
    own = list(known)[-1] if known else None
    for method in _lists(cloud, service):
        names = _names(method)
        pattern = method.parameters[names[-1]].get("pattern") if names else None
        if pattern is not None and len(names) == 1:
            if re.fullmatch(pattern, str(parent["name"])):
                yield Listing(service, method, {names[0]: str(parent["name"])})
        elif names and names[-1] == own and set(names) <= set(known):
            yield Listing(service, method, {name: known[name] for name in names})


def _lists(cloud: Cloud, service: Service) -> Iterator[Method]:
    if not cloud.enabled(service.host):
        return
    document = cloud.router.document(service)
    for method_id in service.handlers:
        method = document.methods[method_id]
        kind, verb = method_id.split(".")[-2:]
        if verb == "list" and method.http_method == "GET" and kind not in _ELSEWHERE:
            yield method


def _names(method: Method) -> list[str]:
    return _PARAMETER.findall(method.path)


def _projects(cloud: Cloud, pattern: str | None) -> list[str]:
    """Give the values of a path's only parameter that stand for the project, place by place."""
    if pattern is None:
        return [cloud.project]
    candidates = [f"projects/{cloud.project}"]
    candidates += [f"projects/{cloud.project}/locations/{place}" for place in _places(cloud)]
    return [one for one in candidates if re.fullmatch(pattern, one)]


def _places(cloud: Cloud) -> list[str]:
    rows = cloud.store.read(
        "select distinct parent from resources where parent like '%/locations/%'"
    )
    seen = {found[1] for (parent,) in rows if (found := _LOCATION.search(parent + "/"))}
    return sorted(seen | {cloud.region})


def _items(cloud: Cloud, owner: str, listing: Listing) -> list[Resource]:
    handler = listing.service.handlers[listing.method.id]
    document = cloud.router.document(listing.service)
    field = _field(document, listing.method)
    items: list[Any] = []
    token: str | None = None
    for _ in range(_MOST_PAGES):
        call = Call(
            cloud=cloud,
            service=listing.service,
            method=listing.method.id,
            http_method="GET",
            url="",
            params={**listing.params, **({"pageToken": token} if token else {})},
            body={},
            headers={},
            caller=Principal(owner),
        )
        try:
            answer = handler(call)
        except ApiError:
            # a list that asks for more than its path, such as a filter, has nothing to show here
            return []
        answer = answer.body if isinstance(answer, Reply) else answer
        if not isinstance(answer, dict):
            return []
        items += answer.get(field, [])
        token = answer.get("nextPageToken")
        if not token:
            break
    return [_item(listing, item) for item in items]


def _item(listing: Listing, item: Any) -> Resource:
    body = item if isinstance(item, dict) else {"name": item}
    name = str(body.get("name") or body.get("id") or body.get("email") or "")
    kind = listing.method.id.split(".")[-2]
    params = {**listing.params, kind.removesuffix("s"): name}
    return {"name": name, "body": body, "params": params}


def _field(document: Document, method: Method) -> str:
    """Find the field of a list's answer that holds the list."""
    properties = document.schemas.get(method.response or "", {}).get("properties", {})
    arrays = [name for name, schema in properties.items() if schema.get("type") == "array"]
    kind = method.id.split(".")[-2]
    named = [name for name in arrays if name in {kind, "items"}]
    rest = [name for name in arrays if name != "unreachable"]
    return str((named or rest or [kind])[0])
