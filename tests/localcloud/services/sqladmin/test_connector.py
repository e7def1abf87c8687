"""Google's own Cloud SQL connector, unmodified, in front of a real server; and who is kept out."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import ssl
import subprocess
import sys
import warnings
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import aiohttp
import pg8000
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from google.auth import credentials
from google.cloud.sql.connector import Connector
from google.cloud.sql.connector.exceptions import CloudSQLIPTypeError

from localcloud.cloud import Cloud
from localcloud.services.sqladmin import instances
from localcloud.services.sqladmin.connections import gateway
from localcloud.services.sqladmin.connections.certificates import Certificates, private_pem
from tests.localcloud.services.sqladmin import connector_client
from tests.localcloud.services.sqladmin.test_real import BODY, P, Sql
from tests.localcloud.wire import client

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("sqladmin-connector")

CONNECTION = f"{P}:europe-west1:pool"
KEY = f"projects/{P}/instances/pool"
SUFFIX = ".gserviceaccount.com"
APP, GUEST, CLERK = (f"{name}@{P}.iam{SUFFIX}" for name in ("app-one", "guest-one", "clerk-one"))
PASSWORD = "root password"


class Identity(credentials.Scoped, credentials.Credentials):
    """An identity of the local cloud, as credentials that can be refreshed and rescoped."""

    def __init__(self, cloud: Cloud, email: str) -> None:
        """Act as ``email``."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._cloud = cloud
        self._email = email
        self._scopes = None
        self._default_scopes = None
        self.refresh(None)

    def refresh(self, request: object) -> None:
        """Take a new token."""
        del request
        self.token = self._cloud.tokens.access_token(self._email)
        self.expiry = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)

    @property
    def requires_scopes(self) -> bool:
        """Say that any scope will do."""
        return False

    def with_scopes(self, scopes: object, default_scopes: object = None) -> Identity:
        """Stay the same."""
        del scopes, default_scopes
        return self


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Return a cloud with its doors open, an instance, and three accounts.

    ``app-one`` may do all a program needs; ``guest-one`` may connect and not log in; ``clerk-one`` may
    neither.
    """
    made = Cloud(tmp_path_factory.mktemp("cloud"))
    made.enable("sqladmin.googleapis.com", "iam.googleapis.com")
    sql = Sql(made)
    with made.serve():
        assert "error" not in sql.done(sql.api.instances().insert(project=P, body=BODY))
        accounts = client(made, "iam", "v1").projects().serviceAccounts()
        for email in (APP, GUEST, CLERK):
            made_id = {"accountId": email.partition("@")[0]}
            accounts.create(name=f"projects/{P}", body=made_id).execute()
            user = {"name": email.removesuffix(SUFFIX), "type": "CLOUD_IAM_SERVICE_ACCOUNT"}
            sql.done(sql.api.users().insert(project=P, instance="pool", body=user))
        for email, role in ((APP, "client"), (APP, "instanceUser"), (GUEST, "client")):
            made.grant(f"serviceAccount:{email}", f"roles/cloudsql.{role}")
        yield made
    made.machines.databases.delete(CONNECTION)
    made.close()


@pytest.fixture
def login(cloud: Cloud) -> Iterator[Callable[..., Any]]:
    """Give a function that connects through the connector as an identity."""
    assert cloud.serving is not None
    endpoint = f"http://127.0.0.1:{cloud.serving.port}/sqladmin.googleapis.com"

    async def connect(email: str, instance: str, wanted: dict[str, Any]) -> Any:
        # lazy: no refresh in the background, so that a refusal is said once
        async with Connector(
            loop=asyncio.get_running_loop(),
            credentials=Identity(cloud, email),
            sqladmin_api_endpoint=endpoint,
            refresh_strategy="lazy",
        ) as connector:
            return await connector.connect_async(instance, "pg8000", **wanted)

    def run(email: str = APP, instance: str = CONNECTION, **wanted: Any) -> Any:
        whole = {"user": "postgres", "password": PASSWORD, "db": "postgres", **wanted}
        return asyncio.run(connect(email, instance, whole))

    yield run
    with warnings.catch_warnings():
        # the connector leaves the socket of a refused login to the garbage collector
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_a_program_logs_in_three_ways(cloud: Cloud) -> None:
    """With a password, by automatic IAM authentication, with a token for a password."""
    iam_user = APP.removesuffix(SUFFIX)
    environment = {**os.environ, **cloud.environment(APP)}
    line = [sys.executable, str(connector_client.__file__), CONNECTION, iam_user, PASSWORD]
    run = subprocess.run(
        line, env=environment, capture_output=True, text=True, timeout=100, check=False
    )
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "password": "postgres",
        "automatic": iam_user,
        "token": iam_user,
    }


def test_rows_go_both_ways(login: Callable[..., Any]) -> None:
    """What is larger than any buffer comes through whole."""
    connection = login()
    cursor = connection.cursor()
    cursor.execute("SELECT repeat(%s, 50)", ("x" * 100_000,))
    assert len(cursor.fetchone()[0]) == 5_000_000
    connection.close()


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"password": "wrong"}, 'password authentication failed for user "postgres"'),
        ({"user": "nobody"}, 'password authentication failed for user "nobody"'),
        ({"db": "nowhere"}, 'database "nowhere" does not exist'),
    ],
)
def test_the_server_refuses_as_itself(
    login: Callable[..., Any], wanted: dict[str, str], words: str
) -> None:
    """Password users talk to the server: its refusals are its own."""
    with pytest.raises(pg8000.DatabaseError) as error:
        login(**wanted)
    assert words in str(error.value)


def token_of(cloud: Cloud, email: str, lifetime: int = 3600) -> str:
    """Return an access token."""
    return cloud.tokens.access_token(email, lifetime=lifetime)


@pytest.mark.parametrize("automatic", [True, False])
@pytest.mark.parametrize(
    ("email", "user"),
    [(GUEST, GUEST), (APP, CLERK), (APP, GUEST)],
    ids=["without cloudsql.instances.login", "as somebody else", "as another who may connect"],
)
def test_iam_users_are_kept_out(
    cloud: Cloud, login: Callable[..., Any], email: str, user: str, *, automatic: bool
) -> None:
    """A token opens the door to its own user alone, and only if he may log in."""
    wanted: dict[str, Any] = {"user": user.removesuffix(SUFFIX), "enable_iam_auth": automatic}
    wanted["password"] = None if automatic else token_of(cloud, email)
    with pytest.raises(pg8000.DatabaseError) as error:
        login(email, **wanted)
    assert "Cloud SQL IAM service account authentication failed" in str(error.value)
    assert "'C': '28P01'" in str(error.value)


@pytest.mark.parametrize("password", ["", "no token", "EXPIRED", "INTERNAL"])
def test_bad_tokens(cloud: Cloud, login: Callable[..., Any], password: str) -> None:
    """Neither rubbish, nor an old token, nor the password behind it all is good."""
    name = APP.removesuffix(SUFFIX)
    kinds = {
        "EXPIRED": token_of(cloud, APP, lifetime=-1),
        "INTERNAL": cloud.machines.databases.iam_password(CONNECTION, name),
    }
    with pytest.raises(pg8000.DatabaseError, match="authentication failed"):
        login(user=name, password=kinds.get(password, password))


def test_an_instance_without_iam_authentication(cloud: Cloud, login: Callable[..., Any]) -> None:
    """The flag decides; users made before it was taken away do not get in."""
    sql = Sql(cloud)

    def set_flags(flags: list[dict[str, str]]) -> None:
        change = {"settings": {"databaseFlags": flags}}
        sql.done(sql.api.instances().patch(project=P, instance="pool", body=change))

    user = APP.removesuffix(SUFFIX)
    set_flags([])
    with pytest.raises(pg8000.DatabaseError, match="authentication failed"):
        login(user=user, password=None, enable_iam_auth=True)
    set_flags(BODY["settings"]["databaseFlags"])  # type: ignore[index]
    login(user=user, password=None, enable_iam_auth=True).close()


@pytest.mark.parametrize(
    ("email", "instance", "code", "words"),
    [
        (CLERK, CONNECTION, 403, "missing permission cloudsql.instances.get"),
        (APP, f"{P}:europe-west1:none", 404, "does not exist"),
    ],
)
def test_the_api_keeps_out(
    login: Callable[..., Any], email: str, instance: str, code: int, words: str
) -> None:
    """Without the permission or the instance there is no certificate."""
    with pytest.raises(aiohttp.ClientResponseError) as error:
        login(email, instance)
    assert (error.value.status, words in error.value.message) == (code, True)


def test_a_wrong_region_or_network(login: Callable[..., Any]) -> None:
    """The connector itself sees that these cannot be meant."""
    with pytest.raises(ValueError, match="region was mismatched"):
        login(instance=f"{P}:us-central1:pool")
    with pytest.raises(CloudSQLIPTypeError, match="PRIVATE"):
        login(ip_type="private")


def address(cloud: Cloud) -> str:
    """Return the instance's address."""
    found = cloud.store.of("sqladmin").fetch(KEY)["ipAddresses"][0]["ipAddress"]
    return str(found)


