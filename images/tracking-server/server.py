"""MLflow's application as Granian serves it, with a bound on the uploads one process holds at once.

An artifact on its way to the bucket lies in /tmp, which is memory on Cloud Run: without a bound a
few big ones at once would end the process, and with it every request of everybody else.
"""

import json
import os
import threading
from collections.abc import Awaitable, Callable, Iterable
from importlib import import_module
from typing import Any

from database_check import checked_asgi, checked_wsgi, of_backend_store
from login_scheme import basic_only_asgi, basic_only_wsgi

ARTIFACTS = "/mlflow-artifacts/artifacts/"
MIB = 1024 * 1024
MOST_AT_ONCE = 32 * MIB
"""What Google's platforms let pass over HTTP/1 in an answer that says its length beforehand."""

Scope = dict[str, Any]
Asgi = Callable[[Scope, Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Any]
Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Room:
    """How much of /tmp the uploads of this process may take."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._taken = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> tuple[str, str] | None:
        """Take room for *size* bytes; where there is none, return the status and the reason."""
        if size > self.most:
            return "413 Content Too Large", (
                f"the artifact has {size / MIB:.0f} MiB and this server takes at most "
                f"{self.most // MIB} MiB in one file"
            )
        with self._lock:
            if self._taken + size > self.most:
                # MLflow's client tries a 503 again, with growing pauses.
                return "503 Service Unavailable", "other uploads take all the room; try again"
            self._taken += size
        return None

    def leave(self, size: int) -> None:
        """Give the room back."""
        with self._lock:
            self._taken -= size


def upload_size(method: str, path: str, length: str) -> int:
    """Return how many bytes a request brings into /tmp; 0 when it is no upload.

    An upload that does not say its length counts for nothing: that is how an empty file comes.
    """
    if method != "PUT" or ARTIFACTS not in path:
        return 0
    return int(length) if length.isdecimal() else 0


def refusal(reason: str) -> bytes:
    """Return the body of a refusal, in the form of MLflow's own."""
    return json.dumps({"error_code": "RESOURCE_EXHAUSTED", "message": reason}).encode()


def bounded_asgi(application: Asgi, room: Room) -> Asgi:
    """Return an ASGI application that lets uploads in while there is room for them."""

    async def bounded(scope: Scope, receive: Any, send: Any) -> None:
        size = 0
        if scope["type"] == "http":
            length = dict(scope["headers"]).get(b"content-length", b"").decode("latin1")
            size = upload_size(scope["method"], scope["path"], length)
        if not size:
            await application(scope, receive, send)
            return
        body = Body(receive)
        refused = room.take(size)
        if refused:
            await body.throw_away()
            await _refuse(send, *refused)
            return

        async def answer(message: dict[str, Any]) -> None:
            await body.throw_away()
            await send(message)

        try:
            await application(scope, body.receive, answer)
        finally:
            room.leave(size)

    return bounded


class Body:
    """The body of an upload, to be read to its end even by whoever refuses it.

    An answer that comes while the client still sends ends the connection, and the client sees
    that instead of the answer, and tries again.
    """

    def __init__(self, receive: Callable[[], Awaitable[dict[str, Any]]]) -> None:
        self._receive = receive
        self._more = True

    async def receive(self) -> dict[str, Any]:
        """Return the next message and note whether it was the last of the body."""
        message = await self._receive()
        self._more = bool(message.get("more_body", False))
        return message

    async def throw_away(self) -> None:
        """Read what nobody wanted."""
        while self._more:
            await self.receive()


async def _refuse(send: Callable[..., Awaitable[None]], status: str, reason: str) -> None:
    headers = [(b"content-type", b"application/json"), (b"retry-after", b"5")]
    await send({"type": "http.response.start", "status": int(status[:3]), "headers": headers})
    await send({"type": "http.response.body", "body": refusal(reason)})


def bounded_wsgi(application: Wsgi, room: Room) -> Wsgi:
    """Return the same for WSGI, which MLflow 2 is written for."""

    def bounded(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or ""
        size = upload_size(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""), length)
        if not size:
            return application(environ, start_response)
        refused = room.take(size)
        if refused:
            status, reason = refused
            _throw_away(environ)
            start_response(status, [("Content-Type", "application/json"), ("Retry-After", "5")])
            return [refusal(reason)]
        try:
            # The body is read before the application answers, so the room is free again then.
            answer = application(environ, start_response)
            _throw_away(environ)
        finally:
            room.leave(size)
        return answer

    return bounded


def _throw_away(environ: dict[str, Any]) -> None:
    while environ["wsgi.input"].read(MIB):
        pass


def unmeasured_asgi(application: Asgi) -> Asgi:
    """Return an ASGI application whose big answers do not say their length, so are streamed."""

    async def unmeasured(scope: Scope, receive: Any, send: Any) -> None:
        async def answer(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message["headers"] if not big(name, value)]
                message = {**message, "headers": kept}
            await send(message)

        def big(name: bytes, value: bytes) -> bool:
            return says_too_much(name.decode("latin1"), value.decode("latin1"))

        await application(scope, receive, answer if scope["type"] == "http" else send)

    return unmeasured


def unmeasured_wsgi(application: Wsgi) -> Wsgi:
    """Return the same for WSGI."""

    def unmeasured(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            return start_response(
                status, [one for one in headers if not says_too_much(*one)], *more
            )

        return application(environ, start)

    return unmeasured


def says_too_much(name: str, value: str) -> bool:
    """Tell whether a header is the length of an answer that has to be streamed."""
    return name.lower() == "content-length" and value.isdecimal() and int(value) > MOST_AT_ONCE


def _application() -> Any:
    """Return MLflow's own application, with its login in front where that is asked for."""
    module, _, name = os.environ["MLFLOW_APPLICATION"].partition(":")
    found = getattr(import_module(module), name)
    return found() if _asks_for_passwords() else found


def _asks_for_passwords() -> bool:
    return os.environ["AUTH_MODE"] == "basic"


def _room() -> Room:
    return Room(int(os.environ["UPLOAD_ROOM_MIB"]) * MIB)


def _by_http_1() -> bool:
    """Tell whether the platform speaks HTTP/1 with this server, which is why parts are signed."""
    return os.environ["ARTIFACT_UPLOADS"] == "signed_parts"


def asgi() -> Asgi:
    """Return what Granian serves for MLflow 3."""
    from granian.utils.proxies import wrap_asgi_with_proxy_headers

    # Whoever calls came through Google's front end, which says how: https, and from where.
    served: Asgi = wrap_asgi_with_proxy_headers(_application(), trusted_hosts="*")
    if _asks_for_passwords():
        served = basic_only_asgi(served)
    if _by_http_1():
        served = unmeasured_asgi(served)
    return checked_asgi(bounded_asgi(served, _room()), of_backend_store())


def wsgi() -> Wsgi:
    """Return what Granian serves for MLflow 2."""
    from granian.utils.proxies import wrap_wsgi_with_proxy_headers

    served: Wsgi = wrap_wsgi_with_proxy_headers(_application(), trusted_hosts="*")
    if _asks_for_passwords():
        served = basic_only_wsgi(served)
    if _by_http_1():
        served = unmeasured_wsgi(served)
    return checked_wsgi(bounded_wsgi(served, _room()), of_backend_store())
