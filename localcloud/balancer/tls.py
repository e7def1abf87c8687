"""Which certificate a load balancer shows: by the host a client names, from map or proxy."""

from __future__ import annotations

import ssl
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.domains.certificates import Authority
from localcloud.services.certificatemanager.certificates import KEYS as MANAGER_KEYS
from localcloud.services.certificatemanager.maps import HOST as MAPS
from localcloud.services.compute.certificates import KEYS as COMPUTE_KEYS
from localcloud.services.compute.names import key_of

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.store import Resource

MANAGER, COMPUTE = "certificatemanager", "compute"
_KEYS = {MANAGER: MANAGER_KEYS, COMPUTE: COMPUTE_KEYS}


class Certificates:
    """The certificates behind the proxies of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        """Make nothing yet; the authority is the one clients of this cloud trust."""
        self._cloud = cloud
        self._authority = Authority(cloud.state / "keys")
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    def listening(self, rule: str) -> ssl.SSLContext:
        """Return the TLS settings of a forwarding rule, which choose anew in each handshake."""
        context = _context()

        def choose(handshake: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> int | None:
            found = self.shown(rule, (name or "").lower())
            if found is None:
                return int(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME)
            handshake.context = self._of(*found)
            return None

        context.sni_callback = choose
        return context

    def shown(self, rule: str, host: str) -> tuple[str, Resource] | None:
        """Return the API and the certificate that a host gets; None while there is none."""
        compute = self._cloud.store.of(COMPUTE)
        proxy = compute.find(key_of((compute.find(rule) or {}).get("target", ""))) or {}
        if proxy.get("certificateMap"):
            return self._from_map(proxy["certificateMap"].removeprefix(MAPS), host)
        found = [compute.find(key_of(link)) for link in proxy.get("sslCertificates", [])]
        usable = [one for one in found if one is not None and _usable(COMPUTE, one)]
        fitting = [one for one in usable if covers(_domains(COMPUTE, one), host)]
        # a client that names no host, or an unknown one, sees the first
        chosen = next(iter(fitting or usable), None)
        return None if chosen is None else (COMPUTE, chosen)

    def covers(self, rule: str, host: str) -> bool:
        """Tell whether a client that asks for a host is shown a certificate for it."""
        found = self.shown(rule, host)
        return found is not None and covers(_domains(*found), host)

    def _from_map(self, name: str, host: str) -> tuple[str, Resource] | None:
        manager = self._cloud.store.of(MANAGER)
        entries = manager.children(f"{name}/certificateMapEntries/")
        wildcard = f"*.{host.partition('.')[2]}"
        for wanted in (
            lambda one: one.get("hostname") == host,
            lambda one: one.get("hostname") == wildcard,
            lambda one: one.get("matcher") == "PRIMARY",
        ):
            for entry in filter(wanted, entries):
                for link in entry["certificates"]:
                    found = manager.find(link)
                    if found is not None and _usable(MANAGER, found):
                        return MANAGER, found
        return None

    def _of(self, api: str, stored: Resource) -> ssl.SSLContext:
        name = stored["name"] if api == MANAGER else key_of(stored["selfLink"])
        key = f"{api}/{name}/{stored.get('expireTime')}/{stored.get('id', '')}"
        with self._lock:
            if key not in self._contexts:
                self._contexts[key] = self._made(api, name, stored)
            return self._contexts[key]

    def _made(self, api: str, name: str, stored: Resource) -> ssl.SSLContext:
        context = _context()
        if "managed" in stored:
            self._authority.certificate(*stored["managed"]["domains"]).configure_cert(context)
            return context
        secret = self._cloud.store.of(_KEYS[api]).fetch(name)["privateKey"]
        chain = stored["pemCertificate"] if api == MANAGER else stored["certificate"]
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "chain.pem"
            file.touch(mode=0o600)
            file.write_text(f"{secret.strip()}\n{chain}")
            context.load_cert_chain(file)
        return context


def covers(domains: list[str], host: str) -> bool:
    """Tell whether one of a certificate's domains is a host, or its wildcard."""
    return host in domains or f"*.{host.partition('.')[2]}" in domains


def _usable(api: str, stored: Resource) -> bool:
    managed = stored.get("managed")
    return managed is None or managed["state" if api == MANAGER else "status"] == "ACTIVE"


def _domains(api: str, stored: Resource) -> list[str]:
    return list(stored.get("sanDnsnames" if api == MANAGER else "subjectAlternativeNames", []))


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(["http/1.1"])
    return context
