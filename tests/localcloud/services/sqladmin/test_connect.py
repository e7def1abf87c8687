"""What connectors ask Cloud SQL for: settings, authorities and certificates (on paper machines)."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from googleapiclient.errors import HttpError

from localcloud.services.sqladmin.connections.certificates import Certificates, login_token
from tests.localcloud.services.sqladmin.sql_instances import P, body, refused
from tests.localcloud.wire import client

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud

KEY = f"projects/{P}/instances/pool"


def pem(key: Any) -> str:
    """Write the public half of a key as connectors do."""
    form = PublicFormat.SubjectPublicKeyInfo
    return str(key.public_key().public_bytes(Encoding.PEM, form).decode())


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    """Return a connector's key; making one takes time."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def ephemeral(sql: Any, sent: dict[str, Any], instance: str = "pool") -> Any:
    """Return the request for an ephemeral certificate."""
    return sql.connect().generateEphemeralCert(project=P, instance=instance, body=sent)


def ephemeral_of(sql: Any, sent: dict[str, Any]) -> x509.Certificate:
    """Return an ephemeral certificate."""
    found = ephemeral(sql, sent).execute()["ephemeralCert"]
    return x509.load_pem_x509_certificate(found["cert"].encode())


def test_settings_tell_all_a_connector_needs(cloud: Cloud, pool: Any) -> None:
    """Address, region, version and an authority by which the server's certificate is good."""
    found = pool.connect().get(project=P, instance="pool").execute()
    assert (found["region"], found["databaseVersion"]) == ("europe-west1", "POSTGRES_18")
    assert found["connectionName"] == f"{P}:europe-west1:pool"
    assert [one["type"] for one in found["ipAddresses"]] == ["PRIMARY"]
    described = pool.instances().get(project=P, instance="pool").execute()
    assert described["serverCaCert"] == found["serverCaCert"]

    authority = x509.load_pem_x509_certificate(found["serverCaCert"]["cert"].encode())
    stored = cloud.store.of("sqladmin.keys").fetch(KEY)
    server = x509.load_pem_x509_certificate(stored["server"].encode())
    server.verify_directly_issued_by(authority)
    assert server.subject.rfc4514_string().startswith(f"CN={P}:pool")


def test_a_key_is_signed_for_an_hour(cloud: Cloud, pool: Any, key: rsa.RSAPrivateKey) -> None:
    """The client authority of this instance signs the very key that was sent."""
    found = ephemeral_of(pool, {"public_key": pem(key)})
    authority = cloud.store.of("sqladmin.keys").fetch(KEY)["client_ca"].encode()
    found.verify_directly_issued_by(x509.load_pem_x509_certificate(authority))
    assert found.public_key() == key.public_key()
    assert found.not_valid_after_utc.timestamp() == int(cloud.clock.now()) + 3600
    assert login_token(found.public_bytes(Encoding.DER)) is None


def test_instances_do_not_trust_each_others_clients(
    cloud: Cloud, pool: Any, clock: VirtualClock, key: rsa.RSAPrivateKey
) -> None:
    """A certificate of one instance is not signed by another's authority."""
    pool.instances().insert(project=P, body=body("other")).execute()
    clock.run_until_idle()
    found = ephemeral_of(pool, {"public_key": pem(key)})
    other = cloud.store.of("sqladmin.keys").fetch(f"projects/{P}/instances/other")["client_ca"]
    with pytest.raises(InvalidSignature):
        found.verify_directly_issued_by(x509.load_pem_x509_certificate(other.encode()))


def test_a_shorter_life_can_be_asked_for(pool: Any, cloud: Cloud, key: rsa.RSAPrivateKey) -> None:
    """``validDuration`` shortens the hour and never lengthens it."""
    for wanted, lasts in (("90s", 90), ("86400s", 3600), ("315576000000s", 3600)):
        found = ephemeral_of(pool, {"public_key": pem(key), "validDuration": wanted})
        assert found.not_valid_after_utc.timestamp() == int(cloud.clock.now()) + lasts


def test_older_clients_are_understood(pool: Any) -> None:
    """``createEphemeral`` takes the header RSA PUBLIC KEY around any key, and curves."""
    curve = ec.generate_private_key(ec.SECP256R1())
    odd = pem(curve).replace("PUBLIC KEY", "RSA PUBLIC KEY")
    call = pool.sslCerts().createEphemeral(project=P, instance="pool", body={"public_key": odd})
    found = x509.load_pem_x509_certificate(call.execute()["cert"].encode())
    assert found.public_key() == curve.public_key()


def test_a_token_travels_in_the_certificate(
    cloud: Cloud, pool: Any, key: rsa.RSAPrivateKey
) -> None:
    """The server finds it there at login."""
    token = cloud.tokens.access_token("owner@example.com")
    found = ephemeral_of(pool, {"public_key": pem(key), "access_token": token})
    assert login_token(found.public_bytes(Encoding.DER)) == token


