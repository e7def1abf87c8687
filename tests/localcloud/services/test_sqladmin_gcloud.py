"""The ``gcloud sql`` commands as a person types them (on paper machines); slow, where gcloud is."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from localcloud.cloud import Cloud
from localcloud.services.sqladmin import SERVICE, SERVICE_V1BETA4
from tests.localcloud.services.test_storage_pubsub_gcloud import gcloud as gcloud  # noqa: PLC0414 - a fixture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.localcloud.services.test_storage_pubsub_gcloud import Gcloud

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("sqladmin-gcloud"),
    pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed"),
]

ONE = "--instance=one"
CREATE = ("sql", "instances", "create", "one", "--database-version=POSTGRES_17")
SMALL = ("--edition=enterprise", "--tier=db-custom-1-3840", "--region=europe-west1")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Return a cloud with its doors open and an instance ``one``."""
    state = tmp_path_factory.mktemp("state")
    cloud = Cloud(state, machines="paper", only=[SERVICE, SERVICE_V1BETA4])
    cloud.enable("sqladmin.googleapis.com")
    with cloud.serve():
        yield cloud
    cloud.close()


@pytest.fixture
def one(served: Cloud, gcloud: Gcloud) -> Gcloud:
    """Return gcloud, with the instance made."""
    if served.store.of("sqladmin").find("projects/berth-local/instances/one") is None:
        gcloud(*CREATE, *SMALL)
    return gcloud


def test_instances(one: Gcloud) -> None:
    """Changed, failed over, cloned, listed."""
    one("sql", "instances", "patch", "one", "--availability-type=REGIONAL")
    one("sql", "instances", "failover", "one")
    one("sql", "instances", "clone", "one", "two")
    listed = one("sql", "instances", "list", "--format=value(name,state,settings.availabilityType)")
    assert listed.split() == ["one", "RUNNABLE", "REGIONAL", "two", "RUNNABLE", "REGIONAL"]


def test_databases_and_users(one: Gcloud) -> None:
    """Made and listed; a user gets another password."""
    one("sql", "databases", "create", "shop", ONE)
    one("sql", "users", "create", "ann", ONE, "--password=x")
    one("sql", "users", "set-password", "ann", ONE, "--password=y")
    assert one("sql", "users", "list", ONE, "--format=value(name)").split() == ["ann", "postgres"]


def test_backups_and_operations(one: Gcloud) -> None:
    """A run is listed, restored to a new instance, and deleted."""
    one("sql", "backups", "create", ONE, "--description=first")
    number = one("sql", "backups", "list", ONE, "--format=value(id)").split()[0]
    name = f"projects/berth-local/backups/{number}"
    one("sql", "backups", "restore", name, "--restore-instance=three")
    one("sql", "backups", "delete", number, ONE)
    kinds = one("sql", "operations", "list", ONE, "--format=value(operationType)").split()
    assert {"BACKUP_VOLUME", "DELETE_BACKUP", "CREATE"} <= set(kinds)


def test_flags_and_certificates(one: Gcloud, tmp_path: Path) -> None:
    """The flags of a version, and a client certificate with its key."""
    assert "max_connections" in one("sql", "flags", "list", "--database-version=POSTGRES_17")
    one("sql", "ssl", "client-certs", "create", "laptop", str(tmp_path / "key.pem"), ONE)
    assert "PRIVATE KEY" in (tmp_path / "key.pem").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("describe", "none"), "HTTPError 404: The Cloud SQL instance does not exist"),
        # without a region gcloud sends one that was renamed long ago
        (("create", "small", "--tier=db-f1-micro", CREATE[-1]), r"\(ENTERPRISE_PLUS\) Edition"),
    ],
)
def test_refusals(gcloud: Gcloud, words: tuple[str, ...], said: str) -> None:
    """What the API refuses is shown as it is for Google's."""
    with pytest.raises(AssertionError, match=said):
        gcloud("sql", "instances", *words)


def test_a_protected_instance_is_deleted_in_two_steps(gcloud: Gcloud) -> None:
    """First the protection, then the instance, with a final backup."""
    gcloud("sql", "instances", "create", "safe", *CREATE[4:], *SMALL, "--deletion-protection")
    gone = ("sql", "instances", "delete", "safe", "--enable-final-backup")
    with pytest.raises(AssertionError, match="The instance is protected"):
        gcloud(*gone)
    gcloud("sql", "instances", "patch", "safe", "--no-deletion-protection")
    gcloud(*gone)
    found = gcloud("sql", "backups", "list", "--format=value(instance,type)").split()
    assert found[:2] == ["safe", "FINAL"]
