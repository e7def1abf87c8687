"""Cloud Run's pitfalls, held against every body that Berth sends it."""

import re
from collections.abc import Iterator
from typing import Any

from tests.planner.conftest import NUMBER
from tests.planner.every_body import Sent, everything, grants, keys, never_sent, only, sent

SERVICES = r"^https://run\..*/services(\?|/[^:]*$)"
JOBS = r"^https://run\..*/jobs(\?|/[^:]*$)"
LONGEST_START = 240
RESERVED = re.compile(r"(run|cloud)\.googleapis\.com/|(serving|autoscaling)\.knative\.dev/")
MEMORY_OF = {"1": 512, "2": 512, "4": 2048, "8": 4096}
"""The least MiB that Cloud Run gives with each number of CPUs in its second generation."""


def templates() -> Iterator[tuple[Sent, dict[str, Any]]]:
    """Yield the template that the instances of each service and job are made from."""
    for call in sent(SERVICES):
        yield call, call.body["template"]
    for call in sent(JOBS):
        yield call, call.body["template"]["template"]


def containers() -> Iterator[tuple[Sent, dict[str, Any]]]:
    """Yield every container of every service."""
    for call in sent(SERVICES):
        for container in call.body["template"]["containers"]:
            yield call, container


def mebibytes(text: str) -> int:
    """Return an amount of memory as Cloud Run writes it."""
    return int(text[:-2]) * {"Mi": 1, "Gi": 1024}[text[-2:]]


def test_cpu_idle_is_said_wherever_resources_are() -> None:
    """Fields: once there are resources, a cpuIdle left out means false: paid for day and night."""
    for call, container in containers():
        assert isinstance(container["resources"]["cpuIdle"], bool), call


def test_only_one_level_says_how_far_it_scales() -> None:
    """Fields: service and revision both have a scaling; the two would contradict each other."""
    for call in sent(SERVICES):
        assert "scaling" not in call.body, call
        scaling = call.body["template"]["scaling"]
        assert 0 <= scaling["minInstanceCount"] <= scaling["maxInstanceCount"], call
        assert scaling["maxInstanceCount"] >= 1, call


def test_every_amount_of_cpu_has_the_memory_it_needs() -> None:
    """Fields: 1, 2, 4 or 8 CPUs, four with 2 GiB at least; less than one serves one at a time."""
    for call, template in templates():
        for container in template["containers"]:
            limits = container["resources"]["limits"]
            assert mebibytes(limits["memory"]) >= MEMORY_OF[limits["cpu"]], call


def test_the_generation_is_said() -> None:
    """Fields: left open, Google chooses, and the first generation knows other limits."""
    for call, template in templates():
        assert template["executionEnvironment"] == "EXECUTION_ENVIRONMENT_GEN2", call


def test_one_container_has_the_port_and_its_name_is_the_protocol() -> None:
    """Sidecars: requests go to the only container with ports; http1 and h2c are its only names."""
    for call in sent(SERVICES):
        with_port = [one for one in call.body["template"]["containers"] if "ports" in one]
        port = only(only(with_port)["ports"])
        assert port["name"] in {"http1", "h2c"}, call
        assert port["containerPort"] in {8080, 4180}, call


def test_what_speaks_http_1_alone_is_not_sent_http_2() -> None:
    """Fields: h2c lifts the 32 MiB of a request, but a proxy or IAP in between does not speak it."""
    for call in sent(SERVICES):
        several = len(call.body["template"]["containers"]) > 1
        if several or call.body.get("iapEnabled"):
            (port,) = (one for _, one in _ports(call))
            assert port == "http1", call


def _ports(call: Sent) -> Iterator[tuple[int, str]]:
    for container in call.body["template"]["containers"]:
        for port in container.get("ports", []):
            yield port["containerPort"], port["name"]


def test_no_start_is_given_more_time_than_there_is() -> None:
    """Probes: the period times the failures is capped at 240 s, and so are period and delay."""
    for call, container in containers():
        probe = container["startupProbe"]
        assert probe["periodSeconds"] * probe["failureThreshold"] <= LONGEST_START, call
        assert probe["periodSeconds"] <= LONGEST_START, call
        assert 0 <= probe.get("initialDelaySeconds", 0) <= LONGEST_START, call


