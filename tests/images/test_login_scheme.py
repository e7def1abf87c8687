"""MLflow's login is only asked about what it can read: names and passwords."""

import asyncio
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MODULE = Path(__file__).parents[2] / "images" / "tracking-server" / "login_scheme.py"
Answer = tuple[int, dict[str, str], bytes]
"""The status, the headers with names in small letters, and the body."""


@pytest.fixture(scope="module")
def schemes() -> ModuleType:
    """The image's module."""
    spec = importlib.util.spec_from_file_location("login_scheme", MODULE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_asgi(schemes: ModuleType, *sent: str) -> Answer:
    """Ask MLflow 3's way, with these Authorization headers."""
    said: list[dict[str, Any]] = []

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"mlflow"})

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    headers = [(b"host", b"x"), *((b"authorization", one.encode()) for one in sent)]
    served = schemes.basic_only_asgi(application)
    asyncio.run(served({"type": "http", "headers": headers}, None, send))
    start, body = said
    told = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], told, body["body"]


def by_wsgi(schemes: ModuleType, *sent: str) -> Answer:
    """Ask MLflow 2's way; a server joins headers of one name."""
    said: list[Any] = []

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"mlflow"]

    environ = {"HTTP_AUTHORIZATION": ",".join(sent)} if sent else {}
    served = schemes.basic_only_wsgi(application)
    body = b"".join(served(environ, lambda *words: said.append(words)))
    [(status, headers)] = said
    return int(status[:3]), {name.lower(): value for name, value in headers}, body


WAYS = pytest.mark.parametrize("way", [by_asgi, by_wsgi])


@WAYS
@pytest.mark.parametrize(
    "sent",
    [
        ("Bearer eyJhbGciOi.eyJzdWIi.c2lnbmVk",),
        ("bearer x",),
        ('Digest username="admin", password="x"',),
        ("Basically YWRtaW46eA==",),
        ("YWRtaW46eA==",),
        ("",),
        ("Bearer x", "Basic YWRtaW46eA=="),
    ],
)
def test_another_scheme_is_answered_before_mlflow_sees_it(
    schemes: ModuleType, way: Any, sent: tuple[str, ...]
) -> None:
    """With the challenge that browsers know, and the error that MLflow's client shows."""
    status, headers, body = way(schemes, *sent)

    assert status == 401
    assert headers["www-authenticate"] == 'Basic realm="mlflow"'
    assert headers["content-type"] == "application/json"
    assert json.loads(body)["error_code"] == "UNAUTHENTICATED"
    assert "MLFLOW_TRACKING_PASSWORD" in json.loads(body)["message"]


@WAYS
@pytest.mark.parametrize("sent", [(), ("Basic YWRtaW46eA==",), ("basic YWRtaW46eA==",), ("Basic",)])
def test_mlflow_judges_names_and_passwords(
    schemes: ModuleType, way: Any, sent: tuple[str, ...]
) -> None:
    """Right or wrong, there or not: that is its business."""
    assert way(schemes, *sent) == (200, {}, b"mlflow")


def test_after_a_password_nothing_else_is_read(schemes: ModuleType) -> None:
    """Two headers are two chances to be let in by the wrong one."""
    assert by_asgi(schemes, "Basic YWRtaW46eA==", "Bearer x")[0] == 401


def test_what_is_no_request_passes(schemes: ModuleType) -> None:
    """A server tells its application when it starts and ends; that has no headers."""
    seen: list[str] = []

    async def application(scope: Any, _receive: Any, _send: Any) -> None:
        seen.append(scope["type"])

    asyncio.run(schemes.basic_only_asgi(application)({"type": "lifespan"}, None, None))

    assert seen == ["lifespan"]
