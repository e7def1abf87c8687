"""Whom a training acts as; where nobody can be found, the error says what to do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from berth.identity import IMPERSONATE
from tests.berth.world import ANA, STRANGER, TRAINER, behind_iam, behind_iap, trust

if TYPE_CHECKING:
    from pathlib import Path

    from tests.berth.world import Door, World

BOTH = pytest.mark.parametrize("door", [behind_iam, behind_iap])


@BOTH
def test_a_persons_login_is_not_enough(laptop: World, door: Door) -> None:
    """Google makes no tokens for a tracking server from it; the remedy is a variable."""
    laptop.stand(door)

    why = laptop.refusal()

    assert "logged in as a person" in why
    assert f"Set {IMPERSONATE} to the deployment's training account" in why
    assert "training_account.impersonated_by" in why


@BOTH
def test_a_persons_machine_is_not_enough(world: World, door: Door) -> None:
    """Cloud Shell's metadata server names the person: the remedy is the same, not a role."""
    world.stand(door)
    world.become(ANA)

    why = world.refusal()

    assert "logged in as a person" in why
    assert f"Set {IMPERSONATE} to the deployment's training account" in why


@BOTH
def test_one_who_may_not_impersonate_hears_the_role(
    laptop: World, door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Google's words, the role that lacks, and on which account."""
    laptop.stand(door)
    monkeypatch.setenv(IMPERSONATE, TRAINER)

    why = laptop.refusal()

    assert f"makes no token for {TRAINER} (403)" in why
    assert f"roles/iam.serviceAccountTokenCreator on {TRAINER}, for whoever you are" in why


def test_an_account_that_is_not_there(laptop: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Google does not tell it from one that lacks the right; the error spells its name."""
    laptop.stand(behind_iam)
    monkeypatch.setenv(IMPERSONATE, "nobody@berth-local.iam.gserviceaccount.com")

    why = laptop.refusal()

    assert "for nobody@berth-local.iam.gserviceaccount.com (403)" in why


@pytest.mark.parametrize(
    "name", ["ana@example.com", f"serviceAccount:{TRAINER}/x", "trainer", "a@b/../c@x"]
)
def test_what_is_no_account_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """People cannot be impersonated, and an address is no path."""
    world.stand(behind_iam)
    monkeypatch.setenv(IMPERSONATE, name)

    assert f"{IMPERSONATE}={name} is no service account's address" in world.refusal()


def test_no_login_at_all(world: World) -> None:
    """On a bare machine the error says how to log in."""
    world.stand(behind_iam)
    world.become("")

    why = world.refusal()

    assert "gcloud auth application-default login" in why
    assert IMPERSONATE in why


def test_a_login_that_has_ended(
    laptop: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A refresh token that was revoked is told apart from a right that lacks."""
    laptop.stand(behind_iam)
    trust(laptop.cloud, f"user:{ANA}")
    monkeypatch.setenv(IMPERSONATE, TRAINER)
    file = tmp_path / "gcloud" / "application_default_credentials.json"
    login = json.loads(file.read_text())
    laptop.cloud.tokens.revoke(login["refresh_token"])

    assert "Google gives no token: " in laptop.refusal()


def test_an_attached_account_may_act_as_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable goes before the machine's own account."""
    world.stand(behind_iap)
    world.become(STRANGER)
    trust(world.cloud, f"serviceAccount:{STRANGER}")
    monkeypatch.setenv(IMPERSONATE, TRAINER)

    world.client().create_run("0")

    assert len(world.server.tokens) == 1


@BOTH
def test_google_stumbles(laptop: World, door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer of 503 and a broken connection are followed by another try."""
    laptop.stand(door)
    trust(laptop.cloud, f"user:{ANA}")
    monkeypatch.setenv(IMPERSONATE, TRAINER)
    verb = "generateIdToken" if door is behind_iam else "signJwt"
    laptop.cloud.fail(f"iamcredentials.projects.serviceAccounts.{verb}", 503)
    laptop.cloud.reset(f"iamcredentials.projects.serviceAccounts.{verb}")

    laptop.client().create_run("0")

    assert laptop.cloud.unused_faults() == {}
