"""Batches: up to a hundred calls in one request, each answered as if it had come alone."""

from __future__ import annotations

import email
from email.message import Message
from http import HTTPStatus
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.service import Call, Reply
from localcloud.services.storage import names
from localcloud.transport import ConnectionFailed, Request, Response

if TYPE_CHECKING:
    from collections.abc import Iterator

_MOST_CALLS = 100
_BOUNDARY = "batch_local_cloud"


def answer(call: Call) -> Reply:
    """Make all calls of a multipart/mixed body, one after the other."""
    raw = call.upload.path.read_bytes() if call.upload else call.raw
    parts = list(_parts(call.headers.get("content-type", ""), raw))
    if not 0 < len(parts) <= _MOST_CALLS:
        message = f"The batch request holds {len(parts)} calls; it must hold from 1 to 100."
        raise ApiError(400, message, reason="invalid")
    chunks: list[bytes] = []
    for part in parts:
        response = _make(call, part)
        chunks.append(_shown(part.get("Content-ID", ""), response))
    whole = b"".join(chunks) + f"--{_BOUNDARY}--\r\n".encode()
    return Reply(200, whole, {"content-type": f"multipart/mixed; boundary={_BOUNDARY}"})


def _parts(content_type: str, raw: bytes) -> Iterator[Message]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parsed = email.message_from_bytes(head + raw)
    if not parsed.is_multipart():
        raise ApiError(400, "The body of a batch must be multipart/mixed.", reason="parseError")
    for part in parsed.get_payload():
        if isinstance(part, Message):
            yield part


def _make(call: Call, part: Message) -> Response:
    payload = part.get_payload(decode=True)
    raw = payload if isinstance(payload, bytes) else b""
    # Headers and body are separated by an empty line, whatever the ends of lines are.
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    line, _, rest = head.decode("latin-1").lstrip("\n").partition("\n")
    words = line.split(" ")
    if len(words) < 2:  # noqa: PLR2004 - verb and path
        raise ApiError(400, f"Failed to parse batch part '{line}'.", reason="parseError")
    headers = dict(email.message_from_string(rest).items())
    if "authorization" not in {name.lower() for name in headers}:
        headers["authorization"] = call.headers.get("authorization", "")
    url = words[1] if words[1].startswith("https://") else names.HOST + words[1]
    try:
        return call.cloud.pipeline.handle(Request(words[0], url, headers, body.strip()))
    except ConnectionFailed:
        # A reply that is lost inside a batch cannot break the connection of the others.
        return Response(503)


def _shown(content_id: str, response: Response) -> bytes:
    body = response.download.read() if response.download else response.body
    reason = HTTPStatus(response.status).phrase
    inner = [f"HTTP/1.1 {response.status} {reason}"]
    inner += [f"{name}: {value}" for name, value in response.headers.items()]
    inner += [f"Content-Length: {len(body)}", "", ""]
    outer = [f"--{_BOUNDARY}", "Content-Type: application/http"]
    if content_id:
        outer.append(f"Content-ID: {_response_id(content_id)}")
    outer += ["", ""]
    return "\r\n".join(outer).encode() + "\r\n".join(inner).encode() + body + b"\r\n"


def _response_id(content_id: str) -> str:
    return f"<response-{content_id.removeprefix('<')}"
