"""Passwords and database users, on a real PostgreSQL that two deployments share."""

from __future__ import annotations

import base64
import json
import string
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from functions.secrets import passwords
from localcloud.cloud import Cloud
from localcloud.services import secretmanager, sqladmin, storage
from tests.functions.berth import OWNER, Berth
from tests.functions.overheard import Overheard

if TYPE_CHECKING:
    from collections.abc import Iterator

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-credentials")

POOL = "berth-pool-1"
NAMES = ("one", "two", "three")


@pytest.fixture(scope="module")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The credentials function, a pool, and the secrets and databases of some deployments."""
    folder = tmp_path_factory.mktemp("berth")
    cloud = Cloud(folder / "state", only=[storage.SERVICE, secretmanager.SERVICE, sqladmin.SERVICE])
    with cloud.serve():
        made = Berth(cloud, folder)
        made.found(cloud.project)
        _pool(made)
        for name in NAMES:
            made.wish(name, access={"mode": "basic_auth"})
            for purpose in ("db-password", "admin-password", "flask-secret"):
                _secret(made, f"mlflow-{name}-{purpose}")
            _sql(made, f"/instances/{POOL}/databases", {"name": name})
        made.start("credentials")
        yield made
        made.stop()
    cloud.close()


@pytest.fixture(autouse=True)
def every_fault_happens(berth: Berth) -> Iterator[None]:
    """A planned fault that never happened fails the test."""
    yield
    assert berth.cloud.unused_faults() == {}


def _sql(berth: Berth, path: str, body: Any) -> None:
    sql = f"https://sqladmin.googleapis.com/v1/projects/{berth.cloud.project}"
    operation = json.loads(berth.google("POST", sql + path, body).body)
    while operation["status"] != "DONE":
        operation = json.loads(berth.google("GET", f"{sql}/operations/{operation['name']}").body)
    assert "error" not in operation, operation


def _pool(berth: Berth) -> None:
    settings = {
        "tier": "db-custom-1-3840",
        "edition": "ENTERPRISE",
        "dataApiAccess": "ALLOW_DATA_API",
        "databaseFlags": [{"name": "cloudsql.iam_authentication", "value": "on"}],
    }
    body = {"name": POOL, "region": "europe-west1", "databaseVersion": "POSTGRES_18"}
    _sql(berth, "/instances", {**body, "settings": settings})
    user = {"name": OWNER, "type": "CLOUD_IAM_USER", "databaseRoles": ["cloudsqlsuperuser"]}
    _sql(berth, f"/instances/{POOL}/users", user)


def _secret(berth: Berth, name: str) -> None:
    secrets = f"https://secretmanager.googleapis.com/v1/projects/{berth.cloud.project}/secrets"
    replication = {"userManaged": {"replicas": [{"location": "europe-west1"}]}}
    berth.google("POST", f"{secrets}?secretId={name}", {"replication": replication})


def value(berth: Berth, secret: str, version: str = "latest") -> str:
    """Return what a secret holds."""
    project = f"https://secretmanager.googleapis.com/v1/projects/{berth.cloud.project}"
    answer = berth.google("GET", f"{project}/secrets/{secret}/versions/{version}:access")
    return base64.b64decode(json.loads(answer.body)["payload"]["data"]).decode()


def ask(berth: Berth, name: str, credential: str) -> Any:
    """Ask for a credential as the workflow does."""
    body = {"deployment": name, "generation": 1, "credential": credential}
    return berth.helper("credentials", body)


def connect(berth: Berth, user: str, database: str) -> psycopg.Connection[Any]:
    """Log in as a deployment's server would."""
    directory = berth.cloud.machines.databases.socket_directory(
        f"{berth.cloud.project}:europe-west1:{POOL}"
    )
    password = value(berth, f"mlflow-{user}-db-password")
    return psycopg.connect(
        host=str(directory), user=user, password=password, dbname=database, autocommit=True
    )


def test_a_password_has_all_four_classes() -> None:
    """A password policy may demand each of them, and at least 32 characters."""
    made = [passwords.generate() for _ in range(200)]

    assert len(set(made)) == 200
    for password in made:
        assert len(password) >= 32
        for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits):
            assert set(password) & set(kind)
        assert set(password) - set(string.ascii_letters + string.digits)


@pytest.mark.parametrize(
    ("credential", "purpose"),
    [
        ("db_password", "db-password"),
        ("admin_password", "admin-password"),
        ("flask_secret", "flask-secret"),
    ],
)
def test_a_repeat_makes_no_second_version(berth: Berth, credential: str, purpose: str) -> None:
    """Only the name of the one version comes back, however often it is asked for."""
    answers = [ask(berth, "one", credential) for _ in range(3)]

    name = f"projects/{berth.cloud.number}/secrets/mlflow-one-{purpose}/versions/1"
    assert [answer.json() for answer in answers] == [{"name": name}] * 3
    assert len(value(berth, f"mlflow-one-{purpose}")) >= 32


def test_a_lost_reply_makes_no_second_version(berth: Berth) -> None:
    """The version is there, nobody was told; the repeat finds it."""
    before = berth.cloud.calls.count("secretmanager.projects.secrets.addVersion")
    berth.cloud.lose_reply("secretmanager.projects.secrets.addVersion")

    lost = ask(berth, "three", "admin_password")
    again = ask(berth, "three", "admin_password")

    assert lost.status_code == 503
    assert again.json()["name"].endswith("/versions/1")
    assert berth.cloud.calls.count("secretmanager.projects.secrets.addVersion") == before + 1