def test_a_probe_gives_up_before_the_next_one() -> None:
    """Probes: a timeout must be shorter than the period, and is 1 s at least."""
    for call, container in containers():
        for kind in ("startupProbe", "livenessProbe"):
            if kind in container:
                probe = container[kind]
                assert 1 <= probe["timeoutSeconds"] < probe["periodSeconds"] <= 3600, call
                assert probe["failureThreshold"] >= 1, call
                assert len({"httpGet", "tcpSocket", "grpc"} & probe.keys()) == 1, call


def test_who_is_waited_for_says_when_it_has_started() -> None:
    """Sidecars: without a startup probe of its own, depended-on only means that a process exists."""
    waits = 0
    for call in sent(SERVICES):
        named = {one["name"]: one for one in call.body["template"]["containers"]}
        assert len(named) == len(call.body["template"]["containers"]), call
        for container in named.values():
            for other in container.get("dependsOn", []):
                waits += 1
                assert other != container["name"], call
                assert "startupProbe" in named[other], call
    assert waits


def test_each_secret_has_a_directory_of_its_own() -> None:
    """Mounts: whatever else is in the directory, another secret too, is hidden by a mount."""
    for call, template in templates():
        for container in template["containers"]:
            paths = [mount["mountPath"] for mount in container["volumeMounts"]]
            for path in paths:
                inside = [one for one in paths if one == path or one.startswith(f"{path}/")]
                assert inside == [path], call


def test_every_mount_has_a_volume_and_every_volume_a_mount() -> None:
    """Mounts: a name that is nowhere declared is a 400, and a volume nobody mounts is no use."""
    for call, template in templates():
        mounted = {mount["name"] for one in template["containers"] for mount in one["volumeMounts"]}
        declared = [volume["name"] for volume in template["volumes"]]
        assert sorted(mounted) == sorted(declared), call


def test_files_are_0444_said_in_decimal() -> None:
    """Mounts: mode is a plain number, so 0444 is 292 and 444 would be something else."""
    for call, template in templates():
        for volume in template["volumes"]:
            for item in volume.get("secret", {}).get("items", []):
                assert item["mode"] == 292, call


def test_secrets_are_mounted_by_bare_name_and_number() -> None:
    """Mounts: no regional secret can be mounted, and `latest` rolls a bad value out silently."""
    for call, template in templates():
        for volume in template["volumes"]:
            if "secret" in volume:
                assert re.fullmatch(r"[A-Za-z0-9_-]{1,255}", volume["secret"]["secret"]), call
                versions = [item["version"] for item in volume["secret"]["items"]]
                assert all(re.fullmatch(r"[1-9][0-9]*", one) for one in versions), call


def test_no_variable_is_taken_from_a_secret() -> None:
    """Fields: what is in the environment was read when the instance started, and shows in dumps."""
    for call, template in templates():
        assert not {"valueSource", "secretKeyRef"} & set(keys(template)), call


def test_the_socket_is_that_of_an_instance_in_the_service_s_own_region() -> None:
    """Fields: a connection name is PROJECT:REGION:INSTANCE, and a wrong region fails."""
    for call, template in templates():
        region = call.url.split("/locations/")[1].split("/")[0]
        sockets = [one for one in template["volumes"] if "cloudSqlInstance" in one]
        name = only(only(sockets)["cloudSqlInstance"]["instances"])
        assert re.fullmatch(rf"acme-mlflow:{region}:[a-z][-a-z0-9]*", name), call


def test_nothing_runs_as_the_default_account() -> None:
    """Identity: left out, it is the account of Compute Engine, with too many rights or too few."""
    for call, template in templates():
        assert template["serviceAccount"].startswith("mlflow-"), call
        assert template["serviceAccount"].endswith(".iam.gserviceaccount.com"), call


def test_images_are_deployed_by_digest() -> None:
    """Images: a tag can be moved between two instances of one revision; all are in our repository."""
    for call, template in templates():
        for container in template["containers"]:
            assert re.fullmatch(
                r"[a-z0-9-]+-docker\.pkg\.dev/acme-mlflow/berth/[a-z0-9-]+@sha256:[0-9a-f]{64}",
                container["image"],
            ), call


