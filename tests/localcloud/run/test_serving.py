"""A deployed service runs real processes in its image, and answers at its addresses."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from localcloud.services.logging import entries
from tests.localcloud.patience import eventually
from tests.localcloud.run.echo import PARENT, Caller, build, service

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.cloud import Cloud

HOST = "https://hello-123456789012.europe-west1.run.app"


def open_service(**template: Any) -> dict[str, Any]:
    """Return a service that anybody may call."""
    return {**service(**template), "invokerIamDisabled": True}


def seen(cloud: Cloud, path: str = "/") -> dict[str, Any]:
    """Return what the echo program saw of a request."""
    answer = cloud.request("GET", HOST + path)
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_program_runs_in_its_image(cloud: Cloud, owner: Caller) -> None:
    """The program finds its files, its user, its directory and its environment."""
    operation = owner.deploy("hello", open_service(env={"COLOUR": "blue"}))

    found = seen(cloud, "/x?y=1")
    revision = operation["response"]["latestReadyRevision"].rpartition("/")[2]
    expected = {"COLOUR": "blue", "FLAVOUR": "plain", "K_SERVICE": "hello", "K_REVISION": revision}
    assert (found["cwd"], found["uid"], found["path"]) == ("/app", 65532, "/x?y=1")
    assert expected.items() <= found["env"].items()


def test_both_addresses_lead_to_the_service(cloud: Cloud, owner: Caller) -> None:
    """The deterministic address comes first, the one with the hash works as well."""
    made = owner.deploy("hello", open_service())["response"]

    assert made["urls"] == [HOST, made["uri"]]
    assert made["uri"].endswith("-ew.a.run.app")
    assert cloud.request("GET", made["uri"]).status == 200


def test_request_carries_what_the_front_end_adds(cloud: Cloud, owner: Caller) -> None:
    """The host is kept, and the program learns the client and the scheme."""
    owner.deploy("hello", open_service())

    answer = cloud.request("GET", HOST, headers={"x-forwarded-for": "9.9.9.9", "x-own": "kept"})

    headers = answer.json()["headers"]
    assert headers["host"] == HOST.removeprefix("https://")
    assert headers["x-forwarded-for"] == "9.9.9.9, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-own"] == "kept"


def test_unknown_service_is_not_found(cloud: Cloud) -> None:
    """A host of no service gets the front end's page."""
    answer = cloud.request("GET", "https://nothing-123456789012.europe-west1.run.app/")

    assert answer.status == 404
    assert "text/html" in answer.headers["content-type"]


def test_internal_ingress_looks_like_nothing(cloud: Cloud, owner: Caller) -> None:
    """A service closed to the internet answers 404, not 403, and logs nothing."""
    owner.deploy("hello", {**open_service(), "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"})

    assert cloud.request("GET", HOST).status == 404
    # Workflows, Pub/Sub and the like are inside
    assert cloud.request("GET", HOST, inside=True).status == 200


def test_disabled_default_address_is_not_found(cloud: Cloud, owner: Caller) -> None:
    """A service without its default address is not found there."""
    owner.deploy("hello", {**open_service(), "defaultUriDisabled": True})

    assert cloud.request("GET", HOST).status == 404


def test_program_that_ends_fails_the_deployment(cloud: Cloud, owner: Caller) -> None:
    """The operation ends with code 9, Google's sentence and the program's last words."""
    operation = owner.deploy("hello", open_service(env={"MOOD": "crash"}))

    assert operation["error"]["code"] == 9
    assert "failed to start and listen on the port" in operation["error"]["message"]
    assert "cannot find the database" in operation["error"]["message"]
    made = owner("GET", f"{PARENT}/services/hello").json()
    assert made["terminalCondition"]["state"] == "CONDITION_FAILED"
    assert made["terminalCondition"]["revisionReason"] == "HEALTH_CHECK_CONTAINER_ERROR"
    assert cloud.request("GET", HOST).status == 503


def test_program_on_loopback_only_fails_the_deployment(owner: Caller) -> None:
    """What listens on 127.0.0.1 could not be reached on Google's side."""
    operation = owner.deploy("hello", open_service(env={"MOOD": "private"}))

    assert "listen on the port" in operation["error"]["message"]


