"""Containers get the secrets, sockets and scratch space their template asks for, if allowed to."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.run.echo import ACCOUNT, PARENT, Caller, service

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

HOST = "https://hello-123456789012.europe-west1.run.app"
SECRETS = "https://secretmanager.googleapis.com/v1/projects/berth-local/secrets"
SECRET = "projects/berth-local/secrets/password"
SQL = "berth-local:europe-west1:pool"


@pytest.fixture
def secret(cloud: Cloud, owner: Caller) -> Cloud:
    """Return a cloud with a secret of two versions that the runtime account may read."""
    assert owner("POST", f"{SECRETS}?secretId=password", {"replication": {"automatic": {}}})
    for value in (b"first", b"second"):
        payload = {"payload": {"data": base64.b64encode(value).decode()}}
        assert owner("POST", f"{SECRETS}/password:addVersion", payload).status == 200
    allow(cloud)
    return cloud


def allow(cloud: Cloud) -> None:
    """Let the runtime account read the secret."""
    full = f"//secretmanager.googleapis.com/{SECRET}"
    cloud.grant(f"serviceAccount:{ACCOUNT}", "roles/secretmanager.secretAccessor", on=full)


def with_env(version: str) -> dict[str, Any]:
    """Return a service with the secret in its environment."""
    body = {**service(), "invokerIamDisabled": True}
    reference = {"secretKeyRef": {"secret": "password", "version": version}}
    body["template"]["containers"][0]["env"] = [{"name": "PASSWORD", "valueSource": reference}]
    return body


def with_volume(source: dict[str, Any], at: str) -> dict[str, Any]:
    """Return a service with one volume."""
    body = {**service(volumes=[{"name": "it", **source}]), "invokerIamDisabled": True}
    body["template"]["containers"][0]["volumeMounts"] = [{"name": "it", "mountPath": at}]
    return body


def read(cloud: Cloud, path: str) -> str:
    """Return mode and content of a file or directory in the container."""
    return cloud.request("GET", f"{HOST}/read={path}").text


@pytest.mark.parametrize(("version", "value"), [("1", "first"), ("latest", "second")])
def test_secret_in_the_environment(secret: Cloud, owner: Caller, version: str, value: str) -> None:
    """A variable has the value of the version it names."""
    owner.deploy("hello", with_env(version))

    assert secret.request("GET", HOST).json()["env"]["PASSWORD"] == value


def test_secret_as_a_file(secret: Cloud, owner: Caller) -> None:
    """A volume has the file it names, with its mode, inside a directory of the image as well."""
    items = [{"version": "1", "path": "value", "mode": 0o440}, {"version": "2", "path": "new"}]
    body = with_volume({"secret": {"secret": "password", "items": items}}, "/app/secrets")

    owner.deploy("hello", body)

    assert read(secret, "/app/secrets/new") == "444 second"
    assert "'new', 'value'" in read(secret, "/app/secrets")


def test_secret_without_items_is_named_after_itself(secret: Cloud, owner: Caller) -> None:
    """A volume that names no files has the latest version under the secret's name."""
    owner.deploy("hello", with_volume({"secret": {"secret": "password"}}, "/secrets"))

    assert read(secret, "/secrets/password") == "444 second"


@pytest.mark.parametrize("version", ["3", "latest"])
def test_missing_secret_fails_the_deployment(cloud: Cloud, owner: Caller, version: str) -> None:
    """The operation says which variable and which secret."""
    allow(cloud)

    error = owner.deploy("hello", with_env(version))["error"]

    assert error["code"] == 9
    assert "containers[0].env[0].value_from.secret_key_ref.name" in error["message"]
    assert f"secrets/password/versions/{version} was not found" in error["message"]


def test_refused_secret_fails_the_deployment(secret: Cloud, owner: Caller) -> None:
    """Without the accessor role the operation ends in Google's words and names the account."""
    secret.iam.forget(f"//secretmanager.googleapis.com/{SECRET}")

    error = owner.deploy("hello", with_env("1"))["error"]

    assert (
        "Permission denied on secret: projects/123456789012/secrets/password/versions/1"
        in (error["message"])
    )
    assert f"for Revision service account {ACCOUNT}" in error["message"]
    made = owner("GET", f"{PARENT}/services/hello").json()
    assert made["terminalCondition"]["reason"] == "SECRETS_ACCESS_CHECK_FAILED"


