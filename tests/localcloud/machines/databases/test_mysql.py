"""Cloud SQL for MySQL's machine: a real MariaDB, its users and what it refuses."""

from __future__ import annotations

import os
import signal
import stat
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from localcloud.machines.databases.cloudsql import CloudSqlDatabases
from localcloud.machines.databases.contract import SUPERUSER_ROLE, DatabaseError, Login, Statement
from localcloud.machines.databases.mysql import MySqlDatabases
from localcloud.machines.databases.mysql_programs import Programs
from tests.localcloud.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

MISSING = Programs().refusal("MYSQL_8_4")
pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=MISSING or ""),
    pytest.mark.xdist_group("mysql"),
]

SHOP = "berth-local:europe-west1:shop"
CLONE = "berth-local:europe-west1:clone"
PASSWORD = 'it\'s \\ "odd" %s'


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a state directory that lasts for the file."""
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def databases(state: Path) -> Iterator[MySqlDatabases]:
    """Run one instance for all tests here."""
    servers = MySqlDatabases(state)
    servers.create(SHOP, "MYSQL_8_4", options={"max_connections": "250"})
    servers.create_database(SHOP, "shop", "utf8mb4", "utf8mb4_0900_ai_ci")
    servers.set_user(SHOP, Login("app", password=PASSWORD, roles=(SUPERUSER_ROLE,)))
    yield servers
    servers.close()


def connect(databases: MySqlDatabases, user: str, password: str, **more: Any) -> Any:
    """Log in as a client on Cloud Run would, through the socket."""
    return pymysql.connect(
        unix_socket=str(databases.socket(SHOP)), user=user, password=password, **more
    )


def ask(databases: MySqlDatabases, sql: str, *, instance: str = SHOP, **who: Any) -> Any:
    """Return the rows of the last statement, or what the server refused."""
    login = {"database": "shop", "user": "app", "password": PASSWORD, **who}
    outcome = databases.execute(instance, Statement(sql=sql, **login))
    return outcome.error.quoted if outcome.error else list(outcome.results[-1].rows)


def test_a_password_opens_the_socket(databases: MySqlDatabases) -> None:
    """A user with a password gets in, also with a password that has to be escaped."""
    with connect(databases, "app", PASSWORD, database="shop") as own, own.cursor() as cursor:
        cursor.execute("SELECT CURRENT_USER(), DATABASE(), CURRENT_ROLE()")
        assert cursor.fetchone() == ("app@%", "shop", SUPERUSER_ROLE)


@pytest.mark.parametrize(
    ("user", "password", "database", "number"),
    [
        ("app", "wrong", "shop", 1045),
        ("app", "", "shop", 1045),
        ("nobody", PASSWORD, "shop", 1045),
        ("cloudsqladmin", "", "shop", 1045),
        ("app", PASSWORD, "nowhere", 1049),
    ],
)
def test_everything_else_does_not(
    databases: MySqlDatabases, user: str, password: str, database: str, number: int
) -> None:
    """Wrong passwords, unknown users and databases are refused with MySQL's own numbers."""
    with pytest.raises(pymysql.OperationalError) as refusal:
        connect(databases, user, password, database=database)
    assert refusal.value.args[0] == number


def test_a_dropped_user_is_out(databases: MySqlDatabases) -> None:
    """Whoever is dropped cannot log in again, and cannot be dropped again."""
    databases.set_user(SHOP, Login("brief", password="brief"))
    connect(databases, "brief", "brief").close()

    databases.drop_user(SHOP, "brief")

    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        connect(databases, "brief", "brief")
    with pytest.raises(DatabaseError, match="DROP USER failed"):
        databases.check_drop_user(SHOP, "brief")


def test_only_the_host_a_user_has_lets_him_in(databases: MySqlDatabases) -> None:
    """A user of a network address cannot come through the socket."""
    databases.set_user(SHOP, Login("far", host="10.0.0.%", password="far"))
    with pytest.raises(pymysql.OperationalError, match="Access denied"):
        connect(databases, "far", "far")
    databases.drop_user(SHOP, "far", "10.0.0.%")


