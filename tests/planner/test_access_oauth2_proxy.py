"""oauth2_proxy: a proxy beside MLflow asks who comes."""

from typing import Any

import pytest

from localcloud.oauth2_proxy import options as program
from planner.access import oauth2_proxy
from planner.observed import NotObservedError
from planner.plan import plan_part
from planner.target import Target
from schemas.deployment import DeploymentRequest
from schemas.platform import Platform
from tests.planner.compiled import CLIENT, TRAINING, body, names, part, resource
from tests.planner.drawn import SHA, observed, spec_of

HOSTS = (
    "mlflow-demo-123456789012.europe-west1.run.app",
    "mlflow-demo-x7k2abcdeq-ew.a.run.app",
)


def asked(**proxy: Any) -> dict[str, Any]:
    """Return a request for the proxy."""
    return {"access": {"mode": "oauth2_proxy", "oauth_client": CLIENT, **proxy}}


def target(platform: Platform, **request: Any) -> Target:
    """Return the deployment that a request makes."""
    model = DeploymentRequest.model_validate({"name": "demo", "team": "risk", **request})
    return Target(spec_of(model), platform)


def template(platform: Platform, **request: Any) -> dict[str, Any]:
    """Return the template of the service."""
    made = body(part(platform, "tracking_server", **asked(), **request), "service")
    found: dict[str, Any] = made["template"]
    return found


def test_requests_reach_the_proxy_and_only_through_it_mlflow(platform: Platform) -> None:
    """One container has a port; whoever reached MLflow's would be asked nothing."""
    proxy, mlflow = template(platform)["containers"]

    assert proxy["ports"] == [{"name": "http1", "containerPort": 4180}]
    assert "ports" not in mlflow
    assert proxy["dependsOn"] == [mlflow["name"]]


def test_google_asks_nobody_where_the_proxy_does(platform: Platform) -> None:
    """A browser has no ID token to show at the first door."""
    made = body(part(platform, "tracking_server", **asked()), "service")

    assert made["invokerIamDisabled"] is True
    assert names(part(platform, "access", **asked())) == []


