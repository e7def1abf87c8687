"""Certificates and the DNS authorisations that let managed ones be issued."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from localcloud.domains import brought
from localcloud.errors import ApiError, invalid, not_found
from localcloud.service import page
from localcloud.services.certificatemanager import names

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

KEYS = "certificatemanager.privateKeys"
"""The collection of private keys, which no answer ever shows."""

MOST_DOMAINS = 100
_CHANGEABLE = frozenset({"description", "labels", "selfManaged"})
_DESCRIBED = frozenset({"description", "labels"})


# -- authorisations -----------------------------------------------------------------------


def create_authorization(call: Call) -> Resource:
    """Make an authorisation; its record has to be put into the domain's zone by somebody."""
    _global(call)
    domain = call.body.get("domain", "")
    if not names.DOMAIN.fullmatch(domain):
        raise invalid(f"Invalid domain '{domain}'.")
    if domain.startswith("*."):
        raise invalid(
            f"Invalid domain '{domain}': the authorisation of a domain is good for its wildcard."
        )
    kind = call.body.get("type", "FIXED_RECORD")
    if kind == "TYPE_UNSPECIFIED":
        kind = "FIXED_RECORD"
    digest = hashlib.sha256(f"{call.cloud.number} {domain} {call.now}".encode()).hexdigest()
    label = "_acme-challenge"
    if kind == "PER_PROJECT_RECORD":
        label = f"_acme-challenge_{hashlib.sha256(call.cloud.number.encode()).hexdigest()[:14]}"
    record = {
        "name": f"{label}.{domain}.",
        "type": "CNAME",
        "data": (
            f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}"
            f".{1 + int(digest[32], 16)}.authorize.certificatemanager.goog."
        ),
    }
    others = call.store.children(f"{names.name_of(call)}/dnsAuthorizations/")
    if kind == "FIXED_RECORD" and any(
        one["domain"] == domain and one["type"] == kind for one in others
    ):
        raise ApiError(
            409,
            f"Another DnsAuthorization with a fixed record exists for the domain '{domain}'.",
            status="ALREADY_EXISTS",
        )
    body = {**call.body, "type": kind, "dnsResourceRecord": record}
    return names.create(call, "dnsAuthorizations", "DnsAuthorization", body)


def patch_authorization(call: Call) -> Resource:
    """Change what an authorisation says about itself."""
    return names.patch(call, "DnsAuthorization", _DESCRIBED, lambda _: None)


def delete_authorization(call: Call) -> Resource:
    """Delete an authorisation that no certificate needs."""

    def used(call: Call, name: str) -> str:
        place = name.partition("/dnsAuthorizations/")[0]
        for one in call.store.children(f"{place}/certificates/"):
            if name in one.get("managed", {}).get("dnsAuthorizations", []):
                return "can't delete DnsAuthorization that is referenced by a Certificate"
        return ""

    return names.delete(call, used)


# -- certificates -------------------------------------------------------------------------


def create(call: Call) -> Resource:
    """Make a certificate; a managed one is issued once its domains are authorised."""
    _global(call)
    body = dict(call.body)
    kinds = [kind for kind in ("managed", "selfManaged", "managedIdentity") if kind in body]
    if len(kinds) != 1:
        raise invalid("Exactly one of 'managed' and 'self_managed' must be set.")
    scope = body.setdefault("scope", "DEFAULT")
    if scope != "DEFAULT":
        raise ApiError(501, f"The local cloud has no certificates of scope {scope}.")
    made = _KINDS[kinds[0]](call, body)
    return names.create(call, "certificates", "Certificate", made)