def test_a_role_that_a_user_made_can_be_given_to_others(databases: MySqlDatabases) -> None:
    """MariaDB lets only its maker give a role away; Cloud SQL's administrator always can."""
    assert ask(databases, "CREATE ROLE IF NOT EXISTS tenant") == []

    databases.set_user(SHOP, Login("guest", password="x", roles=("tenant",)), revoke=True)

    assert databases.memberships(SHOP, "guest") == ["tenant"]
    databases.drop_user(SHOP, "guest")
    ask(databases, "DROP ROLE tenant")


def test_root_has_no_password_and_is_no_administrator(databases: MySqlDatabases) -> None:
    """A new instance has root from anywhere, as on Cloud SQL, with everything but SUPER and FILE."""
    assert ("root", "%") in databases.users(SHOP)
    rows = ask(
        databases, "CREATE DATABASE roots; DROP DATABASE roots; SELECT 1", user="root", password=""
    )
    assert rows == [("1",)]
    for sql in ("SET GLOBAL general_log = ON", "SELECT 1 INTO OUTFILE '/tmp/x'", "SHUTDOWN"):
        assert "Access denied" in ask(databases, sql, user="root", password="")


def test_nothing_listens_on_a_port(databases: MySqlDatabases) -> None:
    """The socket is the only way in, and its directory belongs to an ordinary user."""
    assert ask(databases, "SELECT @@skip_networking, @@port") == [("1", "0")]
    assert databases.socket_directory(SHOP).stat().st_uid != 0
    assert stat.S_ISSOCK(databases.socket(SHOP).stat().st_mode)


def test_it_behaves_as_mysql_8_where_it_can(databases: MySqlDatabases) -> None:
    """Strict modes and utf8mb4 are MySQL 8's; the version says honestly what it is."""
    [(modes, charset, most, version)] = ask(
        databases, "SELECT @@sql_mode, @@character_set_server, @@max_connections, VERSION()"
    )
    assert {"ONLY_FULL_GROUP_BY", "STRICT_TRANS_TABLES", "NO_ZERO_DATE"} <= set(modes.split(","))
    assert (charset, most) == ("utf8mb4", "250")
    assert "MariaDB" in version
    assert databases.installed_version("MYSQL_8_4").startswith("MYSQL_8_4_MARIADB_1")


def test_statements_answer_as_far_as_they_came(databases: MySqlDatabases) -> None:
    """Several statements are several answers; the one that fails ends the text, no more."""
    text = "CREATE TABLE t (n int, s varchar(9)); INSERT INTO t VALUES (1, 'ä'), (2, NULL);"
    text += "SELECT * FROM t ORDER BY n; SELEC"
    outcome = databases.execute(SHOP, Statement("shop", text, "app", PASSWORD, row_limit=1))
    made, added, seen = outcome.results
    assert (made.message, added.message) == (
        "Query OK, 0 rows affected",
        "Query OK, 2 rows affected",
    )
    assert seen.columns == (("n", "INT"), ("s", "VARCHAR"))
    assert (seen.rows, seen.truncated) == ((("1", "ä"),), True)
    assert outcome.error is not None
    assert outcome.error.quoted.startswith("Error 1064: You have an error in your SQL syntax")
    assert ask(databases, "SELECT COUNT(*) FROM t") == [("2",)]


def test_no_password_reaches_the_servers_log(databases: MySqlDatabases, state: Path) -> None:
    """Passwords are hashed before they are in any statement."""
    databases.configure(SHOP, {"general_log": "on", "log_output": "FILE"})
    databases.set_user(SHOP, Login("quiet", password="unmistakable"))
    connect(databases, "quiet", "unmistakable").close()
    logs = [file for file in state.rglob("*.log") if b"quiet" in file.read_bytes()]
    assert logs
    assert not any(b"unmistakable" in file.read_bytes() for file in logs)
    databases.drop_user(SHOP, "quiet")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda servers: servers.create_database(SHOP, "shop"), "database exists"),
        (
            lambda servers: servers.create_database(SHOP, "x", "utf8mb4", "klingon"),
            "Unknown collation",
        ),
        (lambda servers: servers.drop_database(SHOP, "nowhere"), "doesn't exist"),
        (lambda servers: servers.check_drop_database(SHOP, "mysql"), "system schema"),
        (lambda servers: servers.set_user(SHOP, Login("x", roles=("queen",))), "role"),
        (lambda servers: servers.databases("p:r:nothing"), "no server"),
        (lambda servers: servers.configure(SHOP, {"sql_mode": "KLINGON"}), "did not start"),
    ],
)
def test_what_the_server_refuses_is_a_database_error(
    databases: MySqlDatabases, call: Callable[[MySqlDatabases], object], words: str
) -> None:
    """Its own sentence comes through, and the instance goes on as it was."""
    with pytest.raises(DatabaseError, match=words):
        call(databases)
    assert ("x", "%") not in databases.users(SHOP)
    assert ask(databases, "SELECT 1") == [("1",)]


