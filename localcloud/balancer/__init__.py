"""The load balancer that forwarding rules make: it listens, filters, routes and hands on.

A rule's address is one of this machine's own. A client reaches it there, or through the door by any
name that leads to it: a record of the project's DNS, or a host rule of the URL map behind it.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localcloud.balancer import front, routing
from localcloud.balancer.asking import Answered, Asked
from localcloud.balancer.listeners import Listeners
from localcloud.balancer.site import Site, log
from localcloud.balancer.tls import Certificates
from localcloud.services.compute.names import key_of
from localcloud.transport import ConnectionFailed, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.cloud import Cloud
    from localcloud.store import Resource

__all__ = ["Balancer"]

CLIENT = "127.0.0.1"
_PORTS = {"https": 443, "http": 80}
_WORKERS = 32


class Balancer:
    """The forwarding rules of one cloud at work."""

    def __init__(self, cloud: Cloud) -> None:
        """Listen nowhere yet; ``refresh`` does."""
        self._cloud = cloud
        self._listeners = Listeners()
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="load-balancer")
        self.certificates = Certificates(cloud)

    def refresh(self) -> None:
        """Listen for the rules that there are, while the cloud's doors are open."""
        if self._cloud.serving is None:
            return
        wanted = self._rules()
        for key in self._listeners.keys - wanted.keys():
            self._listeners.close(key)
        for key, rule in wanted.items():
            secure = "/targetHttpsProxies/" in rule["target"]
            self._listeners.open(
                key,
                rule["IPAddress"],
                _port(rule),
                app=Site(self._cloud, key, self._workers),
                context=self.certificates.listening(key) if secure else None,
            )

    def close(self) -> None:
        """Listen nowhere any more."""
        self._listeners.shut()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def way(self, host: str, port: int) -> tuple[str, int] | None:
        """Return the socket that a host name leads to; None when it is none of ours."""
        found = self.rule_of(host, port)
        return None if found is None else self._listeners.at(found[0])

    def rule_of(self, host: str, port: int) -> tuple[str, Resource] | None:
        """Return the forwarding rule, with its key, that a host name or an address leads to."""
        rules = {key: rule for key, rule in self._rules().items() if _port(rule) == port}
        if not rules:
            return None
        host = host.lower().removesuffix(".")
        addresses = {host, *self._cloud.resolver.lookup(host, "A")}
        for key, rule in rules.items():
            if rule["IPAddress"] in addresses:
                return key, rule
        compute = self._cloud.store.of("compute")
        for key, rule in rules.items():
            proxy = compute.find(key_of(rule["target"])) or {}
            url_map = compute.find(key_of(proxy.get("urlMap", ""))) or {}
            if routing.names_host(url_map, host, port):
                return key, rule
        return None

    def site(self, host: str) -> Site | None:
        """Return what a browser meets at https://HOST; None where it would meet nothing.

        Nothing is also where no certificate is shown for the host: no browser goes on there.
        """
        found = self.rule_of(host, _PORTS["https"])
        if found is None or not self.certificates.covers(found[0], host):
            return None
        return Site(self._cloud, found[0], self._workers)

    def is_behind_iap(self, host: str) -> bool:
        """Tell whether IAP stands in front of what a host leads to."""
        found = self.rule_of(host, _PORTS["https"])
        if found is None:
            return False
        asked = Asked(rule=found[1], method="GET", host=host, target="/", headers=[], client=CLIENT)
        return front.is_behind_iap(self._cloud, asked)

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = 300.0,
        client: str = CLIENT,
    ) -> Response:
        """Make one request in-process, the same way as one that came to a socket."""
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        found = self.rule_of(host, parts.port or _PORTS[parts.scheme])
        if found is None:
            raise ConnectionFailed(f"no such host: {host}")
        if parts.scheme == "https" and not self.certificates.covers(found[0], host):
            raise ConnectionFailed(f"no certificate is shown for {host}")
        asked = Asked(
            rule=found[1],
            method=method,
            host=host,
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            headers=list((headers or {}).items()),
            client=client,
        )
        began, passage = time.monotonic(), front.Passage()
        try:
            front.decide(self._cloud, asked, passage)
        except Answered as answered:
            answer = Response(answered.status, dict(answered.headers), answered.body)
        else:
            answer = self._cloud.ingress.request(
                method,
                f"https://{host}{asked.target}",
                headers=dict(passage.headers),
                body=body,
                timeout=timeout,
                client=passage.balanced,
            )
            answer.headers.update(dict(passage.added))
        answer.headers["via"] = front.VIA
        log(self._cloud, asked, passage, answer.status, began)
        return answer

    def _rules(self) -> dict[str, Resource]:
        place = f"projects/{self._cloud.project}/global/forwardingRules/"
        return dict(self._cloud.store.of("compute").under(place))


def _port(rule: Resource) -> int:
    return int(rule["portRange"].partition("-")[0])