def knock(cloud: Cloud, certificate: str | None, key: str | None, folder: Path) -> bytes:
    """Say hello to the gateway with a certificate, and return what it answers, if it does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cadata=Certificates(cloud, KEY).server_ca["cert"])
    if certificate is not None and key is not None:
        file = folder / "client.pem"
        file.write_text(key + certificate)
        context.load_cert_chain(file)
    hello = b"\x00\x00\x00\x17\x00\x03\x00\x00user\x00postgres\x00\x00"
    with (
        socket.create_connection((address(cloud), 3307), timeout=30) as tcp,
        context.wrap_socket(tcp) as tls,
    ):
        try:
            tls.sendall(hello)
            return tls.recv(100)
        except (ssl.SSLError, ConnectionError):
            # what a refused certificate looks like depends on who is faster
            return b""


def signed(cloud: Cloud, key: str, lasts: timedelta) -> tuple[str, str]:
    """Return a certificate of an instance's client authority, and its key."""
    own = ec.generate_private_key(ec.SECP256R1())
    found = Certificates(cloud, key).sign(own.public_key(), "x", lasts=lasts)
    return found.public_bytes(Encoding.PEM).decode(), private_pem(own)


def test_a_certificate_of_the_instance_opens(cloud: Cloud, tmp_path: Path) -> None:
    """One who shows a good one talks to the server, which asks for his password."""
    answer = knock(cloud, *signed(cloud, KEY, timedelta(hours=1)), tmp_path)
    assert answer.startswith(b"R") and b"SCRAM-SHA-256" in answer  # noqa: PT018 - one answer


