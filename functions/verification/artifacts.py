"""Artifacts: one that is too big for a request over HTTP/1 goes in, and comes back as it was."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from functions.door import logs
from functions.verification.answers import address
from functions.verification.check import Check, CheckFailedError, failed
from functions.verification.visitor import Visitor

if TYPE_CHECKING:
    from collections.abc import Callable

    from planner.target import Uploads

NAME = "artifact came back"
FILE = "proof.bin"

# Above 32 MiB: the limit of Cloud Run and App Engine for a request over HTTP/1, which nothing
# smaller would show.
_PROOF_BYTES = 33 * 1024 * 1024
_PART_BYTES = 10 * 1024 * 1024

_API = "/api/2.0/mlflow-artifacts"
_SCHEME = "mlflow-artifacts:"
_STORAGE = "storage.googleapis.com"
_BINARY = {"Content-Type": "application/octet-stream"}


def come_back(member: Visitor, artifact_uri: str, uploads: Uploads) -> Check:
    """Prove that the bucket behind the server keeps what is given to the server.

    Raises:
        CheckFailedError: Something else came back, or nothing.
    """
    if not artifact_uri.startswith(_SCHEME):
        raise failed(NAME, f"artifacts do not go through the server: {artifact_uri[:200]}")
    folder = artifact_uri.removeprefix(_SCHEME).strip("/")
    content = secrets.token_bytes(_PROOF_BYTES)
    try:
        how = _WAYS[uploads](member, folder, content)
        found = member.expect(NAME, "GET", _file(folder)).content
    finally:
        _tidy(member, folder)
    if found != content:
        raise failed(NAME, f"{len(content)} bytes went in, {len(found)} others came back")
    return Check(NAME, ok=True, detail=f"{len(content) // 2**20} MiB {how}")


def _file(folder: str) -> str:
    return f"{_API}/artifacts/{folder}/{FILE}"


def _tidy(member: Visitor, folder: str) -> None:
    """Delete the file from the team's bucket; the run it belongs to is deleted as well."""
    try:
        member.expect("tidy", "DELETE", _file(folder))
    except CheckFailedError as error:
        logs.write("WARNING", "the file of the proof may still be there", cause=str(error))


def _through_the_server(member: Visitor, folder: str, content: bytes) -> str:
    member.expect(NAME, "PUT", _file(folder), data=content, headers=_BINARY)
    return "through the server"


def _in_signed_parts(member: Visitor, folder: str, content: bytes) -> str:
    parts = [content[at : at + _PART_BYTES] for at in range(0, len(content), _PART_BYTES)]
    made = _asked(member, "create", folder, num_parts=len(parts))
    upload = made.get("upload_id")
    try:
        urls = _urls(made, len(parts))
        done = [
            {"part_number": number, "etag": _part(url, part), "url": url}
            for number, (url, part) in enumerate(zip(urls, parts, strict=True), start=1)
        ]
        _asked(member, "complete", folder, upload_id=upload, parts=done)
    except CheckFailedError:
        _give_up(member, folder, upload)
        raise
    return f"in {len(parts)} signed parts"


def _asked(member: Visitor, verb: str, folder: str, **body: Any) -> dict[str, Any]:
    path = f"{_API}/mpu/{verb}/{folder}"
    return member.ask(NAME, "POST", path, json={"path": FILE, **body})


def _urls(made: dict[str, Any], parts: int) -> list[str]:
    """Return where the parts go, in their order."""
    entries = sorted(made.get("credentials", ()), key=lambda entry: int(entry["part_number"]))
    urls = [str(entry["url"]) for entry in entries]
    if len(urls) != parts:
        raise failed(NAME, f"{parts} parts were asked for, and {len(urls)} addresses came")
    for url in urls:
        place = address(url)
        host = place.hostname or ""
        if place.scheme != "https" or not (host == _STORAGE or host.endswith(f".{_STORAGE}")):
            raise failed(NAME, f"a part would go to {place.scheme}://{host}, not Cloud Storage")
    return urls


def _part(url: str, content: bytes) -> str:
    """Put one part where its signed URL says: as nobody, since the signature is the permission."""
    place = urlsplit(url)
    storage = Visitor(f"https://{place.netloc}")
    answer = storage.expect(NAME, "PUT", f"{place.path}?{place.query}", data=content)
    return str(answer.headers.get("ETag", ""))


def _give_up(member: Visitor, folder: str, upload: object) -> None:
    """Have the parts forgotten; what stays behind is no reason for another failure."""
    body = {"path": FILE, "upload_id": upload}
    try:
        member.call(NAME, "POST", f"{_API}/mpu/abort/{folder}", json=body)
    except CheckFailedError as error:
        logs.write("WARNING", "the parts of the proof are still there", cause=str(error))


_WAYS: dict[Uploads, Callable[[Visitor, str, bytes], str]] = {
    "http2": _through_the_server,
    "signed_parts": _in_signed_parts,
}
