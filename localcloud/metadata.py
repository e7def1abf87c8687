"""The GCE metadata server, one loopback port per identity, as code on Google's machines sees it."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud

_SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
    "openid",
)
_PREFIX = "/computeMetadata/v1/"
_LIFETIME = 3600
# how a conversation ends: the client goes, talks nonsense, or the server is closed
_ENDINGS = (
    OSError,
    ValueError,
    asyncio.IncompleteReadError,
    asyncio.LimitOverrunError,
    asyncio.CancelledError,
)


class Metadata:
    """Metadata servers for as many identities as processes were started with."""

    def __init__(self, cloud: Cloud) -> None:
        """Serve one cloud."""
        self._cloud = cloud
        self._servers: dict[str, asyncio.Server] = {}
        self._lock = asyncio.Lock()
        self._ports = cloud.store.of("metadata.ports")

    async def port(self, email: str) -> int:
        """Give the port that answers for an identity, opening it if need be."""
        async with self._lock:
            if email not in self._servers:

                async def answer(
                    reader: asyncio.StreamReader, writer: asyncio.StreamWriter
                ) -> None:
                    await self._converse(email, reader, writer)

                self._servers[email] = await self._listen(email, answer)
            return int(self._servers[email].sockets[0].getsockname()[1])

    async def resume(self) -> None:
        """Open the ports of the last time again, for shells that still have them exported."""
        for email, _ in self._ports.under(""):
            if self._cloud.account_exists(email):
                await self.port(email)
            else:
                self._ports.delete(email)

    async def _listen(self, email: str, answer: Any) -> asyncio.Server:
        remembered = (self._ports.find(email) or {}).get("port", 0)
        try:
            server = await asyncio.start_server(answer, "127.0.0.1", remembered)
        except OSError:
            server = await asyncio.start_server(answer, "127.0.0.1", 0)
        self._ports.put(email, {"port": server.sockets[0].getsockname()[1]})
        return server

    async def close(self) -> None:
        """Stop listening."""
        for server in self._servers.values():
            server.close()

    def answer(self, email: str, target: str, headers: dict[str, str]) -> tuple[int, str, str]:
        """Give (status, content type, body) for one GET."""
        parts = urlsplit(target)
        path = unquote(parts.path)
        if path in {"/", ""}:
            return 200, "application/text", "computeMetadata/\n"
        if headers.get("metadata-flavor") != "Google":
            return 403, "text/html", "Missing Metadata-Flavor:Google header.\n"
        if not path.startswith(_PREFIX):
            return 404, "text/html", f"{path} was not found on this server.\n"
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        found = self._value(email, path.removeprefix(_PREFIX).rstrip("/"), query)
        if found is None:
            return 404, "text/html", f"{path} was not found on this server.\n"
        if isinstance(found, str):
            return 200, "application/text", found
        return 200, "application/json", json.dumps(found)

    def _value(
        self, email: str, path: str, query: dict[str, str]
    ) -> str | dict[str, object] | None:
        cloud = self._cloud
        machine: dict[str, str] = {
            "project/project-id": cloud.project,
            "project/numeric-project-id": cloud.number,
            "instance/region": f"projects/{cloud.number}/regions/{cloud.region}",
            "instance/zone": f"projects/{cloud.number}/zones/{cloud.region}-b",
            "instance/id": "0" * 40,
            "universe/universe-domain": "googleapis.com",
            "instance/service-accounts": f"default/\n{email}/\n",
        }
        if path in machine:
            return machine[path]
        head, _, rest = path.removeprefix("instance/service-accounts/").partition("/")
        if not path.startswith("instance/service-accounts/") or head not in {"default", email}:
            return None
        account: dict[str, Callable[[], str | dict[str, object] | None]] = {
            "": lambda: {"aliases": ["default"], "email": email, "scopes": list(_SCOPES)},
            "email": lambda: email,
            "scopes": lambda: "\n".join(_SCOPES),
            "aliases": lambda: "default",
            "token": lambda: {
                "access_token": cloud.tokens.access_token(email, lifetime=_LIFETIME),
                "expires_in": _LIFETIME - 1,
                "token_type": "Bearer",
            },
            "identity": lambda: (
                cloud.tokens.id_token(email, query["audience"]) if "audience" in query else None
            ),
        }
        return account[rest]() if rest in account else None

    async def _converse(
        self, email: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(*_ENDINGS):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.strip().split("\r\n")
                verb, target, _ = first.split(" ", 2)
                headers = {
                    name.strip().lower(): value.strip()
                    for name, _, value in (line.partition(":") for line in lines)
                }
                status, kind, body = (
                    self.answer(email, target, headers)
                    if verb in {"GET", "HEAD"}
                    else (405, "text/html", "GET only\n")
                )
                data = body.encode()
                writer.write(
                    f"HTTP/1.1 {status} {_WORDS[status]}\r\nMetadata-Flavor: Google\r\n"
                    f"Server: Metadata Server for VM\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(data)}\r\n\r\n".encode()
                    + (data if verb != "HEAD" else b"")
                )
                await writer.drain()
        writer.close()


_WORDS = {200: "OK", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed"}
