"""Cloud SQL's machine: real PostgreSQL servers, their users and what they refuse."""

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from localcloud.machines.databases.contract import SUPERUSER_ROLE, DatabaseError, Login, Statement
from localcloud.machines.databases.postgres import PostgresDatabases

POOL = "berth-local:europe-west1:pool"
OTHER = "berth-local:europe-west1:other"


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state directory that lasts for the file."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def databases(state: Path) -> Iterator[PostgresDatabases]:
    """Run one instance for all tests here."""
    servers = PostgresDatabases(state)
    servers.create(POOL, "POSTGRES_18", options={})
    yield servers
    servers.delete(POOL)
    servers.close()


def run(databases: PostgresDatabases, sql: str, **who: str | None) -> str:
    """Return the last message or the error of a statement."""
    login = {"database": "postgres", "user": "admin@p.iam", **who}
    outcome = databases.execute(POOL, Statement(sql=sql, **login))  # type: ignore[arg-type]
    return str(outcome.error) if outcome.error else outcome.results[-1].message


def test_versions_without_binaries_are_refused_by_name(databases: PostgresDatabases) -> None:
    """The refusal names what is wanted and what there is."""
    assert databases.refusal("POSTGRES_18") is None
    for version in ("POSTGRES_9_6", "MYSQL_8_4"):
        refusal = databases.refusal(version)
        assert refusal is not None
        assert version in refusal
        assert "POSTGRES_18" in refusal


def test_the_exact_version_is_known(databases: PostgresDatabases) -> None:
    """DatabaseInstalledVersion comes from the binary."""
    assert databases.installed_version("POSTGRES_18").startswith("POSTGRES_18_")


def test_only_a_password_opens_the_socket(databases: PostgresDatabases) -> None:
    """Being on the machine is no right: the socket wants the user's password."""
    databases.set_user(POOL, Login("reader", password="it's \\ odd"))
    place = str(databases.socket_directory(POOL))
    assert len(f"{place}/.s.PGSQL.5432") <= 107

    with psycopg.connect(host=place, user="reader", password="it's \\ odd", dbname="postgres") as c:
        assert c.execute("SELECT session_user").fetchone() == ("reader",)
    for password in ("wrong", ""):
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(host=place, user="reader", password=password, dbname="postgres")


def test_nothing_listens_on_a_port(databases: PostgresDatabases) -> None:
    """The unix socket is the only way in."""
    databases.set_user(POOL, Login("admin@p.iam", iam=True, roles=(SUPERUSER_ROLE,)))
    outcome = databases.execute(POOL, Statement("postgres", "SHOW listen_addresses", "admin@p.iam"))
    assert outcome.results[0].rows == (("",),)


def test_cloudsqlsuperuser_is_no_superuser(databases: PostgresDatabases) -> None:
    """Its members may do much, but not read the server's files or become cloudsqladmin."""
    databases.set_user(POOL, Login("admin@p.iam", iam=True, roles=(SUPERUSER_ROLE,)))
    assert "permission denied" in run(databases, "SELECT pg_read_file('/etc/passwd')")
    assert "permission denied" in run(
        databases, "SET ROLE cloudsqlsuperuser; SELECT pg_read_file('/etc/passwd')"
    )
    assert "permission denied" in run(databases, "SET ROLE cloudsqladmin")
    assert "permission denied" in run(databases, "SET SESSION AUTHORIZATION cloudsqladmin")
    assert "permission denied" in run(databases, "CREATE ROLE mine NOLOGIN")
    assert run(databases, "SET ROLE cloudsqlsuperuser; CREATE ROLE mine NOLOGIN") == "CREATE ROLE"


