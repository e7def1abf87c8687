"""The limits of messages and subscriptions: what is outside them is refused."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.errors import ApiError
from localcloud.services.pubsub import messages, rules
from localcloud.services.pubsub.messages import Draft

TOPIC = "projects/p/topics/news"
GRAVE = "projects/p/topics/grave"


@pytest.mark.parametrize(
    "draft",
    [
        Draft(b"", {}),
        Draft(b"", {}, "key"),
        Draft(b"x", {"": "v"}),
        Draft(b"x", {"k" * 257: "v"}),
        Draft(b"x", {"k": "v" * 1025}),
        Draft(b"x", {"googkey": "v"}),
        Draft(b"x", {f"k{n}": "v" for n in range(101)}),
        Draft(b"x", {}, "k" * 1025),
        Draft(b"x" * 10_000_001, {}),
    ],
)
def test_impossible_messages_are_refused(draft: Draft) -> None:
    """One bad message, and the whole request is INVALID_ARGUMENT."""
    with pytest.raises(ApiError) as refused:
        messages.check([Draft(b"good", {}), draft])

    assert refused.value.status == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    "settings",
    [
        {"ackDeadlineSeconds": 9},
        {"ackDeadlineSeconds": 601},
        {"messageRetentionDuration": "599s"},
        {"messageRetentionDuration": "2678401s"},
        {"retryPolicy": {"minimumBackoff": "20s", "maximumBackoff": "10s"}},
        {"retryPolicy": {"maximumBackoff": "601s"}},
        {"deadLetterPolicy": {"deadLetterTopic": GRAVE, "maxDeliveryAttempts": 4}},
        {"deadLetterPolicy": {"maxDeliveryAttempts": 5}},
        {"pushConfig": {"pushEndpoint": "http://example.com/"}},
        {"pushConfig": {"pushEndpoint": "not a url"}},
        {"pushConfig": {"pushEndpoint": "https://x.example/", "oidcToken": {"audience": "a"}}},
        {"filter": "nonsense"},
        {"labels": {"Capital": "x"}},
    ],
)
def test_impossible_subscriptions_are_refused(settings: dict[str, Any]) -> None:
    """A setting outside its limits is INVALID_ARGUMENT."""
    with pytest.raises(ApiError) as refused:
        rules.subscription({"topic": TOPIC, **settings})

    assert refused.value.status == "INVALID_ARGUMENT"
