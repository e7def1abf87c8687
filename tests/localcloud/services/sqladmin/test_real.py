"""Cloud SQL with real servers: what the API makes can be used, and survives the local cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from googleapiclient.errors import HttpError

from localcloud.cloud import Cloud
from tests.localcloud.patience import eventually
from tests.localcloud.wire import client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("sqladmin-real")  # one server for all of them

P = "berth-local"
CONNECTION = f"{P}:europe-west1:pool"
ACCOUNT = f"credentials@{P}.iam.gserviceaccount.com"
BODY = {
    "name": "pool",
    "region": "europe-west1",
    "databaseVersion": "POSTGRES_18",
    "rootPassword": "root password",
    "settings": {
        "tier": "db-g1-small",
        "edition": "ENTERPRISE",
        "dataApiAccess": "ALLOW_DATA_API",
        "databaseFlags": [
            {"name": "cloudsql.iam_authentication", "value": "on"},
            {"name": "log_min_duration_statement", "value": "250"},
        ],
    },
}


class Sql:
    """The API as one identity, every operation waited for."""

    def __init__(self, cloud: Cloud, email: str = "owner@example.com") -> None:
        """Build the client."""
        self.cloud = cloud
        self.api = client(cloud, "sqladmin", "v1", email)

    def done(self, call: Any) -> dict[str, Any]:
        """Wait for the operation of a call and return it."""
        operation = call.execute()

        def ended() -> Any:
            found = self.api.operations().get(project=P, operation=operation["name"]).execute()
            return found if found["status"] == "DONE" else None

        return dict(eventually(ended))

    def run(self, sql: str, database: str = "postgres", instance: str = "pool") -> dict[str, Any]:
        """Execute SQL over the API as the caller's IAM user."""
        body = {"database": database, "sqlStatement": sql, "autoIamAuthn": True}
        found: dict[str, Any] = (
            self.api.instances().executeSql(project=P, instance=instance, body=body).execute()
        )
        return found


def connect(
    cloud: Cloud, dbname: str, user: str, password: str, instance: str = "pool"
) -> psycopg.Connection[Any]:
    """Connect as Cloud Run's containers do: through the socket's directory."""
    name = f"{P}:europe-west1:{instance}"
    place = str(cloud.machines.databases.socket_directory(name))
    return psycopg.connect(host=place, autocommit=True, dbname=dbname, user=user, password=password)


def let_tenants_in(cloud: Cloud) -> None:
    """Make databases and users isolated over executeSql: exactly the calls Berth makes."""
    sql, users = Sql(cloud), Sql(cloud).api.users()
    iam = {
        "name": ACCOUNT.removesuffix(".gserviceaccount.com"),
        "type": "CLOUD_IAM_SERVICE_ACCOUNT",
        "databaseRoles": ["cloudsqlsuperuser"],
    }
    assert "error" not in sql.done(users.insert(project=P, instance="pool", body=iam))
    cloud.grant(f"serviceAccount:{ACCOUNT}", "roles/cloudsql.studioUser")
    credentials = Sql(cloud, ACCOUNT)
    role = credentials.run("SET ROLE cloudsqlsuperuser; CREATE ROLE berth_tenant NOLOGIN")
    assert "status" not in role
    for name in ("ant", "bee"):
        body = {"name": name, "charset": "UTF8", "collation": "en_US.UTF8"}
        sql.done(sql.api.databases().insert(project=P, instance="pool", body=body))
        put = users.update(
            project=P,
            instance="pool",
            name=name,
            databaseRoles=["berth_tenant"],
            revokeExistingRoles=True,
            body={"password": f"secret of {name}"},
        )
        assert "error" not in sql.done(put)
        statements = (
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC; "
            f"GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {name} TO {name}; "
            f"GRANT ALL ON SCHEMA public TO {name}; ALTER DATABASE {name} CONNECTION LIMIT 5"
        )
        answer = credentials.run(statements, database=name)
        assert "status" not in answer
        assert [one["message"] for one in answer["results"]] == [
            *("REVOKE", "GRANT", "GRANT", "ALTER DATABASE")
        ]
    with connect(cloud, "ant", "ant", "secret of ant") as own:
        own.execute("CREATE TABLE t AS SELECT 1 AS a")


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that both lives of the cloud share."""
    return tmp_path_factory.mktemp("cloud")


@pytest.fixture(scope="module")
def cloud(state: Path) -> Iterator[Cloud]:
    """Return a cloud on the real clock with a running instance."""
    made = Cloud(state)
    made.enable("sqladmin.googleapis.com", "iam.googleapis.com")
    accounts = client(made, "iam", "v1").projects().serviceAccounts()
    accounts.create(name=f"projects/{P}", body={"accountId": "credentials"}).execute()
    sql = Sql(made)
    assert "error" not in sql.done(sql.api.instances().insert(project=P, body=BODY))
    let_tenants_in(made)
    yield made
    made.machines.databases.delete(CONNECTION)
    made.close()


def test_a_tenants_way_to_a_closed_database(cloud: Cloud) -> None:
    """Each tenant has its own database and no way into the other's."""
    with connect(cloud, "ant", "ant", "secret of ant") as own:
        assert own.execute("SELECT a FROM t").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            own.execute("CREATE ROLE sneaky")
    for database, password in (("bee", "secret of ant"), ("ant", "secret of bee")):
        with pytest.raises(psycopg.OperationalError):
            connect(cloud, database, "ant", password)


