"""A stream is asked before it begins what every call is asked."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives import serialization

from localcloud.cloud import OWNER
from localcloud.doors.streaming import admitted
from localcloud.errors import ApiError
from localcloud.identity import jwt
from localcloud.services.pubsub.streams import METHOD
from localcloud.transport import ConnectionFailed

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

NAME = "projects/berth-local/subscriptions/mine"
CONSUME = "pubsub.subscriptions.consume"
PULL = "pubsub.projects.subscriptions.pull"
READ_ONLY = "https://www.googleapis.com/auth/logging.read"


def opened(cloud: Cloud, token: str | None) -> None:
    """Open a stream, and close it."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    with admitted(cloud, METHOD, CONSUME, [NAME], headers=headers, like=PULL):
        pass


def self_signed(cloud: Cloud, ask: Ask, account: str, audience: str) -> str:
    """Sign a token with a key file, as Google's gRPC clients do."""
    url = f"iam.googleapis.com/v1/projects/berth-local/serviceAccounts/{account}/keys"
    file: dict[str, Any] = json.loads(
        base64.b64decode(ask("POST", url, {}).json()["privateKeyData"])
    )
    key: Any = serialization.load_pem_private_key(file["private_key"].encode(), password=None)
    now = int(cloud.clock.now())
    claims = {"iss": account, "sub": account, "aud": audience, "iat": now, "exp": now + 3600}
    return jwt.signed(claims, key, file["private_key_id"])


def test_an_account_may_sign_for_itself(cloud: Cloud, ask: Ask, account: str) -> None:
    """A subscriber with a key file asks no token endpoint, for streams as for calls."""
    cloud.grant(f"serviceAccount:{account}", "roles/pubsub.subscriber")

    opened(cloud, self_signed(cloud, ask, account, "https://pubsub.googleapis.com/"))

    assert [(one.who, one.status) for one in cloud.calls.of(METHOD)] == [(account, 200)]


def test_what_was_signed_for_another_api_is_refused(cloud: Cloud, ask: Ask, account: str) -> None:
    """Such a token is good for the API it names."""
    cloud.grant(f"serviceAccount:{account}", "roles/pubsub.subscriber")

    with pytest.raises(ApiError) as refused:
        opened(cloud, self_signed(cloud, ask, account, "https://logging.googleapis.com/"))

    assert refused.value.status == "UNAUTHENTICATED"


def test_a_token_for_something_else_is_refused(cloud: Cloud) -> None:
    """Its scopes must be such that a pull would take."""
    with pytest.raises(ApiError, match="insufficient authentication scopes"):
        opened(cloud, cloud.tokens.access_token(OWNER, scopes=[READ_ONLY]))

    assert [one.status for one in cloud.calls.of(METHOD)] == [403]


@pytest.mark.parametrize(
    ("who", "status"), [(None, "UNAUTHENTICATED"), ("eve@example.com", "PERMISSION_DENIED")]
)
def test_who_may_not_is_refused(cloud: Cloud, who: str | None, status: str) -> None:
    """Nobody in particular, and somebody without the right."""
    with pytest.raises(ApiError) as refused:
        opened(cloud, None if who is None else cloud.tokens.access_token(who))

    assert refused.value.status == status


def test_a_restricted_api_opens_no_stream(cloud: Cloud) -> None:
    """A policy of the organisation forbids streams as it forbids calls."""
    cloud.constraints.set("gcp.restrictServiceUsage", denied=["pubsub.googleapis.com"])

    with pytest.raises(ApiError, match="restrictServiceUsage"):
        opened(cloud, cloud.tokens.access_token(OWNER))


def test_a_planned_loss_is_in_the_call_log(cloud: Cloud) -> None:
    """A stream that breaks at once has no status."""
    cloud.reset(METHOD)

    with pytest.raises(ConnectionFailed):
        opened(cloud, cloud.tokens.access_token(OWNER))

    assert [one.status for one in cloud.calls.of(METHOD)] == [0]
