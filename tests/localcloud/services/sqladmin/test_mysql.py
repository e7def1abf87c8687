"""Cloud SQL for MySQL as the API rules it, on machines of paper: no MariaDB is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.machines.databases.cloudsql import CloudSqlDatabases
from tests.localcloud.services.sqladmin.sql_instances import P, body, refused

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud

FLAG = {"databaseFlags": [{"name": "cloudsql_iam_authentication", "value": "on"}]}
EMAIL = f"robot-one@{P}.iam.gserviceaccount.com"


@pytest.fixture
def mysql(sql: Any, clock: VirtualClock) -> Any:
    """Return the client with a MySQL instance that is ready and lets IAM users in."""
    new = body("shop", databaseVersion="MYSQL_8_4", settings=FLAG)
    sql.instances().insert(project=P, body=new).execute()
    clock.run_until_idle()
    return sql


def shown(users: Any) -> list[tuple[str, str, str]]:
    """Return name, host and type of every user."""
    items = users.list(project=P, instance="shop").execute()["items"]
    return [(one["name"], one["host"], one["type"]) for one in items]


def test_no_version_means_mysql(sql: Any, clock: VirtualClock) -> None:
    """Without databaseVersion and edition the API makes MYSQL_8_0 of the edition ENTERPRISE."""
    new = body()
    del new["databaseVersion"], new["settings"]["edition"]
    sql.instances().insert(project=P, body=new).execute()
    clock.run_until_idle()

    found = sql.instances().get(project=P, instance="pool").execute()

    assert found["databaseVersion"] == "MYSQL_8_0"
    assert found["databaseInstalledVersion"].startswith("MYSQL_8_0")
    assert found["settings"]["edition"] == "ENTERPRISE"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"databaseVersion": "MYSQL_8_0_36"}, "Invalid database version (MYSQL_8_0_36)"),
        ({"databaseVersion": "MYSQL_9_7"}, "Invalid database version (MYSQL_9_7)"),
        ({"databaseVersion": "SQLSERVER_2022_WEB"}, "Invalid database version (SQLSERVER_"),
        ({"settings": {"tier": "db-n1-standard-3"}}, "Invalid Tier (db-n1-standard-3)"),
        (
            {"settings": {"tier": "db-n1-standard-2", "edition": "ENTERPRISE_PLUS"}},
            "(ENTERPRISE_PLUS) Edition",
        ),
        (
            {"settings": {"backupConfiguration": {"binaryLogEnabled": True}}},
            "when backup is enabled",
        ),
        (
            {
                "settings": {
                    "backupConfiguration": {"enabled": True, "pointInTimeRecoveryEnabled": True}
                }
            },
            "binaryLogEnabled",
        ),
        (
            {
                "settings": {
                    "availabilityType": "REGIONAL",
                    "backupConfiguration": {"enabled": True},
                }
            },
            "binary logs",
        ),
        (
            {"settings": {"databaseFlags": [{"name": "work_mem", "value": "64"}]}},
            "Invalid flag or value: work_mem=64",
        ),
        (
            {"settings": {"databaseFlags": [{"name": "default_time_zone", "value": "Berlin"}]}},
            "default_time_zone=Berlin",
        ),
        (
            {
                "settings": {
                    "databaseFlags": [
                        {"name": "wait_timeout", "value": "60"},
                        {"name": "wait_timeout", "value": "61"},
                    ]
                }
            },
            "wait_timeout=61",
        ),
    ],
)
def test_bad_instances_are_refused(sql: Any, changes: dict[str, Any], words: str) -> None:
    """Versions, tiers, backups and flags are each engine's own."""
    new = body(**{"databaseVersion": "MYSQL_8_4", **changes})

    code, _, message = refused(lambda: sql.instances().insert(project=P, body=new).execute())

    assert code == 400
    assert words in message
    assert "items" not in sql.instances().list(project=P).execute()


