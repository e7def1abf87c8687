"""iap: Identity-Aware Proxy in front, alone or before MLflow's login."""

from typing import Any

import pytest

from planner.access import iap
from planner.target import Target
from schemas.deployment import DeploymentRequest
from schemas.plan import Grant
from schemas.platform import Platform
from tests.planner.compiled import CLIENT, TRAINING, body, grant, names, part, resource
from tests.planner.conftest import NUMBER
from tests.planner.drawn import spec_of

AGENT = f"serviceAccount:service-{NUMBER}@gcp-sa-iap.iam.gserviceaccount.com"
GUARDED = f"https://iap.googleapis.com/v1/projects/{NUMBER}/iap_web/"
DOMAIN = {"load_balancer": {"domain": "mlflow.risk.example.com"}}


def asked(**iap: Any) -> dict[str, Any]:
    """Return a request for IAP alone."""
    return {"access": {"mode": "iap", **iap}}


def target(platform: Platform, **request: Any) -> Target:
    """Return the deployment that a request makes."""
    model = DeploymentRequest.model_validate({"name": "demo", "team": "risk", **request})
    return Target(spec_of(model), platform)


def passes(platform: Platform, **request: Any) -> list[Grant]:
    """Return the grants that let somebody pass IAP."""
    steps = part(platform, "access", **request).steps
    return [one for one in steps if isinstance(one, Grant) and one.role == iap.ACCESSOR]


def test_iap_itself_may_call_the_server_before_anybody_may_pass_it(platform: Platform) -> None:
    """Without run.invoker for its account, Cloud Run turns every member away with 403."""
    plan = part(platform, "access", **asked())

    assert names(plan)[0] == "iap_may_call"
    assert grant(plan, "iap_may_call").member == AGENT
    assert grant(plan, "iap_may_call").role == "roles/run.invoker"
    assert "/services/mlflow-demo:setIamPolicy" in grant(plan, "iap_may_call").write.url


def test_google_s_check_stays_on_behind_iap(platform: Platform) -> None:
    """Otherwise whoever finds a way past IAP is in."""
    made = body(part(platform, "tracking_server", **asked()), "service")

    assert made["iapEnabled"] is True
    assert made["invokerIamDisabled"] is False


def test_members_verify_and_trainings_pass_and_nobody_else(platform: Platform) -> None:
    """Each is bound on this server's own policy, not on the project's."""
    found = passes(platform, **asked(members=["group:risk@example.com"]), **TRAINING)

    assert {one.member for one in found} == {
        "group:risk@example.com",
        f"serviceAccount:{platform.accounts.verify}",
        "serviceAccount:mlflow-demo-train@acme-mlflow.iam.gserviceaccount.com",
    }
    url = f"{GUARDED}cloud_run-europe-west1/services/mlflow-demo:setIamPolicy"
    assert {one.write.url for one in found} == {url}


def test_members_are_taken_back_at_removal(platform: Platform) -> None:
    """A policy may outlive its resource, and the next deployment of the name would inherit it."""
    found = passes(platform, **asked(members=["user:ana@example.com"]))

    assert len(found) == 2
    assert all(one.drop for one in found)


@pytest.mark.parametrize(
    ("request_", "place"),
    [
        (asked(), "cloud_run-europe-west1/services/mlflow-demo"),
        (
            {**asked(), "serving": {"platform": "app_engine"}},
            "appengine-acme-mlflow/services/mlflow-demo",
        ),
        ({**asked(guard="load_balancer"), **DOMAIN}, "compute/services/mlflow-demo"),
        (
            {"access": {"mode": "basic_auth", "iap": {"guard": "load_balancer"}}, **DOMAIN},
            "compute/services/mlflow-demo",
        ),
    ],
)
def test_the_policy_is_that_of_what_iap_guards(
    platform: Platform, request_: dict[str, Any], place: str
) -> None:
    """Service, application or backend: a member let in at the wrong one stands outside."""
    made = iap.resource(target(platform, **request_))

    assert made == f"projects/{NUMBER}/iap_web/{place}"


