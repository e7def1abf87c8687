"""The throw-away certificate authority behind the door; its key lives in the state folder."""

from __future__ import annotations

import ssl
import threading
from functools import cached_property
from pathlib import Path  # noqa: TC003 - cached_property evaluates annotations

import trustme


class Authority:
    """Makes a certificate for any host name the door is asked for."""

    def __init__(self, folder: Path) -> None:
        """Keep the authority in ``folder``, making it on first use."""
        self._folder = folder
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._lock = threading.Lock()

    @property
    def bundle(self) -> Path:
        """The file clients must trust."""
        self._ca  # noqa: B018 - makes the file
        return self._folder / "ca.pem"

    def context(self, host: str) -> ssl.SSLContext:
        """Give the TLS settings for one host name."""
        with self._lock:
            if host not in self._contexts:
                context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
                self._ca.issue_cert(host).configure_cert(context)
                # clients that speak both (curl) get HTTP/1.1; gRPC offers h2 alone
                context.set_alpn_protocols(["http/1.1", "h2"])
                self._contexts[host] = context
            return self._contexts[host]

    def certificate(self, *hosts: str) -> trustme.LeafCert:
        """Make a certificate for some host names."""
        return self._ca.issue_cert(*hosts)

    @cached_property
    def _ca(self) -> trustme.CA:
        certificate, key = self._folder / "ca.pem", self._folder / "ca.key"
        if certificate.exists() and key.exists():
            return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
        self._folder.mkdir(parents=True, exist_ok=True)
        made = trustme.CA(organization_name="local cloud, throw-away")
        key.touch(mode=0o600)
        key.write_bytes(made.private_key_pem.bytes())
        certificate.write_bytes(made.cert_pem.bytes())
        return made
