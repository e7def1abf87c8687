"""What the plan asks of App Engine, and what Google's pitfalls there demand of its bodies."""

from typing import Any

import pytest

from planner import admission, hosts
from planner.observed import NotObservedError
from planner.plan import plan_part
from planner.target import Target
from schemas.deployment import DeploymentRequest
from schemas.plan import PartPlan, Resource
from schemas.platform import Platform
from tests.planner import discovery
from tests.planner.compiled import grant, names, resource
from tests.planner.conftest import platform_of
from tests.planner.drawn import observed, spec_of

HOST = "acme-mlflow.ew.r.appspot.com"
IAP = {"access": {"mode": "iap"}}


def asked(**request: Any) -> DeploymentRequest:
    """Return a request for App Engine."""
    base = {"name": "demo", "team": "risk", "serving": {"platform": "app_engine"}, **IAP}
    return DeploymentRequest.model_validate({**base, **request})


def part(platform: Platform, name: str, **request: Any) -> PartPlan:
    """Return a part of a deployment on App Engine."""
    seen = {**observed(platform), hosts.APPLICATION: HOST}
    return plan_part(spec_of(asked(**request)), platform, name, seen)


def version(platform: Platform, **request: Any) -> dict[str, Any]:
    """Return the body of the version."""
    body = resource(part(platform, "tracking_server", **request), "version").create.body
    assert body is not None
    return body


def serving(**fields: Any) -> dict[str, Any]:
    """Return how it shall be served."""
    return {"serving": {"platform": "app_engine", **fields}}


def test_the_two_oldest_regions_have_other_names(platform: Platform) -> None:
    """europe-west1 is europe-west there, us-central1 is us-central; a region too many is for ever."""
    for region, place in (("europe-west1", "europe-west"), ("us-central1", "us-central")):
        plan = part(platform, "network", region=region, placement="dedicated")
        body = resource(plan, "application").create.body
        assert body is not None
        assert body["locationId"] == place


def test_the_application_is_closed_from_the_beginning(platform: Platform) -> None:
    """IAP is on before anything serves, and nothing runs as everybody's default account."""
    body = resource(part(platform, "network"), "application").create.body
    assert body is not None
    assert body["iap"] == {"enabled": True}
    assert body["serviceAccount"] == "berth-app-engine@acme-mlflow.iam.gserviceaccount.com"
    assert body["id"] == "acme-mlflow"


def test_application_and_default_stay(platform: Platform) -> None:
    """Neither can be deleted, and others may use them: they are no deployment's own."""
    kept = [
        resource(part(platform, "network"), "application"),
        resource(part(platform, "tracking_server"), "default_service"),
    ]
    assert all(one.keep and not one.remove for one in kept)


def test_what_an_application_must_be_is_demanded_in_words(platform: Platform) -> None:
    """Region, status and IAP; the words say what to type where that helps."""
    demands = resource(part(platform, "network"), "application").demands
    wanted = {one.path: one.value for one in demands}
    assert wanted == {
        ("locationId",): "europe-west",
        ("servingStatus",): "SERVING",
        ("iap", "enabled"): True,
    }
    words = [one.otherwise for one in demands]
    assert "<found>" in words[0]
    assert "europe-west" in words[0]
    assert "gcloud iap web enable --resource-type=app-engine --project=acme-mlflow" in words[2]


def test_default_comes_before_the_service(platform: Platform) -> None:
    """The first service of an application must be default; traffic moves last of all."""
    assert names(part(platform, "tracking_server")) == [
        "default_service",
        "service",
        "version",
        "traffic",
    ]


def test_the_placeholder_runs_nothing(platform: Platform) -> None:
    """Static files only, in the environment that scales to nothing."""
    body = resource(part(platform, "tracking_server"), "default_service").create.body
    assert body is not None
    assert body["env"] == "standard"
    assert all("staticFiles" in one and "script" not in one for one in body["handlers"])
    assert not {"automaticScaling", "manualScaling", "basicScaling"} & body.keys()


def test_a_version_scales_by_cpu(platform: Platform) -> None:
    """One machine at least: the flexible environment has no zero."""
    scaling = version(platform)["automaticScaling"]
    assert scaling["minTotalInstances"] == 1
    assert scaling["cpuUtilization"] == {"targetUtilization": 0.75}
    asked_for = version(platform, **serving(min_instances=2, max_instances=3, target_cpu=0.6))
    assert asked_for["automaticScaling"]["minTotalInstances"] == 2
    assert asked_for["automaticScaling"]["maxTotalInstances"] == 3
    assert asked_for["automaticScaling"]["cpuUtilization"] == {"targetUtilization": 0.6}


def test_a_fixed_number_excludes_scaling_by_cpu(platform: Platform) -> None:
    """Only one of the two may be set."""
    body = version(platform, **serving(instances=2))
    assert body["manualScaling"] == {"instances": 2}
    assert "automaticScaling" not in body


def test_secrets_are_named_and_never_said(platform: Platform) -> None:
    """App Engine mounts none: the server is told versions, and reads them itself."""
    variables = version(platform)["envVariables"]
    assert variables["DB_PASSWORD_SECRET"].startswith("projects/")
    assert "/versions/1" in variables["DB_PASSWORD_SECRET"]
    assert not [name for name in variables if name.endswith(("_FILE", "PASSWORD"))]
    assert variables["ARTIFACT_UPLOADS"] == "signed_parts"