def test_revisions_carry_no_label_of_google_s_own() -> None:
    """Labels: those of run, cloud and Knative are refused, which is how version 1 said things."""
    for call, template in templates():
        for place in (call.body, template):
            assert "annotations" not in place, call
            assert not any(RESERVED.match(key) for key in place.get("labels", {})), call


def test_nothing_needs_a_launch_stage() -> None:
    """Fields: one of a preview is refused unless the stage is declared; Berth uses none of them."""
    for call in (*sent(SERVICES), *sent(JOBS)):
        assert "launchStage" not in call.body, call


def test_a_request_takes_an_hour_at_most() -> None:
    """Fields: 3600 s is the most, in seconds with an s."""
    for call in sent(SERVICES):
        assert 1 <= int(call.body["template"]["timeout"].removesuffix("s")) <= 3600, call


def test_all_traffic_goes_to_the_latest() -> None:
    """Fields: the shares make up 100, or the body is refused."""
    for call in sent(SERVICES):
        (target,) = call.body["traffic"]
        assert target == {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}, call


def test_behind_a_load_balancer_there_is_no_way_around_it() -> None:
    """Ingress: run.app stays open unless it is closed; without a balancer it must not be."""
    balanced = {call.order for call in sent(r"/forwardingRules$")}
    assert balanced
    for call in sent(SERVICES):
        by_balancer = call.body["ingress"] == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
        assert by_balancer == (call.order in balanced), call
        assert call.body.get("defaultUriDisabled", False) is by_balancer, call


def test_who_checks_the_caller_is_said() -> None:
    """Access: an open service says so itself, since allUsers is refused where sharing is limited."""
    for call in sent(SERVICES):
        assert isinstance(call.body["invokerIamDisabled"], bool), call
        # Whoever can go round IAP is stopped by this check alone.
        assert not (call.body.get("iapEnabled") and call.body["invokerIamDisabled"]), call
    assert not [grant for _, grant in grants() if grant.member.startswith("all")]


def test_iap_never_stands_at_both_doors() -> None:
    """Access: on the service and on the backend at once it is refused by design."""
    at_service = _guarded(SERVICES, "iapEnabled")
    at_backend = _guarded(r"/backendServices$", "iap")
    assert at_service
    assert at_backend
    assert not at_service & at_backend


def _guarded(pattern: str, field: str) -> set[str]:
    return {call.order for call in sent(pattern) if call.body.get(field)}


def test_iap_s_own_account_may_call_what_it_guards() -> None:
    """Access: without run.invoker for it every admitted member sees a 403; its name has the number."""
    agent = f"serviceAccount:service-{NUMBER}@gcp-sa-iap.iam.gserviceaccount.com"
    may = {
        title
        for title, one in grants()
        if (one.role, one.member) == ("roles/run.invoker", agent) and "/services/" in one.write.url
    }
    guarded = _guarded(SERVICES, "iapEnabled") | _guarded(r"/backendServices$", "iap")
    assert may >= {title for title in guarded if title in _on_cloud_run()}


def _on_cloud_run() -> set[str]:
    return {call.order for call in sent(SERVICES)}


def test_a_service_left_behind_by_a_failure_is_taken_up_again() -> None:
    """Upsert: create is 409 after a failed first try, so the repeat is a PATCH that may also make."""
    for pattern in (SERVICES, JOBS):
        for call in sent(pattern, "PATCH"):
            assert "allowMissing=true" in call.url, call
            # With a mask, what is not in it would stay as somebody changed it.
            assert "updateMask" not in call.url, call
    never_sent(SERVICES, "PUT")


def test_a_name_is_short_enough_for_its_host() -> None:
    """Names: fewer than 50 characters that begin with a letter."""
    made = [call for call in everything() if re.search(r"\?(service|job)Id=", call.url)]
    assert made
    for call in made:
        assert re.fullmatch(r"[a-z][-a-z0-9]{0,47}[a-z0-9]", call.url.split("Id=")[1]), call


def test_only_private_addresses_are_looked_for_in_the_network() -> None:
    """Network: with all traffic in it, Google's APIs would not be found without a NAT."""
    reached = [template["vpcAccess"] for _, template in templates() if "vpcAccess" in template]
    assert reached
    for access in reached:
        assert access["egress"] == "PRIVATE_RANGES_ONLY"
        assert only(access["networkInterfaces"])["network"]
        assert "connector" not in access
