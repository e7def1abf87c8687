"""What connectors ask for: where an instance is, whom to trust there, and a certificate to show."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric import rsa

from localcloud.clock import seconds
from localcloud.errors import ApiError
from localcloud.service import page
from localcloud.services.sqladmin import progress
from localcloud.services.sqladmin.connections import certificates
from localcloud.services.sqladmin.connections.certificates import Certificates
from localcloud.services.sqladmin.connections.gateway import gateway_of
from localcloud.services.sqladmin.names import instance, instance_key, invalid_request, running

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

NAME = re.compile(r"[A-Za-z0-9._ -]{1,64}")
"""As in the document, with the digits that gcloud's own examples have."""
CA_MODE = "GOOGLE_MANAGED_INTERNAL_CA"


def get_settings(call: Call) -> Resource:
    """Tell a connector the instance's addresses, region, version and authority."""
    found = instance(call)
    return {
        "kind": "sql#connectSettings",
        "backendType": found["backendType"],
        "connectionName": found["connectionName"],
        "databaseVersion": found["databaseVersion"],
        "region": found["region"],
        "ipAddresses": found["ipAddresses"],
        "pscEnabled": False,
        "serverCaCert": _certificates(call).server_ca,
        "serverCaMode": CA_MODE,
    }


def generate_ephemeral(call: Call) -> Resource:
    """Sign a connector's public key for an hour, or for as long as its access token lasts."""
    lasts = certificates.HOUR
    wanted = call.body.get("validDuration")
    if wanted:
        lasts = timedelta(seconds=min(seconds(wanted), lasts.total_seconds()))
        if lasts <= timedelta(0):
            raise invalid_request(f"Invalid validDuration ({wanted}).")
    return {"ephemeralCert": _ephemeral(call, lasts)}


def create_ephemeral(call: Call) -> Resource:
    """Sign a public key for an hour, as the first proxies ask for it."""
    return _ephemeral(call, certificates.HOUR)


def server_cas(call: Call) -> Resource:
    """List the server's authorities: there is always one."""
    instance(call)
    authority = _certificates(call).server_ca
    return {
        "kind": "sql#instancesListServerCas",
        "certs": [authority],
        "activeVersion": authority["sha1Fingerprint"],
    }


def insert(call: Call) -> Resource:
    """Make a client certificate with its key, which is shown this once."""
    instance(call)
    name = call.body["commonName"]
    if not NAME.fullmatch(name):
        raise invalid_request(f"Invalid common name ({name}).")
    if any(one["commonName"] == name for one in _kept(call)):
        raise ApiError(
            409, "The specified SSL certificate already exists.", reason="sslCertAlreadyExists"
        )
    own = _certificates(call)
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    shown = own.described(own.sign(key.public_key(), name, lasts=certificates.YEARS), name)
    place = f"{instance_key(call)}/sslCerts/{shown['sha1Fingerprint']}"

    def work() -> None:
        call.store.put(place, shown)

    operation = progress.begin(call, "UPDATE", work)
    return {
        "kind": "sql#sslCertsInsert",
        "operation": operation,
        "serverCaCert": own.server_ca,
        "clientCert": {"certInfo": shown, "certPrivateKey": certificates.private_pem(key)},
    }


def get(call: Call) -> Resource:
    """Show a client certificate without its key."""
    return _existing(call)


def list_certs(call: Call) -> Resource:
    """List the client certificates; ephemeral ones are not among them."""
    instance(call)
    return {"kind": "sql#sslCertsList", **page(call, _kept(call), "items")}


def delete(call: Call) -> Resource:
    """Revoke a client certificate."""
    found = _existing(call)
    place = f"{instance_key(call)}/sslCerts/{found['sha1Fingerprint']}"
    return progress.begin(call, "UPDATE", lambda: call.store.delete(place))


def reset(call: Call) -> Resource:
    """Make a new authority for either side: every certificate in use is void from then on."""
    found, key = running(call), instance_key(call)

    def work() -> None:
        gateway_of(call.cloud).close(key)
        Certificates(call.cloud, key).forget()
        for name, _ in call.store.under(f"{key}/sslCerts/"):
            call.store.delete(name)
        authority = Certificates(call.cloud, key).server_ca
        call.store.update(key, lambda kept: {**kept, "serverCaCert": authority})
        gateway_of(call.cloud).open(key, found)

    return progress.begin(call, "UPDATE", work)


def _ephemeral(call: Call, lasts: timedelta) -> Resource:
    instance(call)
    if not call.body.get("public_key"):
        raise invalid_request("public_key is required.", "required")
    token = call.body.get("access_token")
    if token:
        # whoever stands behind it is looked at again when he logs in
        call.cloud.tokens.identify({"authorization": f"Bearer {token}"})
    own = _certificates(call)
    public = certificates.public_key(call.body["public_key"])
    return own.described(own.sign(public, call.caller.email, lasts=lasts, token=token or None))


def _existing(call: Call) -> Resource:
    instance(call)
    found = call.store.find(f"{instance_key(call)}/sslCerts/{call['sha1Fingerprint']}")
    if found is None:
        raise ApiError(404, "The SSL certificate does not exist.", reason="sslCertDoesNotExist")
    return found


def _kept(call: Call) -> list[Resource]:
    now = datetime.fromtimestamp(call.cloud.clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%S")
    found = call.store.children(f"{instance_key(call)}/sslCerts/")
    return [one for one in found if one["expirationTime"] > now]


def _certificates(call: Call) -> Certificates:
    return Certificates(call.cloud, instance_key(call))
