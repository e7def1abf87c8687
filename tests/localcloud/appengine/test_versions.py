"""Versions: what may be deployed, in which order, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import OWNER
from localcloud.page import catalog
from tests.localcloud.appengine.application import (
    API,
    APP,
    DEFAULT,
    HOST,
    MLFLOW,
    said,
    settled,
    version,
)
from tests.localcloud.run.echo import ACCOUNT, IMAGE, Caller

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud

FULL = "?view=FULL"


def test_the_first_service_must_be_default(app: Cloud, owner: Caller) -> None:
    """In Google's words; default itself can be deployed."""
    del app
    answer = owner("POST", f"{MLFLOW}/versions", version())

    assert answer.status == 400
    assert said(answer) == (
        "The first service (module) you upload to a new application must be the 'default' service "
        "(module)."
    )
    assert "response" in settled(owner, owner("POST", f"{DEFAULT}/versions", version()))


def test_without_an_application_there_is_nothing(owner: Caller) -> None:
    """404 before anything else."""
    assert owner("POST", f"{DEFAULT}/versions", version()).status == 404
    assert owner("GET", f"{APP}/services").status == 404


def test_the_first_version_gets_all_requests(cloud: Cloud, owner: Caller) -> None:
    """The service comes with it; a second version gets nothing by itself."""
    del cloud
    settled(owner, owner("POST", f"{MLFLOW}/versions", version("v2")))

    service = owner("GET", MLFLOW).json()
    assert service["split"]["allocations"] == {"v1": 1}
    assert service["name"] == "apps/berth-local/services/mlflow"


def test_it_takes_minutes(app: Cloud, owner: Caller, clock: VirtualClock) -> None:
    """A version of the flexible environment is a machine."""
    del app
    operation = owner("POST", f"{DEFAULT}/versions", version()).json()
    clock.advance(60)

    assert owner("GET", f"{API}/{operation['name']}").json()["done"] is False
    clock.advance(600)
    assert owner("GET", f"{API}/{operation['name']}").json()["done"] is True


def test_a_version_shows_defaults_and_its_address(cloud: Cloud, owner: Caller) -> None:
    """What it is made of only where that is asked for."""
    del cloud
    settled(owner, owner("POST", f"{MLFLOW}/versions", version("v2", manualScaling=None)))

    basic = owner("GET", f"{MLFLOW}/versions/v2").json()
    full = owner("GET", f"{MLFLOW}/versions/v2{FULL}").json()
    assert basic["versionUrl"] == f"https://v2-dot-mlflow-dot-{HOST}"
    assert basic["resources"] == {"cpu": 1, "memoryGb": 0.6, "diskGb": 10}
    assert basic["automaticScaling"]["minTotalInstances"] == 2
    assert basic["livenessCheck"]["failureThreshold"] == 4
    assert basic["network"] == {"name": "default", "instanceIpMode": "EXTERNAL"}
    assert "deployment" not in basic
    assert full["deployment"]["container"]["image"] == f"{IMAGE}:latest"


@pytest.mark.parametrize(
    "more",
    [
        {"id": "V1"},
        {"id": "ah-x"},
        {"id": "default"},
        {"id": ""},
        {"env": "moon"},
        {"deployment": {"container": {"image": "no-tag"}}},
        {"automaticScaling": {"minTotalInstances": 1}},
        {"manualScaling": {"instances": 0}},
        {
            "manualScaling": None,
            "automaticScaling": {"minTotalInstances": 3, "maxTotalInstances": 2},
        },
        {"manualScaling": None, "automaticScaling": {"cpuUtilization": {"targetUtilization": 2}}},
        {"resources": {"cpu": 3}},
        {"resources": {"cpu": 1, "memoryGb": 9}},
        {"resources": {"diskGb": 5}},
        {"livenessCheck": {"path": "health"}},
        {"readinessCheck": {"appStartTimeout": "2000s"}},
        {"readinessCheck": {"timeout": "soon"}},
        {"betaSettings": {"cloud_sql_instances": "just-a-name"}},
        {"envVariables": {"GAE_SERVICE": "x"}},
        {"envVariables": {"A-B": "x"}},
        {"servingStatus": "SERVING_STATUS_UNSPECIFIED"},
        {"colour": "blue"},
    ],
)
def test_what_contradicts_the_reference_is_refused(
    app: Cloud, owner: Caller, more: dict[str, Any]
) -> None:
    """400 before a machine is asked for."""
    del app
    assert owner("POST", f"{DEFAULT}/versions", version(**more)).status == 400


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"runtime": "python"}, "python"),
        ({"deployment": {"zip": {"sourceUrl": "https://x"}}}, "zip"),
        ({"zones": ["europe-west1-b"]}, "zones"),
        ({"betaSettings": {"cloud_sql_instances": "p:r:i=tcp:5432"}}, "tcp"),
        ({"betaSettings": {"use_something": "1"}}, "use_something"),
        ({"network": {"forwardedPorts": ["1"]}}, "forwardedPorts"),
        ({"livenessCheck": {"host": "x"}}, "host"),
        ({"manualScaling": None, "automaticScaling": {"maxIdleInstances": 3}}, "maxIdleInstances"),
        ({"env": "standard", "runtime": "python312"}, "Scaling"),
    ],
)
def test_what_has_no_counterpart_is_named(
    app: Cloud, owner: Caller, more: dict[str, Any], word: str
) -> None:
    """501 rather than something left undone."""
    del app
    answer = owner("POST", f"{DEFAULT}/versions", version(**more))

    assert answer.status == 501
    assert word in said(answer)


