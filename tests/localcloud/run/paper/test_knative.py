"""Cloud Run v1: the same services and jobs in Knative's words, as gcloud reads and writes them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import Cloud
from localcloud.services import run
from tests.localcloud.run.echo import ACCOUNT, IMAGE, PARENT, Caller, add_account, build, service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.clock import VirtualClock

NAMESPACE = "/apis/serving.knative.dev/v1/namespaces/berth-local"
HERE = f"https://europe-west1-run.googleapis.com{NAMESPACE}"
JOBS = HERE.replace("serving.knative.dev", "run.googleapis.com")


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A cloud on paper with both versions of the API, and one service."""
    made = Cloud(tmp_path / "state", clock=clock, only=[run.SERVICE, run.SERVICE_V1])
    made.enable("run.googleapis.com")
    add_account(made, ACCOUNT)
    build(made, tmp_path)
    answer = Caller(made)("POST", f"{PARENT}/services?serviceId=hello", service())
    assert answer.status == 200, answer.text
    clock.run_until_idle()
    yield made
    made.close()


def get(cloud: Cloud, url: str, email: str = "owner@example.com") -> Any:
    """Ask for something as somebody."""
    token = cloud.tokens.access_token(email)
    return cloud.request("GET", url, headers={"authorization": f"Bearer {token}"})


def test_services_are_shown_as_knative_shows_them(cloud: Cloud) -> None:
    """Name, region, URL and readiness are where gcloud's table looks for them."""
    (shown,) = get(cloud, f"{HERE}/services").json()["items"]

    assert shown["metadata"]["name"] == "hello"
    assert shown["metadata"]["labels"]["cloud.googleapis.com/location"] == "europe-west1"
    assert shown["metadata"]["annotations"]["serving.knative.dev/lastModifier"]
    assert shown["status"]["url"] == "https://hello-123456789012.europe-west1.run.app"
    assert {"type": "Ready", "status": "True"}.items() <= shown["status"]["conditions"][0].items()
    assert get(cloud, f"{HERE}/services/hello").json() == shown


def test_a_service_without_its_default_address_shows_none(
    cloud: Cloud, clock: VirtualClock
) -> None:
    """Neither as its status nor among its annotations."""
    url = f"{PARENT}/services/hello?updateMask=defaultUriDisabled"
    assert Caller(cloud)("PATCH", url, {"defaultUriDisabled": True}).status == 200
    clock.run_until_idle()

    shown = get(cloud, f"{HERE}/services/hello").json()

    assert not {"url", "address"} & set(shown["status"])
    assert "run.googleapis.com/urls" not in shown["metadata"]["annotations"]
    assert shown["metadata"]["annotations"]["run.googleapis.com/default-url-disabled"] == "true"


@pytest.mark.parametrize(("host", "found"), [("run", 1), ("us-east1-run", 0)])
def test_the_host_says_which_region(cloud: Cloud, host: str, found: int) -> None:
    """A region's host lists that region; the global one lists all."""
    listed = get(cloud, f"https://{host}.googleapis.com{NAMESPACE}/services").json()

    assert len(listed["items"]) == found


def test_what_is_not_there_is_404(cloud: Cloud) -> None:
    """In the region asked, under that name."""
    elsewhere = HERE.replace("europe-west1", "us-east1")

    assert get(cloud, f"{HERE}/services/other").status == 404
    assert get(cloud, f"{elsewhere}/services/hello").status == 404


def test_regions_are_listed(cloud: Cloud) -> None:
    """Those a service can be in, to whoever may see them."""
    url = "https://run.googleapis.com/v1/projects/berth-local/locations"

    found = [one["locationId"] for one in get(cloud, url).json()["locations"]]

    assert {"europe-west1", "us-central1"} <= set(found)
    assert get(cloud, url, "stranger@example.com").status == 403


