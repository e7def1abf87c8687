"""A brought client is looked at before anything needs it, in the versions that are on record."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from tests.functions.brought import (
    ADD,
    CLIENT,
    NUMBERS,
    READ,
    REGION,
    VALUES,
    ask,
    config,
    credentials,
    fill,
    guarded,
    secret,
    settings,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.berth import Berth

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-brought-versions")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The credentials function, acting as its own account, and the two secrets of a client."""
    with credentials(tmp_path_factory.mktemp("berth")) as made:
        yield made


@pytest.fixture
def berth(shared: Berth) -> Iterator[Berth]:
    """The same; a planned fault that never happened fails the test."""
    yield shared
    assert shared.cloud.unused_faults() == {}


def test_a_client_is_looked_at_before_anything_needs_it(berth: Berth) -> None:
    """Both secrets are read, nothing is made, and neither value comes back."""
    name = guarded(berth, oauth_client=CLIENT)
    before = berth.cloud.calls.count(ADD), berth.cloud.calls.count("iap.updateIapSettings")

    answer = ask(berth, name, "oauth_client")

    assert answer.status_code == 200
    assert not any(value in answer.text for value in VALUES.values())
    assert (
        berth.cloud.calls.count(ADD),
        berth.cloud.calls.count("iap.updateIapSettings"),
    ) == before


@pytest.mark.parametrize("status", [400, 403, 404])
def test_a_client_that_cannot_be_read_is_found_out_early(berth: Berth, status: int) -> None:
    """With the command, and without the server that it was for."""
    name = guarded(berth, oauth_client=CLIENT)
    berth.cloud.fail(READ, status, message="no")

    answer = ask(berth, name, "oauth_client")

    assert answer.status_code == 400
    assert answer.json()["type"].endswith(":brought-secret")
    assert "what helps: `gcloud secrets " in answer.json()["detail"]


def test_both_secrets_that_cannot_be_read_are_named(berth: Berth) -> None:
    """One command for both: the second is not found out about only when the first is mended."""
    name = guarded(berth, oauth_client=CLIENT)
    berth.cloud.fail(READ, 403, message="no")
    berth.cloud.fail(READ, 403, message="no")

    said = ask(berth, name, "oauth_client").json()["detail"]

    command = said.split("what helps: `")[1]
    assert "add-iam-policy-binding client-id " in command
    assert " && gcloud secrets add-iam-policy-binding client-secret " in command


@pytest.mark.parametrize("credential", ["proxy_config", "iap_settings"])
def test_the_version_on_record_is_used_whatever_is_newer(berth: Berth, credential: str) -> None:
    """An attempt is of one piece; what is newer is taken up by the same request again."""
    name = f"pinned{next(NUMBERS)}"
    secret(berth, f"{name}-secret", "GOCSPX-old")
    fill(berth, f"{name}-secret", "GOCSPX-new")
    client = {**CLIENT, "secret_secret": f"{name}-secret"}
    mode = "oauth2_proxy" if credential == "proxy_config" else "iap"
    full = f"projects/{berth.cloud.project}/locations/{REGION}/services/mlflow-{name}"
    berth.cloud.store.of("run").put(full, {"name": full})
    secret(berth, f"mlflow-{name}-proxy-config")

    found = []
    for version in ("1", "2"):
        brought = {"client-id": "1", f"{name}-secret": version}
        berth.wish(name, brought=brought, access={"mode": mode, "oauth_client": client})
        assert ask(berth, name, credential).status_code == 200
        found.append(
            config(berth, name)["client_secret"]
            if mode == "oauth2_proxy"
            else settings(berth, name)["oauthSettings"]["clientSecretSha256"]
        )

    words = ["GOCSPX-old", "GOCSPX-new"]
    hashes = [hashlib.sha256(word.encode()).hexdigest() for word in words]
    assert found == (words if mode == "oauth2_proxy" else hashes)


def test_a_version_on_record_that_is_gone_is_said(berth: Berth) -> None:
    """Somebody destroyed what the deployment was asked for with."""
    name = f"gone{next(NUMBERS)}"
    brought = {"client-id": "1", "client-secret": "7"}
    berth.wish(name, brought=brought, access={"mode": "iap", "oauth_client": CLIENT})

    answer = ask(berth, name, "oauth_client")

    assert answer.status_code == 400
    assert "client-secret" in answer.json()["detail"]