def _managed(call: Call, body: Resource) -> Resource:
    given = body["managed"]
    if given.get("issuanceConfig"):
        raise ApiError(501, "The local cloud has no certificate issuance configs.")
    domains = given.get("domains", [])
    if not domains:
        raise invalid("Required field 'managed.domains' is missing.")
    if len(domains) > MOST_DOMAINS:
        raise invalid(f"A certificate has at most {MOST_DOMAINS} domains.")
    authorised: set[str] = set()
    links = []
    for link in given.get("dnsAuthorizations", []):
        name = call.cloud.by_id(link)
        found = call.store.find(name)
        if found is None or "/dnsAuthorizations/" not in name:
            raise not_found(f"Resource '{name}' was not found")
        call.require("certificatemanager.dnsauthorizations.use", names.project_of(call))
        authorised.add(found["domain"])
        links.append(name)
    for domain in domains:
        if not names.DOMAIN.fullmatch(domain):
            raise invalid(f"Invalid domain '{domain}'.")
        bare = domain.removeprefix("*.")
        if (links or domain != bare) and bare not in authorised:
            raise invalid(f"Domain '{domain}' is not covered by any DNS authorization.")
    attempts = [{"domain": one, "state": "AUTHORIZING"} for one in domains]
    managed: Resource = {"domains": domains, "state": "PROVISIONING"}
    if links:
        managed["dnsAuthorizations"] = links
    return {
        **body,
        "managed": {**managed, "authorizationAttemptInfo": attempts},
        "sanDnsnames": domains,
    }


def _own(call: Call, body: Resource) -> Resource:
    name = f"{names.name_of(call)}/certificates/{call.get('certificateId')}"
    return _with_own(call, name, body)


def _with_own(call: Call, name: str, body: Resource) -> Resource:
    given = body["selfManaged"]
    for field, shown in (
        ("pemCertificate", "pem_certificate"),
        ("pemPrivateKey", "pem_private_key"),
    ):
        if not given.get(field):
            raise invalid(f"Required field 'self_managed.{shown}' is missing.")
    try:
        found = brought.read(given["pemCertificate"], given["pemPrivateKey"])
    except brought.UnreadableError as why:
        raise invalid(str(why)) from None
    call.cloud.store.of(KEYS).put(name, {"privateKey": given["pemPrivateKey"]})
    # both are input only: the certificate is shown elsewhere, the key nowhere
    return {
        **body,
        "selfManaged": {},
        "pemCertificate": given["pemCertificate"],
        "sanDnsnames": found.domains,
        "expireTime": found.expires,
    }


def _identity(call: Call, body: Resource) -> Resource:
    del call, body
    raise ApiError(501, "The local cloud has no managed identity certificates.")


_KINDS = {"managed": _managed, "selfManaged": _own, "managedIdentity": _identity}


def get(call: Call) -> Resource:
    """Show a certificate with the map entries that use it."""
    return _seen(call, names.existing(call))


def list_certificates(call: Call) -> Resource:
    """List certificates."""
    found = names.lister("certificates")(call)
    shown = [_seen(call, one) for one in found.get("certificates", [])]
    return {**found, "certificates": shown} if shown else found


def patch(call: Call) -> Resource:
    """Change a certificate's description or labels, or bring a newer one of one's own."""
    present = names.existing(call)
    if "selfManaged" not in {path.partition(".")[0] for path in call.mask()}:
        return names.patch(call, "Certificate", _CHANGEABLE, lambda _: None)
    if "managed" in present or "selfManaged" not in call.body:
        raise invalid("Field 'self_managed' cannot be updated.")
    name = names.name_of(call)
    after = _with_own(call, name, {**present, "selfManaged": call.body["selfManaged"]})

    def work() -> Resource:
        return call.store.update(name, lambda _: {**after, "updateTime": call.now})

    return names.operation(call, name, "update", work, f"{names.TYPE}.Certificate")


def delete(call: Call) -> Resource:
    """Delete a certificate that no map entry needs."""

    def used(call: Call, name: str) -> str:
        if _entries(call, name):
            return (
                "can't delete certificate that is referenced by a CertificateMapEntry or other "
                "resources"
            )
        return ""

    return names.delete(call, used)


def _seen(call: Call, stored: Resource) -> Resource:
    entries = _entries(call, stored["name"])
    host = "//certificatemanager.googleapis.com/"
    return {**stored, "usedBy": [{"name": host + one} for one in entries]} if entries else stored


def _entries(call: Call, name: str) -> list[str]:
    place = name.partition("/certificates/")[0]
    return [
        other
        for other, one in call.store.under(f"{place}/certificateMaps/")
        if name in one.get("certificates", [])
    ]


def _global(call: Call) -> None:
    place = names.name_of(call).rpartition("/")[2]
    if place != "global":
        raise ApiError(501, f"The local cloud has no certificates in the location {place}.")


def operations(call: Call) -> Resource:
    """List operations."""
    return page(call, call.store.children(f"{names.name_of(call)}/operations/"), "operations")
