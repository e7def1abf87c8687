"""Loopback links: a server for a browser that knows neither its host nor the door."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import uvicorn

from localcloud.iap import sessions
from localcloud.ingress import sockets
from localcloud.ingress.platforms import platform_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.asgi import Message, Receive, Scope, Send
    from localcloud.cloud import Cloud

_COLLECTION = "links"
_START_SECONDS = 10.0
_STOP_SECONDS = 5.0
# The browser's own address in these is the service's real one for the program behind.
_OF_HTTPS = frozenset({b"secure", b"samesite=none"})
# Where IAP sends browsers to sign in, and where that page sends them.
_SIGN_IN = frozenset({"accounts.google.com", "iap.googleapis.com"})
_BAD_GATEWAY = 502
_NO_SITE = (
    "A browser finds nothing at https://{host}: no load balancer, or none that shows a "
    "certificate for it.\n"
)
_ADDRESSED = frozenset({b"origin", b"referer"})


class Links:
    """Opens one stable port per host and keeps it over restarts."""

    def __init__(self, cloud: Cloud, app: Any) -> None:
        """Answer with *app*, as if the request had come for the service's host."""
        self._cloud = cloud
        self._app = app
        self._lock = threading.Lock()
        self._servers: dict[str, tuple[uvicorn.Server, threading.Thread]] = {}

    def open(self, host: str, account: str | None = None) -> str:
        """Return the loopback URL of a host; *account* has its ID token added."""
        store = self._cloud.store.of(_COLLECTION)
        name = f"links/{host}" + (f"/as/{account}" if account else "")
        with self._lock:
            if name not in self._servers:
                kept = store.find(name) or {}
                listener = _listen(kept.get("port", 0))
                port = listener.getsockname()[1]
                store.put(name, {"host": host, "port": port, "account": account})
                self._servers[name] = self._serve(listener, host, port, account)
        return f"http://127.0.0.1:{store.fetch(name)['port']}"

    def resume(self) -> None:
        """Open the links that were open before."""
        for _, link in self._cloud.store.of(_COLLECTION).under("links/"):
            self.open(link["host"], link["account"])

    def close(self) -> None:
        """Close every link; ``resume`` opens them again."""
        with self._lock:
            for server, _ in self._servers.values():
                server.should_exit = True
            for _, thread in self._servers.values():
                thread.join(_STOP_SECONDS)  # its port is free only then
            self._servers.clear()

    def _serve(
        self, listener: socket.socket, host: str, port: int, account: str | None
    ) -> tuple[uvicorn.Server, threading.Thread]:
        app = _Link(self._whole(host), host, port, self._identity(host, account), self._address)
        config = uvicorn.Config(
            app,
            log_config=None,
            lifespan="off",
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        until = time.monotonic() + _START_SECONDS
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        return server, thread

    def _whole(self, host: str) -> Any:
        """Return what answers for a host: the ingress, a page of a sign-in, or a load balancer."""
        if self._cloud.is_ingress(host):
            return self._app
        return _Elsewhere(self._cloud, host) if host in _SIGN_IN else _Domain(self._cloud, host)

    def _identity(self, host: str, account: str | None) -> Callable[[], tuple[str, str]] | None:
        """Return what makes the header that says who asks: a session at IAP, else an ID token."""
        if account is None:
            return None

        def make() -> tuple[str, str]:
            if self._is_behind_iap(host):
                return "cookie", sessions.cookie(self._cloud, host, account)
            return (
                "authorization",
                f"Bearer {self._cloud.tokens.id_token(account, f'https://{host}')}",
            )

        return make

    def _is_behind_iap(self, host: str) -> bool:
        route = self._cloud.ingress.hosts.find(host, "/")
        if route is None:
            return bool(self._cloud.balancer.is_behind_iap(host))
        return platform_of(route.name).behind_iap(self._cloud, route)

    def _address(self, host: str) -> str | None:
        """Give the link of a host that a service sends browsers to: a sign-in's, or one known."""
        known = self._cloud.store.of(_COLLECTION).find(f"links/{host}") is not None
        return self.open(host) if known or host in _SIGN_IN else None


def _listen(port: int) -> socket.socket:
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    # asyncio leaves this out for sockets that do not name their protocol; 40 ms for each answer.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        listener.bind(("127.0.0.1", port))
    except OSError:
        listener.bind(("127.0.0.1", 0))  # somebody has taken it meanwhile
    return listener


class _Link:
    """Rewrites addresses between the browser's and the service's own."""

    def __init__(
        self,
        app: Any,
        host: str,
        port: int,
        identity: Callable[[], tuple[str, str]] | None,
        elsewhere: Callable[[str], str | None],
    ) -> None:
        self._app = app
        self._host = host
        self._identity = identity
        self._elsewhere = elsewhere
        self._outside = f"https://{host}".encode()
        self._inside = [f"http://{name}:{port}".encode() for name in ("127.0.0.1", "localhost")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                back = [self._back(*header) for header in message["headers"]]
                message["headers"] = [await self._onward(*header) for header in back]
            await send(message)

        headers = [self._there(*header) for header in scope["headers"]]
        given = any(name == b"authorization" for name, _ in headers)
        if self._identity is not None:
            name, value = self._identity()
            if name == "authorization" and given:
                name = "x-serverless-authorization"
            headers.append((name.encode(), value.encode()))
        await self._app({**scope, "headers": headers, "scheme": "https"}, receive, answer)

    def _there(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if name == b"host":
            return name, self._host.encode()
        if name in _ADDRESSED:
            for inside in self._inside:
                if value == inside or value.startswith(inside + b"/"):
                    return name, self._outside + value.removeprefix(inside)
        return name, value

    async def _onward(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        """Send a browser that is to sign in to links of the pages it needs."""
        try:
            parts = urlsplit(value.decode("latin-1"))
        except ValueError:  # no address, and for the browser to say so
            return name, value
        if name != b"location" or parts.scheme != "https" or parts.hostname is None:
            return name, value
        link = await asyncio.to_thread(self._elsewhere, parts.hostname)
        if link is None:
            return name, value
        return name, parts._replace(scheme="http", netloc=urlsplit(link).netloc).geturl().encode()

    def _back(self, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if name == b"location":
            for outside in (self._outside, self._outside.replace(b"https:", b"http:")):
                if value == outside or value.startswith(outside + b"/"):
                    return name, self._inside[0] + value.removeprefix(outside)
        if name == b"set-cookie":
            # The link speaks http, and its name is not the one the cookie is for.
            parts = [part.strip() for part in value.split(b";")]
            kept = [one for one in parts if one.lower() not in _OF_HTTPS]
            return name, b"; ".join(one for one in kept if not one.lower().startswith(b"domain="))
        return name, value


class _Domain:
    """Answers as the load balancer that a domain leads to just now."""

    def __init__(self, cloud: Cloud, host: str) -> None:
        self._cloud = cloud
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        site = await asyncio.to_thread(self._cloud.balancer.site, self._host)
        if site is not None:
            await site(scope, receive, send)
            return
        body = _NO_SITE.format(host=self._host).encode()
        headers = [("content-type", "text/plain"), ("content-length", str(len(body)))]
        if scope["type"] == "websocket":
            await sockets.deny(scope, send, _BAD_GATEWAY, headers, body)
            return
        fields = [(name.encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": _BAD_GATEWAY, "headers": fields})
        await send({"type": "http.response.body", "body": body})


class _Elsewhere:
    """Answers for a host that is no service's: the pages of a sign-in."""

    def __init__(self, cloud: Cloud, host: str) -> None:
        self._cloud = cloud
        self._host = host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = bool(message.get("more_body"))
        target = scope["path"] + (
            f"?{scope['query_string'].decode()}" if scope["query_string"] else ""
        )
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        answer = await asyncio.to_thread(
            self._cloud.request,
            scope["method"],
            f"https://{self._host}{target}",
            headers=headers,
            body=bytes(body),
        )
        fields = [(name.lower().encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": fields})
        await send({"type": "http.response.body", "body": answer.body})