def test_failing_startup_probe_fails_the_deployment(owner: Caller) -> None:
    """The probe is really asked, period by period, until its threshold."""
    body = open_service(env={"MOOD": "unhealthy"})
    body["template"]["containers"][0]["startupProbe"] = {
        "httpGet": {"path": "/health", "port": 8080},
        "periodSeconds": 1,
        "failureThreshold": 2,
    }
    began = time.monotonic()

    operation = owner.deploy("hello", body)

    assert "failed the configured startup probe checks" in operation["error"]["message"]
    assert time.monotonic() - began > 1.5


def test_old_revision_serves_on_after_a_failed_one(cloud: Cloud, owner: Caller) -> None:
    """A deployment that fails takes nothing away from callers."""
    first = owner.deploy("hello", open_service())["response"]["latestReadyRevision"]

    operation = owner.done(
        owner("PATCH", f"{PARENT}/services/hello", open_service(env={"MOOD": "crash"}))
    )

    assert operation["error"]["code"] == 9
    made = owner("GET", f"{PARENT}/services/hello").json()
    assert made["latestReadyRevision"] == first != made["latestCreatedRevision"]
    assert seen(cloud)["env"]["K_REVISION"] == first.rpartition("/")[2]


def test_new_revision_takes_over(cloud: Cloud, owner: Caller) -> None:
    """After a good deployment requests go to it, and the old process ends."""
    owner.deploy("hello", open_service())
    before = seen(cloud)

    owner.done(owner("PATCH", f"{PARENT}/services/hello", open_service(env={"COLOUR": "red"})))

    after = seen(cloud)
    assert after["env"]["COLOUR"] == "red"
    assert after["env"]["K_REVISION"] != before["env"]["K_REVISION"]


def test_request_in_hand_ends_in_the_old_revision(cloud: Cloud, owner: Caller) -> None:
    """A deployment neither cuts off a running request nor waits for it."""
    old = owner.deploy("hello", open_service())["response"]["latestReadyRevision"]
    process = int(seen(cloud)["pid"])
    with ThreadPoolExecutor(1) as threads:
        slow = threads.submit(seen, cloud, "/wait")
        eventually(lambda: "/wait" in seen(cloud)["hits"])

        owner.done(owner("PATCH", f"{PARENT}/services/hello", open_service(env={"A": "b"})))

        assert not slow.done()
        os.kill(process, signal.SIGUSR1)
        assert slow.result()["env"]["K_REVISION"] == old.rpartition("/")[2]
    assert seen(cloud)["env"]["A"] == "b"


def test_tag_reaches_its_revision(cloud: Cloud, owner: Caller) -> None:
    """A tagged revision has an address of its own, whatever its share."""
    first = owner.deploy("hello", open_service())["response"]["latestReadyRevision"]
    body = open_service(env={"COLOUR": "red"})
    latest = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST"
    old = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
    body["traffic"] = [
        {"type": latest, "percent": 100},
        {"type": old, "revision": first.rpartition("/")[2], "tag": "before"},
    ]

    owner.done(owner("PATCH", f"{PARENT}/services/hello", body))

    tagged = cloud.request("GET", HOST.replace("https://", "https://before---"))
    assert tagged.json()["env"]["K_REVISION"] == first.rpartition("/")[2]
    assert seen(cloud)["env"]["COLOUR"] == "red"


def test_instance_ends_when_idle_and_starts_again(cloud: Cloud, owner: Caller) -> None:
    """Without requests a service has no process; the next request starts one."""
    cloud.ingress.fleet.idle_seconds = 0.3
    revision = owner.deploy("hello", open_service())["response"]["latestReadyRevision"]
    before = seen(cloud)["pid"]

    eventually(lambda: cloud.ingress.fleet.pool(revision).count() == 0)

    assert seen(cloud)["pid"] != before