def test_tenants_of_one_instance_cannot_see_each_other(databases: PostgresDatabases) -> None:
    """After what Berth executes, only the owner connects to his database, and may use it."""
    databases.set_user(POOL, Login("admin@p.iam", iam=True, roles=(SUPERUSER_ROLE,)))
    for name in ("ant", "bee"):
        databases.create_database(POOL, name)
        databases.set_user(POOL, Login(name, password=name))
        for sql in (
            f"REVOKE ALL ON DATABASE {name} FROM PUBLIC",
            f"GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {name} TO {name}",
            f"GRANT ALL ON SCHEMA public TO {name}",
            f"ALTER DATABASE {name} CONNECTION LIMIT 3",
        ):
            assert "denied" not in run(databases, sql, database=name)

    own = run(databases, "CREATE TABLE t (a int)", database="ant", user="ant", password="ant")
    foreign = run(databases, "SELECT 1", database="bee", user="ant", password="ant")

    assert own == "CREATE TABLE"
    assert "permission denied for database" in foreign
    with pytest.raises(DatabaseError, match="cannot be dropped because some objects depend") as no:
        databases.drop_user(POOL, "ant")
    assert "database ant" in no.value.detail
    for name in ("ant", "bee"):
        databases.drop_database(POOL, name)
        databases.drop_user(POOL, name)


def test_a_database_in_use_is_not_dropped(databases: PostgresDatabases) -> None:
    """PostgreSQL waits five seconds for the last connection and then refuses."""
    databases.create_database(POOL, "busy")
    databases.set_user(POOL, Login("busy", password="x"))
    place = str(databases.socket_directory(POOL))
    with (
        psycopg.connect(host=place, user="busy", password="x", dbname="busy"),
        pytest.raises(DatabaseError, match="being accessed by other users"),
    ):
        databases.drop_database(POOL, "busy")
    databases.drop_database(POOL, "busy")
    assert "busy" not in databases.databases(POOL)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda d: d.create_database(POOL, "postgres"), 'database "postgres" already exists'),
        (lambda d: d.drop_database(POOL, "none"), 'database "none" does not exist'),
        (lambda d: d.drop_user(POOL, "none"), 'role "none" does not exist'),
        (lambda d: d.set_user(POOL, Login("x", roles=("none",))), 'role "none" does not exist'),
        (lambda d: d.databases(OTHER), "connection is bad"),
        (lambda d: d.start(OTHER), "there is no server for"),
    ],
)
def test_what_cannot_be_done_is_said_in_the_servers_words(
    databases: PostgresDatabases, call: Callable[[PostgresDatabases], object], words: str
) -> None:
    """PostgreSQL's own sentence is what the API passes on."""
    with pytest.raises(DatabaseError, match=words):
        call(databases)


def test_a_failed_user_change_leaves_nothing(databases: PostgresDatabases) -> None:
    """A user with an impossible role is not half made."""
    with pytest.raises(DatabaseError):
        databases.set_user(POOL, Login("half", password="x", roles=("none",)))
    with pytest.raises(DatabaseError, match="does not exist"):
        databases.drop_user(POOL, "half")


def test_no_password_reaches_the_servers_log(databases: PostgresDatabases, state: Path) -> None:
    """Slow and failing statements are logged with their text, so it must not hold a password."""
    databases.configure(POOL, {"log_statement": "all", "log_min_duration_statement": "0"})
    databases.set_user(POOL, Login("quiet", password="a very secret word"))
    with pytest.raises(DatabaseError):
        databases.set_user(POOL, Login("quiet", password="another secret", roles=("none",)))
    log = next(state.glob("postgres/instances/*/log")).read_text()
    assert 'ALTER ROLE "quiet" PASSWORD' in log
    assert "secret" not in log
    databases.configure(POOL, {})


def test_roles_are_added_or_replaced(databases: PostgresDatabases) -> None:
    """Revoke takes what is not named; without it roles only grow."""
    databases.set_user(POOL, Login("changing", roles=("pg_monitor",)))
    databases.set_user(POOL, Login("changing", roles=(SUPERUSER_ROLE,)))
    assert databases.memberships(POOL, "changing") == [SUPERUSER_ROLE, "pg_monitor"]

    databases.set_user(POOL, Login("changing", roles=("pg_monitor",)), revoke=True)

    assert databases.memberships(POOL, "changing") == ["pg_monitor"]


