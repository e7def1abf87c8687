"""Paths, methods, sizes and bodies: what the routing table refuses before any handler runs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.functions.conftest import API, Issuer, serve

pytestmark = pytest.mark.usefixtures("installed")


@pytest.fixture(scope="module")
def api() -> Any:
    """The api in this process."""
    return serve("api")


@pytest.fixture
def bearer(google: Issuer) -> dict[str, str]:
    """The headers of ana."""
    return {"Authorization": f"Bearer {google.token(aud=API)}"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 404),
        ("/v1", 404),
        ("/v1/deployments/", 404),
        ("/v1/deployments/demo/", 404),
        ("/v1/deployments/demo/events/1", 404),
        ("/v1/deployments/a%2Fb", 404),
        ("//v1/deployments", 404),
        ("/v2/deployments", 404),
        ("/%00", 404),
        ("/v1/deployments/../../etc", 404),
        ("/v1/openapi-json", 404),
    ],
)
def test_an_unknown_path_is_404(api: Any, path: str, status: int) -> None:
    """Whatever the path, the answer is a problem and never a 500."""
    answer = api.get(path)

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
    assert answer.json["status"] == status


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/v1/deployments", "GET, POST"),
        ("DELETE", "/v1/deployments", "GET, POST"),
        ("OPTIONS", "/v1/deployments", "GET, POST"),
        ("POST", "/v1/deployments/demo", "DELETE, GET"),
        ("PATCH", "/v1/deployments/demo", "DELETE, GET"),
        ("POST", "/v1/openapi.json", "GET"),
        ("BREW", "/v1/openapi.json", "GET"),
    ],
)
def test_a_wrong_method_is_405(api: Any, method: str, path: str, allowed: str) -> None:
    """The answer names the methods that there are."""
    answer = api.open(path, method=method)

    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed
    assert method in answer.json["detail"]


def test_a_flood_of_headers_is_431(api: Any) -> None:
    """More than 32 KiB of headers are not looked at."""
    answer = api.get("/v1/openapi.json", headers={f"X-{n}": "x" * 1000 for n in range(40)})

    assert answer.status_code == 431


def test_an_unknown_query_parameter_is_400(api: Any, bearer: dict[str, str]) -> None:
    """A misspelt filter must not silently show everything."""
    answer = api.get("/v1/deployments?teem=risk", headers=bearer)

    assert answer.status_code == 400
    assert '"teem"' in answer.json["detail"]
    assert "team" in answer.json["detail"]


@pytest.mark.parametrize(
    "query",
    [
        "page_size=0",
        "page_size=1001",
        "page_size=-1",
        "page_size=x",
        "page_size=%C2%B2",
        "page_size=" + "9" * 5000,
        "page_size=0000001000000000",
        "page_size=00000001" + "0" * 5000,
        "page_size=5&page_size=6",
        "page_token=***",
        "page_token=" + "A" * 5001,
        "page_token=%C3%A4",
        "state=ready",
        "state=",
    ],
)
def test_a_query_that_means_nothing_is_400(api: Any, bearer: dict[str, str], query: str) -> None:
    """Numbers out of range, tokens of others and unknown states are refused."""
    assert api.get(f"/v1/deployments?{query}", headers=bearer).status_code == 400


def test_a_body_over_64_kib_is_413(api: Any, bearer: dict[str, str]) -> None:
    """The limit is on the bytes that come, whatever they are."""
    answer = api.post("/v1/deployments", data=b" " * (64 * 1024 + 1), headers=bearer)

    assert answer.status_code == 413
    assert "64 KiB" in answer.json["detail"]


def test_a_body_of_64_kib_is_read(api: Any, bearer: dict[str, str]) -> None:
    """The limit itself is still allowed."""
    answer = api.post("/v1/deployments", data=b" " * (64 * 1024 - 2) + b"{}", headers=bearer)

    assert answer.status_code == 400
    assert {"/name", "/team"} == {error["pointer"] for error in answer.json["errors"]}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "empty"),
        (b"   ", "empty"),
        (b"{", "line 1 column 2"),
        (b"name=demo", "not JSON"),
        (b'"demo"', "not an object"),
        (b"[]", "not an object"),
        (b"null", "not an object"),
        (b'{"name": "demo", "name": "x"}', "given twice"),
        (b'{"name": NaN}', "no JSON number"),
        (b'{"name": Infinity}', "no JSON number"),
        (b'{"name": "\xff"}', "UTF-8"),
        (b'{"name": "\\ud800"}', "UTF-8"),
        (b"[" * 60000, "nested"),
        (b'{"a":' * 10000, "nested"),
        (b'{"name": ' + b"9" * 5000 + b"}", "too long"),
        (b'\xef\xbb\xbf{"name": "demo"}', "not JSON"),
    ],
)
def test_a_body_that_is_no_json_object_is_400(
    api: Any, bearer: dict[str, str], data: bytes, words: str
) -> None:
    """The answer says where and why, and is never a 500."""
    answer = api.post("/v1/deployments", data=data, headers=bearer)

    assert answer.status_code == 400, answer.json
    assert words in answer.json["detail"]


def test_every_answer_is_json_that_nobody_caches(api: Any) -> None:
    """Errors look the same wherever they come from."""
    answer = api.get("/nowhere")

    assert answer.headers["Cache-Control"] == "no-store"
    assert set(answer.json) >= {"type", "title", "status", "detail"}
    assert answer.json["type"] == "urn:berth:problem:not-found"


def test_head_answers_like_get(api: Any) -> None:
    """Probes and link checkers send HEAD."""
    answer = api.head("/v1/openapi.json")

    assert answer.status_code == 200
    assert answer.data == b""


def test_one_line_of_json_is_logged_for_each_request(
    api: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cloud Logging finds severity, function, status and the trace in it."""
    api.get("/nowhere", headers={"X-Cloud-Trace-Context": "abc123/1;o=1"})

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["severity"], line["function"], line["status"]) for line in lines] == [
        ("INFO", "api", 404)
    ]
    assert "abc123" in json.dumps(lines[0])


def test_no_token_is_logged(
    api: Any, bearer: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Logs are read by more people than may call the api."""
    api.post("/v1/deployments", data=b"{", headers=bearer)

    assert bearer["Authorization"].split(".")[-1] not in capsys.readouterr().out
