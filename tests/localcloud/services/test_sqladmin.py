"""Cloud SQL's API: what it checks, how it says no, and one operation at a time (on paper machines)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from googleapiclient.errors import HttpError

from tests.localcloud.wire import client

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud

P = "berth-local"
SETTINGS = {"tier": "db-custom-1-3840", "edition": "ENTERPRISE"}


def body(name: str = "pool", **changes: Any) -> dict[str, Any]:
    """Return the body of a small instance."""
    settings = {**SETTINGS, **changes.pop("settings", {})}
    whole = {"name": name, "region": "europe-west1", "databaseVersion": "POSTGRES_18"}
    return {**whole, "settings": settings, **changes}


@pytest.fixture
def sql(cloud: Cloud) -> Any:
    """Return Google's client with the API enabled."""
    cloud.enable("sqladmin.googleapis.com")
    return client(cloud, "sqladmin", "v1")


@pytest.fixture
def pool(sql: Any, clock: VirtualClock) -> Any:
    """Return the client with an instance that is ready."""
    sql.instances().insert(project=P, body=body()).execute()
    clock.run_until_idle()
    return sql


def refused(call: Callable[[], object]) -> tuple[int, str, str]:
    """Return code, reason and message of a refusal."""
    with pytest.raises(HttpError) as error:
        call()
    found = error.value.error_details[0]
    return error.value.status_code, found["reason"], found["message"]


def test_an_instance_is_made_by_an_operation(sql: Any, clock: VirtualClock) -> None:
    """It is PENDING_CREATE until the operation is DONE, and then RUNNABLE."""
    operation = sql.instances().insert(project=P, body=body()).execute()
    assert (operation["operationType"], operation["status"]) == ("CREATE", "PENDING")
    assert sql.instances().get(project=P, instance="pool").execute()["state"] == "PENDING_CREATE"

    clock.run_until_idle()

    done = sql.operations().get(project=P, operation=operation["name"]).execute()
    found = sql.instances().get(project=P, instance="pool").execute()
    assert (done["status"], "error" in done) == ("DONE", False)
    assert found["state"] == "RUNNABLE"
    assert found["connectionName"] == "berth-local:europe-west1:pool"
    assert found["settings"]["settingsVersion"] == "1"
    assert found["settings"]["dataApiAccess"] == "DISALLOW_DATA_API"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Pool"}, "instance name (Pool)"),
        ({"name": "a" * 90}, "exceed 98 characters"),
        ({"settings": {"edition": "ENTERPRISE_PLUS"}}, "for (ENTERPRISE_PLUS) Edition"),
        ({"settings": {"tier": "db-perf-optimized-N-2"}}, "for (ENTERPRISE) Edition"),
        ({"settings": {"tier": "db-custom-3-3840"}}, "even number"),
        ({"settings": {"tier": "db-custom-2-3900"}}, "multiple of 256"),
        ({"databaseVersion": "MYSQL_8_4"}, "Invalid database version (MYSQL_8_4)"),
        ({"region": "europe"}, "Invalid region"),
        ({"settings": {"activationPolicy": "ON_DEMAND"}}, "Invalid activation policy"),
        ({"settings": {"dataDiskSizeGb": "5"}}, "at least 10 GB"),
        ({"settings": {"userLabels": {"Bad": "x"}}}, "Invalid user label"),
        ({"settings": {"ipConfiguration": {"ipv4Enabled": False}}}, "At least one of Public IP"),
        (
            {"settings": {"ipConfiguration": {"privateNetwork": "projects/p/global/networks/d"}}},
            "SERVICE_NETWORKING_NOT_ENABLED",
        ),
        (
            {"settings": {"backupConfiguration": {"transactionLogRetentionDays": 14}}},
            "must be between 1 and 7",
        ),
        (
            {"settings": {"backupConfiguration": {"pointInTimeRecoveryEnabled": True}}},
            "requires that backups are enabled",
        ),
        ({"settings": {"databaseFlags": [{"name": "shared_x", "value": "1"}]}}, "Invalid flag"),
        (
            {"settings": {"databaseFlags": [{"name": "max_connections", "value": "5"}]}},
            "max_connections=5",
        ),
    ],
)
def test_bad_instances_are_refused(sql: Any, changes: dict[str, Any], words: str) -> None:
    """A body Cloud SQL would refuse is refused here, and nothing is made."""
    code, _, message = refused(
        lambda: sql.instances().insert(project=P, body=body(**changes)).execute()
    )

    assert code == 400
    assert words in message
    assert "items" not in sql.instances().list(project=P).execute()