@pytest.mark.parametrize(
    ("sent", "code", "words"),
    [
        ({}, 400, "public_key is required"),
        ({"public_key": "no key"}, 400, "Invalid public key"),
        ({"public_key": pem(ed25519.Ed25519PrivateKey.generate())}, 400, "Invalid public key"),
        ({"public_key": "KEY", "access_token": "ya29.stolen"}, 401, "invalid authentication"),
        ({"public_key": "KEY", "validDuration": "0s"}, 400, "Invalid validDuration"),
        ({"publicKey": "KEY"}, 400, 'Unknown name "publicKey"'),
    ],
)
def test_bad_requests_for_certificates(
    pool: Any, key: rsa.RSAPrivateKey, sent: dict[str, Any], code: int, words: str
) -> None:
    """Nothing is signed that is no key, for no token that is bad."""
    whole = {name: pem(key) if value == "KEY" else value for name, value in sent.items()}
    with pytest.raises(HttpError) as error:
        ephemeral(pool, whole).execute()
    assert (error.value.status_code, words in str(error.value)) == (code, True)


def test_an_instance_that_is_not_there(sql: Any, key: rsa.RSAPrivateKey) -> None:
    """Its settings and certificates are a 404 in Cloud SQL's words."""
    for call in (
        sql.connect().get(project=P, instance="none"),
        ephemeral(sql, {"public_key": pem(key)}, "none"),
        sql.instances().listServerCas(project=P, instance="none"),
    ):
        assert refused(call.execute)[:2] == (404, "instanceDoesNotExist")


@pytest.mark.usefixtures("pool")
def test_connecting_is_a_right_of_its_own(cloud: Cloud, key: rsa.RSAPrivateKey) -> None:
    """Who may look may not connect, and is told which permission is missing."""
    cloud.grant("user:eve@example.com", "roles/cloudsql.viewer")
    eve = client(cloud, "sqladmin", "v1", "eve@example.com")
    assert eve.connect().get(project=P, instance="pool").execute()["region"]
    code, reason, words = refused(ephemeral(eve, {"public_key": pem(key)}).execute)
    assert (code, reason) == (403, "notAuthorized")
    assert "missing permission cloudsql.instances.connect on resource instances/pool" in words


def test_client_certificates_are_kept_and_revoked(pool: Any, clock: VirtualClock) -> None:
    """The key is shown once; a name is given once; a deleted certificate is known as revoked."""
    certs = pool.sslCerts()
    made = certs.insert(project=P, instance="pool", body={"commonName": "laptop"}).execute()
    clock.run_until_idle()
    shown = made["clientCert"]["certInfo"]
    assert "PRIVATE KEY" in made["clientCert"]["certPrivateKey"]
    listed = certs.list(project=P, instance="pool").execute()["items"]
    assert listed == [shown]
    again = certs.insert(project=P, instance="pool", body={"commonName": "laptop"})
    assert refused(again.execute)[:2] == (409, "sslCertAlreadyExists")

    which = {"project": P, "instance": "pool", "sha1Fingerprint": shown["sha1Fingerprint"]}
    assert certs.get(**which).execute() == shown
    certs.delete(**which).execute()
    clock.run_until_idle()

    assert refused(certs.get(**which).execute)[:2] == (404, "sslCertDoesNotExist")
    assert "items" not in certs.list(project=P, instance="pool").execute()


@pytest.mark.parametrize("name", ["", "x" * 65, "späti", "a/b", "a\n"])
def test_bad_names_of_certificates(pool: Any, name: str) -> None:
    """A common name is short and plain."""
    call = pool.sslCerts().insert(project=P, instance="pool", body={"commonName": name})
    assert refused(call.execute)[0] == 400


def test_resetting_voids_every_certificate(pool: Any, clock: VirtualClock) -> None:
    """After resetSslConfig there is another authority and no client certificate."""
    certs = pool.sslCerts()
    certs.insert(project=P, instance="pool", body={"commonName": "laptop"}).execute()
    clock.run_until_idle()
    before = pool.instances().listServerCas(project=P, instance="pool").execute()
    pool.instances().resetSslConfig(project=P, instance="pool").execute()
    clock.run_until_idle()

    after = pool.instances().listServerCas(project=P, instance="pool").execute()
    assert before["activeVersion"] != after["activeVersion"]
    assert after["certs"][0]["sha1Fingerprint"] == after["activeVersion"]
    assert "items" not in certs.list(project=P, instance="pool").execute()


def test_keys_stay_inside_and_go_with_the_instance(
    cloud: Cloud, pool: Any, clock: VirtualClock
) -> None:
    """No answer holds a key of the instance; deleting it deletes them."""
    answers = [
        pool.instances().get(project=P, instance="pool").execute(),
        pool.connect().get(project=P, instance="pool").execute(),
    ]
    assert "PRIVATE" not in str(answers)
    assert Certificates(cloud, KEY).context().verify_mode == ssl.CERT_REQUIRED
    pool.instances().delete(project=P, instance="pool").execute()
    clock.run_until_idle()
    assert cloud.store.of("sqladmin.keys").find(KEY) is None