def test_before_a_load_balancer_the_service_does_not_ask_a_second_time(platform: Platform) -> None:
    """Nobody gets through two of them; the service takes IAP's account and nobody else."""
    request = {**asked(guard="load_balancer"), **DOMAIN}
    made = body(part(platform, "tracking_server", **request), "service")

    assert "iapEnabled" not in made
    assert made["invokerIamDisabled"] is False
    assert grant(part(platform, "access", **request), "iap_may_call").member == AGENT


def test_without_a_client_and_without_domains_there_are_no_settings(platform: Platform) -> None:
    """Google's own client needs none, and what is not written cannot be left behind."""
    assert "iap_settings" not in names(part(platform, "access", **asked()))


@pytest.mark.parametrize("said", [{"oauth_client": CLIENT}, {"allowed_domains": ["example.com"]}])
def test_settings_are_written_by_credentials_and_reset_at_removal(
    platform: Platform, said: dict[str, Any]
) -> None:
    """The plan names no value; each repeat compares; removal leaves what Google has by default."""
    step = resource(part(platform, "access", **asked(**said)), "iap_settings")

    assert step.create.url == platform.functions.credentials
    assert step.create.body is not None
    assert step.create.body["credential"] == "iap_settings"
    assert step.update == step.create
    assert step.remove[-1].url.endswith(":iapSettings?updateMask=accessSettings")
    assert step.remove[-1].body == {}


def test_settings_come_before_anybody_is_let_in(platform: Platform) -> None:
    """The domains bound who may pass; a member of another one must not pass meanwhile."""
    plan = part(platform, "access", **asked(allowed_domains=["example.com"]))

    assert names(plan).index("iap_settings") < names(plan).index("verify_may_enter")


def test_settings_that_are_there_already_are_told_from_none(platform: Platform) -> None:
    """GET always answers: a client shows by its id, a limit by its switch."""
    client = resource(part(platform, "access", **asked(oauth_client=CLIENT)), "iap_settings")
    limit = resource(part(platform, "access", **asked(allowed_domains=["a.de"])), "iap_settings")

    assert client.exists is not None
    assert (client.exists.path[-1], client.exists.value) == ("clientId", None)
    assert limit.exists is not None
    assert (limit.exists.path[-1], limit.exists.value) == ("enable", True)


def test_the_limit_to_domains_does_not_shut_out_programs(platform: Platform) -> None:
    """Verify and the trainings have addresses of the project's, not of the team's domain."""
    limited = target(
        platform,
        **asked(
            members=["serviceAccount:ci@other.iam.gserviceaccount.com"],
            allowed_domains=["example.com"],
        ),
    )

    assert iap.allowed_domains(limited) == (
        "acme-mlflow.iam.gserviceaccount.com",
        "example.com",
        "other.iam.gserviceaccount.com",
    )
    assert iap.allowed_domains(target(platform, **asked())) == ()


def test_mlflow_s_own_login_can_stand_behind_it(platform: Platform) -> None:
    """Both ask: IAP on the service, MLflow inside; verify may pass the one and read the other."""
    request = {"access": {"mode": "basic_auth", "iap": {"members": ["group:risk@example.com"]}}}
    made = body(part(platform, "tracking_server", **request), "service")
    plan = part(platform, "access", **request)

    assert (made["iapEnabled"], made["invokerIamDisabled"]) == (True, False)
    assert names(plan) == [
        "iap_may_call",
        "verify_may_enter",
        "member_1_may_enter",
        "verify_may_read_admin_password",
        "requester_may_read_admin_password",
    ]


def test_on_app_engine_no_service_of_cloud_run_is_bound(platform: Platform) -> None:
    """There is none."""
    assert iap.steps(target(platform, **asked(), serving={"platform": "app_engine"}))[0].name == (
        "verify_may_enter"
    )