def test_a_missing_edition_means_enterprise_plus(sql: Any) -> None:
    """From PostgreSQL 16 on the default edition does not take small tiers; Google says it so."""
    wanted = {**body(), "settings": {"tier": "db-g1-small"}}
    assert refused(lambda: sql.instances().insert(project=P, body=wanted).execute()) == (
        400,
        "invalid",
        (
            "Invalid request: Invalid Tier (db-g1-small) for (ENTERPRISE_PLUS) Edition. Use a "
            "predefined Tier like db-perf-optimized-N-* instead."
        ),
    )


@pytest.mark.parametrize("missing", ["name", "settings", "settings.tier"])
def test_required_fields(sql: Any, missing: str) -> None:
    """What the document only calls required is required."""
    wanted = body()
    if missing == "settings.tier":
        del wanted["settings"]["tier"]
    else:
        del wanted[missing]
    code, _, message = refused(lambda: sql.instances().insert(project=P, body=wanted).execute())
    assert code == 400
    assert missing in message


def test_what_is_not_built_says_so(sql: Any) -> None:
    """A field that would change what an instance is must not be ignored."""
    wanted = body(masterInstanceName="other")
    code, _, message = refused(lambda: sql.instances().insert(project=P, body=wanted).execute())
    assert (code, "masterInstanceName" in message) == (501, True)


def test_a_name_is_given_once(pool: Any) -> None:
    """A second instance of the name is a 409 with its own reason."""
    code, reason, message = refused(
        lambda: pool.instances().insert(project=P, body=body()).execute()
    )
    assert (code, reason) == (409, "instanceAlreadyExists")
    assert "one week" in message


def test_one_operation_at_a_time(pool: Any, clock: VirtualClock) -> None:
    """While an instance is busy everything else on it is refused; afterwards it works."""
    add = pool.databases().insert(project=P, instance="pool", body={"name": "demo"})
    add.execute()
    busy = (409, "operationInProgress")
    user = pool.users().insert(project=P, instance="pool", body={"name": "demo", "password": "x"})
    assert refused(user.execute)[:2] == busy
    assert (
        refused(lambda: pool.instances().delete(project=P, instance="pool").execute())[:2] == busy
    )

    clock.run_until_idle()

    assert user.execute()["operationType"] == "CREATE_USER"


def test_a_failed_creation_leaves_a_failed_instance(
    cloud: Cloud, sql: Any, clock: VirtualClock
) -> None:
    """The operation carries the error, the instance is FAILED and can be deleted."""
    cloud.fail_operation("sql.instances.insert", "INTERNAL", "no capacity")
    operation = sql.instances().insert(project=P, body=body()).execute()
    clock.run_until_idle()

    done = sql.operations().get(project=P, operation=operation["name"]).execute()
    assert done["error"]["errors"][0]["message"] == "no capacity"
    assert sql.instances().get(project=P, instance="pool").execute()["state"] == "FAILED"

    sql.instances().delete(project=P, instance="pool").execute()
    clock.run_until_idle()
    assert refused(lambda: sql.instances().get(project=P, instance="pool").execute())[0] == 404


def test_protection_must_be_lifted_first(pool: Any, clock: VirtualClock) -> None:
    """A protected instance is not deleted."""
    on = {"settings": {"deletionProtectionEnabled": True}}
    pool.instances().patch(project=P, instance="pool", body=on).execute()
    clock.run_until_idle()
    gone = pool.instances().delete(project=P, instance="pool")
    code, _, message = refused(gone.execute)
    assert (code, message.startswith("The instance is protected.")) == (400, True)

    off = {"settings": {"deletionProtectionEnabled": False}}
    pool.instances().patch(project=P, instance="pool", body=off).execute()
    clock.run_until_idle()
    gone.execute()
    clock.run_until_idle()

    assert "items" not in pool.instances().list(project=P).execute()


