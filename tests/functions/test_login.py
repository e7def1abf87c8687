"""How to get in: the lines of each access mode, typed as they stand."""

from __future__ import annotations

import json
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from functions.records import login
from schemas.deployment import DeploymentRequest, Spec, Status
from tests.functions.conftest import make_platform

if TYPE_CHECKING:
    from pathlib import Path

URL = "https://mlflow-demo-x7k2abcdeq-ew.a.run.app"
NOON = "2026-11-20T12:00:00Z"
TRAINS = "mlflow-demo-train@acme-mlflow.iam.gserviceaccount.com"
CLIENT = {"id_secret": "client-id", "secret_secret": "client-secret"}
MODES: dict[str, dict[str, Any]] = {
    "iam": {"mode": "iam"},
    "basic_auth": {"mode": "basic_auth"},
    "behind_iap": {"mode": "basic_auth", "iap": {}},
    "iap": {"mode": "iap"},
    "oauth2_proxy": {"mode": "oauth2_proxy", "oauth_client": CLIENT},
}
PARTS = "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=true"


def lines(mode: str, *, trains: bool = False, **request: Any) -> str:
    """Return the lines of a deployment called demo."""
    asked = {"name": "demo", "team": "risk", "access": MODES[mode], **request}
    if trains:
        asked["training_account"] = {}
    spec = Spec.model_validate(
        {
            "name": "demo",
            "generation": 1,
            "uid": "3f9c2b7a41d0",
            "desired": "present",
            "request": DeploymentRequest.model_validate(asked),
            "created_by": "ana@example.com",
            "created": NOON,
            "updated": NOON,
        }
    )
    status = Status.model_validate(
        {"generation": 1, "state": "READY", "url": URL, "urls": [URL], "updated": NOON}
    )
    return "\n".join(login.lines(spec, status, make_platform()))


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_says_where_and_no_mode_says_a_password(mode: str) -> None:
    """An address for the browser or for programs; passwords only by their place."""
    found = lines(mode)

    assert URL in found or mode == "oauth2_proxy"
    assert "client-secret" not in found


@pytest.mark.parametrize("mode", ["iam", "iap", "oauth2_proxy"])
def test_trainings_come_as_the_account_that_was_made_for_them(mode: str) -> None:
    """Both ways of programs name it: the plugin and the token for an hour."""
    found = lines(mode, trains=True)

    assert f"BERTH_IMPERSONATE={TRAINS}" in found
    assert "MLFLOW_TRACKING_AUTH=berth" in found
    assert f"account={TRAINS}" in found
    assert "SERVICE_ACCOUNT" not in found


@pytest.mark.parametrize(
    ("mode", "needed"),
    [("iam", False), ("basic_auth", False), ("iap", True), ("oauth2_proxy", True)],
)
def test_large_artifacts_need_two_variables_where_they_go_in_parts(
    mode: str, *, needed: bool
) -> None:
    """The plugin sets them; without it MLflow's client must be told."""
    assert (PARTS in lines(mode, trains=mode != "basic_auth")) is needed


def test_without_a_training_account_people_type_what_they_always_did() -> None:
    """One token of gcloud's, for an hour."""
    options = "--region=europe-west1 --project=acme-mlflow"
    assert lines("iam").splitlines() == [
        f"programs: export MLFLOW_TRACKING_URI={URL}",
        "          export MLFLOW_TRACKING_TOKEN=$(gcloud auth print-identity-token)",
        f"browser:  gcloud run services proxy mlflow-demo {options}",
    ]


def test_mlflow_s_own_login_is_told_to_programs_too() -> None:
    """Nothing of Berth's is installed: MLflow's client sends name and password itself."""
    found = lines("basic_auth").splitlines()

    assert found[1:3] == [
        f"programs: export MLFLOW_TRACKING_URI={URL}",
        "          export MLFLOW_TRACKING_USERNAME=admin",
    ]


@pytest.mark.parametrize("mode", ["basic_auth", "behind_iap"])
def test_a_password_is_fetched_by_the_command_that_is_shown(mode: str) -> None:
    """What a program needs is pasted as it stands, and no password is ever printed."""
    [shown] = re.findall(r"^password: (gcloud .*)$", lines(mode), re.MULTILINE)

    assert f"export MLFLOW_TRACKING_PASSWORD=$({shown})\n" in lines(mode)


