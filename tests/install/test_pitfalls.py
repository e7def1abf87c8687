"""Google's pitfalls that concern what the installer sends: each one sentence, each held here."""

import re
from pathlib import Path
from typing import Any

import pytest

from install.accounts import accounts
from install.apis import APIS, MOST_AT_ONCE, batched
from install.functions import Function
from install.ground import ground, pool
from install.names import ACCOUNTS, FUNCTIONS, Names
from install.rights import policies, rights
from install.rows import Resource
from install.workflows import workflows
from schemas.network import Network

ROOT = Path(__file__).parents[2]
NAMES = Names("berth-local", "123456789012", "europe-west1")
ROWS = (*accounts(NAMES), *ground(NAMES), *pool(NAMES), *workflows(NAMES))
BUCKETS = [row for row in ROWS if row.title.startswith("bucket ")]
WORKFLOWS = [row for row in ROWS if row.title.startswith("workflow ")]
(REPOSITORY,) = (row for row in ROWS if row.title.startswith("image repository "))
(TOPIC,) = (row for row in ROWS if row.title.startswith("topic "))
(INSTANCE,) = (row for row in ROWS if row.title.startswith("Cloud SQL instance "))
(USER,) = (row for row in ROWS if row.title.startswith("database user "))


def created(row: Resource) -> Any:
    """Return the body that makes a row."""
    return row.create_body if row.create_body is not None else row.wanted


def test_apis_are_enabled_twenty_at_a_time() -> None:
    """Service Usage: a call with more is refused whole; none must fall out where it is cut."""
    pieces = list(batched(APIS))

    assert MOST_AT_ONCE <= 20
    assert all(1 <= len(piece) <= 20 for piece in pieces)
    assert [api for piece in pieces for api in piece] == list(APIS)


@pytest.mark.parametrize("api", ["servicenetworking", "appengineflex", "iap", "sqladmin"])
def test_no_api_is_forgotten_that_nothing_names(api: str) -> None:
    """Service Usage: without these a later call of another API fails, and says little of why."""
    assert f"{api}.googleapis.com" in APIS


def test_accounts_have_names_that_are_taken() -> None:
    """IAM: 6 to 30 characters that begin with a letter."""
    for name in ACCOUNTS:
        assert re.fullmatch(r"[a-z][-a-z0-9]{4,28}[a-z0-9]", NAMES.account(name).partition("@")[0])


def test_every_policy_is_read_with_its_conditions() -> None:
    """IAM: not asked for by version 3, they are left out, and writing destroys them."""
    for where, policy in policies(NAMES).values():
        read = f"{policy.read_url} {policy.read_body}"
        assert re.search(r"equestedPolicyVersion(=|': )3\b", read), where


def test_no_right_is_everybody_s() -> None:
    """IAM: allUsers on a project is always refused, and elsewhere where sharing is limited."""
    assert all(right.account in ACCOUNTS for right in rights(NAMES))


def test_the_repository_keeps_what_runs() -> None:
    """Artifact Registry: format and mode are for ever; a cleanup may delete a digest in use."""
    body = created(REPOSITORY)

    assert (body["format"], body["mode"]) == ("DOCKER", "STANDARD_REPOSITORY")
    assert "cleanupPolicies" not in body
    assert not {"format", "mode"} & set(REPOSITORY.update_body or {})


def test_the_pool_says_what_its_defaults_would_get_wrong() -> None:
    """Cloud SQL: edition with its tier, 1 to 7 days of logs, sizes in strings, connectors only."""
    settings = created(INSTANCE)["settings"]

    assert settings["edition"] == "ENTERPRISE"
    assert settings["tier"].startswith("db-custom-")
    assert 1 <= settings["backupConfiguration"]["transactionLogRetentionDays"] <= 7
    assert isinstance(settings["dataDiskSizeGb"], str)
    assert settings["connectorEnforcement"] == "REQUIRED"
    assert settings["ipConfiguration"] == {
        "ipv4Enabled": True,
        "sslMode": "ENCRYPTED_ONLY",
        "authorizedNetworks": [],
    }
    assert settings["finalBackupConfig"]["enabled"] is True
    assert "rootPassword" not in created(INSTANCE)


def test_a_pool_that_grew_is_not_patched_back() -> None:
    """Cloud SQL: disks only grow, and another tier restarts the instance under all servers."""
    assert INSTANCE.update_method == "PATCH"
    patched = (INSTANCE.update_body or {})["settings"]
    assert not {"dataDiskSizeGb", "tier", "databaseFlags"} & patched.keys()
    assert patched["edition"] == "ENTERPRISE"


