"""One request on its way to an instance: let in, given an instance, given its headers."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from localcloud.iap import Asked
from localcloud.ingress.platforms import platform_of
from localcloud.ingress.pool import NoInstanceError
from localcloud.ingress.turned import Headers, Turned

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from localcloud.cloud import Cloud
    from localcloud.ingress.fleet import Fleet
    from localcloud.ingress.hosts import Hosts, Route
    from localcloud.machines.containers.workload import Instance

MOST_BYTES = 32 * 1024 * 1024
"""How large a request, or a response of known length, may be over HTTP/1."""

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "expect",
        "http2-settings",
    }
)
_FRONT_ENDS_OWN = _HOP_BY_HOP | {"server", "date"}
_DYING_SECONDS = 0.3
_MALFORMED = (
    "The request failed because either the HTTP response was malformed or connection to the "
    "instance had an error."
)
_ON_PAPER = "Containers are on paper here: cloud.ingress.mount gives this host an application."


@dataclass(frozen=True)
class Balanced:
    """A request that a load balancer has let in and routed already.

    ``hosts`` are the service's own; ``client`` is who it came from, ``address`` where it came to,
    and ``scheme`` how.
    """

    route: Route
    hosts: tuple[str, ...]
    client: str
    address: str
    scheme: str = "https"


@dataclass
class Visit:
    """A request that was let in and holds a place at an instance until it is closed."""

    route: Route
    instance: Instance
    headers: Headers
    path: str
    timeout: float
    leave: Callable[[], None]
    whole: bool  # whether the 32 MiB limit of HTTP/1 is off (h2c)
    started: float = field(default_factory=time.monotonic)

    @property
    def address(self) -> str:
        """The loopback URL of the instance; Turned when it is one on paper, which has none."""
        if self.instance.port is None:
            raise Turned(503, self.path, route=self.route, log=_ON_PAPER)
        return f"http://127.0.0.1:{self.instance.port}"

    def broken(self) -> Turned:
        """Return what the client gets when the instance does not answer properly.

        A program that crashes closes its sockets a moment before it is seen to have ended;
        the next request must not be sent to what is left of it. May block for that moment.
        """
        until = time.monotonic() + _DYING_SECONDS
        while self.instance.alive and time.monotonic() < until:
            time.sleep(0.01)
        return Turned(503, self.path, route=self.route, log=_MALFORMED)

    def too_slow(self) -> Turned:
        """Return what the client gets when the request timeout has passed."""
        return Turned(
            504,
            self.path,
            route=self.route,
            log="The request has been terminated because it has reached "
            "the maximum request timeout.",
        )

    def too_large(self) -> Turned:
        """Return what the client gets for a request above 32 MiB."""
        return Turned(413, self.path, route=self.route)

    def check_answer(self, headers: Sequence[tuple[str, str]]) -> Headers:
        """Return the response headers that go out; a known length above 32 MiB is refused."""
        for name, value in headers:
            long = name.lower() == "content-length" and value.isdigit() and int(value) > MOST_BYTES
            if long and not self.whole:
                raise Turned(
                    500,
                    self.path,
                    route=self.route,
                    log="Response size was too large. Please consider reducing response size.",
                )
        kept = [(name, value) for name, value in headers if name.lower() not in _FRONT_ENDS_OWN]
        return [*kept, ("server", "Google Frontend")]


class Reception:
    """Decides about every request before it reaches a container."""

    def __init__(self, cloud: Cloud, hosts: Hosts, fleet: Fleet) -> None:
        """Ask these about routes, rights and instances."""
        self._cloud = cloud
        self._hosts = hosts
        self._fleet = fleet

    def enter(
        self,
        host: str,
        target: str,
        headers: Headers,
        *,
        client: str | Balanced,
        method: str = "GET",
        inside: bool = False,
    ) -> Visit:
        """Let a request in; Turned if it goes no further. Blocks while an instance starts.

        *inside* tells of requests from the project's VPC networks, and of those that Google's own
        services send, such as Workflows and Pub/Sub: to them a service for internal traffic is open
        (cloud.google.com/run/docs/securing/ingress).
        A load balancer has asked itself whether the service is open to it.
        """
        path, question, query = target.partition("?")
        known = {name.lower(): value for name, value in headers}
        own = client.client if isinstance(client, Balanced) else client
        if isinstance(client, Balanced):
            inside = True
        route = (
            client.route
            if isinstance(client, Balanced)
            else self._hosts.find(host, path, client=own, cookies=known.get("cookie", ""))
        )
        if route is None:
            raise Turned(404, path)
        platform = platform_of(route.name)
        asked = Asked(method, host, target, known)
        changes = platform.admit(self._cloud, route, asked, client=own, inside=inside)
        if not route.revision:
            raise Turned(503, path, route=route, log="The service has no revision that is ready.")
        whole = platform.takes_large(self._cloud, route.revision)
        length = known.get("content-length", "0")
        if not whole and length.isdigit() and int(length) > MOST_BYTES:
            raise Turned(413, path, route=route)
        seconds = platform.longest(self._cloud, route.revision)
        try:
            lease = self._fleet.acquire(route.revision, timeout=seconds)
        except NoInstanceError as error:
            raise Turned(error.status, path, route=route, log=str(error)) from error
        return Visit(
            route=route,
            instance=lease.instance,
            headers=_forwarded(headers, changes, host, client),
            path=route.path + question + query,
            timeout=seconds,
            leave=lease.end,
            whole=whole,
        )

    def record(
        self, route: Route | None, method: str, url: str, *, status: int, began: float, note: str
    ) -> None:
        """Write the request log, and why a request was turned away."""
        if route is None:
            return
        entry = {
            **platform_of(route.name).request_log(self._cloud, route),
            "severity": _severity(status),
            "timestamp": self._cloud.clock.rfc3339(),
            "httpRequest": {
                "requestMethod": method,
                "requestUrl": url,
                "status": status,
                "latency": f"{time.monotonic() - began:.6f}s",
                "protocol": "HTTP/1.1",
            },
        }
        if note:
            entry["textPayload"] = note
        self._cloud.log(entry)


def _severity(status: int) -> str:
    return "ERROR" if status >= 500 else "WARNING" if status >= 400 else "INFO"  # noqa: PLR2004 - HTTP


def _forwarded(
    headers: Headers, changes: Mapping[str, str | None], host: str, client: str | Balanced
) -> Headers:
    scheme = client.scheme if isinstance(client, Balanced) else "https"
    whence = f"{client.client}, {client.address}" if isinstance(client, Balanced) else client
    made: Headers = []
    seen_for = ""
    for name, value in headers:
        low = name.lower()
        if low == "x-forwarded-for":
            seen_for = value
        elif (
            low not in _HOP_BY_HOP
            and low not in _SET_HERE
            # programs take an underscore for a hyphen, so neither spelling may be forged
            and low.replace("_", "-") not in changes
        ):
            made.append((name, value))
    made += [(name, value) for name, value in changes.items() if value is not None]
    known = {name.lower() for name, _ in made}
    if "traceparent" not in known:
        made.append(("traceparent", f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"))
    if "x-cloud-trace-context" not in known:
        trace = next(value for name, value in made if name.lower() == "traceparent").split("-")
        if len(trace) == 4:  # noqa: PLR2004 - version, trace, span, flags
            made.append(("x-cloud-trace-context", f"{trace[1]}/{int(trace[2], 16)};o=1"))
    return [
        ("host", host),
        *made,
        ("x-forwarded-for", f"{seen_for}, {whence}" if seen_for else whence),
        ("x-forwarded-proto", scheme),
        ("forwarded", f'for="{whence.partition(",")[0]}";proto={scheme}'),
    ]


_SET_HERE = frozenset({"host", "x-forwarded-proto", "forwarded"})