@pytest.mark.parametrize("mode", ["iap", "behind_iap", "oauth2_proxy"])
def test_without_a_training_account_programs_come_as_a_member(mode: str) -> None:
    """The first service account among them; where there is none, the line says what is needed."""
    member = "trains@acme-mlflow.iam.gserviceaccount.com"
    let_in = {"members": ["user:ben@example.com", f"serviceAccount:{member}"]}
    access = {**MODES[mode], **({"iap": let_in} if mode == "behind_iap" else let_in)}

    assert f"export BERTH_IMPERSONATE={member}\n" in lines(mode, access=access)
    assert "BERTH_IMPERSONATE=SERVICE_ACCOUNT # a service account that is a member" in lines(mode)


@pytest.mark.parametrize(
    ("request_", "told"),
    [
        ({"serving": {"platform": "cloud_run", "ingress": "internal"}}, "the project's VPC"),
        (
            {"load_balancer": {"domain": "a.example.com", "allowed_ranges": ["203.0.113.0/24"]}},
            "load_balancer.allowed_ranges",
        ),
    ],
)
def test_whoever_cannot_come_from_everywhere_is_told_first(
    request_: dict[str, Any], told: str
) -> None:
    """A refusal by address looks like a server that is not there."""
    assert lines("iam", **request_).splitlines()[0].startswith("from:     ")
    assert told in lines("iam", **request_).splitlines()[0]


def test_the_proxy_s_redirect_uris_are_for_the_console() -> None:
    """No API takes them, and without them nobody signs in."""
    found = lines("oauth2_proxy").splitlines()

    assert "console" in found[1]
    assert [line.strip() for line in found[2:4]] == [
        "https://mlflow-demo-123456789012.europe-west1.run.app/oauth2/callback",
        "https://mlflow-demo-x7k2abcdeq-ew.a.run.app/oauth2/callback",
    ]


@pytest.mark.parametrize("mode", ["iap", "behind_iap"])
def test_a_client_brought_for_iap_has_its_redirect_uri_too(tmp_path: Path, mode: str) -> None:
    """It holds the client's id, so what is told is the command that prints it; a shell's."""
    brought = {"oauth_client": CLIENT}
    access = {**MODES[mode], **({"iap": brought} if mode == "behind_iap" else brought)}
    found = lines(mode, access=access).splitlines()
    (command,) = (one.strip() for one in found if "handleRedirect" in one)
    gcloud = tmp_path / "gcloud"
    gcloud.write_text('#!/bin/sh\n[ "$5" = --secret=client-id ] && printf 1-a.apps.example\n')
    gcloud.chmod(0o755)

    said = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        check=True,
        text=True,
    )

    assert said.stdout.strip() == (
        "https://iap.googleapis.com/v1/oauth/clientIds/1-a.apps.example:handleRedirect"
    )
    assert any(line.startswith("console:") for line in found)
    assert "console:" not in lines(mode)


def test_behind_a_load_balancer_only_its_domain_is_named() -> None:
    """Google's own addresses of the server are shut."""
    found = lines("oauth2_proxy", load_balancer={"domain": "mlflow.risk.example.com"})

    assert "https://mlflow.risk.example.com/oauth2/callback" in found
    assert "run.app" not in found


def test_what_an_account_signs_for_iap_is_what_iap_takes(tmp_path: Path) -> None:
    """The line is a shell's: issuer and subject are the account, the audience all below the URL."""
    (line,) = (one for one in lines("iap", trains=True).splitlines() if "sign-jwt" in one)
    command = line.strip().removeprefix("export MLFLOW_TRACKING_TOKEN=$(").removesuffix(")")
    gcloud = tmp_path / "gcloud"
    gcloud.write_text("#!/bin/sh\nshift 3; [ $2 = /dev/stdin ] && [ $3 = - ] && cat $2\n")
    gcloud.chmod(0o755)

    said = subprocess.run(
        ["/bin/sh", "-c", command],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        check=True,
    )

    claims = json.loads(said.stdout)
    assert claims["iss"] == claims["sub"] == TRAINS
    assert claims["aud"] == f"{URL}/*"
    assert claims["exp"] - claims["iat"] == 3600
