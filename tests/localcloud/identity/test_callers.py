"""Who calls is known by his token, and who is not known hears why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.cloud import OWNER

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

HOST = "secretmanager.googleapis.com"
SECRETS = f"{HOST}/v1/projects/berth-local/secrets"


@pytest.fixture(autouse=True)
def _enabled(cloud: Cloud) -> None:
    cloud.enable(HOST)


def test_no_token_is_401(ask: Ask) -> None:
    """Nobody in particular may call nothing."""
    response = ask("GET", SECRETS, who=None)

    assert response.status == 401
    assert response.json()["error"]["details"][0]["reason"] == "CREDENTIALS_MISSING"
    assert "www-authenticate" in response.headers


def test_an_api_key_is_no_identity(ask: Ask) -> None:
    """Who sends a key instead of a token reads that it does not help."""
    refused = ask("GET", f"{SECRETS}?key=AIza", who=None)

    assert refused.status == 401
    assert "API keys are not supported by this API." in refused.json()["error"]["message"]


def test_a_disabled_account_is_401(ask: Ask, account: str) -> None:
    """Its tokens are worthless at once, and the reason says why."""
    url = f"iam.googleapis.com/v1/projects/berth-local/serviceAccounts/{account}:disable"
    ask("POST", url, {})

    refused = ask("GET", SECRETS, who=account)

    assert refused.status == 401
    assert refused.json()["error"]["details"][0]["reason"] == "ACCOUNT_STATE_INVALID"


@pytest.mark.parametrize("token", ["x", "ya29.l.e30.e30", "ya29.l.eyJlIjoib3duZXIifQ.AAAA"])
def test_forged_token_is_401(cloud: Cloud, token: str) -> None:
    """A token we did not sign is nobody's."""
    response = cloud.request(
        "GET", f"https://{SECRETS}", headers={"authorization": f"Bearer {token}"}
    )

    assert response.status == 401
    assert "invalid authentication credentials" in response.json()["error"]["message"]


def test_expired_token_is_401(cloud: Cloud, clock: VirtualClock) -> None:
    """An access token is good for an hour."""
    headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}
    clock.advance(3599)
    assert cloud.request("GET", f"https://{SECRETS}", headers=headers).status == 200

    clock.advance(2)

    refused = cloud.request("GET", f"https://{SECRETS}", headers=headers)
    assert refused.status == 401
    assert refused.json()["error"]["details"][0]["reason"] == "ACCESS_TOKEN_EXPIRED"
    assert 'error="invalid_token"' in refused.headers["www-authenticate"]
