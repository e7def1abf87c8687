"""The GCE metadata server, one loopback port per identity, as code on Google's machines sees it.

Google's libraries take the port from ``GCE_METADATA_HOST``. Code that asks
``http://metadata.google.internal`` itself comes through ``http_proxy``, which is the same port.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from localcloud.identity.principals import SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cloud import Cloud

_PREFIX = "/computeMetadata/v1/"
_LIFETIME = 3600
_NAMES = frozenset({"metadata.google.internal", "metadata", "169.254.169.254", "127.0.0.1"})
"""Where Google's machines find it, and we. Who knows no other name asks through ``http_proxy``."""
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

    def listens(self, port: int) -> bool:
        """Tell whether a port is one of these servers."""
        return any(
            server.sockets and server.sockets[0].getsockname()[1] == port
            for server in self._servers.values()
        )

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
        if parts.netloc and parts.hostname not in _NAMES:
            return 502, "text/plain", f"the local cloud has no host {parts.hostname} for http://\n"
        if path in {"/", ""}:
            return 200, "application/text", "computeMetadata/\n"
        if "x-forwarded-for" in headers:
            return 403, "text/html", "Requests that were forwarded are refused.\n"
        if headers.get("metadata-flavor") != "Google":
            return 403, "text/html", "Missing Metadata-Flavor:Google header.\n"
        if not path.startswith(_PREFIX):
            return 404, "text/html", f"{path} was not found on this server.\n"
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        if path.endswith("/identity") and not query.get("audience"):
            return 400, "text/html", "non-empty audience parameter required\n"
        found = self._entry(email, path.removeprefix(_PREFIX), query)
        if found is None:
            return 404, "text/html", f"{path} was not found on this server.\n"
        return shown(found, query)

    def _entry(self, email: str, path: str, query: dict[str, str]) -> Any:
        """Walk the tree of what there is to know; a leaf may be a function of the query."""
        found: Any = self._tree(email)
        for name in path.strip("/").split("/"):
            if not name:
                continue
            if not isinstance(found, dict) or name not in found:
                return None
            found = found[name]
        return found(query) if callable(found) else found

    def _tree(self, email: str) -> dict[str, Any]:
        cloud = self._cloud
        account = {
            "aliases": ["default"],
            "email": email,
            "scopes": list(SCOPES),
            "identity": lambda query: self._identity(email, query),
            "token": lambda query: self._access(email, query),
        }
        return {
            "instance": {
                "attributes": {},
                "hostname": f"localcloud.c.{cloud.project}.internal",
                "id": "0" * 40,
                "name": "localcloud",
                "region": f"projects/{cloud.number}/regions/{cloud.region}",
                "service-accounts": {"default": account, email: account},
                "zone": f"projects/{cloud.number}/zones/{cloud.region}-b",
            },
            "project": {
                "attributes": {},
                "numeric-project-id": cloud.number,
                "project-id": cloud.project,
            },
            "universe": {"universe-domain": "googleapis.com"},
        }

    def _access(self, email: str, query: dict[str, str]) -> dict[str, object]:
        """Give an access token; on Cloud Run, scopes may be asked for."""
        asked = [scope for scope in query.get("scopes", "").split(",") if scope]
        tokens = self._cloud.tokens
        return {
            "access_token": tokens.access_token(email, lifetime=_LIFETIME, scopes=asked or SCOPES),
            "expires_in": _LIFETIME - 1,
            "token_type": "Bearer",
        }

    def _identity(self, email: str, query: dict[str, str]) -> str:
        """Give an ID token; ``format=full`` says on which machine it was asked for."""
        cloud, more = self._cloud, {}
        if query.get("format") == "full":
            machine: dict[str, object] = {
                "instance_creation_timestamp": int(cloud.clock.now()),
                "instance_id": "0",
                "instance_name": "localcloud",
                "project_id": cloud.project,
                "project_number": int(cloud.number),
                "zone": f"{cloud.region}-b",
            }
            if query.get("licenses", "").upper() == "TRUE":
                machine["license_id"] = []
            more = {"google": {"compute_engine": machine}}
        return cloud.tokens.id_token(email, query["audience"], more=more)

    async def _converse(
        self, email: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(*_ENDINGS):
            verb = "GET"
            while verb in {"GET", "HEAD"}:  # another one may bring a body, which nobody reads
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


def shown(found: Any, query: dict[str, str]) -> tuple[int, str, str]:
    """Write an entry as the server does: a listing, a value, or JSON where that was asked for.

    As cloud.google.com/compute/docs/metadata/querying-metadata has it.
    """
    directory = isinstance(found, dict) and "access_token" not in found
    wanted = query.get("alt")
    if wanted not in {None, "json", "text"}:
        return 400, "text/html", f"alt={wanted} is not known; json and text are.\n"
    recursive = query.get("recursive", "false").lower() == "true"
    if isinstance(found, dict) and not directory:
        return 200, "application/json", json.dumps(found)
    if wanted == "json" or (directory and recursive and wanted is None):
        return 200, "application/json", json.dumps(_camel(found, recursive=recursive))
    if directory and recursive:
        return 200, "application/text", "".join(_lines(found, ""))
    if directory:
        names = (f"{name}/" if _below(value) else name for name, value in found.items())
        return 200, "application/text", "".join(f"{name}\n" for name in names)
    return 200, "application/text", _text(found)


def _below(value: Any) -> bool:
    return isinstance(value, dict)


def _text(value: Any) -> str:
    return "".join(f"{item}\n" for item in value) if isinstance(value, list) else str(value)


def _camel(value: Any, *, recursive: bool) -> Any:
    """Give a tree as JSON, without what is only made on demand."""
    if not isinstance(value, dict):
        return value
    if not recursive:
        return [f"{name}/" if _below(item) else name for name, item in value.items()]
    return {
        name if "@" in name else re.sub(r"-([a-z])", lambda hit: hit[1].upper(), name): _camel(
            item, recursive=True
        )
        for name, item in value.items()
        if not callable(item)
    }


def _lines(value: dict[str, Any], above: str) -> Iterator[str]:
    for name, item in value.items():
        if _below(item):
            yield from _lines(item, f"{above}{name}/")
        elif not callable(item):
            yield f"{above}{name} {' '.join(item) if isinstance(item, list) else item}\n"


_WORDS = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    502: "Bad Gateway",
}