def test_minimum_instance_stays(cloud: Cloud, owner: Caller) -> None:
    """With a minimum of one, idling ends nothing."""
    cloud.ingress.fleet.idle_seconds = 0.2
    revision = owner.deploy("hello", {**open_service(), "scaling": {"minInstanceCount": 1}})
    pool = cloud.ingress.fleet.pool(revision["response"]["latestReadyRevision"])
    before = seen(cloud)["pid"]

    time.sleep(0.6)

    assert (pool.count(), seen(cloud)["pid"]) == (1, before)


def test_concurrency_decides_how_many_instances(cloud: Cloud, owner: Caller) -> None:
    """With one request per instance, two at once need two processes."""
    owner.deploy("hello", open_service(maxInstanceRequestConcurrency=1))

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda _: seen(cloud, "/sleep=2")["pid"], range(2)))

    assert len(set(found)) == 2


def test_maximum_makes_requests_wait(cloud: Cloud, owner: Caller) -> None:
    """With one instance at most, the second request has its turn after the first."""
    body = open_service(maxInstanceRequestConcurrency=1, scaling={"maxInstanceCount": 1})
    owner.deploy("hello", body)

    with ThreadPoolExecutor(2) as threads:
        found = list(threads.map(lambda _: seen(cloud, "/sleep=0.3")["pid"], range(2)))

    assert len(set(found)) == 1


def test_paused_service_takes_no_requests(cloud: Cloud, owner: Caller) -> None:
    """Manual scaling to zero stops the process and refuses requests."""
    revision = owner.deploy("hello", open_service())["response"]["latestReadyRevision"]
    body = {"scaling": {"scalingMode": "MANUAL", "manualInstanceCount": 0}}

    owner.done(owner("PATCH", f"{PARENT}/services/hello?updateMask=scaling", body))

    assert cloud.request("GET", HOST).status == 503
    assert cloud.ingress.fleet.pool(revision).count() == 0


def test_crash_during_a_request_is_a_503_and_heals(cloud: Cloud, owner: Caller) -> None:
    """The request that met the crash fails, the next one finds a new process."""
    owner.deploy("hello", open_service())
    before = seen(cloud)["pid"]

    assert cloud.request("GET", f"{HOST}/exit").status == 503
    assert seen(cloud)["pid"] != before