def test_patch_merges_and_null_clears(pool: Any, clock: VirtualClock) -> None:
    """Labels are merged, null removes one, and the settings' version counts up."""
    for labels in ({"a": "1", "b": "2"}, {"a": None, "c": "3"}):
        change = {"settings": {"userLabels": labels}}
        pool.instances().patch(project=P, instance="pool", body=change).execute()
        clock.run_until_idle()

    settings = pool.instances().get(project=P, instance="pool").execute()["settings"]
    assert settings["userLabels"] == {"b": "2", "c": "3"}
    assert settings["settingsVersion"] == "3"
    assert settings["tier"] == "db-custom-1-3840"


def test_update_needs_the_present_version(pool: Any) -> None:
    """PUT with no or an old settingsVersion is refused."""
    put = pool.instances().update
    assert refused(lambda: put(project=P, instance="pool", body=body()).execute())[0] == 400
    old = body(settings={"settingsVersion": "7"})
    assert refused(lambda: put(project=P, instance="pool", body=old).execute())[0] == 412
    now = body(settings={"settingsVersion": "1"})
    assert put(project=P, instance="pool", body=now).execute()["operationType"] == "UPDATE"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"region": "us-central1"}, "region of an instance cannot be changed"),
        ({"settings": {"dataDiskSizeGb": "10"}}, "Disk size cannot be decreased"),
        ({"settings": {"tier": "db-x"}}, "Invalid Tier (db-x)"),
    ],
)
def test_bad_changes_are_refused(sql: Any, clock: VirtualClock, change: Any, words: str) -> None:
    """A patch is checked as the settings would become."""
    sql.instances().insert(project=P, body=body(settings={"dataDiskSizeGb": "20"})).execute()
    clock.run_until_idle()
    patch = sql.instances().patch(project=P, instance="pool", body=change)
    assert words in refused(patch.execute)[2]


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
        ({"name": "x" * 64}, "longer than 63"),
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


def test_rights_are_per_instance_and_kind(cloud: Cloud, pool: Any) -> None:
    """A client may look and connect, but change nothing."""
    cloud.grant("user:eve@example.com", "roles/cloudsql.client")
    eve = client(cloud, "sqladmin", "v1", "eve@example.com")
    assert eve.instances().get(project=P, instance="pool").execute()["name"] == "pool"
    for call in (
        eve.instances().list(project=P),
        eve.instances().delete(project=P, instance="pool"),
        eve.databases().insert(project=P, instance="pool", body={"name": "x"}),
        eve.users().list(project=P, instance="pool"),
    ):
        with pytest.raises(HttpError) as error:
            call.execute()
        assert error.value.status_code == 403
    assert pool.instances().get(project=P, instance="pool").execute()["state"] == "RUNNABLE"


def test_both_versions_see_the_same(cloud: Cloud, pool: Any) -> None:
    """v1beta4, which gcloud speaks, is the same API."""
    beta = client(cloud, "sqladmin", "v1beta4")
    assert beta.instances().list(project=P).execute() == pool.instances().list(project=P).execute()
    assert beta.tiers().list(project=P).execute()["items"]
    assert {flag["name"] for flag in beta.flags().list().execute()["items"]} >= {"max_connections"}


def test_backups_outlive_what_they_should(cloud: Cloud, pool: Any, clock: VirtualClock) -> None:
    """Runs go with the instance; the final backup stays."""
    operation = pool.backupRuns().insert(project=P, instance="pool", body={}).execute()
    clock.run_until_idle()
    number = operation["backupContext"]["backupId"]
    runs = pool.backupRuns().list(project=P, instance="pool").execute()["items"]
    assert [(one["id"], one["status"]) for one in runs] == [(number, "SUCCESSFUL")]

    pool.instances().delete(project=P, instance="pool", enableFinalBackup=True).execute()
    clock.run_until_idle()

    kept = cloud.store.of("sqladmin").children(f"projects/{P}/backups/")
    assert [one["type"] for one in kept] == ["FINAL"]
    assert not cloud.store.of("sqladmin").under(f"projects/{P}/instances/")
    assert pool.Backups().ListBackups(parent=f"projects/{P}").execute()["backups"] == kept


def test_unknown_instances_and_operations(sql: Any) -> None:
    """The words are Cloud SQL's own."""
    assert refused(lambda: sql.instances().get(project=P, instance="none").execute()) == (
        404,
        "instanceDoesNotExist",
        "The Cloud SQL instance does not exist.",
    )
    assert refused(lambda: sql.operations().get(project=P, operation="x").execute())[0] == 404
