"""HTTP calls send what the documentation says, and read what comes back by its type."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.workflows.api_calls.http_calls import USER_AGENT
from localcloud.workflows.effects import HttpReply

if TYPE_CHECKING:
    from tests.localcloud.workflows.conftest import Bench

URL = "https://x.example/p"


def call(bench: Bench, method: str = "post", **arguments: Any) -> Any:
    """Make one call and give its result."""
    step = {"call": f"http.{method}", "args": {"url": URL, **arguments}, "result": "r"}
    return bench.result(json.dumps([{"a": step}, {"b": {"return": "${r}"}}]))


@pytest.mark.parametrize(
    ("arguments", "content_type", "body"),
    [
        ({"body": {"a": [1, None]}}, "application/json; charset=utf-8", b'{"a":[1,null]}'),
        ({"body": "text"}, "application/json; charset=utf-8", b'"text"'),
        ({"body": 0}, "application/json; charset=utf-8", b"0"),
        ({"body": None}, None, b""),
        ({"body": '${text.encode("raw")}'}, "application/octet-stream", b"raw"),
        (
            {"body": "a=1 2&b=é", "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
            "application/x-www-form-urlencoded",
            b"a=1+2&b=%C3%A9",
        ),
        ({"body": "t", "headers": {"content-type": "text/csv"}}, "text/csv", b"t"),
        (
            {"body": {"a": 1}, "headers": {"Content-Type": "application/merge-patch+json"}},
            "application/merge-patch+json",
            b'{"a":1}',
        ),
    ],
)
def test_body(
    bench: Bench, arguments: dict[str, Any], content_type: str | None, body: bytes
) -> None:
    """A body is encoded by the type given, or by its own."""
    bench.answers[f"POST {URL}"] = [(200, {})]
    call(bench, **arguments)
    headers = {name.lower(): value for name, value in bench.requests[0].headers.items()}
    assert headers.get("content-type") == content_type
    assert bench.requests[0].body == body


@pytest.mark.parametrize(
    ("arguments", "tag"),
    [
        ({"body": "x", "headers": {"Content-Type": "application/json"}}, "TypeError"),
        ({"body": "x", "headers": {"Content-Type": "image/png"}}, "ValueError"),
        ({"timeout": 1801}, "ValueError"),
        ({"timeout": 0}, "ValueError"),
        ({"timeout": "long"}, "TypeError"),
        ({"url": "ftp://x.example"}, "ValueError"),
        ({"url": 5}, "TypeError"),
        ({"query": ["a"]}, "TypeError"),
        ({"query": {"a": {}}}, "TypeError"),
        ({"headers": {"a": []}}, "TypeError"),
        ({"auth": {"type": "Basic"}}, "ValueError"),
        ({"auth": {"type": "OIDC", "audiance": "x"}}, "ValueError"),
        ({"private_service_name": "x"}, "ValueError"),
    ],
)
def test_refused(bench: Bench, arguments: dict[str, Any], tag: str) -> None:
    """A request that makes no sense is never sent."""
    step = {"call": "http.post", "args": {"url": URL, **arguments}}
    assert bench.error(json.dumps([{"a": step}]))["tags"] == [tag]
    assert bench.requests == []


def test_query_and_user_agent_are_added(bench: Bench) -> None:
    """A query joins one that is there, and the service signs its requests."""
    bench.answers["GET https://x.example/p"] = [(200, {})]
    step = {
        "call": "http.get",
        "args": {
            "url": URL + "?a=1#part",
            "query": {"b": ["x y", True, 2.5]},
            "headers": {"user-agent": "mine/1"},
        },
    }
    bench.result(json.dumps([{"a": step}]))
    assert bench.requests[0].url == URL + "?a=1&b=x%20y&b=true&b=2.5#part"
    assert bench.requests[0].headers["user-agent"] == f"mine/1 {USER_AGENT}"


def test_tokens(bench: Bench) -> None:
    """OIDC takes the URL as audience unless told otherwise; the token is the engine's."""
    bench.answers[f"POST {URL}"] = [(200, {})]
    call(bench, auth={"type": "OIDC"})
    call(bench, auth={"type": "OAuth2", "scopes": "a, b"})
    found = [request.headers["Authorization"] for request in bench.requests]
    assert found == ["Bearer id-token", "Bearer access-token"]


@pytest.mark.parametrize(
    ("headers", "content", "body"),
    [
        ({"content-type": "application/json; charset=utf-8"}, b'{"a": 1}', {"a": 1}),
        ({"Content-Type": "text/plain"}, b'{"a": 1}', '{"a": 1}'),
        ({"Content-Type": "application/json"}, b"no json", "no json"),
        ({"Content-Type": "application/json"}, b"", None),
        ({"Content-Type": "text/plain; charset=latin-1"}, b"\xe9", "é"),
        ({}, b"", ""),
    ],
)
def test_response_body(bench: Bench, headers: dict[str, str], content: bytes, body: Any) -> None:
    """Only JSON by its content type becomes a value."""
    bench.answers[f"POST {URL}"] = [HttpReply(201, headers, content)]
    found = call(bench)
    assert (found["code"], found["body"]) == (201, body)


def test_header_names_are_canonical(bench: Bench) -> None:
    """However the server writes them, workflows find headers under one name."""
    bench.answers[f"POST {URL}"] = [HttpReply(200, {"x-REQUEST-id": "7"}, b"")]
    assert call(bench)["headers"] == {"X-Request-Id": "7"}


def test_a_redirect_is_an_answer(bench: Bench) -> None:
    """Nothing is followed."""
    bench.answers[f"POST {URL}"] = [HttpReply(302, {"Location": "/q"}, b"")]
    assert call(bench)["code"] == 302


def test_too_large_a_response_ends_the_execution(bench: Bench) -> None:
    """Two megabytes are the limit."""
    bench.answers[f"POST {URL}"] = [HttpReply(200, {}, b"x" * (2 * 1024 * 1024 + 1))]
    step = {
        "try": {"call": "http.post", "args": {"url": URL}},
        "except": {"steps": [{"b": {"return": 1}}]},
    }
    assert bench.error(json.dumps([{"a": step}]))["tags"][-1] == "ResourceLimitError"


def test_a_time_out_takes_its_time(bench: Bench) -> None:
    """Without a timeout of its own, a call gives up after five minutes."""
    bench.answers[f"POST {URL}"] = ["timeout"]
    begun = bench.clock.now()
    error = bench.error(json.dumps([{"a": {"call": "http.post", "args": {"url": URL}}}]))
    assert error == {"message": "request timed out", "tags": ["TimeoutError", "OSError"]}
    assert bench.clock.now() - begun == 300


def test_steps_outside_google_are_external(bench: Bench) -> None:
    """Calls inside Google Cloud are billed as internal steps, others as external ones."""
    for url in ("https://a.run.app/", "https://b.googleapis.com/", "https://c.example/"):
        bench.answers[f"GET {url}"] = [(200, {})]
    execution = bench.run("""
        - a: {call: http.get, args: {url: "https://a.run.app/"}}
        - b: {call: http.get, args: {url: "https://b.googleapis.com/"}}
        - c: {call: http.get, args: {url: "https://c.example/"}}
    """)
    assert (execution.steps, execution.external) == (3, 1)
