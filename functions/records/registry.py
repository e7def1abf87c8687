"""The registry bucket: what is wanted and what is, one folder per deployment.

The functions write only spec.json, and who has a domain; status.json and the claims are the
workflow's. Every write names the generation of the object that it replaces, so two writers never
overwrite each other. State, team, URL and generation are kept beside the content as metadata, so
that a list needs one call and no content.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from functions.cloud import clients
from functions.door import problems
from functions.records import platform
from schemas.deployment import Spec, Status
from schemas.domain import DomainHolder
from schemas.model import NAME_PATTERN, Model

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from google.cloud.storage import Blob, Bucket

T = TypeVar("T", bound=Model)

FOLDER = "deployments/"
DOMAINS = "domains/"
_OBJECT = re.compile(rf"{FOLDER}([^/]+)/(spec|status)\.json")
_LISTED = "items(name,generation,timeCreated,metadata),nextPageToken"


class OvertakenError(Exception):
    """Somebody else wrote the object first; read it again and decide anew."""


@dataclass(frozen=True)
class Stored(Generic[T]):
    """A document with the generation of the object it was read from."""

    document: T
    generation: int


@dataclass(frozen=True)
class Entry:
    """What the metadata of one version of spec.json or status.json says."""

    name: str
    kind: str
    object_generation: int
    written: datetime
    state: str
    team: str
    generation: int
    url: str | None
    certificate: str | None


def read_spec(name: str) -> Stored[Spec] | None:
    """Return what is wanted, None when there never was a deployment of this name."""
    return _read(name, "spec", Spec)


def read_status(name: str, *, version: int | None = None) -> Stored[Status] | None:
    """Return what is, None when no execution has begun yet (or that version is gone)."""
    return _read(name, "status", Status, version=version)


def write_spec(spec: Spec, *, replacing: int) -> int:
    """Write what is wanted, if the object still is the one that was read (0: is not there).

    Raises:
        OvertakenError: Somebody else wrote it first.
    """
    from google.api_core.exceptions import PreconditionFailed

    blob = _bucket().blob(f"{FOLDER}{spec.name}/spec.json")
    blob.metadata = {
        "state": "PENDING" if spec.desired == "present" else "DELETING",
        "team": spec.request.team,
        "url": "",
        "generation": str(spec.generation),
    }
    text = json.dumps(spec.document(), indent=2, ensure_ascii=False)
    try:
        # Repeating is safe: a repeat that meets our own first try fails on the precondition.
        blob.upload_from_string(
            text, content_type="application/json", if_generation_match=replacing
        )
    except PreconditionFailed as error:
        stored = read_spec(spec.name)
        if stored is not None and stored.document == spec:
            # The reply to our own write was lost. The uid and the time tell it from a twin.
            return stored.generation
        raise OvertakenError(spec.name) from error
    return int(blob.generation)


def read_holder(domain: str) -> Stored[DomainHolder] | None:
    """Return which deployment a domain was promised to, None when it never was to any."""
    return _read_object(f"{DOMAINS}{domain}.json", DomainHolder)


def write_holder(domain: str, holder: DomainHolder, *, replacing: int) -> None:
    """Promise a domain, if the object still is the one that was read (0: is not there).

    Raises:
        OvertakenError: Somebody else wrote it first.
    """
    from google.api_core.exceptions import PreconditionFailed

    blob = _bucket().blob(f"{DOMAINS}{domain}.json")
    text = json.dumps(holder.document(), indent=2)
    try:
        blob.upload_from_string(
            text, content_type="application/json", if_generation_match=replacing
        )
    except PreconditionFailed as error:
        stored = read_holder(domain)
        if stored is not None and stored.document == holder:
            # The reply to our own write was lost; the time tells it from a twin.
            return
        raise OvertakenError(domain) from error


def entries(*, after: str = "") -> Iterator[Entry]:
    """Walk over the newest spec and status of every deployment, in the order of their names.

    Args:
        after: Skip all deployments up to and including this one.
    """
    # "0" is the character after "/": past everything in the folder of that deployment.
    start = f"{FOLDER}{after}0" if after else None
    found = clients.storage().list_blobs(
        platform.bucket_name(),
        match_glob=f"{FOLDER}*/{{spec,status}}.json",
        start_offset=start,
        fields=_LISTED,
        page_size=1000,
    )
    return _entries(found)


def history(name: str) -> list[Entry]:
    """Return every version of spec.json and status.json that is kept, oldest first."""
    if not is_name(name):
        return []
    found = clients.storage().list_blobs(
        platform.bucket_name(), prefix=f"{FOLDER}{name}/s", versions=True, fields=_LISTED
    )
    # Object generations are Cloud Storage's own clock, in microseconds.
    return sorted(_entries(found), key=lambda entry: entry.object_generation)


def has_claims(name: str) -> bool:
    """Say whether anything that was made for a deployment may still be there.

    The workflow claims a part before it makes anything and drops the claim when all of it is gone.
    """
    found = clients.storage().list_blobs(
        platform.bucket_name(),
        prefix=f"{FOLDER}{name}/claims/",
        max_results=1,
        fields="items(name),nextPageToken",
    )
    return any(True for _ in found)


def is_name(name: str) -> bool:
    """Say whether a deployment could be called so; nothing else may reach an object's name."""
    return re.fullmatch(NAME_PATTERN, name) is not None


def _bucket() -> Bucket:
    return clients.storage().bucket(platform.bucket_name())


def _read(name: str, kind: str, model: type[T], *, version: int | None = None) -> Stored[T] | None:
    if not is_name(name):
        return None
    return _read_object(f"{FOLDER}{name}/{kind}.json", model, version=version)


def _read_object(path: str, model: type[T], *, version: int | None = None) -> Stored[T] | None:
    from google.api_core.exceptions import NotFound

    blob = _bucket().blob(path, generation=version)
    try:
        text = blob.download_as_bytes()
    except NotFound:
        return None
    try:
        document = model.model_validate_json(text)
    except ValueError as error:
        raise problems.make(
            "unexpected", f"the object {path} of the registry is not valid", cause=str(error)[:1000]
        ) from error
    return Stored(document, int(blob.generation))


def _entries(blobs: Iterator[Blob]) -> Iterator[Entry]:
    for blob in blobs:
        match = _OBJECT.fullmatch(blob.name)
        metadata: dict[str, Any] = blob.metadata or {}
        # An object without our metadata was put there by hand; it is no deployment.
        if match is None or not {"state", "team", "generation"} <= metadata.keys():
            continue
        yield Entry(
            name=match.group(1),
            kind=match.group(2),
            object_generation=int(blob.generation),
            written=blob.time_created,
            state=metadata["state"],
            team=metadata["team"],
            generation=int(metadata["generation"]),
            url=metadata.get("url") or None,
            certificate=metadata.get("certificate") or None,
        )