def test_an_sql_error_is_part_of_the_answer(cloud: Cloud) -> None:
    """The API answers 200 and says under status what PostgreSQL refused."""
    answer = Sql(cloud, ACCOUNT).run("SELECT * FROM nowhere")
    assert answer["status"]["code"] == 3
    assert 'relation "nowhere" does not exist (SQLSTATE 42P01)' in answer["status"]["message"]


def test_rows_come_back_as_text(cloud: Cloud) -> None:
    """Values are strings, NULL is marked."""
    answer = Sql(cloud, ACCOUNT).run("SELECT 1 AS a, NULL AS b, session_user AS c")
    result = answer["results"][0]
    assert [column["name"] for column in result["columns"]] == ["a", "b", "c"]
    login = ACCOUNT.removesuffix(".gserviceaccount.com")
    assert result["rows"] == [{"values": [{"value": "1"}, {"nullValue": True}, {"value": login}]}]


def test_flags_and_tier_reach_the_server(cloud: Cloud) -> None:
    """The smallest tiers allow few connections, as on Google."""
    for name, value in (("max_connections", "50"), ("log_min_duration_statement", "250ms")):
        rows = Sql(cloud, ACCOUNT).run(f"SHOW {name}")["results"][0]["rows"]
        assert rows[0]["values"][0]["value"] == value


def test_a_user_who_owns_something_is_not_deleted(cloud: Cloud) -> None:
    """The database must go first; then the user can."""
    sql = Sql(cloud)
    delete = sql.api.users().delete(project=P, instance="pool", name="bee")
    with pytest.raises(HttpError, match="cannot be dropped because some objects depend on it"):
        delete.execute()
    sql.done(sql.api.databases().delete(project=P, instance="pool", database="bee"))
    assert "error" not in sql.done(delete)


def test_a_database_in_use_is_not_deleted(cloud: Cloud) -> None:
    """After PostgreSQL's five seconds it is a 400, and nothing has happened."""
    sql = Sql(cloud)
    delete = sql.api.databases().delete(project=P, instance="pool", database="ant")
    with (
        connect(cloud, "ant", "ant", "secret of ant"),
        pytest.raises(HttpError, match="is being accessed by other users"),
    ):
        delete.execute()
    with connect(cloud, "ant", "ant", "secret of ant") as own:
        assert own.execute("SELECT a FROM t").fetchone() == (1,)


def test_a_stopped_instance_is_really_stopped(cloud: Cloud) -> None:
    """NEVER ends the server, ALWAYS brings it back with its data."""
    sql = Sql(cloud)
    for policy in ("NEVER", "ALWAYS"):
        body = {"settings": {"activationPolicy": policy}}
        sql.done(sql.api.instances().patch(project=P, instance="pool", body=body))
        if policy == "NEVER":
            with pytest.raises(psycopg.OperationalError):
                connect(cloud, "ant", "ant", "secret of ant")
    with connect(cloud, "ant", "ant", "secret of ant") as own:
        assert own.execute("SELECT a FROM t").fetchone() == (1,)


