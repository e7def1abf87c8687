"""Databases, users and SQL over the API of Cloud SQL (on paper machines)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from googleapiclient.errors import HttpError

from tests.localcloud.services.sqladmin.sql_instances import P, body, refused
from tests.localcloud.wire import client

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud


def test_a_stopped_instance_has_no_databases_or_users(pool: Any, clock: VirtualClock) -> None:
    """With activationPolicy NEVER the instance stays RUNNABLE, but its server is down."""
    policy = {"settings": {"activationPolicy": "NEVER"}}
    pool.instances().patch(project=P, instance="pool", body=policy).execute()
    clock.run_until_idle()
    assert pool.instances().get(project=P, instance="pool").execute()["state"] == "RUNNABLE"
    for call in (
        pool.databases().list(project=P, instance="pool"),
        pool.databases().insert(project=P, instance="pool", body={"name": "x"}),
        pool.users().list(project=P, instance="pool"),
        pool.users().update(project=P, instance="pool", name="x", body={"password": "x"}),
    ):
        code, _, message = refused(call.execute)
        assert (code, "instance is not running" in message) == (400, True)


def test_databases(pool: Any, clock: VirtualClock) -> None:
    """Made once, shown as asked for, a duplicate is PostgreSQL's own 400."""
    add = pool.databases().insert(
        project=P,
        instance="pool",
        body={"name": "demo", "charset": "UTF8", "collation": "en_US.UTF8"},
    )
    add.execute()
    clock.run_until_idle()

    names = [
        one["name"] for one in pool.databases().list(project=P, instance="pool").execute()["items"]
    ]
    found = pool.databases().get(project=P, instance="pool", database="demo").execute()
    assert names == ["postgres", "demo"]
    assert (found["charset"], found["collation"]) == ("UTF8", "en_US.UTF8")
    assert refused(add.execute) == (
        400,
        "invalid",
        'Invalid request: failed to create database demo. Detail: pq: database "demo" already exists',
    )

    pool.databases().delete(project=P, instance="pool", database="demo").execute()
    clock.run_until_idle()
    gone = pool.databases().get(project=P, instance="pool", database="demo")
    assert refused(gone.execute)[:2] == (404, "notFound")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "x" * 64}, "must have 1 to 63 bytes"),
        ({"charset": "LATIN1"}, "Invalid charset"),
        ({"collation": "klingon"}, "Invalid collation"),
    ],
)
def test_bad_databases_are_refused(pool: Any, change: dict[str, str], words: str) -> None:
    """Charset, collation and length are PostgreSQL's."""
    add = pool.databases().insert(project=P, instance="pool", body={"name": "demo", **change})
    assert words in refused(add.execute)[2]


def test_put_makes_a_user_or_changes_him(pool: Any, clock: VirtualClock) -> None:
    """users.update is an upsert; roles come from the query and only grow unless told to revoke."""
    put = pool.users().update
    for roles, revoke in ((["pg_monitor"], False), (["berth_tenant"], True)):
        put(
            project=P,
            instance="pool",
            name="demo",
            databaseRoles=roles,
            revokeExistingRoles=revoke,
            body={"password": "secret"},
        ).execute()
        clock.run_until_idle()

    found = pool.users().get(project=P, instance="pool", name="demo").execute()
    assert found["databaseRoles"] == ["berth_tenant"]
    assert found["type"] == "BUILT_IN"
    assert "password" not in found

    pool.users().delete(project=P, instance="pool", name="demo").execute()
    clock.run_until_idle()
    assert (
        refused(lambda: pool.users().get(project=P, instance="pool", name="demo").execute())[0]
        == 404
    )


def test_a_user_without_roles_gets_cloudsqlsuperuser(pool: Any, clock: VirtualClock) -> None:
    """As on Google, unless roles are named."""
    pool.users().insert(project=P, instance="pool", body={"name": "a", "password": "x"}).execute()
    clock.run_until_idle()
    wanted = {"name": "b", "password": "x", "databaseRoles": ["pg_monitor"]}
    pool.users().insert(project=P, instance="pool", body=wanted).execute()
    clock.run_until_idle()
    found = pool.users().list(project=P, instance="pool").execute()["items"]
    roles = {one["name"]: one["databaseRoles"] for one in found}
    assert roles == {
        "postgres": ["cloudsqlsuperuser"],
        "a": ["cloudsqlsuperuser"],
        "b": ["pg_monitor"],
    }


@pytest.mark.parametrize(
    ("user", "flag", "words"),
    [
        ({"name": "cloudsqladmin"}, "on", "reserved"),
        ({"name": "a@berth-local.iam", "type": "CLOUD_IAM_SERVICE_ACCOUNT"}, "off", "flag"),
        (
            {"name": "a@p.iam.gserviceaccount.com", "type": "CLOUD_IAM_SERVICE_ACCOUNT"},
            "on",
            'without ".gserviceaccount.com" suffix',
        ),
        ({"name": "a", "type": "CLOUD_IAM_SERVICE_ACCOUNT"}, "on", "is not the e-mail address"),
        (
            {"name": "a@berth-local.iam", "type": "CLOUD_IAM_SERVICE_ACCOUNT"},
            "on",
            "does not exist",
        ),
        ({"name": "a@b.c", "type": "CLOUD_IAM_USER", "password": "x"}, "on", "password cannot"),
        ({"name": "a", "host": "%"}, "on", "host is only for MySQL"),
    ],
)
def test_bad_users_are_refused(
    sql: Any,
    clock: VirtualClock,
    user: dict[str, str],
    flag: str,
    words: str,
) -> None:
    """IAM users need the flag, a short name and no password."""
    flags = [{"name": "cloudsql.iam_authentication", "value": flag}]
    sql.instances().insert(project=P, body=body(settings={"databaseFlags": flags})).execute()
    clock.run_until_idle()
    add = sql.users().insert(project=P, instance="pool", body=user)
    code, _, message = refused(add.execute)
    assert code == 400
    assert words in message


