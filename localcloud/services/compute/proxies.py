"""Target proxies: what ends HTTP or TLS for a URL map, and with which certificates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.services.compute import names
from localcloud.services.compute.kinds import Kind
from localcloud.services.compute.methods import change

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

MOST_CERTIFICATES = 15
_MAP = re.compile(
    r"(?:https:)?//certificatemanager\.googleapis\.com/(?:v1/)?"
    r"(?P<name>projects/[^/]+/locations/global/certificateMaps/[^/]+)"
)
_HTTP_FIELDS = frozenset(
    {"description", "fingerprint", "httpKeepAliveTimeoutSec", "name", "proxyBind", "urlMap"}
)
_HTTPS_FIELDS = _HTTP_FIELDS | {"certificateMap", "quicOverride", "sslCertificates"}


def http(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete a proxy for HTTP."""
    del before
    return _with_map(call, body, _HTTP_FIELDS)


def https(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete a proxy for HTTPS."""
    del before
    made = {"quicOverride": "NONE", **_with_map(call, body, _HTTPS_FIELDS)}
    return with_certificates(call, made)


def with_certificates(call: Call, body: Resource) -> Resource:
    """Check and complete the certificates of a proxy."""
    given = body.get("sslCertificates", [])
    if not given and not body.get("certificateMap"):
        raise names.wrong(
            "resource.sslCertificates",
            "",
            "At least one SSL certificate or a certificate map must be specified.",
        )
    if len(given) > MOST_CERTIFICATES:
        raise names.wrong(
            "resource.sslCertificates", len(given), f"At most {MOST_CERTIFICATES} are possible."
        )
    made = dict(body)
    if given:
        made["sslCertificates"] = [
            names.link(names.reference(call.cloud, one, "sslCertificates", {"sslCertificates"}))
            for one in given
        ]
    if body.get("certificateMap"):
        made["certificateMap"] = _certificate_map(call, body["certificateMap"])
    return made


def _certificate_map(call: Call, text: str) -> str:
    found = _MAP.fullmatch(text)
    if found is None:
        raise names.wrong("resource.certificateMap", text, "The URL is malformed.")
    name = call.cloud.by_id(found["name"])
    if call.cloud.store.of("certificatemanager").find(name) is None:
        raise names.unknown(name)
    call.require("certificatemanager.certmaps.use", names.project(call), api="certificatemanager")
    return f"//certificatemanager.googleapis.com/{name}"


def _with_map(call: Call, body: Resource, known: frozenset[str]) -> Resource:
    for field in sorted(body.keys() - known):
        raise names.not_here(f"target proxy with {field}", body[field])
    if body.get("proxyBind"):
        raise names.not_here("target proxy with proxyBind", value=True)
    if not body.get("urlMap"):
        raise names.required("resource.urlMap")
    key = names.reference(call.cloud, body["urlMap"], "urlMap", {"urlMaps"})
    return {**body, "urlMap": names.link(key)}


def set_url_map(call: Call) -> Resource:
    """Give a proxy another URL map."""
    kind = HTTPS if "targetHttpsProxy" in call.params else HTTP
    if not call.body.get("urlMap"):
        raise names.required("urlMap")
    key = names.reference(call.cloud, call.body["urlMap"], "urlMap", {"urlMaps"})
    return change(kind, call, "setUrlMap", lambda present: {**present, "urlMap": names.link(key)})


def set_certificate_map(call: Call) -> Resource:
    """Give a proxy another certificate map, or none."""
    return _set(call, "setCertificateMap", "certificateMap")


def set_certificates(call: Call) -> Resource:
    """Give a proxy other certificates."""
    return _set(call, "SetSslCertificates", "sslCertificates")


def _set(call: Call, verb: str, field: str) -> Resource:
    def changed(present: Resource) -> Resource:
        kept = {name: value for name, value in present.items() if name != field}
        wanted = call.body.get(field)
        return with_certificates(call, {**kept, field: wanted} if wanted else kept)

    return change(HTTPS, call, verb, changed)


def served(cloud: Cloud) -> None:
    """See whether certificates that a proxy now serves can be issued."""
    cloud.issuance.consider()


HTTP = Kind(
    collection="targetHttpProxies",
    parameter="targetHttpProxy",
    word="compute#targetHttpProxy",
    prepared=http,
    links=("urlMap",),
    fingerprint=True,
)
HTTPS = Kind(
    collection="targetHttpsProxies",
    parameter="targetHttpsProxy",
    word="compute#targetHttpsProxy",
    prepared=https,
    links=("urlMap", "sslCertificates"),
    changed=served,
    fingerprint=True,
)
