"""Who could enter what is asked for: a server for nobody is refused, one for others is noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.functions.conftest import make_policy
from tests.functions.waiting import waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from requests import Response

    Ask = Callable[..., Response]

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-who-may-enter")


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Somebody who asks for plans, of an api that has no deployments yet."""
    members = ["user:ana@example.com", "user:o'brien@example.com"]
    with waiting(tmp_path_factory.mktemp("berth")) as berth:
        berth.put("policy.yaml", make_policy(teams={"risk": {"members": members}}).document())

        def post(body: object, *, who: str = "ana@example.com") -> Response:
            path = "/v1/deployments?validate_only=true"
            answer: Response = berth.api("POST", path, body, who=who)
            return answer

        yield post


@pytest.mark.parametrize("place", ["/access", "/access/iap"])
def test_a_limit_that_keeps_everybody_out_is_refused(ask: Ask, place: str) -> None:
    """Nobody is named, and the one who asks is of another domain: the server could not be used."""
    limit = {"allowed_domains": ["partner.example"]}
    login = {"mode": "basic_auth", "iap": limit}
    access = {"mode": "iap", **limit} if place == "/access" else login

    answer = ask({"name": "demo", "team": "risk", "access": access})

    assert answer.status_code == 400, answer.text
    (error,) = answer.json()["errors"]
    assert error["pointer"] == f"{place}/allowed_domains"
    assert (
        "user:ana@example.com is of no domain in allowed_domains; name members" in error["message"]
    )


def test_who_is_kept_out_for_others_is_told_so(ask: Ask) -> None:
    """An operator may make a server for a team; he hears that it is none for himself."""
    access = {
        "mode": "iap",
        "members": ["domain:partner.example"],
        "allowed_domains": ["partner.example"],
    }

    answer = ask({"name": "demo", "team": "risk", "access": access})

    assert answer.status_code == 200, answer.text
    assert "ana@example.com, who asked, cannot enter" in answer.json()["notes"][0]
    assert "user:ana@example.com may pass" not in answer.text


@pytest.mark.parametrize(
    "access",
    [{"members": ["serviceAccount:ci@p.iam.gserviceaccount.com"]}, {"allowed_domains": []}],
)
def test_a_limit_that_lets_somebody_in_is_no_mistake(ask: Ask, access: dict[str, Any]) -> None:
    """A program may be all that shall enter; and without a limit the one who asks may."""
    limit = {"allowed_domains": ["partner.example"], **access}

    assert (
        ask({"name": "demo", "team": "risk", "access": {"mode": "iap", **limit}}).status_code == 200
    )


def test_a_plain_plan_has_nothing_to_note(ask: Ask) -> None:
    """Notes are for what is out of the ordinary."""
    assert ask({"name": "demo", "team": "risk"}).json()["notes"] == []


def test_an_apostrophe_is_part_of_an_address(ask: Ask) -> None:
    """Google Workspace gives such addresses, to policies and to people."""
    answer = ask(
        {"name": "demo", "team": "risk", "access": {"mode": "iam", "members": ["user:d'a@x.de"]}},
        who="o'brien@example.com",
    )

    assert answer.status_code == 200, answer.text
    (policy,) = [part for part in answer.json()["parts"] if part["part"] == "access"]
    members = {step["member"] for step in policy["steps"]}
    assert {"user:o'brien@example.com", "user:d'a@x.de"} <= members


def test_an_audience_that_the_proxy_could_not_read_is_refused(ask: Ask) -> None:
    """TOML knows no half characters, and no DEL: the proxy would not start with its own file."""
    client = {"id_secret": "id", "secret_secret": "secret"}
    for audience in ("mlflow\N{GRINNING FACE}", "mlflow\x7f", "ml\u00a0flow"):
        access = {
            "mode": "oauth2_proxy",
            "oauth_client": client,
            "extra_issuers": [f"https://token.example.com={audience}"],
        }

        answer = ask({"name": "demo", "team": "risk", "access": access})

        assert answer.status_code == 400, audience
        assert answer.json()["errors"][0]["pointer"] == "/access/extra_issuers/0"
