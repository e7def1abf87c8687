"""One bucket, as its owner sees it in a test's own process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from tests.localcloud.conftest import Ask

J = "storage.googleapis.com/storage/v1"
U = "storage.googleapis.com/upload/storage/v1"


class Shelf:
    """One bucket, as its owner sees it."""

    def __init__(self, ask: Ask, **settings: Any) -> None:
        """Make it."""
        self.ask = ask
        body = {
            "name": "rounds",
            "softDeletePolicy": {"retentionDurationSeconds": "0"},
            "iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}},
            **settings,
        }
        answer = ask("POST", f"{J}/b?project=berth-local", body)
        assert answer.status == 200, answer.text

    def put(self, name: str, text: str = "x", **more: Any) -> dict[str, Any]:
        """Write an object."""
        begun = self.ask("POST", f"{U}/b/rounds/o?uploadType=resumable&name={quote(name)}", more)
        where = begun.headers["location"].removeprefix("https://")
        found: dict[str, Any] = self.ask("PUT", where, text).json()
        return found

    def names(self, query: str = "") -> list[str]:
        """List what is there."""
        found = self.ask("GET", f"{J}/b/rounds/o?{query}").json()
        return [item["name"] for item in found.get("items", [])]

    def get(self, name: str) -> dict[str, Any]:
        """Read an object's metadata."""
        found: dict[str, Any] = self.ask("GET", f"{J}/b/rounds/o/{quote(name, safe='')}").json()
        return found

    def rule(self, action: Any, **condition: Any) -> None:
        """Give the bucket one rule."""
        kind = {"type": action} if isinstance(action, str) else action
        rules = {"rule": [{"action": kind, "condition": condition}]}
        answer = self.ask("PATCH", f"{J}/b/rounds", {"lifecycle": rules})
        assert answer.status == 200, answer.text