def test_the_login_of_credentials_needs_no_password() -> None:
    """Cloud SQL: type and rights must be said; PostgreSQL drops the address's last suffix."""
    body = created(USER)

    assert body["type"] == "CLOUD_IAM_SERVICE_ACCOUNT"
    assert body["databaseRoles"] == ["cloudsqlsuperuser"]
    assert body["name"].endswith("@berth-local.iam")


def test_no_bucket_can_be_opened() -> None:
    """Cloud Storage: both locks are off by default; the place is for ever and never patched."""
    assert len(BUCKETS) == 2
    for bucket in BUCKETS:
        for body in (created(bucket), bucket.update_body or {}):
            assert body["iamConfiguration"] == {
                "uniformBucketLevelAccess": {"enabled": True},
                "publicAccessPrevention": "enforced",
            }
        assert "location" not in (bucket.update_body or {})
        assert "." not in created(bucket)["name"]


def test_a_topic_is_put() -> None:
    """Pub/Sub: there is no POST for it, times have an s, and a PATCH wraps it beside the mask."""
    assert TOPIC.create_method == "PUT"
    assert re.fullmatch(r"[0-9]+s", created(TOPIC)["messageRetentionDuration"])
    body = TOPIC.update_body or {}
    assert set(body["updateMask"].split(",")) == set(body["topic"]) - {"name"}


def test_a_workflow_is_what_a_deployment_of_it_takes() -> None:
    """Workflows: 128 KB of source, the account by its full name, at most 20 variables of 4 KiB."""
    assert len(WORKFLOWS) == 2
    for workflow in WORKFLOWS:
        body = created(workflow)
        assert len(body["sourceContents"].encode()) <= 128 * 1000
        assert re.fullmatch(
            r"projects/[^/]+/serviceAccounts/[^/]+@[^/]+\.gserviceaccount\.com",
            body["serviceAccount"],
        )
        assert len(body["userEnvVars"]) <= 20
        assert all(len(value.encode()) <= 4096 for value in body["userEnvVars"].values())
        assert workflow.update_url is not None
        assert set(workflow.update_url.split("updateMask=")[1].split(",")) == set(body)


def test_variables_of_calls_are_not_logged() -> None:
    """Workflows: logs of all calls and a full history would hold whatever passes through."""
    for workflow in WORKFLOWS:
        assert created(workflow)["callLogLevel"] == "LOG_ERRORS_ONLY"
        assert created(workflow)["executionHistoryLevel"] == "EXECUTION_HISTORY_BASIC"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_runs_as_an_account_of_its_own(name: str) -> None:
    """Functions: left out, it is the account of Compute Engine; the generation must be said, too."""
    body = Function(names=NAMES, name=name, zip=b"").wanted

    assert body["environment"] == "GEN_2"
    assert body["serviceConfig"]["serviceAccountEmail"] == NAMES.account(name)
    assert 1 <= body["serviceConfig"]["timeoutSeconds"] <= 3600


@pytest.mark.parametrize("name", FUNCTIONS)
def test_several_requests_at_once_have_a_whole_cpu(name: str) -> None:
    """Functions: with less than one, more than one request at a time is refused."""
    config = Function(names=NAMES, name=name, zip=b"").wanted["serviceConfig"]

    assert config["maxInstanceRequestConcurrency"] == 1 or float(config["availableCpu"]) >= 1


def test_the_framework_is_among_the_requirements() -> None:
    """Functions: from Python 3.13 on nobody adds it, and before that nobody pins it."""
    required = (ROOT / "requirements.txt").read_text(encoding="utf-8")

    assert re.search(r"^functions-framework==", required, re.MULTILINE)


def test_the_oauth2_proxy_has_no_known_way_around_it() -> None:
    """oauth2-proxy: 7.15.2 closed two ways to be let in without signing in."""
    text = (ROOT / "images" / "oauth2-proxy" / "Dockerfile").read_text(encoding="utf-8")
    match = re.search(r"^FROM \S+:v([0-9]+)\.([0-9]+)\.([0-9]+)\S*", text, re.MULTILINE)

    assert match is not None
    assert tuple(map(int, match.groups())) >= (7, 15, 2)


def test_only_verify_is_in_a_network_and_names_it_once() -> None:
    """Network: said as connector and as interface at once, it is refused."""
    from install.network import egress

    config = egress(Network(name="default"))

    assert not ("vpcConnector" in config and "directVpcNetworkInterface" in config)
    assert egress(None) != config