def test_the_user_can_work_in_its_database(berth: Berth) -> None:
    """The password in Secret Manager opens it, and tables and schemas can be made."""
    answer = ask(berth, "one", "db_user")

    assert answer.status_code == 200, answer.text
    with connect(berth, "one", "one") as connection:
        connection.execute("CREATE TABLE runs (id int)")
        connection.execute("CREATE SCHEMA mlflow_auth")
        row = connection.execute(
            "SELECT datconnlimit, pg_has_role('one', 'berth_tenant', 'member'), "
            "pg_has_role('one', 'cloudsqlsuperuser', 'member') "
            "FROM pg_database WHERE datname = 'one'"
        ).fetchone()
    assert row is not None
    assert row[0] > 0
    assert row[1:] == (True, False)


def test_a_repeat_sets_the_same_password(berth: Berth) -> None:
    """A server that runs must not be locked out by a repeated step."""
    before = ask(berth, "one", "db_user").json()
    password = value(berth, "mlflow-one-db-password")

    after = ask(berth, "one", "db_user").json()

    assert before == after
    assert value(berth, "mlflow-one-db-password") == password
    connect(berth, "one", "one").close()


def test_a_user_that_was_a_superuser_is_none_any_more(berth: Berth) -> None:
    """Cloud SQL makes users superusers unless told otherwise, and then every neighbour is open."""
    _sql(berth, f"/instances/{POOL}/users", {"name": "three", "password": passwords.generate()})

    assert ask(berth, "three", "db_user").status_code == 200

    with connect(berth, "three", "three") as connection:
        row = connection.execute(
            "SELECT pg_has_role('three', 'cloudsqlsuperuser', 'member')"
        ).fetchone()
    assert row == (False,)


def test_a_neighbour_is_kept_out(berth: Berth) -> None:
    """On a shared instance each deployment reaches its own database and no other."""
    for name in ("one", "two"):
        assert ask(berth, name, "db_user").status_code == 200

    connect(berth, "two", "two").close()
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(berth, "two", "one")


def test_a_busy_instance_is_tried_again(berth: Berth) -> None:
    """One operation at a time: what is refused is sent once more."""
    berth.cloud.fail("sql.users.update", 409, reason="operationInProgress", times=2)

    assert ask(berth, "two", "db_user").status_code == 200


def test_a_failed_operation_is_not_taken_for_success(berth: Berth) -> None:
    """The poll answers 200; the failure is inside."""
    berth.cloud.fail_operation("sql.users.update", "INTERNAL", "the disk is on fire")

    answer = ask(berth, "two", "db_user")

    assert answer.status_code == 502
    assert "the disk is on fire" in answer.json()["detail"]


def test_what_the_database_refuses_is_not_taken_for_success(berth: Berth) -> None:
    """Its refusal comes with HTTP 200."""
    berth.wish("nodb")
    _secret(berth, "mlflow-nodb-db-password")

    answer = ask(berth, "nodb", "db_user")

    assert answer.status_code == 502
    assert "nodb" in answer.json()["detail"]


def test_googles_refusal_is_passed_on_in_its_words(berth: Berth) -> None:
    """403 may be a right that is still spreading; the workflow's patience goes by NOT_YET."""
    berth.cloud.fail("secretmanager.projects.secrets.versions.access", 403, message="not allowed")

    answer = ask(berth, "two", "db_password")

    assert answer.status_code == 502
    assert "NOT_YET" in answer.json()["detail"]
    assert "not allowed" in answer.json()["detail"]


def test_an_error_that_quotes_the_password_is_cleaned(berth: Berth) -> None:
    """Answers end up in executions, which many may read."""
    assert ask(berth, "two", "db_password").status_code == 200
    password = value(berth, "mlflow-two-db-password")
    berth.cloud.fail("sql.users.update", 400, message=f"Invalid value: {password}")

    answer = ask(berth, "two", "db_user")

    assert answer.status_code == 502
    assert "Invalid value: (password)" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"credential": "root_password"}, 400),
        ({"credential": None}, 400),
        ({"deployment": "nobody"}, 404),
        ({"generation": 2}, 409),
    ],
)
def test_a_wrong_call_makes_nothing(berth: Berth, change: dict[str, Any], status: int) -> None:
    """What is not asked for by the current generation is not made."""
    body = {"deployment": "one", "generation": 1, "credential": "db_password", **change}

    assert berth.helper("credentials", body).status_code == status


def test_every_body_is_what_google_s_document_says(berth: Berth) -> None:
    """The plan's bodies are judged before they are sent; these are made here, and nowhere else."""
    overheard = berth.cloud.pipeline = Overheard(berth.cloud)
    berth.wish("four")
    _secret(berth, "mlflow-four-db-password")
    _sql(berth, f"/instances/{POOL}/databases", {"name": "four"})

    assert ask(berth, "four", "db_user").status_code == 200

    assert overheard.judged() >= {
        "secretmanager.projects.secrets.addVersion",
        "sql.users.update",
        "sql.instances.executeSql",
    }
    (payload,) = (body["payload"] for body in overheard.bodies(":addVersion"))
    assert payload.keys() == {"data", "dataCrc32c"}


def test_no_password_is_in_any_answer_or_log(berth: Berth) -> None:
    """They are in Secret Manager and in the process that uses them, and nowhere else."""
    answers = "".join(
        ask(berth, "one", credential).text for credential in ("db_user", "admin_password")
    )
    log = (berth.logs / "credentials.log").read_text()

    for purpose in ("db-password", "admin-password"):
        hidden = value(berth, f"mlflow-one-{purpose}")
        assert hidden not in answers
        assert hidden not in log