def test_who_deploys_must_be_allowed_to_act_as_the_account(app: Cloud) -> None:
    """roles/appengine.deployer alone is not enough."""
    app.grant("user:ana@example.com", "roles/appengine.deployer")
    ana = Caller(app, "ana@example.com")

    before = ana("POST", f"{DEFAULT}/versions", version())
    app.grant("user:ana@example.com", "roles/iam.serviceAccountUser")

    assert (before.status, said(before)) == (
        403,
        f"You do not have permission to act as '{ACCOUNT}'.",
    )
    assert ana("POST", f"{DEFAULT}/versions", version()).status == 200


def test_a_disabled_account_runs_nothing(app: Cloud, owner: Caller) -> None:
    """Its token cannot be had."""
    name = f"projects/berth-local/serviceAccounts/{ACCOUNT}"
    app.store.of("iam").update(name, lambda one: one | {"disabled": True})

    answer = owner("POST", f"{DEFAULT}/versions", version())

    assert answer.status == 404
    assert "CloudGaia.GenerateAccessToken" in said(answer)


def test_the_flexible_environment_has_an_api_of_its_own(app: Cloud, owner: Caller) -> None:
    """Enabling App Engine alone is not enough."""
    app.disable("appengineflex.googleapis.com")

    answer = owner("POST", f"{DEFAULT}/versions", version())

    assert answer.status == 403
    assert "App Engine Flexible Environment has not been used" in said(answer)


@pytest.mark.parametrize("case", ["no image", "no right"])
def test_an_image_must_be_there_and_readable(app: Cloud, owner: Caller, case: str) -> None:
    """Both show late, in one sentence, and leave a stopped version behind."""
    image = f"{IMAGE}:latest" if case == "no right" else IMAGE.replace("echo", "none") + ":1"
    account = ACCOUNT if case == "no image" else "berth-local@appspot.gserviceaccount.com"
    body = version(serviceAccount=account, deployment={"container": {"image": image}})

    error = settled(owner, owner("POST", f"{DEFAULT}/versions", body))["error"]

    assert error["code"] == 9
    assert "There was an error while pulling the application's docker image" in error["message"]
    assert app.store.of("appengine").find("apps/berth-local/services/default") is None


@pytest.mark.parametrize(("mode", "code"), [("EXTERNAL", 13), ("INTERNAL", None)])
def test_an_organisation_can_forbid_public_addresses(
    app: Cloud, owner: Caller, mode: str, code: int | None
) -> None:
    """Then only versions with internal ones can be deployed."""
    app.constraints.set("compute.vmExternalIpAccess")
    body = version(network={"name": "default", "instanceIpMode": mode})

    operation = settled(owner, owner("POST", f"{DEFAULT}/versions", body))

    assert operation.get("error", {}).get("code") == code


def test_serving_versions_use_up_the_quota(cloud: Cloud, owner: Caller) -> None:
    """A stopped one counts for nothing, nor does the one that is replaced."""
    cloud.quotas["appengine.backendServices"] = 2

    refused = owner("POST", f"{MLFLOW}/versions", version("v2"))
    assert refused.status == 400
    assert said(refused) == (
        "The following quotas were exceeded: BACKEND_SERVICES (quota: 2, used: 2 + needed: 1)."
    )
    settled(owner, owner("POST", f"{MLFLOW}/versions", version("v1")))
    stopped = {"servingStatus": "STOPPED"}
    settled(owner, owner("PATCH", f"{MLFLOW}/versions/v1?updateMask=servingStatus", stopped))
    assert owner("POST", f"{MLFLOW}/versions", version("v2")).status == 200


@pytest.mark.parametrize(
    ("mask", "body", "status"),
    [
        ("servingStatus", {"servingStatus": "STOPPED"}, 200),
        ("manualScaling.instances", {"manualScaling": {"instances": 3}}, 200),
        ("manualScaling.instances", {"manualScaling": {"instances": 0}}, 400),
        ("automaticScaling.minTotalInstances", {"automaticScaling": {"minTotalInstances": 1}}, 400),
        ("envVariables", {"envVariables": {"A": "b"}}, 400),
        ("resources", {"resources": {"cpu": 2}}, 400),
        ("deployment", {}, 400),
        ("", {"servingStatus": "STOPPED"}, 400),
    ],
)
def test_only_scaling_and_status_can_change(
    cloud: Cloud, owner: Caller, mask: str, body: dict[str, Any], status: int
) -> None:
    """Everything else needs a new version."""
    del cloud
    query = f"?updateMask={mask}" if mask else ""

    assert owner("PATCH", f"{MLFLOW}/versions/v1{query}", body).status == status


