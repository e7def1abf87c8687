"""Secret texts in Secret Manager, where the newest version takes a moment to be shown."""

from __future__ import annotations

import base64
from typing import Any

from googleapiclient.errors import HttpError
from httplib2 import Response

from functions.secrets import passwords


class SlowVault:
    """Stands for Google's client of Secret Manager: "latest" is as it was for three looks."""

    def __init__(self, *texts: str) -> None:
        self.looks = 0
        self.before = len(texts)
        self.texts = list(texts)

    def projects(self) -> SlowVault:
        """Give the same thing at each turn of the path."""
        return self

    secrets = versions = projects

    def access(self, name: str) -> Answered:
        """Show what "latest" is at this look."""
        assert name == "projects/p/secrets/s/versions/latest"
        self.looks += 1
        shown = self.before if self.looks <= 3 else len(self.texts)
        if not shown:
            return Answered(None)
        data = base64.b64encode(self.texts[shown - 1].encode()).decode()
        return Answered(
            {"name": f"projects/1/secrets/s/versions/{shown}", "payload": {"data": data}}
        )

    def addVersion(self, parent: str, body: dict[str, Any]) -> Answered:  # noqa: N802 - Google's
        """Keep another version."""
        assert parent == "projects/p/secrets/s"
        self.texts.append(base64.b64decode(body["payload"]["data"]).decode())
        return Answered({"name": f"projects/1/secrets/s/versions/{len(self.texts)}"})


class Answered:
    """A call that only has to be executed; None: there is nothing."""

    def __init__(self, answer: dict[str, Any] | None) -> None:
        self.answer = answer

    def execute(self, *, num_retries: int = 0) -> dict[str, Any]:
        """Return the answer."""
        assert num_retries >= 0
        if self.answer is None:
            raise HttpError(Response({"status": "404"}), b"")
        return self.answer


def test_a_new_version_is_the_newest_before_anybody_deploys_it() -> None:
    """Google shows it as "latest" some moments later; the plan pins what "latest" says."""
    vault = SlowVault("old")

    name = passwords.add(vault, "projects/p/secrets/s", "new")

    assert name == "projects/1/secrets/s/versions/2"
    assert passwords.newest(vault, "projects/p/secrets/s") == (name, "new")
    assert vault.looks > 3


def test_a_password_that_is_not_shown_yet_is_not_made_twice() -> None:
    """The database user would get the second one while the server is deployed with the first."""
    vault = SlowVault()

    first = passwords.kept(vault, "projects/p/secrets/s")
    second = passwords.kept(vault, "projects/p/secrets/s")

    assert first == second
    assert len(vault.texts) == 1
