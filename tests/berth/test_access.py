"""The access mode is what a variable says, else what the server shows to a stranger."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from berth.access import CHOSEN, access_mode
from berth.errors import BerthError
from tests.berth.world import URL, behind_iam, behind_iap

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.berth.world import Door, World

HOST = "asked-123456789012.europe-west1.run.app"
ASKED = f"https://{HOST}"
IAP = ("x-goog-iap-generated-response", "true")
SIGN_IN = ("location", "https://accounts.google.com/o/oauth2/v2/auth?client_id=x")


@dataclass
class Answers:
    """A server that answers everybody the same, or one thing after another."""

    answers: list[tuple[str, list[tuple[str, str]]]]
    seen: list[dict[str, Any]] = field(default_factory=list)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        """Answer one request."""
        self.seen.append(environ)
        status, headers = self.answers[min(len(self.seen), len(self.answers)) - 1]
        start(status, headers)
        return [b"no"]


def ask(world: World, *answers: tuple[str, list[tuple[str, str]]]) -> Answers:
    """Put up a server."""
    made = Answers(list(answers))
    world.cloud.ingress.mount(HOST, made)
    return made


@pytest.mark.parametrize(("door", "name"), [(behind_iam, "iam"), (behind_iap, "iap")])
def test_the_doors_of_the_local_cloud(world: World, door: Door, name: str) -> None:
    """Cloud Run's check and IAP are told apart by what they say, not by where they stand."""
    world.stand(door)

    assert access_mode(URL).name == name


@pytest.mark.parametrize(
    ("status", "headers", "name"),
    [
        ("302 Found", [IAP, SIGN_IN], "iap"),
        ("401 Unauthorized", [IAP], "iap"),
        ("403 Forbidden", [IAP], "iap"),
        ("401 Unauthorized", [], "oauth2_proxy"),
        ("403 Forbidden", [], "iam"),
    ],
)
def test_what_a_stranger_is_shown(
    world: World, status: str, headers: list[tuple[str, str]], name: str
) -> None:
    """Whoever answers for IAP says so in a header; oauth2-proxy says 401 on its own path."""
    server = ask(world, (status, headers))

    assert access_mode(ASKED).name == name
    assert [one["PATH_INFO"] for one in server.seen] == ["/oauth2/auth"]


def test_the_question_carries_no_credentials(
    world: World, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even a password of ~/.netrc, which requests would add by itself."""
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine {HOST} login ana password s3cret\n")
    monkeypatch.setenv("NETRC", str(netrc))
    server = ask(world, ("403 Forbidden", []))

    access_mode(ASKED)

    assert "HTTP_AUTHORIZATION" not in server.seen[0]


@pytest.mark.parametrize("status", ["200 OK", "302 Found", "404 Not Found", "501 Not Implemented"])
def test_what_is_no_door_of_berths_is_refused(world: World, status: str) -> None:
    """A server open to all, a wrong address: the error says what was seen and what to do."""
    ask(world, (status, [("location", "https://example.com/")]))

    with pytest.raises(BerthError) as caught:
        access_mode(ASKED)

    assert f"{ASKED} answers a stranger with {status[:3]}" in str(caught.value)
    assert "BERTH_ACCESS=iam, iap or oauth2_proxy" in str(caught.value)
    assert ("The deployment may be gone" in str(caught.value)) is status.startswith("404")


def test_a_server_with_passwords_is_none_for_tokens(world: World) -> None:
    """MLflow's own login asks for a name and a password; the error says where they go."""
    ask(world, ("401 Unauthorized", [("www-authenticate", 'Basic realm="mlflow"')]))

    with pytest.raises(BerthError, match="asks for a user name and a password") as caught:
        access_mode(ASKED)

    assert "MLFLOW_TRACKING_USERNAME" in str(caught.value)


def test_a_server_that_wakes_up_is_asked_again(world: World) -> None:
    """503 is no answer yet."""
    server = ask(world, ("503 Later", []), ("403 Forbidden", []))

    assert access_mode(ASKED).name == "iam"
    assert len(server.seen) == 2


def test_a_server_that_stays_down_is_said_to_be(world: World) -> None:
    """Nothing is guessed from 503."""
    ask(world, ("503 Later", []))

    with pytest.raises(BerthError, match="answers a stranger with 503"):
        access_mode(ASKED)


@pytest.mark.parametrize("name", ["iam", "iap", "oauth2_proxy"])
def test_the_variable_wins_and_nobody_is_asked(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Who knows better is believed."""
    server = ask(world, ("200 OK", []))
    monkeypatch.setenv(CHOSEN, name)

    assert access_mode(ASKED).name == name
    assert server.seen == []


@pytest.mark.parametrize("name", ["IAP", "oauth2-proxy", "basic_auth", "none"])
def test_modes_that_are_none_are_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The error lists what there is, and what to do with a password."""
    monkeypatch.setenv(CHOSEN, name)

    with pytest.raises(BerthError) as caught:
        access_mode(ASKED)

    assert f"{CHOSEN}={name} is not an access mode" in str(caught.value)
    assert "iam, iap, oauth2_proxy are" in str(caught.value)
    assert "MLFLOW_TRACKING_USERNAME" in str(caught.value)
