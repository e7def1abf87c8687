"""/health/database says whether the database answers, and cannot be used to wear it out."""

import asyncio
import importlib
from types import ModuleType
from typing import Any

import pytest

PATH = "/health/database"


@pytest.fixture(scope="module")
def checks() -> ModuleType:
    """The image's module."""
    return importlib.import_module("database_check")


class Database:
    """A database that answers or does not, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0
        self.broken: Exception | None = None

    def ask(self) -> None:
        """Answer, or break."""
        self.asked += 1
        if self.broken is not None:
            raise self.broken


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Answer everything, as MLflow does."""
    start_response("200 OK", [])
    return [environ["PATH_INFO"].encode()]


def test_a_database_that_answers_is_healthy(checks: ModuleType) -> None:
    """200, and nothing about it."""
    assert checks.DatabaseCheck(Database().ask).answer() == ("200 OK", b"OK")


def test_a_database_that_does_not_is_not(
    checks: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """503, and neither the answer nor the log repeats words that may name user or address."""
    database = Database()
    database.broken = OSError('password authentication failed for user "demo"')

    status, body = checks.DatabaseCheck(database.ask).answer()

    assert status.startswith("503")
    assert b"demo" not in body
    assert "demo" not in capsys.readouterr().out


def test_it_is_asked_at_most_every_other_second(checks: ModuleType) -> None:
    """Anybody may ask as often as he likes; the database does not notice."""
    database, clock = Database(), Clock()
    check = checks.DatabaseCheck(database.ask, clock=clock)

    for _ in range(50):
        check.answer()
    assert database.asked == 1

    clock.now += checks.SECONDS
    database.broken = OSError("gone")
    assert check.answer()[0].startswith("503")
    assert database.asked == 2


def test_mlflow_sees_every_other_path(checks: ModuleType) -> None:
    """Only this one is answered here; MLflow's /health stays MLflow's."""
    said: list[str] = []
    served = checks.checked_wsgi(application, checks.DatabaseCheck(Database().ask))

    def start(status: str, _headers: Any) -> None:
        said.append(status)

    assert served({"PATH_INFO": "/health"}, start) == [b"/health"]
    assert served({"PATH_INFO": PATH}, start) == [b"OK"]
    assert said == ["200 OK", "200 OK"]


@pytest.mark.parametrize(("path", "wanted"), [(PATH, 503), ("/health", 204), (f"{PATH}/x", 204)])
def test_the_same_for_asgi(checks: ModuleType, path: str, wanted: int) -> None:
    """MLflow 3 is served so."""
    database = Database()
    database.broken = OSError("gone")
    sent: list[dict[str, Any]] = []

    async def mlflow(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    served = checks.checked_asgi(mlflow, checks.DatabaseCheck(database.ask))
    asyncio.run(served({"type": "http", "path": path}, None, send))

    assert sent[0]["status"] == wanted
