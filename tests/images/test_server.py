"""What the tracking server lets in at once: uploads lie in memory, so there is a bound."""

import asyncio
import importlib.util
import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

SERVER = Path(__file__).parents[2] / "images" / "tracking-server" / "server.py"
PATH = "/api/2.0/mlflow-artifacts/artifacts/1/run/artifacts/weights.bin"
MOST = 100

PIECES = 3
Answer = tuple[int, dict[str, Any], int]
"""The status, the body, and how much of the upload was not read."""


@pytest.fixture(scope="module")
def server() -> ModuleType:
    """The image's module."""
    spec = importlib.util.spec_from_file_location("server", SERVER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def by_asgi(server: ModuleType, room: Any, inside: Callable[[], None] = lambda: None) -> Any:
    """Return how a bounded ASGI application is called."""

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        inside()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    bounded = server.bounded_asgi(application, room)

    def call(length: str | None, *, method: str = "PUT", path: str = PATH) -> Answer:
        sent: list[dict[str, Any]] = []
        headers = [] if length is None else [(b"content-length", length.encode())]
        scope = {"type": "http", "method": method, "path": path, "headers": headers}

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        pieces = [b"x"] * PIECES

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": pieces.pop(), "more_body": bool(pieces)}

        asyncio.run(bounded(scope, receive, send))
        return sent[0]["status"], json.loads(sent[1]["body"]), len(pieces)

    return call


def by_wsgi(server: ModuleType, room: Any, inside: Callable[[], None] = lambda: None) -> Any:
    """Return how a bounded WSGI application is called."""

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        inside()
        start_response("200 OK", [])
        return [b"{}"]

    bounded = server.bounded_wsgi(application, room)

    def call(length: str | None, *, method: str = "PUT", path: str = PATH) -> Answer:
        said: list[str] = []
        sent = io.BytesIO(b"x" * PIECES)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "CONTENT_LENGTH": length,
        }
        environ["wsgi.input"] = sent
        body = b"".join(bounded(environ, lambda status, _headers: said.append(status)))
        return int(said[0][:3]), json.loads(body), len(sent.read())

    return call


WAYS = pytest.mark.parametrize("way", [by_asgi, by_wsgi])


@WAYS
def test_what_fits_is_let_in_again_and_again(server: ModuleType, way: Any) -> None:
    """The room is free again when an upload is over."""
    call = way(server, server.Room(MOST))

    assert [call(str(MOST))[0] for _ in range(3)] == [200, 200, 200]


@WAYS
def test_more_than_there_will_ever_be_room_for_is_refused(server: ModuleType, way: Any) -> None:
    """413, which MLflow's client does not try again, and the reason."""
    status, body, _ = way(server, server.Room(MOST))(str(MOST + 1))

    assert status == 413
    assert "at most" in body["message"]


@WAYS
def test_what_does_not_fit_beside_others_is_to_come_again(server: ModuleType, way: Any) -> None:
    """503, which MLflow's client does try again."""
    room = server.Room(MOST)
    beside: list[Answer] = []
    inner = way(server, room) if way is by_wsgi else by_wsgi(server, room)
    outer = way(server, room, inside=lambda: beside.append(inner("60")))

    status, _, _ = outer("50")

    assert status == 200
    assert beside[0][0] == 503
    assert inner("100")[0] == 200


@WAYS
def test_an_upload_that_fails_leaves_its_room(server: ModuleType, way: Any) -> None:
    """Broken uploads must not fill the server for good."""

    def broken() -> None:
        raise ConnectionError("the client went away")

    room = server.Room(MOST)
    with pytest.raises(ConnectionError):
        way(server, room, inside=broken)(str(MOST))

    assert way(server, room)(str(MOST))[0] == 200


@WAYS
@pytest.mark.parametrize("length", [MOST, MOST + 1])
def test_an_upload_is_read_to_its_end_whatever_the_answer(
    server: ModuleType, way: Any, length: int
) -> None:
    """A client that is answered while it sends sees a broken connection, not the answer."""
    _, _, left = way(server, server.Room(MOST))(str(length))

    assert left == 0


@WAYS
@pytest.mark.parametrize(
    ("length", "method", "path"),
    [
        ("999", "POST", PATH),
        ("999", "PUT", "/api/2.0/mlflow/runs/update"),
        (None, "PUT", PATH),
        ("many", "PUT", PATH),
        ("\u00b2", "PUT", PATH),  # a digit to Python, and no number
    ],
)
def test_only_uploads_that_say_their_length_count(
    server: ModuleType, way: Any, length: str | None, method: str, path: str
) -> None:
    """Everything else passes as it is."""
    assert way(server, server.Room(MOST))(length, method=method, path=path)[0] == 200