def test_the_first_machine_types_are_only_mysqls(sql: Any) -> None:
    """PostgreSQL never had them."""
    tier = {"tier": "db-n1-standard-2"}
    old = body(databaseVersion="MYSQL_8_0", settings=tier)
    sql.instances().insert(project=P, body=old).execute()
    other = sql.instances().insert(project=P, body=body("other", settings=tier))
    assert "Invalid Tier (db-n1-standard-2)" in refused(other.execute)[2]


def test_users_are_told_apart_by_host(mysql: Any, clock: VirtualClock) -> None:
    """The same name from two hosts is two users; one without a host may come from anywhere."""
    users = mysql.users()
    for host in ({}, {"host": "10.0.0.%"}):
        users.insert(
            project=P, instance="shop", body={"name": "app", "password": "x", **host}
        ).execute()
        clock.run_until_idle()
    assert shown(users) == [
        ("app", "%", "BUILT_IN"),
        ("app", "10.0.0.%", "BUILT_IN"),
        ("root", "%", "BUILT_IN"),
    ]

    users.delete(project=P, instance="shop", name="app", host="%").execute()
    clock.run_until_idle()

    assert [one[:2] for one in shown(users)] == [("app", "10.0.0.%"), ("root", "%")]
    gone = users.get(project=P, instance="shop", name="app", host="%")
    assert refused(gone.execute)[0] == 404


def test_put_makes_a_user_of_a_host(mysql: Any, clock: VirtualClock) -> None:
    """users.update is an upsert of name and host."""
    put = mysql.users().update(
        project=P, instance="shop", name="app", host="%", body={"password": "x"}
    )
    assert put.execute()["operationType"] == "CREATE_USER"
    clock.run_until_idle()
    assert put.execute()["operationType"] == "UPDATE_USER"
    clock.run_until_idle()
    found = mysql.users().get(project=P, instance="shop", name="app", host="%").execute()
    assert found["databaseRoles"] == ["cloudsqlsuperuser"]


def test_the_default_user_can_be_deleted(mysql: Any, clock: VirtualClock) -> None:
    """As Terraform does it, because root has no password at first."""
    mysql.users().delete(project=P, instance="shop", name="root", host="%").execute()
    clock.run_until_idle()
    assert shown(mysql.users()) == []


@pytest.mark.usefixtures("account")
def test_an_iam_user_is_the_first_part_of_his_email(mysql: Any, clock: VirtualClock) -> None:
    """He is made by his whole e-mail address, and logs in as what is before the @."""
    users = mysql.users()
    new = {"name": EMAIL, "type": "CLOUD_IAM_SERVICE_ACCOUNT"}
    users.insert(project=P, instance="shop", body=new).execute()
    clock.run_until_idle()

    for name in ("robot-one", EMAIL):
        found = users.get(project=P, instance="shop", name=name).execute()
        assert (found["name"], found["iamEmail"]) == ("robot-one", EMAIL)
        assert (found["host"], found["iamStatus"]) == ("%", "ACTIVE")
    same = {"name": "robot-one@elsewhere.example", "type": "CLOUD_IAM_USER"}
    taken = users.insert(project=P, instance="shop", body=same)
    assert "taken" in refused(taken.execute)[2]


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ({"name": "x" * 33}, "must have 1 to 32 bytes"),
        ({"name": "mysql.sys"}, "reserved"),
        ({"name": "cloudsqladmin"}, "reserved"),
        ({"name": "nobody", "type": "CLOUD_IAM_USER"}, "not the e-mail address"),
        (
            {"name": f"ghost@{P}.iam.gserviceaccount.com", "type": "CLOUD_IAM_SERVICE_ACCOUNT"},
            "does not exist",
        ),
        ({"name": f"ghost@{P}.iam", "type": "CLOUD_IAM_SERVICE_ACCOUNT"}, "not the e-mail"),
    ],
)
def test_bad_users_are_refused(mysql: Any, new: dict[str, str], words: str) -> None:
    """Names are MySQL's, and IAM users are named by their whole address."""
    add = mysql.users().insert(project=P, instance="shop", body=new)
    assert words in refused(add.execute)[2]


