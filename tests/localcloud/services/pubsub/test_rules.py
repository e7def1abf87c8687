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
        {
            "pushConfig": {"pushEndpoint": "https://x.example/"},
            "enableExactlyOnceDelivery": True,
        },
        {"filter": "nonsense"},
        {"labels": {"Capital": "x"}},
    ],
)
def test_impossible_subscriptions_are_refused(settings: dict[str, Any]) -> None:
    """A setting outside its limits is INVALID_ARGUMENT."""
    with pytest.raises(ApiError) as refused:
        rules.subscription({"topic": TOPIC, **settings})

    assert refused.value.status == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"ackDeadlineSeconds": 9},
            (
                "Invalid ack deadline given (ack_deadline=9). The ack deadline must be between 10 and "
                "600 seconds."
            ),
        ),
        (
            {"messageRetentionDuration": "599s"},
            (
                "The value for message retention duration is out of bounds. You passed 9m59s in the "
                "request, but the value must be between 10m and 744h."
            ),
        ),
        (
            {"expirationPolicy": {"ttl": "3600s"}},
            (
                "The value for expiration duration is too small. You passed 1h in the request, but "
                "the minimum value is 24h."
            ),
        ),
        (
            {"expirationPolicy": {"ttl": "86400s"}, "messageRetentionDuration": "90000s"},
            (
                "The subscription's message retention duration (90000 seconds) cannot be greater than "
                "the TTL in the subscription's expiration policy (86400 seconds), since messages "
                "cannot be retained past subscription expiration."
            ),
        ),
        (
            {"retryPolicy": {"maximumBackoff": "600.5s"}},
            (
                "The value for maximum_backoff is out of bounds. You passed 10m0.5s in the request, "
                "but the value must be between 0 and 10m."
            ),
        ),
        (
            {"retryPolicy": {"minimumBackoff": "20s", "maximumBackoff": "10s"}},
            "The specified maximum_backoff 10s cannot be smaller than minimum_backoff 20s.",
        ),
        (
            {"deadLetterPolicy": {"deadLetterTopic": GRAVE, "maxDeliveryAttempts": 101}},
            (
                "The value for max_delivery_attempts is too large. You passed 101 in the request, but "
                "the maximum value is 100."
            ),
        ),
        (
            {"deadLetterPolicy": {"maxDeliveryAttempts": 5}},
            (
                "Invalid resource name given (dead_letter_topic=). Refer to "
                "https://cloud.google.com/pubsub/docs/pubsub-basics#resource_names for more "
                "information."
            ),
        ),
        (
            {"pushConfig": {"pushEndpoint": "https://x.example/", "oidcToken": {"audience": "a"}}},
            (
                "You have passed an invalid argument to the service "
                "(argument=PushConfig::oidc_token::service_account_email)."
            ),
        ),
    ],
)
def test_refusals_are_in_googles_words(settings: dict[str, Any], words: str) -> None:
    """The message says what was passed and what would be right."""
    with pytest.raises(ApiError) as refused:
        rules.subscription({"topic": TOPIC, **settings})

    assert refused.value.message == words


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("filter", "the 'filter' field in the Subscription is not mutable."),
        ("labels,enableMessageOrdering", "the 'enable_message_ordering' field in the Subscription"),
        ("topic", "the 'topic' field in the Subscription is not mutable."),
        ("no_such_field", "'no_such_field' is not a known Subscription field."),
        ("", "must contain a non-empty paths list."),
    ],
)
def test_a_mask_names_what_can_change(path: str, words: str) -> None:
    """An immutable field and an unknown one are refused, each in its own words."""
    before = rules.subscription({"topic": TOPIC})
    with pytest.raises(ApiError) as refused:
        rules.masked(before, {"subscription": before, "updateMask": path}, "Subscription")

    assert refused.value.status == "INVALID_ARGUMENT"
    assert words in refused.value.message


@pytest.mark.parametrize(("ttl", "kept"), [("86400s", "86400s"), ("2678400s", "604800s")])
def test_messages_are_not_kept_longer_than_their_subscription(ttl: str, kept: str) -> None:
    """Without a retention of its own a subscription keeps messages a week, or as long as it lives."""
    settled = rules.subscription({"topic": TOPIC, "expirationPolicy": {"ttl": ttl}})

    assert settled["messageRetentionDuration"] == kept