def test_both_containers_are_probed_where_they_listen(platform: Platform) -> None:
    """The order of starting goes by MLflow's probe; each stays within what Cloud Run allows."""
    proxy, mlflow = template(platform)["containers"]

    assert proxy["startupProbe"]["httpGet"] == {"path": "/ping", "port": 4180}
    assert mlflow["startupProbe"]["httpGet"] == {"path": "/health", "port": 8080}
    probe = proxy["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] <= 240
    assert probe["timeoutSeconds"] < probe["periodSeconds"]


@pytest.mark.parametrize("size", ["small", "medium", "large"])
def test_the_sizes_of_both_together_are_ones_that_cloud_run_has(
    platform: Platform, size: str
) -> None:
    """Whole CPUs, since less than one means one request at a time; eight and 32 GiB at most."""
    limits = [one["resources"]["limits"] for one in template(platform, size=size)["containers"]]

    assert all(one["cpu"].isdigit() for one in limits)
    assert sum(int(one["cpu"]) for one in limits) <= 8
    assert limits[0]["memory"] == "512Mi"


def test_both_containers_keep_their_cpu_or_neither(platform: Platform) -> None:
    """What is paid for is the instance."""
    serving = {"platform": "cloud_run", "cpu_always_allocated": True}
    always = template(platform, serving=serving)["containers"]

    assert [one["resources"]["cpuIdle"] for one in always] == [False, False]
    assert [one["resources"]["cpuIdle"] for one in template(platform)["containers"]] == [True, True]


def test_mlflow_sees_nothing_of_the_client_s_secret(platform: Platform) -> None:
    """The proxy's files are mounted in the proxy alone, each in a directory of its own."""
    proxy, mlflow = template(platform)["containers"]

    assert proxy["volumeMounts"] == [
        {"name": "proxy-config", "mountPath": "/secrets/proxy-config"},
        {"name": "proxy-members", "mountPath": "/secrets/proxy-members"},
    ]
    assert not {"proxy-config", "proxy-members"} & {one["name"] for one in mlflow["volumeMounts"]}
    migration = body(part(platform, "schema", **asked()), "migrate_job")
    assert "proxy-config" not in str(migration)


def test_the_files_are_read_only_and_pinned(platform: Platform) -> None:
    """Mode 0444: the proxy's user is not root, and nobody may write."""
    volumes = {one["name"]: one for one in template(platform)["volumes"]}

    (item,) = volumes["proxy-config"]["secret"]["items"]
    assert item == {"version": "1", "path": "value", "mode": 0o444}


def test_the_proxy_is_built_into_our_own_repository_and_deployed_by_digest(
    platform: Platform,
) -> None:
    """Cloud Run cannot pull from quay.io, and a tag can be moved."""
    plan = part(platform, "image", **asked())

    assert names(plan) == ["image", "proxy_image"]
    proxy = resource(plan, "proxy_image")
    assert proxy.url.endswith("/packages/oauth2-proxy/tags/1a2b3c4d5e6f")
    assert proxy.outputs == {"proxy_image_version": ("version",)}
    assert body(plan, "proxy_image")["steps"][0]["args"] == [
        "build",
        "-t",
        "europe-west1-docker.pkg.dev/acme-mlflow/berth/oauth2-proxy:1a2b3c4d5e6f",
        ".",
    ]
    deployed = template(platform)["containers"][0]["image"]
    assert deployed == f"europe-west1-docker.pkg.dev/acme-mlflow/berth/oauth2-proxy@{SHA}"


@pytest.mark.parametrize("mode", ["iam", "basic_auth", "iap"])
def test_nobody_else_builds_a_proxy(platform: Platform, mode: str) -> None:
    """A second image is a minute of waiting."""
    assert names(part(platform, "image", access={"mode": mode})) == ["image"]


@pytest.mark.parametrize("name", ["proxy_image_version", "proxy_config_version"])
def test_what_nobody_learned_is_an_error_that_says_so(platform: Platform, name: str) -> None:
    """A part asked for too early names what it lacks instead of deploying nothing."""
    known = {key: value for key, value in observed(platform).items() if key != name}
    spec = target(platform, **asked()).spec

    with pytest.raises(NotObservedError, match=name):
        plan_part(spec, platform, "tracking_server", known)


def test_the_proxy_s_files_are_compared_each_time(platform: Platform) -> None:
    """A client's secret that was put right comes in with the next try."""
    plan = part(platform, "identity", **asked())

    for name in ("proxy_config", "proxy_members"):
        step = resource(plan, name)
        assert step.update == step.create
        assert step.digest is None
        assert step.within == f"{name}_secret"


def test_who_may_enter_is_a_list_of_addresses(platform: Platform) -> None:
    """Verify and the trainings are on it like any member; the proxy compares small letters."""
    made = target(platform, **asked(members=["user:Ana@example.com"]), **TRAINING)

    assert oauth2_proxy.addresses(made) == (
        "ana@example.com",
        platform.accounts.verify,
        "mlflow-demo-train@acme-mlflow.iam.gserviceaccount.com",
    )


def test_programs_bring_tokens_made_out_for_this_server_and_no_other(platform: Platform) -> None:
    """A token for another service, or for gcloud itself, is on no list."""
    made = target(platform, **asked(extra_issuers=["https://token.example.com=mlflow"]))

    assert oauth2_proxy.issuers(made) == (
        *(f"https://accounts.google.com=https://{host}" for host in HOSTS),
        "https://token.example.com=mlflow",
    )


def test_sign_in_comes_back_to_where_it_began(platform: Platform) -> None:
    """The cookie of a sign-in is one address's; with two addresses neither is the fixed one."""
    two = target(platform, **asked())
    one = target(platform, **asked(), load_balancer={"domain": "mlflow.risk.example.com"})

    assert "redirect_url" not in oauth2_proxy.options(two)
    assert oauth2_proxy.redirect_uris(two) == tuple(
        f"https://{host}/oauth2/callback" for host in HOSTS
    )
    assert oauth2_proxy.options(one)["redirect_url"] == (
        "https://mlflow.risk.example.com/oauth2/callback"
    )


def test_nothing_is_open_to_all(platform: Platform) -> None:
    """No route is exempt, no domain is any domain, and cookies travel encrypted only."""
    made = oauth2_proxy.options(target(platform, **asked()))

    assert "skip_auth_routes" not in made
    assert made["email_domains"] == []
    assert made["cookie_secure"] is True


def test_an_artifact_may_take_as_long_as_a_request(platform: Platform) -> None:
    """The program's own bound is 30 seconds."""
    serving = {"platform": "cloud_run", "timeout_seconds": 1800}
    made = oauth2_proxy.options(target(platform, **asked(), serving=serving))

    assert made["upstream_timeout"] == "1800s"


def test_the_program_knows_every_option(platform: Platform) -> None:
    """An option that it does not know ends it at the start."""
    made = oauth2_proxy.options(target(platform, **asked()))

    assert made.keys() <= program._OPTIONS.keys()
    assert program._OPTIONS["upstream_timeout"][0](made["upstream_timeout"]) == 900


def test_options_hold_no_secret(platform: Platform) -> None:
    """What is secret is put in by the credentials function alone."""
    made = oauth2_proxy.options(target(platform, **asked()))

    assert not {"client_id", "client_secret", "cookie_secret"} & made.keys()
