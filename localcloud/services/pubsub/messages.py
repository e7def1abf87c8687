"""A message: checked once when it is published, the same for all who get it."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any

from localcloud.clock import rfc3339
from localcloud.errors import ApiError, invalid

_MOST_MESSAGES = 1000
_MOST_BYTES = 10_000_000
_MOST_ATTRIBUTES = 100
_LONGEST_KEY = 256
_LONGEST_VALUE = 1024


@dataclass(slots=True, frozen=True)
class Message:
    """What was published, and the number and time it got."""

    id: int
    topic: str
    data: bytes
    attributes: dict[str, str] = field(hash=False)
    key: str
    published: float

    def shown(self) -> dict[str, Any]:
        """Show the message as a PubsubMessage in JSON."""
        message: dict[str, Any] = {
            "messageId": str(self.id),
            "publishTime": rfc3339(self.published),
        }
        if self.data:
            message["data"] = base64.b64encode(self.data).decode()
        if self.attributes:
            message["attributes"] = self.attributes
        if self.key:
            message["orderingKey"] = self.key
        return message


@dataclass(slots=True, frozen=True)
class Draft:
    """What a publisher sends."""

    data: bytes
    attributes: dict[str, str]
    key: str = ""

    @property
    def size(self) -> int:
        """How many bytes it counts: its data, its key and its attributes."""
        texts = (self.key, *self.attributes, *self.attributes.values())
        return len(self.data) + sum(len(text.encode("utf-8", "replace")) for text in texts)


def check(drafts: list[Draft]) -> None:
    """Refuse a publish request that is empty, too large, or holds an impossible message."""
    if not drafts:
        raise invalid(
            "The value for message_count is too small. You passed 0 in the request, but the "
            "minimum value is 1."
        )
    if len(drafts) > _MOST_MESSAGES:
        raise _too_large("message_count", len(drafts), _MOST_MESSAGES)
    size = sum(draft.size for draft in drafts)
    if size > _MOST_BYTES:
        raise _too_large("request_size", size, _MOST_BYTES)
    for draft in drafts:
        _check_one(draft)


def _too_large(name: str, value: int, most: int) -> ApiError:
    return invalid(
        f"The value for {name} is too large. You passed {value} in the request, but the maximum "
        f"value is {most}."
    )


def _check_one(draft: Draft) -> None:
    if not draft.data and not draft.attributes:
        raise invalid(
            "One or more messages in the publish request is empty. Each message must contain "
            "either non-empty data, or at least one attribute."
        )
    if len(draft.attributes) > _MOST_ATTRIBUTES:
        raise _too_large("attributes_count", len(draft.attributes), _MOST_ATTRIBUTES)
    for text in (draft.key, *draft.attributes, *draft.attributes.values()):
        if not text.isprintable() and any("\ud800" <= sign <= "\udfff" for sign in text):
            raise invalid("Attributes and ordering keys must be valid UTF-8.")
    for key, value in draft.attributes.items():
        if not key or len(key.encode()) > _LONGEST_KEY or key.startswith("goog"):
            raise invalid(f"Invalid attribute key: '{key}'.")
        if len(value.encode()) > _LONGEST_VALUE:
            raise invalid(f"The value of attribute '{key}' is longer than {_LONGEST_VALUE} bytes.")
    if len(draft.key.encode()) > _LONGEST_VALUE:
        raise invalid(f"The ordering key is longer than {_LONGEST_VALUE} bytes.")
