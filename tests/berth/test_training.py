"""A training gets in by each door, for longer than any token lives, and takes large artifacts in."""

from __future__ import annotations

import base64
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from berth.access import CHOSEN, UPLOADS
from berth.identity import IMPERSONATE
from tests.berth.world import ANA, STRANGER, TRAINER, behind_iam, behind_iap, trust

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.berth.world import Door, World

MIB = 2**20
DAY = 24 * 6
BOTH = pytest.mark.parametrize("door", [behind_iam, behind_iap])
SIGNING = "iamcredentials.projects.serviceAccounts.signJwt"


@BOTH
def test_a_training_of_a_day_on_google_cloud(world: World, door: Door) -> None:
    """The attached account's tokens live an hour; none of a day's requests is refused."""
    world.stand(door)
    trust(world.cloud, f"serviceAccount:{TRAINER}")
    client = world.client()
    run = client.create_run("0").info.run_id

    for step in range(DAY):
        world.clock.advance(600)
        client.log_metric(run, "loss", 1 / (step + 1), step=step)

    assert len(world.server.metrics) == DAY
    assert 24 <= len(world.server.tokens) <= 30


@BOTH
def test_a_training_of_a_day_on_a_laptop(
    laptop: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's login makes tokens for the training account, as long as the login is good."""
    laptop.stand(door)
    trust(laptop.cloud, f"user:{ANA}")
    monkeypatch.setenv(IMPERSONATE, TRAINER)
    client = laptop.client()
    run = client.create_run("0").info.run_id

    for step in range(DAY):
        laptop.clock.advance(600)
        client.log_metric(run, "loss", 1 / (step + 1), step=step)

    assert len(laptop.server.metrics) == DAY


@BOTH
def test_threads_share_a_token(world: World, door: Door) -> None:
    """However many begin at once, one token is made."""
    world.stand(door)
    trust(world.cloud, f"serviceAccount:{TRAINER}")
    client = world.client()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda step: client.log_metric("run", "loss", step), range(24)))

    assert len(world.server.metrics) == 24
    assert len(world.server.tokens) == 1


def test_a_password_for_mlflow_stays_where_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Behind IAP and with MLflow's own login, each gets what it asks for."""
    world.stand(behind_iap)
    trust(world.cloud, f"serviceAccount:{TRAINER}")
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ana")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")

    world.client().create_run("0")

    assert world.server.tokens == [f"Basic {base64.b64encode(b'ana:s3cret').decode()}"]