def test_execute_sql_has_conditions(cloud: Cloud, pool: Any, clock: VirtualClock) -> None:
    """The instance must allow it, the caller must be an IAM user of the instance."""
    run = pool.instances().executeSql(
        project=P,
        instance="pool",
        body={"database": "postgres", "sqlStatement": "SELECT 1", "autoIamAuthn": True},
    )
    assert "dataApiAccess" in refused(run.execute)[2]
    flags = [{"name": "cloudsql.iam_authentication", "value": "on"}]
    change = {"settings": {"dataApiAccess": "ALLOW_DATA_API", "databaseFlags": flags}}
    pool.instances().patch(project=P, instance="pool", body=change).execute()
    clock.run_until_idle()
    assert 'no IAM user "owner@example.com"' in refused(run.execute)[2]
    user = {"name": "owner@example.com", "type": "CLOUD_IAM_USER"}
    pool.users().insert(project=P, instance="pool", body=user).execute()
    clock.run_until_idle()

    assert run.execute()["results"][0]["message"] == "OK"

    cloud.grant("user:eve@example.com", "roles/cloudsql.editor")
    eve = client(cloud, "sqladmin", "v1", "eve@example.com")
    again = eve.instances().executeSql(
        project=P, instance="pool", body={"sqlStatement": "SELECT 1"}
    )
    with pytest.raises(HttpError) as error:
        again.execute()
    assert error.value.status_code == 403


def test_execute_sql_needs_the_right_to_log_in(cloud: Cloud, sql: Any, clock: VirtualClock) -> None:
    """The right to call the method is not the right to log in as an IAM user."""
    cloud.enable("iam.googleapis.com")
    role = {"roleId": "caller", "role": {"includedPermissions": ["cloudsql.instances.executeSql"]}}
    client(cloud, "iam", "v1").projects().roles().create(
        parent=f"projects/{P}", body=role
    ).execute()
    cloud.grant("user:eve@example.com", f"projects/{P}/roles/caller")
    flags = [{"name": "cloudsql.iam_authentication", "value": "on"}]
    wanted = body(settings={"dataApiAccess": "ALLOW_DATA_API", "databaseFlags": flags})
    sql.instances().insert(project=P, body=wanted).execute()
    clock.run_until_idle()
    user = {"name": "eve@example.com", "type": "CLOUD_IAM_USER"}
    sql.users().insert(project=P, instance="pool", body=user).execute()
    clock.run_until_idle()
    statement = {"database": "postgres", "sqlStatement": "SELECT 1", "autoIamAuthn": True}
    eve = client(cloud, "sqladmin", "v1", "eve@example.com").instances()
    call = eve.executeSql(project=P, instance="pool", body=statement)

    with pytest.raises(HttpError, match=r"cloudsql\.instances\.login"):
        call.execute()

    cloud.grant("user:eve@example.com", "roles/cloudsql.instanceUser")
    assert call.execute()["results"]


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("Sh0rt!", "at least 12 characters"),
        ("nocapitals-12345", "an uppercase letter"),
        ("NoDigitsInThis!!", "a digit"),
        ("NoSymbolInThis12", "a non-alphanumeric character"),
        ("xx-DEMO-xx-12345", "no user name in it"),
        ("Good-enough-12345", ""),
    ],
)
def test_the_password_policy_is_kept(
    pool: Any, clock: VirtualClock, password: str, words: str
) -> None:
    """Length, kinds of characters and the user's name are looked at for every password."""
    policy = {
        "enablePasswordPolicy": True,
        "minLength": 12,
        "complexity": "COMPLEXITY_DEFAULT",
        "disallowUsernameSubstring": True,
    }
    change = {"settings": {"passwordValidationPolicy": policy}}
    pool.instances().patch(project=P, instance="pool", body=change).execute()
    clock.run_until_idle()
    put = pool.users().update(project=P, instance="pool", name="demo", body={"password": password})
    if words:
        assert words in refused(put.execute)[2]
    else:
        assert put.execute()["operationType"] == "CREATE_USER"


@pytest.mark.parametrize(
    "field",
    [
        {"passwordPolicy": {"enableFailedAttemptsCheck": True}},
        {"dualPasswordType": "DUAL_PASSWORD"},
        {"serverRoles": ["CustomerDbRootRole"]},
    ],
)
def test_what_would_change_a_login_is_not_ignored(pool: Any, field: dict[str, Any]) -> None:
    """Features of users that are not built say so."""
    add = pool.users().insert(project=P, instance="pool", body={"name": "demo", **field})
    assert refused(add.execute)[0] == 501
