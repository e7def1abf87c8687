"""What the seeds' authors set, option by option, in what Google is told: nothing is dropped on the way."""

from typing import Any

import pytest

from planner import sizes
from planner.access import oauth2_proxy
from planner.artifact_root import multi_region
from planner.plan import plan
from planner.serving.app_engine import MEMORY_GB
from planner.target import Target
from schemas.deployment import DeploymentRequest
from schemas.plan import Grant, Resource
from schemas.platform import Platform
from tests.planner.compiled import CLIENT, DEDICATED, body, part
from tests.planner.drawn import observed, spec_of

ON_FLEX: dict[str, Any] = {"access": {"mode": "iap"}}
KINDS = (
    "user:ana@example.com",
    "group:risk@example.com",
    "domain:example.com",
    "serviceAccount:trains@other.iam.gserviceaccount.com",
)


def of(**request: Any) -> DeploymentRequest:
    """Return a request."""
    return DeploymentRequest.model_validate({"name": "demo", "team": "risk", **request})


def instance(platform: Platform, **request: Any) -> dict[str, Any]:
    """Return the settings of an instance of one's own."""
    made: dict[str, Any] = body(part(platform, "backend_store", **DEDICATED, **request), "instance")
    settings: dict[str, Any] = made["settings"]
    return settings


def version(platform: Platform, **request: Any) -> dict[str, Any]:
    """Return what App Engine is told."""
    asked = {"serving": {"platform": "app_engine"}, **ON_FLEX, **request}
    return body(part(platform, "tracking_server", **asked), "version")


def service(platform: Platform, **serving: Any) -> dict[str, Any]:
    """Return the template that Cloud Run is told."""
    asked = {"serving": {"platform": "cloud_run", **serving}}
    made: dict[str, Any] = body(part(platform, "tracking_server", **asked), "service")["template"]
    return made


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_maintenance_is_on_sunday_night_and_a_week_of_backups_is_kept(
    platform: Platform, engine: str
) -> None:
    """000: whichever engine; backups begin before maintenance does."""
    settings = instance(platform, database={"engine": engine})

    assert settings["maintenanceWindow"] == {"day": 7, "hour": 3, "updateTrack": "stable"}
    backups = settings["backupConfiguration"]
    assert backups["startTime"] == "02:00"
    assert backups["backupRetentionSettings"] == {"retentionUnit": "COUNT", "retainedBackups": 7}


@pytest.mark.parametrize(
    ("region", "place"),
    [
        ("europe-west1", "EU"),
        ("europe-north1", "EU"),
        ("us-east4", "US"),
        ("asia-southeast1", "ASIA"),
        ("northamerica-northeast1", None),
        ("southamerica-east1", None),
        ("me-west1", None),
        ("africa-south1", None),
    ],
)
def test_a_multi_region_is_the_one_around_the_region(region: str, place: str | None) -> None:
    """000: the author's two letters put Montreal, Sydney and Tokyo into the US."""
    assert multi_region(region) == place


@pytest.mark.parametrize("size", sizes.SHAPES)
def test_a_size_is_the_same_on_both_platforms(platform: Platform, size: str) -> None:
    """000 and 002: what the server and its uploads were measured to need, in either's unit."""
    flex = version(platform, size=size)["resources"]
    asked = {"serving": {"platform": "cloud_run"}, "size": size}
    made = body(part(platform, "tracking_server", **asked), "service")
    limits = made["template"]["containers"][0]["resources"]["limits"]

    assert (str(flex["cpu"]), f"{flex['memoryGb']}Gi") == (limits["cpu"], limits["memory"])
    assert flex["diskGb"] >= 10
    assert MEMORY_GB.keys() == sizes.SHAPES.keys()


def test_a_server_on_app_engine_is_its_own_account(platform: Platform) -> None:
    """000: neither the default one nor that of the application, which all services share."""
    assert version(platform)["serviceAccount"] == "mlflow-demo@acme-mlflow.iam.gserviceaccount.com"


@pytest.mark.parametrize("member", KINDS)
@pytest.mark.parametrize(
    "request_",
    [
        {"access": {"mode": "iam"}},
        {"access": {"mode": "iap"}},
        {"serving": {"platform": "app_engine"}, "access": {"mode": "iap"}},
        {
            "access": {"mode": "iap", "guard": "load_balancer"},
            "load_balancer": {"domain": "mlflow.example.com"},
        },
    ],
    ids=["iam", "iap", "app engine", "load balancer"],
)
def test_whoever_can_be_a_member_is_let_in(
    platform: Platform, request_: dict[str, Any], member: str
) -> None:
    """000: people, groups, domains and service accounts, as they stand in the request."""
    asked = {**request_, "access": {**request_["access"], "members": [member]}}

    steps = part(platform, "access", **asked).steps
    assert member in [step.member for step in steps if isinstance(step, Grant)]


def test_an_environment_beside_another_has_nothing_in_common_but_what_stays(
    platform: Platform,
) -> None:
    """001: development and production of one team, with a private database each."""
    asked = {**DEDICATED, "network": {"name": "default"}, **ON_FLEX}
    both = [
        {
            step.url: step.keep
            for part in plan(spec_of(of(name=name, **asked)), platform, observed(platform)).parts
            for step in part.steps
            if isinstance(step, Resource)
        }
        for name in ("wine-dev", "wine-prod")
    ]

    common = both[0].keys() & both[1].keys()
    assert common
    assert all(both[0][url] for url in common)


def test_what_the_request_says_of_cloud_run_is_what_it_is_told(platform: Platform) -> None:
    """003: concurrency, timeout, CPU, least and most instances."""
    made = service(
        platform,
        concurrency=7,
        timeout_seconds=1234,
        cpu_always_allocated=True,
        min_instances=2,
        max_instances=3,
    )

    assert made["maxInstanceRequestConcurrency"] == 7
    assert made["timeout"] == "1234s"
    assert made["containers"][0]["resources"]["cpuIdle"] is False
    assert made["scaling"] == {"minInstanceCount": 2, "maxInstanceCount": 3}


def test_what_the_request_says_of_the_proxy_is_what_it_is_told(platform: Platform) -> None:
    """003: domains, single addresses, programs with tokens of others."""
    asked = of(
        access={
            "mode": "oauth2_proxy",
            "oauth_client": CLIENT,
            "email_domains": ["example.com", "example.org"],
            "members": ["user:ana@partner.example"],
            "extra_issuers": ["https://token.example.com=mlflow"],
        }
    )
    target = Target(spec_of(asked), platform)
    made = oauth2_proxy.options(target)

    assert made["email_domains"] == ["example.com", "example.org"]
    assert made["skip_jwt_bearer_tokens"] is True
    assert "https://token.example.com=mlflow" in made["extra_jwt_issuers"]
    assert made["authenticated_emails_file"] == "/secrets/proxy-members/value"
    assert "ana@partner.example" in oauth2_proxy.addresses(target)


def test_a_private_server_is_found_from_inside_alone(platform: Platform) -> None:
    """Internal ingress is Cloud Run's own word for it."""
    asked = {"serving": {"platform": "cloud_run", "ingress": "internal"}}
    made = body(part(platform, "tracking_server", **asked), "service")

    assert made["ingress"] == "INGRESS_TRAFFIC_INTERNAL_ONLY"
