"""Cloud SQL for MySQL with a real MariaDB: what the API makes can be used, and survives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from localcloud.cloud import Cloud
from localcloud.machines.databases.mysql_programs import Programs
from tests.localcloud.services.sqladmin.test_real import ACCOUNT, P, Sql
from tests.localcloud.wire import client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MISSING = Programs().refusal("MYSQL_8_4")
pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=MISSING or ""),
    pytest.mark.xdist_group("sqladmin-mysql-real"),
]

NAME = "shop"
CONNECTION = f"{P}:europe-west1:{NAME}"
BODY = {
    "name": NAME,
    "region": "europe-west1",
    "databaseVersion": "MYSQL_8_4",
    "rootPassword": "root password",
    "settings": {
        "tier": "db-f1-micro",
        "edition": "ENTERPRISE",
        "dataApiAccess": "ALLOW_DATA_API",
        "databaseFlags": [
            {"name": "cloudsql_iam_authentication", "value": "on"},
            {"name": "wait_timeout", "value": "1234"},
        ],
    },
}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that both lives of the cloud share."""
    return tmp_path_factory.mktemp("cloud")


@pytest.fixture(scope="module")
def cloud(state: Path) -> Iterator[Cloud]:
    """Return a cloud on the real clock with a running instance, a database and two users."""
    made = Cloud(state)
    made.enable("sqladmin.googleapis.com", "iam.googleapis.com")
    accounts = client(made, "iam", "v1").projects().serviceAccounts()
    accounts.create(name=f"projects/{P}", body={"accountId": "credentials"}).execute()
    made.grant(f"serviceAccount:{ACCOUNT}", "roles/cloudsql.studioUser")
    sql = Sql(made)
    users = sql.api.users()
    for call in (
        sql.api.instances().insert(project=P, body=BODY),
        sql.api.databases().insert(project=P, instance=NAME, body={"name": "mlflow"}),
        users.update(project=P, instance=NAME, name="app", host="%", body={"password": "secret"}),
        users.insert(
            project=P,
            instance=NAME,
            body={"name": ACCOUNT, "type": "CLOUD_IAM_SERVICE_ACCOUNT", "databaseRoles": []},
        ),
    ):
        assert "error" not in sql.done(call)
    yield made
    made.machines.databases.delete(CONNECTION)
    made.close()


def ask(cloud: Cloud, sql: str, *login: str) -> Any:
    """Log in as Cloud Run's containers do, through the socket, and return the first row."""
    place = str(cloud.machines.databases.socket(CONNECTION))
    user, password = login or ("app", "secret")
    with (
        pymysql.connect(unix_socket=place, user=user, password=password, autocommit=True) as own,
        own.cursor() as cursor,
    ):
        cursor.execute(sql)
        return cursor.fetchone()


def execute(cloud: Cloud, email: str, **body: Any) -> dict[str, Any]:
    """Call executeSql as one identity."""
    found: dict[str, Any] = (
        client(cloud, "sqladmin", "v1", email)
        .instances()
        .executeSql(project=P, instance=NAME, body={"autoIamAuthn": True, **body})
        .execute()
    )
    return found


def test_password_users_log_in_with_what_was_asked_for(cloud: Cloud) -> None:
    """Tier, flags, character set and rights are as the API was told."""
    assert ask(cloud, "SELECT @@max_connections, @@global.wait_timeout") == (250, 1234)
    assert ask(cloud, "SELECT 1", "root", "root password") == (1,)
    made = ask(cloud, "SHOW CREATE DATABASE mlflow")
    assert "CHARACTER SET utf8mb4" in made[1]
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        ask(cloud, "SELECT 1", "root", "")


