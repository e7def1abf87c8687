"""Clone, failover and the rest that is done to whole instances of Cloud SQL (on paper machines)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from googleapiclient.errors import HttpError

from localcloud.cloud import Cloud
from localcloud.documents.discovery import document
from localcloud.services.sqladmin import SERVICE, SERVICE_V1BETA4
from tests.localcloud.services.sqladmin import sql_grpc_client
from tests.localcloud.services.sqladmin.sql_instances import P, body, refused
from tests.localcloud.wire import client

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.clock import VirtualClock


def patched(sql: Any, clock: VirtualClock, **settings: Any) -> None:
    """Change the settings of the instance."""
    sql.instances().patch(project=P, instance="pool", body={"settings": settings}).execute()
    clock.run_until_idle()


def cloning(sql: Any, name: str = "twin", **context: Any) -> Any:
    """Return the request to clone the instance."""
    sent = {"cloneContext": {"destinationInstanceName": name, **context}}
    return sql.instances().clone(project=P, instance="pool", body=sent)


def test_a_clone_is_a_second_instance(pool: Any, clock: VirtualClock) -> None:
    """It has the settings, users and databases of the first, and an address of its own."""
    pool.databases().insert(project=P, instance="pool", body={"name": "shop"}).execute()
    clock.run_until_idle()
    patched(pool, clock, userLabels={"team": "red"})
    operation = cloning(pool).execute()
    assert (operation["operationType"], operation["targetId"]) == ("CLONE", "twin")
    listed = pool.instances().list(project=P).execute()["items"]
    assert [one["state"] for one in listed] == ["RUNNABLE", "PENDING_CREATE"]
    clock.run_until_idle()

    first, second = (
        pool.instances().get(project=P, instance=name).execute() for name in ("pool", "twin")
    )
    assert second["state"] == "RUNNABLE"
    assert second["settings"]["userLabels"] == {"team": "red"}
    assert first["ipAddresses"] != second["ipAddresses"]
    assert first["serverCaCert"]["cert"] != second["serverCaCert"]["cert"]
    databases = pool.databases().list(project=P, instance="twin").execute()["items"]
    assert [one["name"] for one in databases] == ["postgres", "shop"]

    pool.databases().delete(project=P, instance="pool", database="shop").execute()
    clock.run_until_idle()
    assert pool.databases().get(project=P, instance="twin", database="shop").execute()


def test_both_instances_are_busy_while_one_is_cloned(pool: Any, clock: VirtualClock) -> None:
    """Neither takes another operation, and a clone waits for no operation on its source."""
    busy = (409, "operationInProgress")
    cloning(pool).execute()
    for name in ("pool", "twin"):
        restart = pool.instances().delete(project=P, instance=name)
        assert refused(restart.execute)[:2] == busy
    clock.run_until_idle()
    pool.instances().restart(project=P, instance="pool").execute()
    assert refused(cloning(pool, "third").execute)[:2] == busy
    clock.run_until_idle()
    gone = pool.instances().get(project=P, instance="third")
    assert refused(gone.execute)[0] == 404


@pytest.mark.parametrize(
    ("name", "context", "code", "words"),
    [
        ("pool", {}, 409, "already exists"),
        ("Twin", {}, 400, "instance name (Twin)"),
        ("twin", {"pointInTime": "2026-11-01T00:00:00Z"}, 400, "recovery is not enabled"),
        ("twin", {"databaseNames": ["x"]}, 400, "only for SQL Server"),
        ("twin", {"destinationProject": "elsewhere"}, 501, "destinationProject"),
    ],
)
def test_bad_clones(pool: Any, name: str, context: Any, code: int, words: str) -> None:
    """Nothing is made by a clone that cannot be."""
    found = refused(cloning(pool, name, **context).execute)
    assert (found[0], words in found[2]) == (code, True)
    assert len(pool.instances().list(project=P).execute()["items"]) == 1


def test_a_clone_needs_its_destination(pool: Any) -> None:
    """Who names none is told what is missing."""
    call = pool.instances().clone(project=P, instance="pool", body={"cloneContext": {}})
    assert "destinationInstanceName" in refused(call.execute)[2]


def test_a_moment_in_the_past_is_refused_by_name(pool: Any, clock: VirtualClock) -> None:
    """With recovery enabled Google could; the local cloud has no logs and says so."""
    patched(pool, clock, backupConfiguration={"enabled": True, "pointInTimeRecoveryEnabled": True})
    code, _, words = refused(cloning(pool, pointInTime="2026-11-01T00:00:00Z").execute)
    assert (code, "cloneContext.pointInTime" in words) == (501, True)
    latest = pool.projects().instances().getLatestRecoveryTime(project=P, instance="pool")
    assert refused(latest.execute)[0] == 501


def test_a_clone_needs_the_right_to_create(cloud: Cloud, pool: Any) -> None:
    """The role on the one instance is not enough."""
    assert pool is not None
    cloud.iam.set_policy(
        f"//cloudresourcemanager.googleapis.com/projects/{P}",
        {
            "bindings": [
                {
                    "role": "roles/cloudsql.admin",
                    "members": ["user:eve@example.com"],
                    "condition": {
                        "title": "one",
                        "expression": f"resource.name == 'projects/{P}/instances/pool'",
                    },
                }
            ],
            "version": 3,
        },
    )
    eve = client(cloud, "sqladmin", "v1", "eve@example.com")
    code, _, words = refused(cloning(eve).execute)
    assert (code, "cloudsql.instances.create" in words) == (403, True)


def test_a_failover_changes_the_zone(pool: Any, clock: VirtualClock) -> None:
    """A regional instance serves from its other zone afterwards."""
    patched(pool, clock, availabilityType="REGIONAL")
    before = pool.instances().get(project=P, instance="pool").execute()
    sent = {"failoverContext": {"settingsVersion": before["settings"]["settingsVersion"]}}
    call = pool.instances().failover(project=P, instance="pool", body=sent)
    assert call.execute()["operationType"] == "FAILOVER"
    clock.run_until_idle()
    after = pool.instances().get(project=P, instance="pool").execute()
    assert (after["gceZone"] != before["gceZone"], after["state"]) == (True, "RUNNABLE")
    assert after["secondaryGceZone"] == before["gceZone"]


def test_failovers_that_cannot_be(pool: Any, clock: VirtualClock) -> None:
    """A zonal instance has no other zone; settings must be the present ones; a server must run."""
    failover = pool.instances().failover
    assert "REGIONAL" in refused(failover(project=P, instance="pool", body={}).execute)[2]
    patched(pool, clock, availabilityType="REGIONAL")
    old = {"failoverContext": {"settingsVersion": "1"}}
    assert refused(failover(project=P, instance="pool", body=old).execute)[:2] == (412, "staleData")
    patched(pool, clock, activationPolicy="NEVER")
    assert "not running" in refused(failover(project=P, instance="pool", body={}).execute)[2]


def test_operations_cannot_be_cancelled(pool: Any, clock: VirtualClock) -> None:
    """Only imports and exports could be; a finished one is past it; an unknown one is a 404."""
    operation = pool.instances().restart(project=P, instance="pool").execute()
    cancel = pool.operations().cancel
    running = cancel(project=P, operation=operation["name"])
    assert "type RESTART cannot be cancelled" in refused(running.execute)[2]
    clock.run_until_idle()
    assert "is done" in refused(running.execute)[2]
    assert refused(cancel(project=P, operation="none").execute)[0] == 404


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("promoteReplica", "pool is not a read replica"),
        ("startReplica", "pool is not a read replica"),
        ("stopReplica", "pool is not a read replica"),
        ("switchover", "pool is not a read replica"),
        ("acquireSsrsLease", "only for SQL Server"),
        ("ListServerCertificates", "GOOGLE_MANAGED_INTERNAL_CA"),
    ],
)
def test_what_no_instance_here_is(pool: Any, method: str, words: str) -> None:
    """Methods for other kinds of instances are refused as Google refuses them, 404 for none."""
    call = getattr(pool.instances(), method)
    sent: dict[str, Any] = {"body": {}} if method == "acquireSsrsLease" else {}
    code, _, said = refused(call(project=P, instance="pool", **sent).execute)
    assert (code, words in said) == (400, True)
    assert refused(call(project=P, instance="none", **sent).execute)[0] == 404


def test_names_can_be_used_again(pool: Any, clock: VirtualClock) -> None:
    """Google's documentation lets a deleted name be used at once; nothing of the old one is left."""
    pool.users().insert(project=P, instance="pool", body={"name": "ann", "password": "x"}).execute()
    clock.run_until_idle()
    pool.instances().delete(project=P, instance="pool").execute()
    clock.run_until_idle()
    pool.instances().insert(project=P, body=body()).execute()
    clock.run_until_idle()
    found = pool.users().list(project=P, instance="pool").execute()["items"]
    assert [one["name"] for one in found] == ["postgres"]


