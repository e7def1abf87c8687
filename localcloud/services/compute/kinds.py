"""What the resources of Compute Engine have in common, and what each kind says about itself."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.compute import names

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

_OUTPUT_ONLY = frozenset(
    {"kind", "id", "selfLink", "selfLinkWithId", "creationTimestamp", "region"}
)
_FINGERPRINT = "fingerprint"
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")


def _as_stored(_: Cloud, stored: Resource) -> Resource:
    return stored


def _no_keys(_: Cloud, __: Resource) -> set[str]:
    return set()


def _nothing(_: Cloud, __: Resource) -> list[tuple[str, Resource]]:
    return []


@dataclass(frozen=True)
class Kind:
    """One kind of resource.

    Attributes:
        collection: its name in URLs, such as ``backendServices``.
        api: its name in method ids, such as ``compute.backendServices``.
        parameter: what the documents call its name in a path.
        word: what ``kind`` says, such as ``compute#backendService``.
        prepared: checks what somebody wants to have and completes it, given what there was.
        output_only: fields of a body that are ignored, as the document says.
        links: fields that hold links to other resources, dotted; they keep those from deletion.
        fingerprint: whether changes carry the fingerprint of what they change.
        shown: completes what is stored with what only others know.
        means: keys of resources that one uses without a link to them.
        holders: what else uses a resource, by name.
        own: what comes and goes with a resource, by key.
        changed: told of every change, after it.
        permission: of its permissions, where that is not ``api``.
        use: what somebody needs who links to such a resource.
    """

    collection: str
    parameter: str
    word: str
    prepared: Callable[[Call, Resource, Resource | None], Resource]
    api: str = ""
    output_only: frozenset[str] = frozenset()
    links: tuple[str, ...] = ()
    fingerprint: bool = False
    shown: Callable[[Cloud, Resource], Resource] = _as_stored
    means: Callable[[Cloud, Resource], set[str]] = _no_keys
    holders: Callable[[Cloud, Resource], set[str]] = _no_keys
    own: Callable[[Cloud, Resource], list[tuple[str, Resource]]] = _nothing
    changed: Callable[[Cloud], None] | None = None
    permission: str = ""
    use: str = "use"

    @property
    def methods(self) -> str:
        """The prefix of its method ids."""
        return self.api or f"compute.{self.collection}"

    @property
    def permissions(self) -> str:
        """The prefix of its permissions."""
        return self.permission or self.methods

    def permissions_in(self, key: str) -> str:
        """Return the prefix of the permissions on one resource: global addresses have their own."""
        if self.collection == "addresses" and "/global/" in key:
            return "compute.globalAddresses"
        return self.permissions

    def writable(self, body: Resource) -> Resource:
        """Return a body without what only Google writes."""
        dropped = _OUTPUT_ONLY | self.output_only
        return {name: value for name, value in body.items() if name not in dropped}

    def finished(self, resource: Resource) -> Resource:
        """Return a resource with the fingerprint of its content."""
        if not self.fingerprint:
            return resource
        content = {name: value for name, value in resource.items() if name != _FINGERPRINT}
        return {**resource, _FINGERPRINT: fingerprint(content)}

    def links_of(self, resource: Resource) -> set[str]:
        """Return the keys of the resources that one links to."""
        found = (link for path in self.links for link in _at(resource, path.split(".")))
        return {names.key_of(link) for link in found}


def fingerprint(content: object) -> str:
    """Return what changes when content does."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    return base64.b64encode(digest[:8]).decode()


def check_fingerprint(sent: str | None, present: str, *, needed: bool) -> None:
    """Refuse a change of what is no longer the current state."""
    # clients that take it for bytes write it in the other alphabet
    same = sent is not None and sent.replace("-", "+").replace("_", "/") == present
    if (needed and sent is None) or (sent is not None and not same):
        raise ApiError(
            412,
            "Supplied fingerprint does not match current metadata fingerprint."
            if sent
            else "Invalid fingerprint.",
            reason="conditionNotMet",
        )


def check_labels(labels: dict[str, str]) -> None:
    """Refuse labels that break the rules all of Google's labels have."""
    for key, value in labels.items():
        if not _LABEL_KEY.fullmatch(key) or not _LABEL_VALUE.fullmatch(value):
            raise names.wrong("resource.labels", f"{key}: {value}", "Not a valid label.")


def no_labels(body: Resource) -> None:
    """Refuse labels where only ``setLabels`` can set them."""
    if body.get("labels"):
        raise names.wrong(
            "resource.labels", body["labels"], "Labels can only be added by the setLabels method."
        )


def _at(value: object, path: list[str]) -> list[str]:
    if isinstance(value, list):
        return [one for item in value for one in _at(item, path)]
    if not path:
        return [value] if isinstance(value, str) and value.startswith(names.ROOT) else []
    return _at(value.get(path[0]), path[1:]) if isinstance(value, dict) else []