def test_a_dump_brings_back_databases_users_and_rights(
    databases: MySqlDatabases, tmp_path: Path
) -> None:
    """Another instance gets all that was dumped, and nothing it had before."""
    ask(
        databases,
        "CREATE TABLE kept AS SELECT 'ä' AS a, X'00ff' AS b; CREATE VIEW v AS SELECT a FROM kept",
    )
    databases.create_database(SHOP, "odd `name`/x")
    databases.set_user(SHOP, Login("robot", iam=True))
    databases.dump(SHOP, tmp_path)
    databases.create(CLONE, "MYSQL_8_4", options={})
    databases.create_database(CLONE, "before")
    busy = pymysql.connect(unix_socket=str(databases.socket(CLONE)), user="root")

    databases.restore(CLONE, tmp_path)

    with pytest.raises(pymysql.OperationalError):
        busy.ping(reconnect=False)
    assert ask(databases, "SELECT a, HEX(b) FROM kept JOIN v USING (a)", instance=CLONE) == [
        ("ä", "00FF")
    ]
    assert set(databases.databases(CLONE)) == set(databases.databases(SHOP))
    assert databases.users(CLONE) == databases.users(SHOP)
    assert databases.memberships(CLONE, "app") == [SUPERUSER_ROLE]
    own = databases.iam_password(CLONE, "robot")
    assert ask(databases, "SELECT 1", instance=CLONE, user="robot", password=own, database="") == [
        ("1",)
    ]
    databases.delete(CLONE)


def test_a_folder_without_a_dump_is_refused(databases: MySqlDatabases, tmp_path: Path) -> None:
    """A restore looks at what it was given before it drops anything."""
    with pytest.raises(DatabaseError, match="no dump of MySQL"):
        databases.restore(SHOP, tmp_path)
    assert "shop" in databases.databases(SHOP)


def test_a_killed_server_comes_back_with_everything(databases: MySqlDatabases) -> None:
    """What was committed before kill -9 is there again shortly after, without anybody's doing."""
    ask(databases, "CREATE TABLE firm (n int); INSERT INTO firm VALUES (42)")
    server = databases._servers[SHOP]
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    server.wait()

    eventually(lambda: ask(databases, "SELECT n FROM firm") == [("42",)])


def test_whoever_asks_during_a_restart_waits(databases: MySqlDatabases) -> None:
    """New settings mean a restart, and nobody who asks the server meanwhile is told it is down."""
    with ThreadPoolExecutor() as pool:
        restart = pool.submit(databases.configure, SHOP, {"max_connections": "260"})
        while not restart.done():
            assert ("app", "%") in databases.users(SHOP)
        restart.result()
    assert ask(databases, "SELECT @@max_connections") == [("260",)]


def test_the_next_local_cloud_starts_what_ran(databases: MySqlDatabases, state: Path) -> None:
    """A server that was running when the local cloud went down runs again after it came up."""
    databases.create_database(SHOP, "firm2")
    databases.close()
    assert not databases.socket(SHOP).exists()

    successor = CloudSqlDatabases(state)
    successor.resume()
    try:
        outcome = successor.execute(SHOP, Statement("firm2", "SELECT 42", "app", PASSWORD))
        assert outcome.results[-1].rows == (("42",),)
    finally:
        successor.close()
    databases.start(SHOP)
    assert "firm2" in databases.databases(SHOP)
