"""Who may enter, let in by the workflow under every access mode and forgotten at removal."""

import json
from typing import Any

import pytest

from tests.workflows.balancers import ours
from tests.workflows.berth import Berth
from tests.workflows.lives import CLIENT, bring

# A minute of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

LIMITED = {"mode": "iap", "oauth_client": CLIENT, "allowed_domains": ["example.com"]}
MODES: list[dict[str, Any]] = [
    {"mode": "iap"},
    LIMITED,
    {"mode": "iap", "allowed_domains": ["example.com"]},
    {"mode": "oauth2_proxy", "oauth_client": CLIENT},
]
IAP = "https://iap.googleapis.com/v1/projects/123456789012/iap_web"
SEVEN_MINUTES = 29
"""How often the workflow asks for something that may only have to spread, every 15 s."""

GUARDED = f"{IAP}/cloud_run-europe-west1/services/mlflow-demo"


@pytest.mark.parametrize("access", MODES)
def test_a_deployment_comes_and_goes_without_a_trace(berth: Berth, access: dict[str, Any]) -> None:
    """READY with the workflow's own rights; a second time nothing; then as if it had never been."""
    bring(berth)
    before = berth.resources()

    first = berth.provision(access=access, training_account={})
    made = berth.resources()
    again = berth.provision(access=access, training_account={})
    assert (first.state, again.state) == ("READY", "READY"), (first.error, again.error)
    assert services(berth.resources()) == services(made)
    gone = berth.tear_down()

    assert gone.state == "DELETED", gone.error
    assert berth.resources() == before


@pytest.mark.parametrize(
    ("asked", "place"),
    [
        ({}, "cloud_run-europe-west1/services/mlflow-demo"),
        (
            {"serving": {"platform": "app_engine"}},
            "appengine-berth-local/services/mlflow-demo",
        ),
        ({"load_balancer": ours()}, "compute/services/mlflow-demo"),
    ],
    ids=["service", "application", "backend"],
)
def test_a_client_is_brought_to_wherever_iap_stands(
    berth: Berth, asked: dict[str, Any], place: str
) -> None:
    """Settings of their own on each of the three, and gone with the deployment."""
    bring(berth)
    guard = "load_balancer" if "load_balancer" in asked else "service"
    access = {"mode": "iap", "guard": guard, "oauth_client": CLIENT}

    made = berth.provision(access=access, **asked)

    assert made.state == "READY", made.status.get("problem")
    shown = berth.ask("GET", f"{IAP}/{place}:iapSettings")["accessSettings"]
    assert shown["oauthSettings"]["clientId"]
    assert berth.tear_down().state == "DELETED"
    # Settings that say nothing are what everything has.
    said = {name: body for name, body in berth.resources().items() if name.startswith("iap")}
    assert not any(said.values()), said


def services(resources: dict[str, Any]) -> dict[str, Any]:
    """Return the Cloud Run services among the resources."""
    return {name: body for name, body in resources.items() if "/services/mlflow-" in name}


def test_settings_that_somebody_else_made_are_left_alone(berth: Berth) -> None:
    """Another's client would be replaced by ours, and taken away at removal."""
    assert berth.provision(access={"mode": "iap"}).state == "READY"
    theirs = {"accessSettings": {"allowedDomainsSettings": {"enable": True, "domains": ["b.org"]}}}
    berth.ask("PATCH", f"{GUARDED}:iapSettings?updateMask=accessSettings", theirs)
    found = berth.ask("GET", f"{GUARDED}:iapSettings")

    failed = berth.provision(
        access={"mode": "iap", "allowed_domains": ["example.com"]}, on_failure="KEEP"
    )

    assert failed.state == "FAILED"
    assert failed.error["tags"] == ["NotOurs"]
    assert failed.status["problem"]["type"].endswith(":iap-foreign-settings")
    assert berth.ask("GET", f"{GUARDED}:iapSettings") == found


def test_a_secret_that_cannot_be_read_fails_at_once_with_the_command(berth: Berth) -> None:
    """Nobody waits seven minutes for a grant that nobody has made; the cause is words, no JSON."""
    command = "gcloud secrets add-iam-policy-binding client-id --member=x"
    problem = {
        "type": "urn:berth:problem:brought-secret",
        "detail": f"The account x may not read the secret client-id; what helps: `{command}`",
    }

    def refuse(_environ: dict[str, Any], start: Any) -> list[bytes]:
        start("400 x", [("Content-Type", "application/problem+json")])
        return [json.dumps(problem).encode()]

    berth.cloud.ingress.mount("berth-credentials-123456789012.europe-west1.run.app", refuse)
    started = berth.clock.now()

    generation = berth.want("demo", access={"mode": "oauth2_proxy", "oauth_client": CLIENT})
    execution = berth.launch("provision", "demo", generation)
    berth.clock.advance(60)
    failed = berth.outcome("demo", execution)

    assert failed.state == "FAILED"
    assert berth.clock.now() - started <= 60
    assert failed.status["problem"]["cause"] == problem["detail"]
    assert command in failed.status["problem"]["remedy"]
    assert failed.status["problem"]["step"] == "identity: proxy_config"


def test_without_iap_s_account_the_remedy_is_the_installer(berth: Berth) -> None:
    """Its right to call the server cannot be granted to nobody."""
    berth.cloud.fail(
        "run.projects.locations.services.setIamPolicy",
        400,
        message="Service account service-123456789012@gcp-sa-iap.iam.gserviceaccount.com "
        "does not exist.",
        times=SEVEN_MINUTES,
    )

    failed = berth.provision(access={"mode": "iap"})

    assert failed.status["problem"]["type"].endswith(":iap-agent-missing")
    assert "install apply" in failed.status["problem"]["remedy"]
