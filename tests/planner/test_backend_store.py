"""backend_store: a database on the pool, or an instance of one's own."""

from typing import get_args

import pytest

from planner import engine
from planner.target import NotOfferedError
from schemas.database import MySql, PostgreSql
from schemas.platform import Platform
from tests.planner.compiled import DEDICATED, body, grant, names, part, resource

POOL = "https://sqladmin.googleapis.com/v1/projects/acme-mlflow/instances/berth-pool-1"


def test_pooled_makes_no_instance(platform: Platform) -> None:
    """On the pool a deployment is a right to connect, a password, a database and a user."""
    plan = part(platform, "backend_store")
    assert names(plan) == [
        "server_may_connect",
        "db_password_secret",
        "db_password_may_be_added",
        "db_password_may_be_checked",
        "server_may_read_db_password",
        "db_password",
        "database",
        "database_user",
    ]
    assert plan.summary == "database demo on berth-pool-1"


def test_on_the_pool_the_database_goes_before_the_user_that_owns_its_tables(
    platform: Platform,
) -> None:
    """PostgreSQL keeps a user that owns anything."""
    user = resource(part(platform, "backend_store"), "database_user")
    assert [(call.method, call.url) for call in user.remove] == [
        ("DELETE", f"{POOL}/databases/demo"),
        ("DELETE", f"{POOL}/users?name=demo"),
    ]


def test_the_user_s_rights_are_set_again_each_time(platform: Platform) -> None:
    """A crash between user and rights leaves what no look-up can see, so it is always applied."""
    user = resource(part(platform, "backend_store"), "database_user")
    assert user.digest is None
    assert user.update == user.create
    assert user.create.auth == "OIDC"


def test_the_right_to_connect_is_to_this_instance_only(platform: Platform) -> None:
    """Cloud SQL has no policy per instance; the condition makes one."""
    connect = grant(part(platform, "backend_store"), "server_may_connect")
    assert connect.condition == {
        "title": "berth-demo",
        "expression": "resource.name == 'projects/acme-mlflow/instances/berth-pool-1' "
        "&& resource.service == 'sqladmin.googleapis.com'",
    }


def test_dedicated_makes_the_instance_before_anything_on_it(platform: Platform) -> None:
    """Instance, the function's own login, then password, database and user."""
    plan = part(platform, "backend_store", **DEDICATED)
    assert names(plan)[:3] == ["server_may_connect", "instance", "credentials_user"]
    assert names(plan)[-2:] == ["database", "database_user"]


def test_an_instance_of_one_s_own_has_a_name_that_was_never_used(platform: Platform) -> None:
    """The name of a deleted instance may be blocked for a week, so the uid is in it."""
    plan = part(platform, "backend_store", **DEDICATED)
    assert body(plan, "instance")["name"] == "mlflow-demo-3f9c"


def test_an_instance_is_closed_backed_up_and_protected(platform: Platform) -> None:
    """Connectors only, TLS only, point-in-time recovery, protected against deletion."""
    settings = body(part(platform, "backend_store", **DEDICATED), "instance")["settings"]
    assert settings["connectorEnforcement"] == "REQUIRED"
    assert settings["ipConfiguration"]["sslMode"] == "ENCRYPTED_ONLY"
    assert settings["ipConfiguration"]["authorizedNetworks"] == []
    assert settings["backupConfiguration"]["pointInTimeRecoveryEnabled"] is True
    assert settings["deletionProtectionEnabled"] is True
    assert settings["dataApiAccess"] == "ALLOW_DATA_API"
    assert settings["databaseFlags"] == [{"name": "cloudsql.iam_authentication", "value": "on"}]


@pytest.mark.parametrize(("wanted", "found"), [(True, "REGIONAL"), (False, "ZONAL")])
def test_high_availability_is_a_standby_in_another_zone(
    platform: Platform, wanted: bool, found: str
) -> None:
    """Asked for or not, the body says which."""
    plan = part(platform, "backend_store", **DEDICATED, highly_available=wanted)
    assert body(plan, "instance")["settings"]["availabilityType"] == found


def test_protection_comes_off_before_the_instance_is_deleted(platform: Platform) -> None:
    """DELETE on a protected instance is a 400."""
    instance = resource(part(platform, "backend_store", **DEDICATED), "instance")
    off, delete = instance.remove
    assert off.method == "PATCH"
    assert off.body is not None
    assert off.body["settings"]["deletionProtectionEnabled"] is False
    assert delete.method == "DELETE"


