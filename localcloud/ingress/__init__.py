"""What answers for run.app and appspot.com hosts: finds the service, checks the caller, hands the request on."""

from __future__ import annotations

import http.client
import io
import sys
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes, urlsplit

from localcloud.ingress import events
from localcloud.ingress.asgi import Forwarder
from localcloud.ingress.fleet import Fleet
from localcloud.ingress.hosts import Hosts
from localcloud.ingress.links import Links
from localcloud.ingress.turned import Turned
from localcloud.ingress.visit import MOST_BYTES, Balanced, Reception
from localcloud.transport import Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from localcloud.cloud import Cloud
    from localcloud.ingress.hosts import Route
    from localcloud.ingress.visit import Visit

__all__ = ["Ingress"]

_SUFFIXES = (".run.app", ".cloudfunctions.net", ".appspot.com")
_CLIENT = "127.0.0.1"
_HTTPS = 443


class Ingress:
    """The front end of Cloud Run and App Engine."""

    def __init__(self, cloud: Cloud) -> None:
        """Serve the services of *cloud*; nothing runs yet."""
        self._cloud = cloud
        self._mounted: dict[str, Any] = {}
        self.fleet = Fleet(cloud)
        self.hosts = Hosts(cloud)
        self.reception = Reception(cloud, self.hosts, self.fleet)
        self.asgi = Forwarder(self)
        self.links = Links(cloud, self.asgi)

    def handles(self, host: str) -> bool:
        """Tell whether a host name is one of Cloud Run's, Cloud Functions' or App Engine's."""
        return host.partition(":")[0].lower().endswith(_SUFFIXES)

    def mount(self, host: str, app: Any) -> None:
        """Have a WSGI application answer for a host, in place of what would run there."""
        self._mounted[host.lower()] = app

    def is_mounted(self, host: str, client: str | Balanced = _CLIENT) -> bool:
        """Tell whether a WSGI application answers for a host, or for what a balancer chose."""
        return self._app(host.lower(), client) is not None

    def _app(self, host: str, client: str | Balanced) -> Any:
        hosts = client.hosts if isinstance(client, Balanced) else (host,)
        return next((self._mounted[one] for one in hosts if one in self._mounted), None)

    def is_inside(self, place: tuple[str, int] | None) -> bool:
        """Tell whether a connection comes from one of the project's VPC networks."""
        return self._cloud.insiders.network_of(place and (place[0], place[1])) is not None

    def link(self, url: str, account: str | None = None) -> str:
        """Return a loopback http URL for a service or a load balancer's domain, for browsers.

        It is stable over restarts, and all checks stay: the caller's, and a load balancer's by
        address, which sees the browser's own. With *account* every request carries that account's
        ID token, as ``gcloud run services proxy`` does it, or its session where IAP asks.
        """
        parts = urlsplit(url)
        host, path = (parts.hostname or "").lower(), parts.path
        there = self.is_mounted(host) or self.hosts.find(host, path or "/") is not None
        if not there and self._cloud.balancer.rule_of(host, _HTTPS) is None:
            raise LookupError(f"no service answers at {url}; is it the whole https URL?")
        return self.links.open(host, account) + path.rstrip("/")

    def resume(self) -> None:
        """Bring back minimum instances and links after a restart."""
        self.links.resume()
        self.fleet.resume()

    def close(self) -> None:
        """Stop every instance and link."""
        self.links.close()
        self.fleet.close()
        self.asgi.close()

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = 300.0,
        inside: bool = False,
        client: str | Balanced = _CLIENT,
    ) -> Response:
        """Make one request in-process, the same way as one that came through the door.

        With *inside* it comes from a service of Google's own, and internal services are open to it;
        where *client* is Balanced a load balancer has decided where it goes.
        """
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        began = time.monotonic()
        note, route = "", None
        event = events.headers_of(target, body)
        sent = {**(headers or {}), **event}
        try:
            answer, route = self.answer(
                method, host, target, sent, body, timeout, inside=inside, client=client
            )
        except Turned as turned:
            note, route = turned.log, turned.route
            answer = Response(turned.status, dict(turned.headers), turned.body)
        self.reception.record(
            route, method, f"https://{host}{target}", status=answer.status, began=began, note=note
        )
        return events.settled(self._cloud, route, answer) if event and not note else answer

    def answer(
        self,
        method: str,
        host: str,
        target: str,
        headers: dict[str, str],
        body: bytes,
        timeout: float,
        *,
        client: str | Balanced = _CLIENT,
        inside: bool = False,
    ) -> tuple[Response, Route | None]:
        """Answer one request, and say whose it was; Turned when it does not get to the container."""
        sized = {**headers, "content-length": str(len(body))} if body else headers
        app = self._app(host, client)
        known = isinstance(client, Balanced) or self.hosts.find(host, target.partition("?")[0])
        if app is not None and not known and not self.hosts.is_closed(host):
            return _call_wsgi(app, method, host, target, sized, body), None
        visit = self.reception.enter(
            host, target, list(sized.items()), client=client, method=method, inside=inside
        )
        try:
            if app is not None:
                found = _call_wsgi(app, method, host, visit.path, dict(visit.headers), body)
            else:
                found = _exchange(visit, method, body, timeout)
        finally:
            visit.leave()
        return found, visit.route


def _exchange(visit: Visit, method: str, body: bytes, timeout: float) -> Response:
    if len(body) > MOST_BYTES and not visit.whole:
        raise visit.too_large()
    connection = http.client.HTTPConnection(
        _CLIENT, visit.instance.port, timeout=min(timeout, visit.timeout)
    )
    try:
        connection.putrequest(method, visit.path, skip_host=True, skip_accept_encoding=True)
        names = {name.lower() for name, _ in visit.headers}
        for name, value in visit.headers:
            connection.putheader(name, value)
        if not body and method in {"POST", "PUT", "PATCH"} and "content-length" not in names:
            connection.putheader("content-length", "0")
        connection.endheaders(body or None)
        answer = connection.getresponse()
        headers = visit.check_answer(answer.getheaders())
        return Response(answer.status, dict(headers), answer.read())
    except TimeoutError as error:
        raise visit.too_slow() from error
    except (OSError, http.client.HTTPException) as error:
        raise visit.broken() from error
    finally:
        connection.close()


def _call_wsgi(
    app: Callable[..., Any],
    method: str,
    host: str,
    target: str,
    headers: Mapping[str, str],
    body: bytes,
) -> Response:
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        key = name.upper().replace("-", "_")
        environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = value
    environ["HTTP_HOST"] = host
    started: list[tuple[int, dict[str, str]]] = []

    def start(status: str, fields: list[tuple[str, str]], error: object = None) -> None:
        del error
        started.append(
            (int(status.split(maxsplit=1)[0]), {name.lower(): value for name, value in fields})
        )

    parts = app(environ, start)
    try:
        text = b"".join(parts)
    finally:
        if hasattr(parts, "close"):
            parts.close()
    status, fields = started[-1]
    return Response(status, fields, text)