def test_users_made_by_sql_are_users_of_the_api(cloud: Cloud) -> None:
    """Whoever exists in the server is listed, and can be given a password and dropped."""
    ask(cloud, "CREATE USER 'guest'@'%' IDENTIFIED BY 'old'")
    sql = Sql(cloud)
    users = sql.api.users()
    names = {one["name"] for one in users.list(project=P, instance=NAME).execute()["items"]}
    assert names == {"app", "credentials", "guest", "root"}
    who = {"project": P, "instance": NAME, "name": "guest", "host": "%"}
    sql.done(users.update(**who, body={"password": "new"}))
    assert ask(cloud, "SELECT 1", "guest", "new") == (1,)
    with pytest.raises(pymysql.OperationalError, match="denied"):
        ask(cloud, "SELECT 1 FROM mysql.user", "guest", "new")
    sql.done(users.delete(**who))
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        ask(cloud, "SELECT 1", "guest", "new")


def test_execute_sql_as_the_callers_own_user(cloud: Cloud) -> None:
    """The IAM user has the rights he was given, no more, and errors are part of the answer."""
    ask(cloud, "CREATE TABLE mlflow.t AS SELECT 42 AS n")
    denied = execute(cloud, ACCOUNT, sqlStatement="SELECT n FROM mlflow.t")
    assert denied["status"]["message"].startswith("Error 1142: SELECT command denied to user")
    ask(cloud, "GRANT SELECT ON mlflow.* TO credentials")
    found = execute(
        cloud, ACCOUNT, database="mlflow", sqlStatement="SELECT CURRENT_USER(), n FROM t"
    )
    assert found["results"][0]["rows"][0]["values"] == [{"value": "credentials@%"}, {"value": "42"}]
    assert [one["type"] for one in found["results"][0]["columns"]] == ["VARCHAR", "INT"]


def test_a_backup_is_restored(cloud: Cloud) -> None:
    """What was there at the time of the backup is there again, with users and passwords."""
    sql = Sql(cloud)
    ask(cloud, "CREATE TABLE mlflow.kept AS SELECT 1 AS n")
    operation = sql.done(sql.api.backupRuns().insert(project=P, instance=NAME, body={}))
    ask(cloud, "DROP TABLE mlflow.kept")
    who = {"project": P, "instance": NAME, "name": "app", "host": "%"}
    sql.done(sql.api.users().update(**who, body={"password": "changed"}))

    context = {"backupRunId": operation["backupContext"]["backupId"], "instanceId": NAME}
    body = {"restoreBackupContext": context}
    done = sql.done(sql.api.instances().restoreBackup(project=P, instance=NAME, body=body))

    assert "error" not in done
    assert ask(cloud, "SELECT n FROM mlflow.kept") == (1,)
    assert "status" not in execute(cloud, ACCOUNT, sqlStatement="SELECT 1")


def test_a_database_in_use_is_deleted_all_the_same(cloud: Cloud) -> None:
    """MySQL asks nobody; the databases of the system stay."""
    sql = Sql(cloud)
    databases = sql.api.databases()
    sql.done(databases.insert(project=P, instance=NAME, body={"name": "brief"}))
    place = str(cloud.machines.databases.socket(CONNECTION))
    with pymysql.connect(unix_socket=place, user="app", password="secret", database="brief"):
        done = sql.done(databases.delete(project=P, instance=NAME, database="brief"))
    assert "error" not in done
    names = {one["name"] for one in databases.list(project=P, instance=NAME).execute()["items"]}
    assert names >= {"information_schema", "mlflow", "mysql"}
    assert "brief" not in names


def test_everything_survives_a_restart_of_the_local_cloud(cloud: Cloud, state: Path) -> None:
    """The next life starts the server that ran, with the same users and rows."""
    ask(cloud, "CREATE TABLE mlflow.firm AS SELECT 7 AS n")
    cloud.machines.databases.close()
    assert not cloud.machines.databases.socket(CONNECTION).exists()
    again = Cloud(state)
    again.start()
    try:
        assert ask(again, "SELECT n FROM mlflow.firm") == (7,)
        assert "status" not in execute(again, ACCOUNT, sqlStatement="SELECT 1")
    finally:
        again.machines.databases.delete(CONNECTION)
        again.close()