def test_a_disk_that_grew_is_never_patched_back(platform: Platform) -> None:
    """A disk only grows, so its size is sent once."""
    instance = resource(part(platform, "backend_store", **DEDICATED), "instance")
    assert instance.update is not None
    assert instance.update.body is not None
    assert body(part(platform, "backend_store", **DEDICATED), "instance")["settings"][
        "dataDiskSizeGb"
    ]
    assert "dataDiskSizeGb" not in instance.update.body["settings"]


def test_what_lies_on_an_own_instance_goes_with_it(platform: Platform) -> None:
    """Deleting the instance deletes its database and its users."""
    plan = part(platform, "backend_store", **DEDICATED)
    for name in ("credentials_user", "database", "database_user"):
        assert resource(plan, name).within == "instance"
        assert resource(plan, name).remove == ()


def test_the_credentials_function_logs_in_without_a_password(platform: Platform) -> None:
    """Its account is an IAM user of the database, named without the last suffix."""
    plan = part(platform, "backend_store", **DEDICATED)
    assert body(plan, "credentials_user") == {
        "name": "berth-credentials@acme-mlflow.iam",
        "type": "CLOUD_IAM_SERVICE_ACCOUNT",
        "databaseRoles": ["cloudsqlsuperuser"],
    }


MYSQL = {**DEDICATED, "database": {"engine": "mysql"}}


def test_mysql_recovers_by_its_binary_log(platform: Platform) -> None:
    """PostgreSQL's switch for it is a 400 there, and the flag for IAM has another name."""
    made = body(part(platform, "backend_store", **MYSQL), "instance")
    backups = made["settings"]["backupConfiguration"]
    assert made["databaseVersion"] == "MYSQL_8_4"
    assert made["settings"]["edition"] == "ENTERPRISE"
    assert (backups["enabled"], backups["binaryLogEnabled"]) == (True, True)
    assert "pointInTimeRecoveryEnabled" not in backups
    assert made["settings"]["databaseFlags"] == [
        {"name": "cloudsql_iam_authentication", "value": "on"}
    ]
    assert "rootPassword" not in made


@pytest.mark.parametrize(
    ("database", "found"),
    [
        ({"engine": "postgresql"}, {"charset": "UTF8", "collation": "en_US.UTF8"}),
        ({"engine": "mysql"}, {"charset": "utf8mb4", "collation": "utf8mb4_0900_ai_ci"}),
    ],
)
def test_a_database_takes_all_of_unicode(
    platform: Platform, database: dict[str, str], found: dict[str, str]
) -> None:
    """On any other character set MLflow's migrations fail in MySQL, half done."""
    plan = part(platform, "backend_store", **DEDICATED, database=database)
    assert body(plan, "database") == {"name": "demo", **found}


def test_users_of_mysql_are_told_apart_by_their_host(platform: Platform) -> None:
    """Without it GET does not find them."""
    plan = part(platform, "backend_store", **MYSQL)
    assert resource(plan, "database_user").url.endswith("/users/demo?host=%25")


def test_an_iam_user_of_mysql_is_inserted_by_its_whole_address(platform: Platform) -> None:
    """And is called by what stands before the @ from then on."""
    plan = part(platform, "backend_store", **MYSQL)
    user = resource(plan, "credentials_user")
    assert body(plan, "credentials_user")["name"] == (
        "berth-credentials@acme-mlflow.iam.gserviceaccount.com"
    )
    assert user.url.endswith("/users/berth-credentials?host=%25")


@pytest.mark.parametrize("version", ["16", "17", "18"])
def test_the_version_asked_for_is_the_one_made(platform: Platform, version: str) -> None:
    """On an instance of one's own any that is offered."""
    wanted = {"engine": "postgresql", "version": version}
    plan = part(platform, "backend_store", **DEDICATED, database=wanted)
    assert body(plan, "instance")["databaseVersion"] == f"POSTGRES_{version}"


def test_every_version_that_can_be_asked_for_can_be_made() -> None:
    """The table of the engines and the models name the same."""
    for model in (PostgreSql, MySql):
        (name,) = get_args(model.model_fields["engine"].annotation)
        versions = get_args(model.model_fields["version"].annotation)
        assert tuple(engine.ENGINES[name].versions) == versions


def test_pooled_where_there_is_no_pool_is_refused(platform: Platform) -> None:
    """A spec older than the platform may want a pool that is gone."""
    with pytest.raises(NotOfferedError, match="us-central1 has no pool"):
        part(platform, "backend_store", region="us-central1")


def test_a_region_that_is_not_there_is_refused(platform: Platform) -> None:
    """The error names the regions that are."""
    with pytest.raises(NotOfferedError, match="europe-west1, us-central1 are"):
        part(platform, "backend_store", region="asia-east1")