def test_statements_answer_columns_rows_and_notices(databases: PostgresDatabases) -> None:
    """Several statements are several results, cut at the row limit and saying so."""
    databases.set_user(POOL, Login("admin@p.iam", iam=True, roles=(SUPERUSER_ROLE,)))
    sql = "DO $$ BEGIN RAISE NOTICE 'hello'; END $$; SELECT n, NULL AS none FROM generate_series(1, 3) n"
    outcome = databases.execute(POOL, Statement("postgres", sql, "admin@p.iam", row_limit=2))

    assert outcome.notices[0][0] == "NOTICE"
    assert "hello" in outcome.notices[0][1]
    result = outcome.results[1]
    assert result.columns == (("n", "INT4"), ("none", "TEXT"))
    assert result.rows == (("1", None), ("2", None))
    assert result.truncated


def test_a_failing_statement_undoes_the_ones_before_it(databases: PostgresDatabases) -> None:
    """A text of statements is one transaction."""
    databases.set_user(POOL, Login("admin@p.iam", iam=True, roles=(SUPERUSER_ROLE,)))
    outcome = databases.execute(
        POOL, Statement("postgres", "CREATE TEMP TABLE z (a int); SELECT 1/0", "admin@p.iam")
    )
    assert outcome.error is not None
    assert outcome.error.sqlstate == "22012"
    assert outcome.results == ()


def test_data_and_passwords_survive_a_restart_and_a_kill(
    databases: PostgresDatabases, state: Path
) -> None:
    """What ran is started again by the next local cloud over the same state; what was stopped is not."""
    databases.create_database(POOL, "kept")
    databases.set_user(POOL, Login("kept", password="x", roles=(SUPERUSER_ROLE,)))
    select = Statement("kept", "SELECT a FROM t", "kept", "x")
    run(databases, "CREATE TABLE t AS SELECT 7 AS a", database="kept", user="kept", password="x")
    server = databases._servers[POOL]
    assert server.pid is not None
    os.kill(server.pid, 9)
    server.wait()

    databases.start(POOL)
    assert databases.execute(POOL, select).results[0].rows == (("7",),)
    databases.close()
    assert not databases.socket_directory(POOL).exists()
    successor = PostgresDatabases(state)
    successor.resume()
    assert successor.execute(POOL, select).results[0].rows == (("7",),)

    successor.stop(POOL)
    successor.resume()
    assert successor.execute(POOL, select).error is not None
    databases.start(POOL)


def test_settings_reach_the_server(databases: PostgresDatabases) -> None:
    """Database flags are options of the server; changing them restarts it in its directory."""
    place = databases.socket_directory(POOL).stat().st_ino
    databases.set_user(POOL, Login("admin@p.iam", iam=True, roles=(SUPERUSER_ROLE,)))
    databases.configure(POOL, {"max_connections": "37"})
    outcome = databases.execute(POOL, Statement("postgres", "SHOW max_connections", "admin@p.iam"))
    assert outcome.results[0].rows == (("37",),)
    assert databases.socket_directory(POOL).stat().st_ino == place


def test_a_dump_holds_every_database(databases: PostgresDatabases, tmp_path: Path) -> None:
    """A backup run is one pg_dump file per database."""
    databases.create_database(POOL, "dumped")
    databases.dump(POOL, tmp_path / "backup")
    assert (tmp_path / "backup" / "dumped.dump").read_bytes().startswith(b"PGDMP")
    assert (tmp_path / "backup" / "postgres.dump").exists()


def test_the_internal_key_is_private_and_passwords_are_not_stored(
    databases: PostgresDatabases, state: Path
) -> None:
    """Nothing in the state names a password; the key is readable by its owner only."""
    key = state / "postgres" / "key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    for record in state.glob("postgres/instances/*/instance.json"):
        assert set(json.loads(record.read_text())) == {"instance", "version", "options", "runs"}
    assert databases.databases(POOL)