def test_variables_are_ones_that_app_engine_does_not_set_itself(platform: Platform) -> None:
    """PORT and GOOGLE_CLOUD_PROJECT are its own, and a version that sets them is refused."""
    taken = {"GAE_INSTANCE", "GAE_SERVICE", "GAE_VERSION", "GOOGLE_CLOUD_PROJECT", "PORT"}
    assert not taken & version(platform)["envVariables"].keys()


def test_only_readiness_looks_at_the_database(platform: Platform) -> None:
    """A machine that is replaced because the database is away does not bring it back."""
    body = version(platform)
    assert body["readinessCheck"]["path"] == "/health/database"
    assert body["livenessCheck"]["path"] == "/health"


def test_the_image_is_pulled_and_the_log_written_as_the_server(platform: Platform) -> None:
    """Both grants are on what is shared, so both are dropped at removal; neither is conditional."""
    plan = part(platform, "network")
    server = "serviceAccount:mlflow-demo@acme-mlflow.iam.gserviceaccount.com"
    pull, log = grant(plan, "server_may_pull_image"), grant(plan, "server_may_log")
    assert (pull.role, log.role) == ("roles/artifactregistry.reader", "roles/logging.logWriter")
    assert {pull.member, log.member} == {server}
    assert pull.drop
    assert log.drop
    assert "/repositories/berth:setIamPolicy" in pull.write.url


def test_the_server_answers_to_the_host_that_was_observed(platform: Platform) -> None:
    """The code of the region in it is not guessed; without it nothing is planned."""
    variables = version(platform)["envVariables"]
    assert variables["MLFLOW_SERVER_ALLOWED_HOSTS"] == f"mlflow-demo-dot-{HOST}"
    known = {key: value for key, value in observed(platform).items() if key != hosts.APPLICATION}
    with pytest.raises(NotObservedError, match="app_engine_host"):
        plan_part(spec_of(asked()), platform, "tracking_server", known)


def test_the_longest_host_fits_into_a_label(platform: Platform) -> None:
    """Google's certificate covers one label, and a label has at most 63 characters."""
    target = Target(spec_of(asked(name="a" * 20)), platform)
    host = hosts.own_of_app_engine(target, {hosts.APPLICATION: "p" * 30 + ".ew.r.appspot.com"})
    assert len(host.split(".")[0]) <= 63


def test_a_changed_version_is_told_by_its_digest(platform: Platform) -> None:
    """Versions carry no labels: marks and digest are among the variables of the full view."""
    one = resource(part(platform, "tracking_server"), "version")
    other = resource(part(platform, "tracking_server", size="medium"), "version")
    assert one.url.endswith("?view=FULL")
    assert one.mark is not None
    assert one.mark.path == ("envVariables", "BERTH_DEPLOYMENT")
    assert one.digest is not None
    assert other.digest is not None
    assert one.digest.value != other.digest.value


def test_behind_a_load_balancer_nothing_else_leads_in(platform: Platform) -> None:
    """Otherwise appspot.com would be a way around it."""
    balancer = {"load_balancer": {"domain": "mlflow.risk.example.com"}}
    plan = part(platform, "tracking_server", **balancer)
    body = resource(plan, "traffic").create.body
    assert body is not None
    ingress = "INGRESS_TRAFFIC_ALLOWED_INTERNAL_AND_LB"
    assert body["networkSettings"] == {"ingressTrafficAllowed": ingress}
    assert plan.known == {}
    assert part(platform, "tracking_server").known["url"] == f"https://mlflow-demo-dot-{HOST}"


def test_machines_are_in_the_network_that_was_asked_for(platform: Platform) -> None:
    """A network in custom mode needs the subnetwork's name, too."""
    network = {"network": {"name": "lab", "subnetwork": "lab-eu"}, "placement": "dedicated"}
    assert version(platform, **network)["network"] == {
        "name": "lab",
        "subnetworkName": "lab-eu",
        "instanceIpMode": "EXTERNAL",
    }
    assert "network" not in version(platform)


@pytest.mark.parametrize(
    "request_",
    [
        {},
        serving(instances=2),
        {"placement": "dedicated", "network": {"name": "default"}, "size": "medium"},
        {"placement": "dedicated", "database": {"engine": "mysql"}, "size": "large"},
        {"load_balancer": {"domain": "mlflow.risk.example.com"}},
    ],
    ids=["scaled", "fixed", "private", "mysql", "balanced"],
)
def test_google_knows_every_call(platform: Platform, request_: dict[str, Any]) -> None:
    """Methods, parameters, fields, types and enums are in Google's documents."""
    for name in ("network", "tracking_server"):
        for step in part(platform, name, **request_).steps:
            if not isinstance(step, Resource):
                continue
            discovery.check("GET", step.url, None)
            for call in filter(None, (step.create, step.update, *step.remove)):
                discovery.check(call.method, call.url, call.body)


def test_a_region_without_app_engine_is_refused() -> None:
    """With the ways out: another region, or Cloud Run."""
    base = platform_of()
    regions = {
        "europe-west9": base.regions["europe-west1"],
        "us-central1": base.regions["us-central1"],
    }
    platform = base.model_copy(update={"regions": regions, "default_region": "us-central1"})

    found = admission.errors(asked(region="europe-west9"), platform)

    assert [one.pointer for one in found] == ["/serving/platform", "/region"]
    assert "us-central1" in found[0].message
    assert "cloud_run" in found[0].message