@pytest.mark.parametrize("which", ["none", "another instance's", "expired"])
def test_other_certificates_do_not(cloud: Cloud, tmp_path: Path, which: str) -> None:
    """Without a certificate, with a stranger's or an old one there is no conversation."""
    certificate: str | None
    key: str | None
    certificate, key = None, None
    if which == "another instance's":
        certificate, key = signed(cloud, f"{KEY}-other", timedelta(hours=1))
    elif which == "expired":
        certificate, key = signed(cloud, KEY, timedelta(seconds=-1))
    assert knock(cloud, certificate, key, tmp_path) == b""


def test_a_client_certificate_until_it_is_deleted(cloud: Cloud, tmp_path: Path) -> None:
    """One from sslCerts.insert opens the door, and once deleted no more."""
    sql = Sql(cloud)
    certs = sql.api.sslCerts()
    made = certs.insert(project=P, instance="pool", body={"commonName": "laptop"}).execute()
    shown = made["clientCert"]["certInfo"]
    pair = shown["cert"], made["clientCert"]["certPrivateKey"]
    sql.done(SimpleNamespace(execute=lambda: made["operation"]))
    assert knock(cloud, *pair, tmp_path).startswith(b"R")

    gone = certs.delete(project=P, instance="pool", sha1Fingerprint=shown["sha1Fingerprint"])
    sql.done(gone)
    assert knock(cloud, *pair, tmp_path) == b""


def test_nobody_talks_without_tls(cloud: Cloud) -> None:
    """The server's own protocol is no greeting here."""
    with socket.create_connection((address(cloud), 3307), timeout=30) as tcp:
        tcp.sendall(b"\x00\x00\x00\x17\x00\x03\x00\x00user\x00postgres\x00\x00")
        assert not tcp.recv(100).startswith(b"R")


def test_a_stopped_instance_refuses(cloud: Cloud, login: Callable[..., Any]) -> None:
    """Connections are cut and new ones refused until it is started; the address stays."""
    sql, before = Sql(cloud), address(cloud)
    open_before = login()

    def set_policy(policy: str) -> None:
        change = {"settings": {"activationPolicy": policy}}
        sql.done(sql.api.instances().patch(project=P, instance="pool", body=change))

    set_policy("NEVER")
    with pytest.raises(Exception, match=r"(?i)network|closed|terminat|EOF|reset"):
        open_before.cursor().execute("SELECT 1")
    with pytest.raises(ConnectionRefusedError):
        login()
    set_policy("ALWAYS")
    assert address(cloud) == before
    login().close()


def test_the_gateway_comes_back_with_the_cloud(cloud: Cloud, tmp_path: Path) -> None:
    """The next life listens on the same address with the same authorities."""
    pair = signed(cloud, KEY, timedelta(hours=1))
    gateway.shut(cloud)
    with pytest.raises(ConnectionRefusedError):
        knock(cloud, *pair, tmp_path)
    instances.let_in(cloud)
    assert knock(cloud, *pair, tmp_path).startswith(b"R")