NOT_BUILT = {
    "sql.blueGreenDeployments.create",
    "sql.blueGreenDeployments.delete",
    "sql.blueGreenDeployments.get",
    "sql.blueGreenDeployments.list",
    "sql.blueGreenDeployments.switchover",
    "sql.instances.addServerCa",
    "sql.instances.demote",
    "sql.instances.demoteMaster",
    "sql.instances.export",
    "sql.instances.import",
    "sql.instances.preCheckMajorVersionUpgrade",
    "sql.instances.rotateServerCa",
    "sql.instances.truncateLog",
    "sql.projects.instances.getDiskShrinkConfig",
    "sql.projects.instances.performDiskShrink",
    "sql.workloadCaptures.list",
    "sql.workloadCaptures.start",
    "sql.workloadCaptures.startReplay",
    "sql.workloadCaptures.stop",
    "sql.workloadCaptures.stopReplay",
}


def test_every_method_is_built_or_known_not_to_be(cloud: Cloud, pool: Any) -> None:
    """What is left out of Google's document is a list, the same in both versions; it answers 501."""
    for service in (SERVICE, SERVICE_V1BETA4):
        every = set(document(service.api, service.version).methods)
        assert every - set(service.handlers) == NOT_BUILT
    assert pool is not None
    beta = client(cloud, "sqladmin", "v1beta4")
    with pytest.raises(HttpError, match=r"sql\.instances\.rotateServerCa") as error:
        beta.instances().rotateServerCa(project=P, instance="pool", body={}).execute()
    assert error.value.status_code == 501


def test_google_s_own_client_speaks_grpc(tmp_path: Path) -> None:
    """google-cloud-sql has no REST: what it does over gRPC is what REST does."""
    cloud = Cloud(tmp_path / "state", machines="paper")
    cloud.enable("sqladmin.googleapis.com")
    with cloud.serve():
        environment = {**os.environ, **cloud.environment("owner@example.com")}
        line = [sys.executable, str(sql_grpc_client.__file__)]
        run = subprocess.run(
            line, env=environment, capture_output=True, text=True, timeout=100, check=False
        )
    cloud.close()
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "operation": ["CREATE", "pool"],
        "instance": ["RUNNABLE", {"a": "b"}],
        "users": ["postgres"],
        "backups": ["ON_DEMAND"],
        "connect": "europe-west1",
        "refusals": [
            ["NotFound", "The Cloud SQL instance does not exist."],
            ["InvalidArgument", "Invalid request: The instance pool is not a read replica."],
        ],
    }