def test_a_version_with_traffic_stays(cloud: Cloud, owner: Caller) -> None:
    """It goes once another has taken over."""
    del cloud
    settled(owner, owner("POST", f"{MLFLOW}/versions", version("v2")))
    refused = owner("DELETE", f"{MLFLOW}/versions/v1")
    body = {"split": {"allocations": {"v2": 1}}}
    settled(owner, owner("PATCH", f"{MLFLOW}?updateMask=split", body))

    settled(owner, owner("DELETE", f"{MLFLOW}/versions/v1"))

    assert refused.status == 400
    assert said(refused).startswith("Cannot delete a version with a non-zero traffic allocation.")
    found = owner("GET", f"{MLFLOW}/versions").json()["versions"]
    assert [one["id"] for one in found] == ["v2"]


def test_default_stays_for_ever(cloud: Cloud, owner: Caller) -> None:
    """Any other service goes, with its versions."""
    del cloud
    refused = owner("DELETE", DEFAULT)
    settled(owner, owner("DELETE", MLFLOW))

    assert refused.status == 400
    assert said(refused) == "The default service (module) cannot be deleted."
    assert owner("GET", MLFLOW).status == 404
    assert owner("GET", f"{MLFLOW}/versions/v1").status == 404
    assert [one["id"] for one in owner("GET", f"{APP}/services").json()["services"]] == ["default"]


@pytest.mark.parametrize(
    ("split", "word"),
    [
        ({"allocations": {}}, "at least one"),
        ({"allocations": {"v1": 0.5}}, "must be 1"),
        ({"allocations": {"v1": 0.5, "v9": 0.5}}, "v9"),
        ({"allocations": {"v1": 1.5, "v2": -0.5}}, "v1"),
        ({"allocations": {"v1": 0.995, "v2": 0.005}}, "digits"),
    ],
)
def test_traffic_must_add_up(cloud: Cloud, owner: Caller, split: dict[str, Any], word: str) -> None:
    """Shares of versions that are there, one in all, as fine as the way of splitting allows."""
    del cloud
    settled(owner, owner("POST", f"{MLFLOW}/versions", version("v2")))

    answer = owner("PATCH", f"{MLFLOW}?updateMask=split", {"split": split})

    assert answer.status == 400
    assert word in said(answer)


@pytest.mark.parametrize("query", ["?updateMask=split&migrateTraffic=true", "", "?updateMask=id"])
def test_no_gradual_migration(cloud: Cloud, owner: Caller, query: str) -> None:
    """Nor a change of what is not named, or not the caller's."""
    del cloud
    body = {"split": {"allocations": {"v1": 1}}}

    assert owner("PATCH", MLFLOW + query, body).status == 400


def test_instances_are_listed(cloud: Cloud, owner: Caller) -> None:
    """As many as the scaling says."""
    del cloud
    body = {"manualScaling": {"instances": 2}}
    settled(owner, owner("PATCH", f"{MLFLOW}/versions/v1?updateMask=manualScaling.instances", body))

    found = owner("GET", f"{MLFLOW}/versions/v1/instances").json()["instances"]

    assert [one["vmStatus"] for one in found] == ["RUNNING"] * 2
    one = owner("GET", f"{API}/{found[0]['name']}").json()
    assert one["vmLiveness"] == "HEALTHY"
    assert owner("GET", f"{MLFLOW}/versions/v1/instances/none").status == 404


def test_the_status_page_shows_services_and_rules(cloud: Cloud) -> None:
    """Without a call of anybody's."""
    found = {one["title"]: len(one["items"]) for one in catalog.resources(cloud, OWNER)}

    assert (found["services"], found["ingressRules"]) == (2, 1)


def test_operations_are_listed(cloud: Cloud, owner: Caller) -> None:
    """The newest first; one that is not there is 404."""
    del cloud
    found = owner("GET", f"{APP}/operations").json()["operations"]

    assert found[0]["metadata"]["target"].endswith("mlflow/versions/v1")
    assert owner("GET", f"{APP}/operations/none").status == 404


def test_a_lost_deployment_shows_as_an_error(app: Cloud, owner: Caller) -> None:
    """A planned failure ends the operation, as for every API."""
    app.fail_operation("appengine.apps.services.versions.create", "INTERNAL")

    error = settled(owner, owner("POST", f"{DEFAULT}/versions", version()))["error"]

    assert error["code"] == 13
