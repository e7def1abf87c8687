"""The pitfalls of Cloud SQL, Cloud Storage, Secret Manager and Cloud Build, and of private access."""

import re

from schemas.plan import Resource
from tests.planner.conftest import NUMBER
from tests.planner.every_body import keys, never_sent, only, plans, sent

INSTANCE_ADDRESS = r"^https://sqladmin\..*/instances(/[^/]*)?$"
INSTANCES = r"^https://sqladmin\..*/instances$"
USERS = r"^https://sqladmin\..*/users$"
BUCKETS = r"^https://storage\..*/b\?"
BUCKET_ADDRESS = r"^https://storage\..*/b[/?][^/]*$"
SECRETS = r"^https://secretmanager\..*/secrets\?"
BUILDS = r"^https://cloudbuild\..*/builds$"
CONNECTIONS = r"^https://servicenetworking\."
DAY = 24 * 3600


def test_the_tier_is_one_of_the_edition() -> None:
    """Cloud SQL: db-custom needs ENTERPRISE, said aloud; ENTERPRISE_PLUS is the default since 16."""
    for call in sent(INSTANCES):
        settings = call.body["settings"]
        assert settings["edition"] == "ENTERPRISE", call
        assert re.fullmatch(r"db-custom-[1-9][0-9]*-[1-9][0-9]*", settings["tier"]), call


def test_only_versions_that_can_be_had_are_asked_for() -> None:
    """Cloud SQL: the enum holds placeholders for what is not out yet, and MySQL 8.0, which is over."""
    for call in sent(INSTANCES):
        assert call.body["databaseVersion"] in {
            "POSTGRES_16",
            "POSTGRES_17",
            "POSTGRES_18",
            "MYSQL_8_4",
        }, call


def test_recovery_is_said_in_the_engine_s_own_words() -> None:
    """Cloud SQL: logs for 1 to 7 days in this edition; binary log on MySQL, the switch on the other."""
    switches = {"POSTGRES": "pointInTimeRecoveryEnabled", "MYSQL": "binaryLogEnabled"}
    for call in sent(INSTANCES):
        backup = call.body["settings"]["backupConfiguration"]
        engine = call.body["databaseVersion"].split("_")[0]
        assert backup["enabled"] is True, call
        assert 1 <= backup["transactionLogRetentionDays"] <= 7, call
        assert [backup.get(word) for word in switches.values()].count(True) == 1, call
        assert backup[switches[engine]] is True, call


def test_the_flag_for_iam_users_has_the_engine_s_own_name() -> None:
    """Cloud SQL: a dot on PostgreSQL, an underscore on MySQL; the other one's is a 400."""
    marks = {"POSTGRES": ".", "MYSQL": "_"}
    for call in sent(INSTANCES):
        mark = marks[call.body["databaseVersion"].split("_")[0]]
        flags = {flag["name"]: flag["value"] for flag in call.body["settings"]["databaseFlags"]}
        assert flags == {f"cloudsql{mark}iam_authentication": "on"}, call


def test_an_instance_is_reached_through_connectors_alone() -> None:
    """Cloud SQL: REQUIRED shuts authorised networks off, and without a client certificate TLS stays."""
    for call in sent(INSTANCES):
        settings = call.body["settings"]
        addresses = settings["ipConfiguration"]
        assert settings["connectorEnforcement"] == "REQUIRED", call
        assert addresses["sslMode"] == "ENCRYPTED_ONLY", call
        assert "requireSsl" not in addresses, call
        assert not addresses.get("authorizedNetworks"), call


def test_an_instance_is_public_or_in_a_network_and_never_neither() -> None:
    """Cloud SQL: ipv4Enabled is true by default, so a private instance has to say that it is not."""
    kinds = set()
    for call in sent(INSTANCES):
        addresses = call.body["settings"]["ipConfiguration"]
        network = addresses.get("privateNetwork")
        assert addresses["ipv4Enabled"] is (network is None), call
        if network is not None:
            assert re.fullmatch(r"projects/acme-mlflow/global/networks/[^/]+", network), call
        kinds.add(network is None)
    assert kinds == {True, False}


def test_no_password_of_the_root_user_is_sent() -> None:
    """Cloud SQL: it would enter the workflow's variables and stay in its history."""
    for call in sent(INSTANCE_ADDRESS):
        assert not {"rootPassword", "password"} & set(keys(call.body)), call


def test_an_instance_is_changed_by_patch() -> None:
    """Cloud SQL: PUT wants the current settingsVersion and replaces whatever was left out."""
    never_sent(r"^https://sqladmin\.", "PUT")
    for call in sent(INSTANCE_ADDRESS, "PATCH"):
        assert call.body.keys() == {"settings"}, call
        assert "settingsVersion" not in call.body["settings"], call