def test_a_password_in_the_way_is_put_aside(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without IAP there is one header, and what is left over in the environment loses it."""
    world.stand(behind_iam)
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ana")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "s3cret")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "stale")

    world.client().create_run("0")

    assert [token.partition(" ")[0] for token in world.server.tokens] == ["Bearer"]


def test_large_artifacts_go_in_parts_where_iap_is(world: World, tmp_path: Path) -> None:
    """Nobody sets MLflow's variables, and the bucket never sees the token."""
    world.stand(behind_iap)
    trust(world.cloud, f"serviceAccount:{TRAINER}")
    file = tmp_path / "model.bin"
    file.write_bytes(bytes(25 * MIB))

    world.client().log_artifact("run", str(file))

    assert sorted(world.server.parts) == [5 * MIB, 10 * MIB, 10 * MIB]
    assert world.server.parts_seen_tokens == [""] * 3
    assert world.server.artifacts == {"model.bin": 25 * MIB}


def test_artifacts_go_in_one_piece_where_iam_is(world: World, tmp_path: Path) -> None:
    """Cloud Run speaks HTTP/2 there; MLflow's client is left as it is."""
    world.stand(behind_iam)
    file = tmp_path / "model.bin"
    file.write_bytes(bytes(12 * MIB))

    world.client().log_artifact("run", str(file))

    assert world.server.parts == []
    assert world.server.artifacts == {"model.bin": 12 * MIB}
    assert not UPLOADS.keys() & os.environ.keys()


def test_what_the_user_has_set_stays(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who switches parts off, or wants them for larger files only, has it so."""
    world.stand(behind_iap)
    trust(world.cloud, f"serviceAccount:{TRAINER}")
    monkeypatch.setenv("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD", "false")
    monkeypatch.setenv("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "7")
    file = tmp_path / "model.bin"
    file.write_bytes(bytes(12 * MIB))

    world.client().log_artifact("run", str(file))

    assert world.server.parts == []
    assert os.environ["MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE"] == "7"


def test_a_renewal_that_fails_harms_nobody(world: World, caplog: pytest.LogCaptureFixture) -> None:
    """The old token goes on until it ends; there is a warning, and the next renewal succeeds."""
    world.stand(behind_iap)
    trust(world.cloud, f"serviceAccount:{TRAINER}")
    client = world.client()
    client.log_metric("run", "loss", 1.0)
    world.cloud.fail(SIGNING, 403)

    for _ in range(12):
        world.clock.advance(295)
        client.log_metric("run", "loss", 1.0)

    assert len(world.server.metrics) == 13
    assert len(world.server.tokens) == 2
    assert [record.name for record in caplog.records if "no new token" in record.message] == [
        "berth.renewal"
    ]
    assert world.cloud.unused_faults() == {}


def test_a_login_that_ends_ends_the_training(
    laptop: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When nobody may make tokens any more and the last one has ended, the error says so."""
    laptop.stand(behind_iap)
    trust(laptop.cloud, f"user:{ANA}")
    monkeypatch.setenv(IMPERSONATE, TRAINER)
    client = laptop.client()
    client.log_metric("run", "loss", 1.0)
    laptop.cloud.fail(SIGNING, 403, message="revoked", times=2)

    laptop.clock.advance(3400)
    client.log_metric("run", "loss", 2.0)
    laptop.clock.advance(200)
    with pytest.raises(Exception, match="revoked"):
        client.log_metric("run", "loss", 3.0)

    assert laptop.server.metrics == [1.0, 2.0]


def test_one_who_is_no_member_hears_whom_to_ask(world: World) -> None:
    """Cloud Run's page says nothing; the error names the account and what is to be done."""
    world.stand(behind_iam)
    world.become(STRANGER)

    why = world.refusal()

    assert f"refuses {STRANGER} (403)" in why
    assert "does not have permission to get URL" in why
    assert f"Is serviceAccount:{STRANGER} among the deployment's members" in why


def test_one_whom_iap_does_not_know_hears_whom_to_ask(world: World) -> None:
    """IAP's page is long; what it says is quoted without its tags."""
    world.stand(behind_iap)
    world.become(STRANGER)
    trust(world.cloud, f"serviceAccount:{STRANGER}", STRANGER)

    why = world.refusal()

    assert f"refuses {STRANGER} (403)" in why
    assert "You don't have access" in why
    assert "<h1>" not in why


def test_an_account_must_be_allowed_to_sign(world: World) -> None:
    """IAP wants a token the account signs itself, and not every account may."""
    world.stand(behind_iap)

    why = world.refusal()

    assert f"roles/iam.serviceAccountTokenCreator on {TRAINER}, for this account itself" in why


def test_the_wrong_access_mode_is_pointed_out(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """IAP's own words, and the mode that was taken."""
    world.stand(behind_iap)
    monkeypatch.setenv(CHOSEN, "iam")

    why = world.refusal()

    assert "Invalid IAP credentials: Invalid bearer token. Invalid JWT audience." in why
    assert "its access mode iam?" in why


def test_the_wrong_access_mode_is_pointed_out_the_other_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cloud Run does not take what an account signed itself."""
    world.stand(behind_iam)
    trust(world.cloud, f"serviceAccount:{TRAINER}")
    monkeypatch.setenv(CHOSEN, "iap")

    why = world.refusal()

    assert f"refuses {TRAINER} (401)" in why
    assert "its access mode iap?" in why


@pytest.mark.parametrize(
    ("guarded", "said"),
    [
        ([], b'{"error_code": "PERMISSION_DENIED", "message": "not yours"}'),
        ([("x-goog-iap-generated-response", "true")], b"You are not authenticated: not yours"),
    ],
)
def test_what_mlflow_refuses_itself_is_its_own_affair(
    world: World, monkeypatch: pytest.MonkeyPatch, guarded: list[tuple[str, str]], said: bytes
) -> None:
    """Behind the door MLflow has errors of its own, and a login of its own behind IAP."""

    def answer(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        asked = environ["PATH_INFO"] == "/oauth2/auth"
        start("403 Forbidden", guarded if asked else [("content-type", "application/json")])
        return [b"no" if asked else said]

    host = "inner-123456789012.europe-west1.run.app"
    world.cloud.ingress.mount(host, answer)
    trust(world.cloud, f"serviceAccount:{TRAINER}")
    if guarded:
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "ana")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "wrong")

    why = world.refusal(f"https://{host}")

    assert "not yours" in why
    assert "refuses" not in why