def length_by_asgi(server: ModuleType, name: str, length: str) -> list[str]:
    """Return the lengths that an answer says over ASGI."""
    sent: list[dict[str, Any]] = []

    async def application(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"x-kept", b"1"), (name.encode(), length.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"x"})

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(server.unmeasured_asgi(application)({"type": "http"}, None, send))
    start, body = sent
    assert body["body"] == b"x"
    assert (b"x-kept", b"1") in start["headers"]
    return [value.decode() for header, value in start["headers"] if header != b"x-kept"]


def length_by_wsgi(server: ModuleType, name: str, length: str) -> list[str]:
    """Return the lengths that an answer says over WSGI."""
    said: list[Any] = []

    def application(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("X-Kept", "1"), (name, length)])
        return [b"x"]

    body = server.unmeasured_wsgi(application)({}, lambda *words: said.append(words))
    assert list(body) == [b"x"]
    [(status, headers)] = said
    assert status == "200 OK"
    assert ("X-Kept", "1") in headers
    return [value for header, value in headers if header != "X-Kept"]


@pytest.mark.parametrize("way", [length_by_asgi, length_by_wsgi])
@pytest.mark.parametrize(
    ("name", "length", "said"),
    [
        ("content-length", 32 * 1024 * 1024, True),
        ("content-length", 32 * 1024 * 1024 + 1, False),
        ("Content-Length", 32 * 1024 * 1024 + 1, False),
        ("x-goog-stored-content-length", 32 * 1024 * 1024 + 1, True),
    ],
)
def test_only_a_big_answer_does_not_say_its_length(
    server: ModuleType, way: Any, name: str, length: int, said: bool
) -> None:
    """Without it the server streams, and streamed answers pass Google's front end at any size."""
    assert way(server, name, str(length)) == ([str(length)] if said else [])


MLFLOWS = """
async def asgi(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [b"{}"]


def with_login_asgi():
    return asgi


def with_login_wsgi():
    return wsgi
"""


def put_by_asgi(server: ModuleType, authorization: str) -> Answer:
    """Send an upload through everything that is in front of MLflow 3."""
    sent: list[dict[str, Any]] = []
    pieces = [b"x"] * PIECES
    headers = [(b"content-length", b"3"), (b"authorization", authorization.encode())]
    scope = {"type": "http", "method": "PUT", "path": PATH, "scheme": "http", "headers": headers}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": pieces.pop(), "more_body": bool(pieces)}

    asyncio.run(server.asgi()(scope, receive, send))
    return sent[0]["status"], json.loads(sent[1]["body"]), len(pieces)


def put_by_wsgi(server: ModuleType, authorization: str) -> Answer:
    """Send an upload through everything that is in front of MLflow 2."""
    said: list[str] = []
    sent = io.BytesIO(b"x" * PIECES)
    environ = {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": PATH,
        "CONTENT_LENGTH": "3",
        "HTTP_AUTHORIZATION": authorization,
        "wsgi.input": sent,
    }
    body = b"".join(server.wsgi()(environ, lambda status, _headers: said.append(status)))
    return int(said[0][:3]), json.loads(body), len(sent.read())


@pytest.mark.parametrize("way", [put_by_asgi, put_by_wsgi])
@pytest.mark.parametrize(
    ("mode", "authorization", "status"),
    [
        ("basic", "Bearer x", 401),
        ("basic", "Basic YWRtaW46eA==", 200),
        # Somebody else's business: Google's doors let tokens pass on to here.
        ("none", "Bearer x", 200),
    ],
)
def test_a_token_does_not_reach_mlflows_login(
    server: ModuleType,
    way: Any,
    mode: str,
    authorization: str,
    status: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """And whoever sends it with an upload is heard to the end, so that he hears the answer."""
    (tmp_path / "mlflows.py").write_text(MLFLOWS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "mlflows", raising=False)
    family = way.__name__.removeprefix("put_by_")
    name = f"with_login_{family}" if mode == "basic" else family
    monkeypatch.setenv("MLFLOW_APPLICATION", f"mlflows:{name}")
    monkeypatch.setenv("AUTH_MODE", mode)
    monkeypatch.setenv("ARTIFACT_UPLOADS", "http2")
    monkeypatch.setenv("UPLOAD_ROOM_MIB", "64")

    answered, _, left = way(server, authorization)

    assert (answered, left) == (status, 0)