def test_a_disk_is_sized_once() -> None:
    """Cloud SQL: it only grows, and grows by itself; sizes are numbers in a string."""
    for call in sent(INSTANCES):
        settings = call.body["settings"]
        assert settings["storageAutoResize"] is True, call
        assert int(settings["dataDiskSizeGb"]) >= 10, call
        assert int(settings["storageAutoResizeLimit"]) > int(settings["dataDiskSizeGb"]), call
    for call in sent(INSTANCE_ADDRESS, "PATCH"):
        assert "dataDiskSizeGb" not in call.body["settings"], call


def test_what_is_deleted_leaves_a_backup() -> None:
    """Cloud SQL: nothing is left of an instance unless its own settings say so beforehand."""
    for call in sent(INSTANCES):
        settings = call.body["settings"]
        assert settings["deletionProtectionEnabled"] is True, call
        assert settings["retainBackupsOnDelete"] is True, call
        assert settings["finalBackupConfig"]["enabled"] is True, call
        assert 1 <= settings["finalBackupConfig"]["retentionDays"] <= 365, call


def test_an_instance_s_name_is_short_and_new() -> None:
    """Cloud SQL: 40 characters at most, and of this deployment alone, since names may stay blocked."""
    for call in sent(INSTANCES):
        assert re.fullmatch(r"mlflow-[-a-z0-9]+-3f9c", call.body["name"]), call
        assert len(call.body["name"]) <= 40, call


def test_a_user_without_password_says_its_type_and_its_rights() -> None:
    """Cloud SQL: the default type is BUILT_IN, and a new IAM user has no right on any table."""
    for call in sent(USERS):
        assert call.body["type"] == "CLOUD_IAM_SERVICE_ACCOUNT", call
        assert call.body["databaseRoles"], call
        assert "password" not in call.body, call


def test_an_iam_user_is_named_as_its_engine_names_it() -> None:
    """Cloud SQL: PostgreSQL drops the last suffix of the address, MySQL wants it whole."""
    engines = {
        call.url + "/" + call.body["name"]: call.body["databaseVersion"] for call in sent(INSTANCES)
    }
    for call in sent(USERS):
        whole = call.body["name"].endswith("@acme-mlflow.iam.gserviceaccount.com")
        short = call.body["name"].endswith("@acme-mlflow.iam")
        assert (whole, short) == (
            (True, False)
            if engines[call.url.removesuffix("/users")].startswith("MYSQL")
            else (False, True)
        ), call


def test_a_database_names_its_character_set() -> None:
    """Cloud SQL: each engine calls it otherwise, and MySQL's default lacks half of Unicode."""
    for call in sent(r"^https://sqladmin\..*/databases$"):
        assert (call.body["charset"], call.body["collation"]) in {
            ("UTF8", "en_US.UTF8"),
            ("utf8mb4", "utf8mb4_0900_ai_ci"),
        }, call


def test_a_bucket_s_name_needs_no_proof_of_a_domain() -> None:
    """Cloud Storage: names with dots are domains; google is nobody's; the project makes it ours."""
    for call in sent(BUCKETS):
        name = call.body["name"]
        assert re.fullmatch(r"acme-mlflow-mlflow-[a-z0-9][-a-z0-9]*[a-z0-9]", name), call
        assert len(name) <= 63, call
        assert "google" not in name, call


def test_a_bucket_says_what_its_defaults_would_leave_open() -> None:
    """Cloud Storage: uniform access and prevention are off by default, soft delete is 7 days of it."""
    for call in sent(BUCKET_ADDRESS, "POST", "PATCH"):
        iam = call.body["iamConfiguration"]
        assert iam["uniformBucketLevelAccess"] == {"enabled": True}, call
        assert iam["publicAccessPrevention"] == "enforced", call
        kept = call.body["softDeletePolicy"]["retentionDurationSeconds"]
        assert isinstance(kept, str), call
        assert 7 * DAY <= int(kept) <= 90 * DAY, call


def test_a_class_is_not_a_place() -> None:
    """Cloud Storage: MULTI_REGIONAL was a class once; today the location says it, for ever."""
    places = set()
    for call in sent(BUCKETS):
        assert call.body["storageClass"] == "STANDARD", call
        assert re.fullmatch(r"EU|US|ASIA|[A-Z]+-[A-Z]+[0-9]", call.body["location"]), call
        places.add(call.body["location"])
    for call in sent(BUCKET_ADDRESS, "PATCH"):
        assert not {"location", "name"} & call.body.keys(), call
    assert {"EUROPE-WEST1", "EU"} <= places


def test_uploads_that_never_ended_are_cleared_away() -> None:
    """Cloud Storage: their parts are paid for, show in no list, and keep a bucket from emptying."""
    for call in sent(BUCKETS):
        actions = {rule["action"]["type"] for rule in call.body["lifecycle"]["rule"]}
        # Any other rule would delete models.
        assert actions == {"AbortIncompleteMultipartUpload"}, call


def test_secrets_stay_in_the_region() -> None:
    """Secret Manager: `automatic` counts as global, which location policies refuse."""
    for call in sent(SECRETS):
        managed = call.body["replication"]["userManaged"]
        assert call.body["replication"].keys() == {"userManaged"}, call
        location = only(managed["replicas"])["location"]
        elsewhere = call.order.startswith(("as-long-as-names-go", "flex-elsewhere"))
        assert location == ("us-central1" if elsewhere else "europe-west1"), call