def test_rights_can_be_asked_for_before_a_service_is_there(cloud: Cloud) -> None:
    """As gcloud does before the first deployment; whoever has none is told of none."""
    url = "run.googleapis.com/v1/projects/berth-local/locations/europe-west1/services/later"
    asked = {"permissions": ["run.services.setIamPolicy"]}
    url = f"https://{url}:testIamPermissions"

    assert Caller(cloud)("POST", url, asked).json() == asked
    assert Caller(cloud, "stranger@example.com")("POST", url, asked).json() == {}


def test_reading_needs_the_right_to_read(cloud: Cloud) -> None:
    """Like v2: run.services.list and run.services.get."""
    for url in (f"{HERE}/services", f"{HERE}/services/hello"):
        assert get(cloud, url, "stranger@example.com").status == 403


def test_what_v1_does_not_do_here_is_refused(cloud: Cloud) -> None:
    """A selector that would be ignored is refused instead."""
    assert get(cloud, f"{HERE}/services?labelSelector=a%3Db").status == 501


def send(cloud: Cloud, method: str, url: str, body: object) -> Any:
    """Send something as the owner."""
    token = cloud.tokens.access_token("owner@example.com")
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    return cloud.request(method, url, headers=headers, body=json.dumps(body).encode())


def sent(name: str = "made", **changes: Any) -> dict[str, Any]:
    """Return a service as gcloud sends it."""
    spec = {
        "containers": [
            {
                "image": IMAGE,
                "env": [
                    {"name": "A", "value": "b"},
                    {"name": "S", "valueFrom": {"secretKeyRef": {"name": "s", "key": "2"}}},
                ],
                "resources": {"limits": {"memory": "1Gi"}},
                "volumeMounts": [{"name": "v", "mountPath": "/v"}],
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {"medium": "Memory", "sizeLimit": "10Mi"}}],
        "serviceAccountName": ACCOUNT,
        "timeoutSeconds": 40,
        "containerConcurrency": 7,
    }
    marks = {
        "autoscaling.knative.dev/maxScale": "3",
        "run.googleapis.com/cpu-throttling": "false",
        "run.googleapis.com/client-name": "gcloud",
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": name,
            "namespace": "berth-local",
            "labels": {"team": "x"},
            "annotations": {"run.googleapis.com/ingress": "internal"},
        },
        "spec": {"template": {"metadata": {"annotations": marks}, "spec": spec}},
        **changes,
    }


def test_service_sent_in_knatives_words_is_v2s_service(cloud: Cloud, clock: VirtualClock) -> None:
    """Each word has its field in v2, and comes back as it was sent: gcloud reads, changes, sends."""
    assert send(cloud, "POST", f"{HERE}/services", sent()).status == 200
    clock.run_until_idle()

    kept = get(cloud, f"https://run.googleapis.com/v2/{PARENT}/services/made").json()
    template = kept["template"]
    assert (kept["ingress"], kept["labels"]) == ("INGRESS_TRAFFIC_INTERNAL_ONLY", {"team": "x"})
    assert (template["timeout"], template["maxInstanceRequestConcurrency"]) == ("40s", 7)
    assert template["scaling"]["maxInstanceCount"] == 3
    assert template["containers"][0]["resources"]["cpuIdle"] is False
    assert template["containers"][0]["env"][1]["valueSource"] == {
        "secretKeyRef": {"secret": "s", "version": "2"}
    }
    shown = get(cloud, f"{HERE}/services/made").json()
    again = send(cloud, "PUT", f"{HERE}/services/made", shown)
    assert again.status == 200, again.text
    after = get(cloud, f"https://run.googleapis.com/v2/{PARENT}/services/made").json()
    assert after["template"] == template
    assert after["latestCreatedRevision"] == kept["latestCreatedRevision"]


