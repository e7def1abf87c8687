"""What the api answers through the whole stack: to many at once, and to what it must refuse."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests

from localcloud.clock import RealClock
from localcloud.identity.tokens import Tokens
from tests.end_to_end.installation import ANA, CLEO, OWNER, PROJECT, Installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

GCLOUD = "32555940559.apps.googleusercontent.com"
DEPLOYMENTS = "/v1/deployments"
WISH = {"name": "refused", "team": "risk"}


def test_twenty_at_once_are_one_deployment(
    berth: Installation, asked: list[requests.Response]
) -> None:
    """Every caller gets the same answer; the state may have moved on in between."""
    answers = [answer.json() for answer in asked]
    moving = ("state", "execution", "parts", "updated", "generation_at_work")

    assert {answer.status_code for answer in asked} == {202}
    assert {answer.headers["Location"] for answer in asked} == {"/v1/deployments/door"}
    for answer in answers:
        assert answer["state"] in ("PENDING", "PROVISIONING")
        assert {k: v for k, v in answer.items() if k not in moving} == {
            k: v for k, v in answers[0].items() if k not in moving
        }
    listed = berth.api("GET", DEPLOYMENTS, caller=OWNER).json()["deployments"]
    assert [entry["name"] for entry in listed] == ["door"]


@dataclass(frozen=True)
class Refusal:
    """A request that must be refused, and how."""

    status: int
    says: tuple[str, ...]
    method: str = "POST"
    path: str = DEPLOYMENTS
    body: Any = field(default_factory=lambda: WISH)
    raw: bytes | None = None
    caller: str = ANA
    pointer: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    token: Callable[[Installation], str | None] | None = None


def wish(**changes: Any) -> dict[str, Any]:
    """Return a request that differs from a good one."""
    return WISH | changes


def no_token(_: Installation) -> None:
    """Come without saying who."""


def expired(berth: Installation) -> str:
    """Return a token whose hour is over."""
    tokens = Tokens(berth.state / "keys", RealClock())
    return tokens.id_token(ANA, GCLOUD, lifetime=-600)


def for_somebody_else(berth: Installation) -> str:
    """Return a good token that was made for another service."""
    return berth.token(ANA, "--audience", "https://elsewhere.example.com")


def forged(berth: Installation) -> str:
    """Return somebody's token with another name written into it."""
    head, claims, signature = berth.token(CLEO).split(".")
    padded = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    changed = json.dumps(padded | {"email": ANA}).encode()
    return ".".join((head, base64.urlsafe_b64encode(changed).decode().rstrip("="), signature))


REFUSALS = {
    "not JSON": Refusal(400, ("line 1 column 9",), raw=b'{"name":', pointer=""),
    "no object": Refusal(400, ("not an object",), raw=b"[]", pointer=""),
    "a wrong type": Refusal(400, ("small, medium, large",), body=wish(size=3), pointer="/size"),
    "an unknown field": Refusal(400, ("colour",), body=wish(colour="red"), pointer="/colour"),
    "a name not allowed": Refusal(400, ("20",), body=wish(name="Not_Good"), pointer="/name"),
    "HA on small": Refusal(
        400, ("highly_available", "medium"), body=wish(highly_available=True, placement="dedicated")
    ),
    "an unknown version": Refusal(
        400, ("3.17.2",), body=wish(mlflow_version="1.0.0"), pointer="/mlflow_version"
    ),
    "a region not offered": Refusal(
        400, ("europe-west1",), body=wish(region="us-east1"), pointer="/region"
    ),
    "no token": Refusal(401, ("Authorization",), token=no_token),
    "an expired token": Refusal(401, ("expired",), token=expired),
    "a wrong audience": Refusal(401, ("audience",), token=for_somebody_else),
    "a forged signature": Refusal(401, ("signature",), token=forged),
    "not of the team": Refusal(403, ("risk",), caller=CLEO),
    "over the team's limit": Refusal(
        403, ("large", "vision"), body=wish(team="vision", size="large"), caller=CLEO
    ),
    "other content": Refusal(
        409, ("PATCH",), body={"name": "door", "team": "risk", "size": "medium"}, pointer="/size"
    ),
    "an unknown deployment": Refusal(
        404, ("nowhere",), method="GET", path=f"{DEPLOYMENTS}/nowhere"
    ),
    "deleting an unknown one": Refusal(
        404, ("nowhere",), method="DELETE", path=f"{DEPLOYMENTS}/nowhere"
    ),
    "a deployment of others": Refusal(
        403, ("risk",), method="GET", path=f"{DEPLOYMENTS}/door", caller=CLEO
    ),
    "a wrong path": Refusal(404, ("/v2/deployments",), path="/v2/deployments"),
    "a wrong method": Refusal(405, ("PUT",), method="PUT"),
    "too large a body": Refusal(413, ("64 KiB",), raw=b" " * 65537),
    "a header flood": Refusal(
        431,
        ("headers",),
        headers={"X-Flood": "x" * 7000} | {f"X-Flood-{number}": "x" * 7000 for number in range(5)},
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
@pytest.mark.usefixtures("asked")
def test_what_cannot_be_is_refused_with_the_reason(berth: Installation, case: str) -> None:
    """A problem with the status, the words that help, and a pointer to the place."""
    row = REFUSALS[case]
    token = row.token(berth) if row.token else berth.token(row.caller)
    data = json.dumps(row.body).encode() if row.raw is None else row.raw

    answer = berth.session(token).request(
        row.method,
        berth.api_url + row.path,
        data=None if row.method in ("GET", "DELETE") else data,
        headers={"Content-Type": "application/json", **row.headers},
        timeout=60,
    )

    assert answer.status_code == row.status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == row.status
    for words in row.says:
        assert words in answer.text
    if row.pointer is not None:
        assert row.pointer in [error["pointer"] for error in problem["errors"]]


@pytest.mark.usefixtures("asked")
def test_what_was_refused_left_nothing(berth: Installation) -> None:
    """The registry knows only what was accepted."""
    objects = f"https://storage.googleapis.com/storage/v1/b/{PROJECT}-berth-registry/o"

    found = berth.pages(objects, "items", prefix="deployments/")

    assert {entry["name"].split("/")[1] for entry in found} == {"door"}


@pytest.mark.usefixtures("door")
def test_one_execution_did_all_the_work(berth: Installation) -> None:
    """Others that were started at the same moment saw that, and ended before touching anything."""
    outcomes = [json.loads(each["result"])["outcome"] for each in berth.executions("door")]

    assert outcomes.count("READY") == 1
    assert set(outcomes) <= {"READY", "superseded"}