def test_replication_is_said_once() -> None:
    """Secret Manager: it is immutable, and without a mask a PATCH is about everything."""
    for call in sent(r"^https://secretmanager\.", "PATCH"):
        assert call.url.endswith("?updateMask=labels"), call
        assert call.body.keys() == {"labels"}, call


def test_secrets_have_names_that_are_taken() -> None:
    """Secret Manager: 255 letters, digits, - and _; no regional ones, which nothing can mount."""
    for call in sent(SECRETS):
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", call.url.split("secretId=")[1]), call
        assert call.url.startswith("https://secretmanager.googleapis.com/v1/projects/"), call
        assert "/locations/" not in call.url, call


def test_no_value_passes_through_the_workflow() -> None:
    """Secret Manager: each addVersion is a further version, and its body is the secret itself."""
    never_sent(r":addVersion|:access")


def test_a_build_is_made_in_the_region_of_its_repository() -> None:
    """Cloud Build: the path without a location builds in `global`, outside of location policies."""
    for call in sent(BUILDS):
        region = call.url.split("/locations/")[1].split("/")[0]
        assert only(call.body["images"]).startswith(f"{region}-docker.pkg.dev/"), call


def test_a_build_says_who_it_is_and_where_its_log_goes() -> None:
    """Cloud Build: with an account of its own a build without a place for the log is a 400."""
    for call in sent(BUILDS):
        assert re.fullmatch(
            r"projects/acme-mlflow/serviceAccounts/[^/]+@acme-mlflow\.iam\.gserviceaccount\.com",
            call.body["serviceAccount"],
        ), call
        assert call.body["options"]["logging"] == "CLOUD_LOGGING_ONLY", call
        assert "logsBucket" not in call.body, call


def test_a_build_pushes_what_it_has_built() -> None:
    """Cloud Build: an image that no step has made is a failed push at the very end."""
    for call in sent(BUILDS):
        words = only(call.body["steps"])["args"]
        assert words[words.index("-t") + 1] == only(call.body["images"]), call


def test_a_build_takes_one_generation_and_has_an_end() -> None:
    """Cloud Build: source pinned as int64 in a string; by default it may run and queue for an hour."""
    for call in sent(BUILDS):
        assert re.fullmatch(r"[0-9]+", call.body["source"]["storageSource"]["generation"]), call
        for field in ("timeout", "queueTtl"):
            assert 0 < int(call.body[field].removesuffix("s")) <= 3600, call


def test_a_build_can_be_found_again() -> None:
    """Cloud Build: each create is another build, so one is looked for by its tag before."""
    looked = 0
    for title, made in plans().items():
        for step in (step for part in made.parts for step in part.steps):
            if isinstance(step, Resource) and re.search(BUILDS, step.create.url):
                looked += 1
                tag = (step.create.body or {})["tags"][0]
                assert step.underway is not None, title
                assert f"filter=tags%3D%22{tag}%22" in step.underway.url, title
    assert looked


def test_a_build_is_told_no_secret() -> None:
    """Cloud Build: substitutions are shown in plain text to whoever may look at builds."""
    for call in sent(BUILDS):
        named = {"substitutions", "availableSecrets", "secrets", "secretEnv"} & set(keys(call.body))
        assert not named, call


def test_a_range_for_google_s_services_says_what_it_is() -> None:
    """Private access: an address is external by default, and a peering needs purpose and length."""
    for call in sent(r"^https://compute\..*/global/addresses$"):
        if "network" in call.body:
            assert call.body["addressType"] == "INTERNAL", call
            assert call.body["purpose"] == "VPC_PEERING", call
            assert 8 <= call.body["prefixLength"] <= 24, call
            assert len(call.body["name"]) <= 63, call


def test_a_connection_knows_the_project_by_its_number() -> None:
    """Private access: the id in a network's name is refused here, in body and in query."""
    for call in sent(CONNECTIONS, "GET", "POST", "PATCH"):
        for name in re.findall(r"projects/[^/]+", call.url.split("?network=")[-1]):
            assert name == f"projects/{NUMBER}", call
        if call.body is not None:
            assert call.body["network"].startswith(f"projects/{NUMBER}/global/networks/"), call
            assert call.body["reservedPeeringRanges"], call


def test_a_connection_loses_nobody_s_range() -> None:
    """Private access: `force` lets a shorter list through, and cuts off what others reach by it."""
    for call in sent(CONNECTIONS, "PATCH"):
        assert "force" not in call.url, call
        assert "updateMask=reservedPeeringRanges" in call.url, call


def test_the_connection_is_there_before_the_instance() -> None:
    """Private access: an instance made at the same time fails, for want of a connection."""
    orders = 0
    for title, made in plans().items():
        named = [step.name for part in made.parts for step in part.steps]
        if "private_connection" in named:
            orders += 1
            assert named.index("private_range") < named.index("private_connection"), title
            assert named.index("private_connection") < named.index("instance"), title
    assert orders
