"""Berth's api as the examples call it: what was asked for is what is waited for."""

import json
from typing import Any

import pytest
import requests
from requests.adapters import BaseAdapter

from examples.api import Api

URL = "https://berth-api-1.europe-west1.run.app"


class Answers(BaseAdapter):
    """Gives one answer after the other, whatever is asked; None is a 404."""

    def __init__(self, *bodies: dict[str, Any] | None) -> None:
        super().__init__()
        self.bodies = list(bodies)

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]  # the rest is of no interest
        """Answer."""
        answer, body = requests.Response(), self.bodies.pop(0)
        answer.status_code = 202 if request.method == "POST" else 200 if body else 404
        answer._content = json.dumps(body).encode()
        return answer

    def close(self) -> None:
        """Hold nothing."""


def api(*bodies: dict[str, Any] | None) -> Api:
    """Return an api that gives these answers."""
    made = Api(URL, "token")
    made.session.mount("https://", Answers(*bodies))
    return made


def seen(state: str, generation: int) -> dict[str, Any]:
    """Return a deployment as GET shows it."""
    return {"name": "demo", "state": state, "generation": generation, "parts": {}}


def test_what_was_asked_for_is_waited_for() -> None:
    """READY of the generation that the answer to POST named."""
    asked = api(seen("PENDING", 3), seen("PROVISIONING", 3), seen("READY", 3))

    assert asked.make({"name": "demo"})["state"] == "READY"


@pytest.mark.parametrize(("state", "generation"), [("READY", 5), ("DELETING", 4)])
def test_another_ones_deployment_is_not_taken_for_ours(state: str, generation: int) -> None:
    """Run twice at once: the one that was overtaken says so, and touches nothing more."""
    asked = api(seen("PENDING", 3), seen(state, generation))

    with pytest.raises(SystemExit, match="somebody else has asked for demo meanwhile"):
        asked.make({"name": "demo"})


def test_a_removal_that_was_overtaken_is_told() -> None:
    """Removed by us and asked for anew by somebody else: that is not ours to wait for."""
    asked = api(seen("READY", 3), seen("DELETING", 4), seen("PROVISIONING", 5))

    with pytest.raises(SystemExit, match="is PROVISIONING in generation 5, not 4"):
        asked.remove("demo")


def test_a_deployment_that_nobody_knows_any_more_is_told() -> None:
    """The local cloud was reset while somebody waited: a sentence, no traceback."""
    asked = api(seen("PENDING", 3), seen("PROVISIONING", 3), None)

    with pytest.raises(SystemExit, match="nothing is known of demo any more"):
        asked.make({"name": "demo"})