def test_databases_sort_as_asked(mysql: Any, clock: VirtualClock) -> None:
    """The defaults are MySQL 8's, and a patch may change them."""
    databases = mysql.databases()
    databases.insert(project=P, instance="shop", body={"name": "a"}).execute()
    clock.run_until_idle()
    found = databases.get(project=P, instance="shop", database="a").execute()
    assert (found["charset"], found["collation"]) == ("utf8mb4", "utf8mb4_0900_ai_ci")

    change = {"charset": "latin1"}
    databases.patch(project=P, instance="shop", database="a", body=change).execute()
    clock.run_until_idle()

    found = databases.get(project=P, instance="shop", database="a").execute()
    assert found["charset"] == "latin1"
    change = {"collation": "utf8mb4_bin"}
    databases.patch(project=P, instance="shop", database="a", body=change).execute()
    clock.run_until_idle()
    found = databases.get(project=P, instance="shop", database="a").execute()
    assert (found["charset"], found["collation"]) == ("utf8mb4", "utf8mb4_bin")
    again = databases.insert(project=P, instance="shop", body={"name": "a"})
    code, _, message = refused(again.execute)
    assert (code, "Error 1007: Can't create database 'a'; database exists" in message) == (
        400,
        True,
    )


@pytest.mark.parametrize(
    ("new", "words"),
    [
        ({"name": "x" * 65}, "must have 1 to 64 bytes"),
        (
            {"name": "a", "charset": "latin1", "collation": "utf8mb4_bin"},
            "COLLATION 'utf8mb4_bin' is not valid for CHARACTER SET 'latin1'",
        ),
        ({"name": "mysql"}, "database exists"),
    ],
)
def test_bad_databases_are_refused(mysql: Any, new: dict[str, str], words: str) -> None:
    """Length and collation are MySQL's."""
    add = mysql.databases().insert(project=P, instance="shop", body=new)
    assert words in refused(add.execute)[2]


def test_flags_are_listed_by_version(sql: Any) -> None:
    """Each flag names the versions it applies to, and the list can be narrowed to one."""
    names = {
        version: {
            one["name"] for one in sql.flags().list(databaseVersion=version).execute()["items"]
        }
        for version in ("MYSQL_8_0", "POSTGRES_17")
    }
    assert "sql_mode" in names["MYSQL_8_0"] - names["POSTGRES_17"]
    assert "work_mem" in names["POSTGRES_17"] - names["MYSQL_8_0"]


def test_without_mariadb_the_refusal_names_the_package(
    sql: Any, cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without MariaDB refuses MySQL, says what to install, and makes PostgreSQL."""
    cloud.machines.databases = CloudSqlDatabases(tmp_path / "machines")
    monkeypatch.setenv("PATH", str(tmp_path))
    new = body("shop", databaseVersion="MYSQL_8_0")

    code, _, message = refused(lambda: sql.instances().insert(project=P, body=new).execute())

    assert code == 400
    assert "Invalid database version (MYSQL_8_0)" in message
    assert "apt-get install mariadb-server-core" in message
    assert cloud.machines.databases.refusal("POSTGRES_18") is None


def test_what_cloud_sql_decides_stays(mysql: Any, clock: VirtualClock) -> None:
    """Fields that say what an instance is are not changed by sending others back."""
    before = mysql.instances().get(project=P, instance="shop").execute()
    change = {"connectionName": "x:y:z", "state": "SUSPENDED", "gceZone": "x", "selfLink": "x"}
    mysql.instances().patch(project=P, instance="shop", body=change).execute()
    clock.run_until_idle()

    after = mysql.instances().get(project=P, instance="shop").execute()

    assert after["settings"]["settingsVersion"] == "2"
    assert [after[field] for field in change] == [before[field] for field in change]
    assert after["maintenanceVersion"].startswith(after["databaseInstalledVersion"])
    other = mysql.instances().patch(project=P, instance="shop", body={"maintenanceVersion": "x"})
    assert "maintenanceVersion of an instance cannot be changed" in refused(other.execute)[2]