def test_stale_version_is_a_conflict(cloud: Cloud) -> None:
    """Who changes what another has changed meanwhile is told so."""
    shown = get(cloud, f"{HERE}/services/hello").json()
    shown["metadata"]["resourceVersion"] = "AAAA"

    assert send(cloud, "PUT", f"{HERE}/services/hello", shown).status == 409


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"metadata": {"name": "Bad_Name"}}, "service_id"),
        (
            {
                "metadata": {
                    "name": "m",
                    "annotations": {"run.googleapis.com/threat-detection": "x"},
                }
            },
            "threat-detection",
        ),
        (
            {
                "spec": {
                    "template": {
                        "metadata": {"annotations": {"run.googleapis.com/vpc-access-egress": "x"}},
                        "spec": {"containers": [{"image": IMAGE}]},
                    }
                }
            },
            "vpc-access-egress",
        ),
        (
            {
                "spec": {
                    "template": {
                        "spec": {
                            "containers": [{"image": IMAGE}],
                            "volumes": [{"name": "v", "nfs": {"server": "x", "path": "/"}}],
                        }
                    }
                }
            },
            "nfs",
        ),
    ],
)
def test_what_cannot_be_put_into_v2_is_refused(
    cloud: Cloud, changes: dict[str, Any], said: str
) -> None:
    """An annotation or a source nobody reads is an error, not a silence."""
    answer = send(cloud, "POST", f"{HERE}/services", sent(**changes))

    assert (answer.status, said in answer.text) == (400, True), answer.text


def test_dry_run_leaves_nothing(cloud: Cloud) -> None:
    """``dryRun=all`` checks and keeps nothing."""
    assert send(cloud, "POST", f"{HERE}/services?dryRun=all", sent()).status == 200
    assert get(cloud, f"{HERE}/services/made").status == 404


def test_revisions_are_listed_by_their_service(cloud: Cloud) -> None:
    """A label selector names the service, as gcloud's list does; what serves is active."""
    url = f"{HERE}/revisions?labelSelector=serving.knative.dev%2Fservice%3D"
    (one,) = get(cloud, f"{url}hello").json()["items"]

    active = next(item for item in one["status"]["conditions"] if item["type"] == "Active")
    assert active["status"] == "True"
    assert get(cloud, f"{url}other").json()["items"] == []
    assert get(cloud, f"{HERE}/revisions/{one['metadata']['name']}").json() == one
    assert get(cloud, f"{HERE}/revisions/none").status == 404


def test_job_runs_and_its_executions_are_shown(cloud: Cloud, clock: VirtualClock) -> None:
    """A job is made, run with overrides and deleted in Knative's words."""
    task = {
        "containers": [{"image": IMAGE}],
        "maxRetries": 1,
        "timeoutSeconds": "60",
        "serviceAccountName": ACCOUNT,
    }
    job = {
        "apiVersion": "run.googleapis.com/v1",
        "kind": "Job",
        "metadata": {"name": "work"},
        "spec": {"template": {"spec": {"taskCount": 2, "template": {"spec": task}}}},
    }
    assert send(cloud, "POST", f"{JOBS}/jobs", job).status == 200
    clock.run_until_idle()
    begun = send(cloud, "POST", f"{JOBS}/jobs/work:run", {"overrides": {"taskCount": 3}}).json()
    clock.run_until_idle()

    name = begun["metadata"]["name"]
    done = get(cloud, f"{JOBS}/executions/{name}").json()
    tasks = get(cloud, f"{JOBS}/tasks?labelSelector=run.googleapis.com%2Fexecution%3D{name}").json()
    assert done["status"]["succeededCount"] == 3
    assert [one["status"]["index"] for one in tasks["items"]] == [0, 1, 2]
    for one in (done, *tasks["items"]):
        assert one["metadata"]["labels"]["cloud.googleapis.com/location"] == "europe-west1"
    shown = get(cloud, f"{JOBS}/jobs/work").json()
    assert shown["spec"]["template"]["spec"]["template"]["spec"]["timeoutSeconds"] == "60"
    assert shown["status"]["latestCreatedExecution"]["name"] == name
    assert send(cloud, "DELETE", f"{JOBS}/jobs/work", {}).status == 200
    assert get(cloud, f"{JOBS}/jobs/work").status == 404
    assert get(cloud, f"{JOBS}/executions/{name}").status == 404