def test_a_backup_holds_the_data(cloud: Cloud, state: Path) -> None:
    """A backup run is a dump of each database."""
    sql = Sql(cloud)
    operation = sql.done(sql.api.backupRuns().insert(project=P, instance="pool", body={}))
    folder = state / "backups" / operation["backupContext"]["backupId"]
    assert {file.name for file in folder.iterdir()} >= {"postgres.dump", "ant.dump"}


def test_a_restore_brings_everything_back(cloud: Cloud) -> None:
    """Rows, passwords and IAM users are those of the backup; what came later is gone."""
    sql = Sql(cloud)
    operation = sql.done(sql.api.backupRuns().insert(project=P, instance="pool", body={}))
    with connect(cloud, "ant", "ant", "secret of ant") as own:
        own.execute("DROP TABLE t")
        own.execute("CREATE TABLE later AS SELECT 2 AS b")
    sql.done(
        sql.api.users().update(project=P, instance="pool", name="ant", body={"password": "new"})
    )
    sql.done(sql.api.databases().insert(project=P, instance="pool", body={"name": "late"}))

    context = {"backupRunId": operation["backupContext"]["backupId"]}
    sent = {"restoreBackupContext": context}
    done = sql.done(sql.api.instances().restoreBackup(project=P, instance="pool", body=sent))

    assert "error" not in done
    with connect(cloud, "ant", "ant", "secret of ant") as own:
        assert own.execute("SELECT a FROM t").fetchone() == (1,)
        with pytest.raises(psycopg.errors.UndefinedTable):
            own.execute("SELECT b FROM later")
    databases = sql.api.databases().list(project=P, instance="pool").execute()["items"]
    assert "late" not in [one["name"] for one in databases]
    assert "status" not in Sql(cloud, ACCOUNT).run("SELECT 1")


def test_a_clone_has_the_data_and_goes_its_own_way(cloud: Cloud) -> None:
    """Passwords are good in both, IAM users too, and rows of one are not the other's."""
    sql = Sql(cloud)
    sent = {"cloneContext": {"destinationInstanceName": "twin"}}
    try:
        assert "error" not in sql.done(
            sql.api.instances().clone(project=P, instance="pool", body=sent)
        )
        with connect(cloud, "ant", "ant", "secret of ant", "twin") as own:
            assert own.execute("SELECT a FROM t").fetchone() == (1,)
            own.execute("INSERT INTO t VALUES (2)")
        with connect(cloud, "ant", "ant", "secret of ant") as own:
            assert own.execute("SELECT count(*) FROM t").fetchone() == (1,)
        assert "status" not in Sql(cloud, ACCOUNT).run("SELECT 1", instance="twin")
    finally:
        sql.done(sql.api.instances().delete(project=P, instance="twin"))


def test_everything_survives_a_restart_of_the_local_cloud(cloud: Cloud, state: Path) -> None:
    """The next life starts the servers that ran, with the same users and rows."""
    cloud.machines.databases.close()
    with pytest.raises(psycopg.OperationalError):
        connect(cloud, "ant", "ant", "secret of ant")
    again = Cloud(state)
    again.start()
    try:
        with connect(again, "ant", "ant", "secret of ant") as own:
            assert own.execute("SELECT a FROM t").fetchone() == (1,)
        with connect(again, "postgres", "postgres", "root password") as root:
            assert root.execute("SELECT 1").fetchone() == (1,)
        assert "status" not in Sql(again, ACCOUNT).run("SELECT 1")
        found = Sql(again).api.instances().get(project=P, instance="pool").execute()
        assert found["state"] == "RUNNABLE"
        assert "rootPassword" not in str(again.store.of("sqladmin").under(""))
    finally:
        again.machines.databases.delete(CONNECTION)
        again.close()
