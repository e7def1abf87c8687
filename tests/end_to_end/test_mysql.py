"""A deployment on MySQL: an instance of its own, made, used by a member and removed.

The local cloud runs MariaDB for it, so these are skipped where that is not installed.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.end_to_end.holdings import Holdings, difference, holdings
from tests.end_to_end.installation import ANA, PROJECT, Installation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.skipif(
        shutil.which("mariadbd") is None,
        reason="no MariaDB here: apt-get install mariadb-server-core mariadb-client-core",
    ),
]

SQL = f"https://sqladmin.googleapis.com/v1/projects/{PROJECT}/instances"
WISH: dict[str, Any] = {
    "placement": "dedicated",
    "database": {"engine": "mysql"},
}


@dataclass(frozen=True)
class Made:
    """The deployment, its instance, and what was there before."""

    before: Holdings
    deployment: dict[str, Any]
    instance: dict[str, Any]


@pytest.fixture(scope="module")
def mysql(berth: Installation, door: dict[str, Any]) -> Iterator[Made]:  # noqa: ARG001 - quiet
    """A deployment on MySQL, READY."""
    before = holdings(berth)
    berth.post("onmysql", **WISH)
    deployment = berth.wait("onmysql", "READY", "FAILED")
    assert deployment["state"] == "READY", deployment
    (instance,) = [one for one in berth.google(SQL)["items"] if "onmysql" in one["name"]]
    yield Made(before, deployment, instance)
    if berth.show("onmysql")["state"] != "DELETED":
        berth.delete("onmysql")


def test_the_instance_is_mysql_as_it_was_asked_for(mysql: Made) -> None:
    """Recovery to any moment is the binary log's work there, and it is closed and protected."""
    settings = mysql.instance["settings"]

    assert mysql.instance["databaseVersion"] == "MYSQL_8_4"
    assert settings["backupConfiguration"]["binaryLogEnabled"] is True
    assert settings["deletionProtectionEnabled"] is True
    assert settings["connectorEnforcement"] == "REQUIRED"


def test_root_is_gone_and_the_tenant_is_no_superuser(berth: Installation, mysql: Made) -> None:
    """Cloud SQL makes root without a password, and every new user a superuser."""
    users = berth.google(f"{SQL}/{mysql.instance['name']}/users")["items"]

    assert {user["name"] for user in users} == {"onmysql", "berth-credentials"}
    (tenant,) = [user for user in users if user["name"] == "onmysql"]
    assert tenant["databaseRoles"] == ["berth_tenant"]


def test_runs_and_big_artifacts_work(berth: Installation, mysql: Made) -> None:
    """MLflow's client does not notice which engine it is."""
    found = berth.program(
        "big_artifact",
        MLFLOW_TRACKING_URI=mysql.deployment["url"],
        MLFLOW_TRACKING_TOKEN=berth.token(ANA, "--audience", mysql.deployment["url"]),
    )

    assert found == {"mib": 40, "same": True}


def test_removal_leaves_nothing_but_the_last_backup(berth: Installation, mysql: Made) -> None:
    """Instance, databases, users, secrets, bucket, service: all gone."""
    removed = berth.delete("onmysql")

    assert removed["state"] == "DELETED", removed
    left = difference(mysql.before, holdings(berth), removed="onmysql")
    (backup,) = left.values()
    assert (backup[0], backup[1]["type"]) == ("nothing", "FINAL")
    assert backup[1]["instance"] == mysql.instance["name"]