def test_liveness_probe_replaces_a_sick_instance(cloud: Cloud, owner: Caller) -> None:
    """A program that fails its liveness probe is killed; the next request gets a new one."""
    body = open_service()
    body["template"]["containers"][0]["livenessProbe"] = {
        "httpGet": {"path": "/health"},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    revision = owner.deploy("hello", body)["response"]["latestReadyRevision"]
    before = seen(cloud, "/sick")["pid"]

    eventually(lambda: cloud.ingress.fleet.pool(revision).count() == 0)

    assert seen(cloud)["pid"] != before


def test_slow_request_reaches_the_timeout(cloud: Cloud, owner: Caller) -> None:
    """A request above the service's timeout gets 504."""
    owner.deploy("hello", open_service(timeout="1s"))

    assert cloud.request("GET", f"{HOST}/sleep=3").status == 504


def test_large_request_is_refused(cloud: Cloud, owner: Caller) -> None:
    """More than 32 MiB over HTTP/1 gets 413 and never reaches the program."""
    owner.deploy("hello", open_service())

    assert cloud.request("POST", HOST, body=b"x" * (32 * 2**20 + 1)).status == 413
    assert cloud.request("POST", HOST, body=b"x" * (32 * 2**20)).json()["size"] == 32 * 2**20


def test_large_response_of_known_length_is_refused(cloud: Cloud, owner: Caller) -> None:
    """A response that says it is above 32 MiB becomes a 500; a streamed one passes."""
    owner.deploy("hello", open_service())

    assert cloud.request("GET", f"{HOST}/large").status == 500
    assert len(cloud.request("GET", f"{HOST}/stream").body) == 40 * 2**20


def test_lines_become_log_entries(cloud: Cloud, owner: Caller) -> None:
    """JSON lines are structured, others are text, requests have a log of their own."""
    owner.deploy("hello", open_service())
    seen(cloud, "/log")

    def found() -> dict[str, Any]:
        return {entry["logName"].rpartition("%2F")[2]: entry for entry in entries(cloud.store)}

    eventually(lambda: {"stdout", "stderr", "requests"} <= set(found()))
    logs = found()
    assert logs["stdout"]["severity"] == "WARNING"
    assert logs["stdout"]["jsonPayload"] == {"message": "careful", "step": 7}
    assert logs["stderr"]["textPayload"] == "plain"
    assert logs["requests"]["httpRequest"]["status"] == 200
    assert logs["stdout"]["resource"]["labels"]["service_name"] == "hello"


def test_too_much_memory_ends_the_instance(cloud: Cloud, owner: Caller) -> None:
    """An instance above its limit is ended, the log says why, and the next request has a new one."""
    body = open_service()
    body["template"]["containers"][0]["resources"] = {"limits": {"memory": "128Mi"}}
    owner.deploy("hello", body)
    first = cloud.request("GET", HOST).json()["pid"]

    cloud.request("GET", f"{HOST}/hold=200")

    def other() -> bool:
        answer = cloud.request("GET", HOST)  # a 503 while the old one is on its way out
        return answer.status == 200 and answer.json()["pid"] != first

    eventually(other)
    said = [str(one.get("textPayload")) for one in entries(cloud.store)]
    assert any("Memory limit of 128 MiB exceeded" in one for one in said)
    assert any(one.startswith("Instance started in ") for one in said)


def test_sidecar_starts_first_and_shares_a_volume(cloud: Cloud, owner: Caller) -> None:
    """A container waits for those it depends on, and an emptyDir is common to both."""
    body = open_service(volumes=[{"name": "shared", "emptyDir": {}}])
    serving = body["template"]["containers"][0]
    mount = [{"name": "shared", "mountPath": "/shared"}]
    side = json.loads(json.dumps(serving)) | {
        "name": "side",
        "command": ["sh", "-c", "sleep 0.3; echo here > /shared/mark; exec sleep 60"],
        "volumeMounts": mount,
    }
    serving |= {
        "name": "main",
        "ports": [{"containerPort": 8080}],
        "dependsOn": ["side"],
        "volumeMounts": mount,
    }
    body["template"]["containers"] = [serving, side]

    owner.deploy("hello", body)

    eventually(lambda: cloud.request("GET", f"{HOST}/read=/shared/mark").text.endswith("here\n"))


def test_deleted_service_is_gone(cloud: Cloud, owner: Caller) -> None:
    """Deleting stops the process, forgets the policy and frees the name."""
    owner.deploy("hello", open_service())
    pid = seen(cloud)["pid"]

    owner.done(owner("DELETE", f"{PARENT}/services/hello"))

    assert cloud.request("GET", HOST).status == 404
    assert owner("GET", f"{PARENT}/services/hello").status == 404
    assert owner.deploy("hello", open_service())["response"]["generation"] == "1"
    assert seen(cloud)["pid"] != pid


def test_image_moved_later_changes_no_revision(cloud: Cloud, owner: Caller, tmp_path: Path) -> None:
    """A revision keeps the digest its tag meant when it was made, also from zero."""
    revision = owner.deploy("hello", open_service())["response"]["latestReadyRevision"]
    pinned = owner("GET", revision).json()["containerStatuses"][0]["imageDigest"]

    moved = build(cloud, tmp_path, flavour="other")
    cloud.ingress.fleet.retire(revision)

    assert moved not in pinned
    assert seen(cloud)["env"]["FLAVOUR"] == "plain"


def test_requests_during_a_cold_start_share_the_instance(cloud: Cloud, owner: Caller) -> None:
    """Ten requests that arrive at once start one process, not ten."""
    revision = owner.deploy("hello", open_service(env={"MOOD": "slow"}))
    name = revision["response"]["latestReadyRevision"]
    cloud.ingress.fleet.retire(name)
    gate = threading.Barrier(10)

    def ask(_: int) -> int:
        gate.wait()
        return int(seen(cloud)["pid"])

    with ThreadPoolExecutor(10) as threads:
        found = set(threads.map(ask, range(10)))

    assert len(found) == 1
