"""The way through with a password: from the link in a browser to a model trained and loaded."""

import shutil
from typing import Any

import pytest
import requests

from tests.end_to_end.installation import ANA, PROJECT, REGION, Installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=5"
BROWSERS_SEARCH = "/ajax-api/2.0/mlflow/experiments/search"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def password(berth: Installation, door: dict[str, Any]) -> str:  # noqa: ARG001 - READY before
    """The administrator's password."""
    return berth.password("door")


@pytest.fixture(scope="module")
def link(berth: Installation, door: dict[str, Any]) -> str:
    """The link a browser on this machine can open."""
    return berth.cloud("link", door["url"])


def test_every_part_is_done_and_proved(door: dict[str, Any]) -> None:
    """READY means that each part says so, and that the server was tried from outside."""
    parts = door["parts"]

    assert {part["state"] for part in parts.values()} == {"DONE"}
    assert list(parts)[-1] == "verify"
    assert parts["verify"]["summary"] == "stranger refused · run logged · artifact came back"
    assert door["url"].startswith("https://mlflow-door-")


def test_a_stranger_is_asked_for_the_login(berth: Installation, door: dict[str, Any]) -> None:
    """401 with the challenge that makes browsers ask."""
    answer = berth.session().get(door["url"] + SEARCH, timeout=60)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


def test_a_wrong_password_is_refused(berth: Installation, door: dict[str, Any]) -> None:
    """401, too."""
    answer = berth.session().get(door["url"] + SEARCH, auth=("admin", "password1234"), timeout=60)

    assert answer.status_code == 401


def test_a_token_is_no_password(berth: Installation, door: dict[str, Any]) -> None:
    """Whoever comes as if Google asked at this door learns what is asked for instead."""
    token = {"Authorization": f"Bearer {berth.token(ANA)}"}
    answer = berth.session().get(door["url"] + SEARCH, headers=token, timeout=60)

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == 'Basic realm="mlflow"'
    assert answer.json()["error_code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("host", [0, 1])
def test_the_right_login_works_on_every_host_name(
    berth: Installation, password: str, host: int
) -> None:
    """Cloud Run gives a service two names; the server accepts both."""
    run = f"https://run.googleapis.com/v2/projects/{PROJECT}/locations/{REGION}"
    service = berth.google(f"{run}/services/mlflow-door")

    answer = berth.session().get(
        service["urls"][host] + SEARCH, auth=("admin", password), timeout=60
    )

    assert answer.status_code == 200
    assert "experiments" in answer.json()


def test_a_model_is_trained_and_loaded_through_it(
    berth: Installation, door: dict[str, Any], password: str
) -> None:
    """The example does what a data scientist does, with MLflow's own client."""
    said = berth.run(
        "examples/wine_quality.py",
        MLFLOW_TRACKING_URI=door["url"],
        MLFLOW_TRACKING_USERNAME="admin",
        MLFLOW_TRACKING_PASSWORD=password,
    )

    assert said.splitlines()[-1] == (
        "AUC 0.8498, registered wine_quality v1, loaded by alias champion, predicted 5 rows"
    )


def test_its_artifacts_lie_in_the_bucket_of_the_deployment(berth: Installation) -> None:
    """What was logged came through the server, and lies where it should."""
    url = f"https://storage.googleapis.com/storage/v1/b/{PROJECT}-mlflow-door/o"

    names = [entry["name"] for entry in berth.pages(url, "items")]

    assert any(name.endswith("/MLmodel") for name in names)
    assert all(name.startswith("artifacts/") for name in names)


def test_an_artifact_above_32_mib_comes_back(
    berth: Installation, door: dict[str, Any], password: str
) -> None:
    """MLflow's client needs no setting for it."""
    found = berth.program(
        "big_artifact",
        MLFLOW_TRACKING_URI=door["url"],
        MLFLOW_TRACKING_USERNAME="admin",
        MLFLOW_TRACKING_PASSWORD=password,
    )

    assert found == {"mib": 40, "same": True}


def test_a_big_artifact_of_a_stranger_is_refused(berth: Installation, door: dict[str, Any]) -> None:
    """The login is asked for before anything is kept."""
    url = door["url"] + "/api/2.0/mlflow-artifacts/artifacts/0/stranger/weights.bin"

    answer = berth.session().put(url, data=bytes(40 * 1024 * 1024), timeout=60)

    assert answer.status_code == 401
    listed = berth.pages(
        f"https://storage.googleapis.com/storage/v1/b/{PROJECT}-mlflow-door/o", "items"
    )
    assert not any("stranger" in entry["name"] for entry in listed)


def test_the_page_opens_in_a_browser(link: str, password: str) -> None:
    """The link leads to MLflow's page, and the page may call the server."""
    login = ("admin", password)

    page = requests.get(link, auth=login, timeout=60)
    call = requests.post(
        link + BROWSERS_SEARCH,
        json={"max_results": 5},
        auth=login,
        headers={"Origin": link},
        timeout=60,
    )

    assert page.status_code == 200
    assert "<title>MLflow</title>" in page.text
    assert call.status_code == 200, call.text
    assert "experiments" in call.json()


def test_the_page_of_another_site_may_not_call_it(link: str, password: str) -> None:
    """A foreign Origin is refused even with the right login: the browser would send it along."""
    answer = requests.post(
        link + BROWSERS_SEARCH,
        json={"max_results": 5},
        auth=("admin", password),
        headers={"Origin": "https://evil.example.com"},
        timeout=60,
    )

    assert answer.status_code == 403


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed here")
def test_a_real_browser_shows_the_experiments(
    berth: Installation, link: str, password: str
) -> None:
    """It asks for the login; the page's own scripts call the server and show what they got."""
    shown = berth.program(
        "browser",
        str(CHROMIUM),
        f"{link}/#/experiments",
        "wine quality",
        BROWSER_USER="admin",
        BROWSER_PASSWORD=password,
    )["shown"]

    assert "wine quality" in shown