def test_refused_deployment_succeeds_once_the_role_is_there(secret: Cloud, owner: Caller) -> None:
    """After the binding, forcing a new revision of the same template is enough."""
    secret.iam.forget(f"//secretmanager.googleapis.com/{SECRET}")
    owner.deploy("hello", with_env("1"))
    allow(secret)
    path = f"{PARENT}/services/hello"

    same = owner.done(owner("PATCH", path, with_env("1")))
    forced = owner.done(owner("PATCH", f"{path}?forceNewRevision=true", with_env("1")))

    assert "error" in same
    assert forced["response"]["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"


def test_scratch_space_is_writable(cloud: Cloud, owner: Caller) -> None:
    """An emptyDir can be written to and is gone with its instance."""
    body = with_volume({"emptyDir": {"sizeLimit": "10Mi"}}, "/scratch")
    body["template"]["containers"][0]["command"] = ["sh", "-c"]
    start = "echo mine > /scratch/file; exec python3 -S /app/serve.py"
    body["template"]["containers"][0]["args"] = [start]

    owner.deploy("hello", body)

    assert read(cloud, "/scratch/file").endswith("mine\n")


def test_image_is_readonly(cloud: Cloud, owner: Caller) -> None:
    """A program cannot change the image that the next instance starts from."""
    body = {**service(), "invokerIamDisabled": True}
    body["template"]["containers"][0]["command"] = ["sh", "-c"]
    start = "touch /app/new 2> /tmp/said; exec python3 -S /app/serve.py"
    body["template"]["containers"][0]["args"] = [start]

    owner.deploy("hello", body)

    assert "Read-only file system" in read(cloud, "/tmp/said")  # noqa: S108 - inside the box


class TestCloudSql:
    """The socket of an instance appears only for accounts that may connect."""

    @pytest.fixture
    def pool(self, cloud: Cloud) -> Cloud:
        """Return a cloud with an instance whose socket is a plain file."""
        name = "projects/berth-local/instances/pool"
        cloud.store.of("sqladmin").put(name, {"name": "pool", "databaseVersion": "POSTGRES_18"})
        folder = cloud.state / "sockets"
        folder.mkdir()
        (folder / ".s.PGSQL.5432").write_text("")
        cloud.machines.databases = Sockets(folder)
        return cloud

    def body(self) -> dict[str, Any]:
        """Return a service with the instance mounted."""
        return with_volume({"cloudSqlInstance": {"instances": [SQL]}}, "/cloudsql")

    def test_client_sees_the_socket(self, pool: Cloud, owner: Caller) -> None:
        """With cloudsql.client the socket is at its documented path."""
        pool.grant(f"serviceAccount:{ACCOUNT}", "roles/cloudsql.client")

        owner.deploy("hello", self.body())

        assert read(pool, f"/cloudsql/{SQL}").endswith("['.s.PGSQL.5432']")

    def test_mysql_has_its_socket_there(self, pool: Cloud, owner: Caller) -> None:
        """A MySQL client is given /cloudsql/P:R:I itself, also after the server made a new one."""
        pool.grant(f"serviceAccount:{ACCOUNT}", "roles/cloudsql.client")
        name = "projects/berth-local/instances/pool"
        pool.store.of("sqladmin").put(name, {"name": "pool", "databaseVersion": "MYSQL_8_4"})
        socket = pool.state / "sockets" / "mysqld.sock"
        socket.write_text("first")

        owner.deploy("hello", self.body())

        assert read(pool, f"/cloudsql/{SQL}").endswith("first")
        socket.unlink()
        socket.write_text("second")
        assert read(pool, f"/cloudsql/{SQL}").endswith("second")

    def test_others_see_nothing(self, pool: Cloud, owner: Caller) -> None:
        """Without the role the container starts, finds no socket, and the log says why."""
        owner.deploy("hello", self.body())

        assert read(pool, f"/cloudsql/{SQL}").endswith("[]")

    def test_disabled_api_shows_nothing(self, pool: Cloud, owner: Caller) -> None:
        """With the Cloud SQL Admin API off, nobody connects, whatever his role."""
        pool.grant(f"serviceAccount:{ACCOUNT}", "roles/cloudsql.client")
        pool.disable("sqladmin.googleapis.com")

        owner.deploy("hello", self.body())

        assert read(pool, f"/cloudsql/{SQL}").endswith("[]")

    def test_unknown_instance_has_no_socket(self, cloud: Cloud, owner: Caller) -> None:
        """A connection name of nothing mounts an empty directory, as on Google's side."""
        owner.deploy("hello", self.body())

        assert read(cloud, f"/cloudsql/{SQL}").endswith("[]")


class Sockets:
    """A stand-in for the database servers: one directory with a socket's name in it."""

    def __init__(self, folder: Any) -> None:
        self.folder = folder

    def socket_directory(self, instance: str) -> Any:
        """Return the directory, whatever the instance."""
        assert instance == SQL
        return self.folder

    def socket(self, instance: str) -> Any:
        """Return the socket of a MySQL server."""
        return self.socket_directory(instance) / "mysqld.sock"
