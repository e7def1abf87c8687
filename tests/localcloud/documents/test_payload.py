"""Bodies are read as strictly as Google's front ends read them, whatever the API."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import OWNER, Cloud
from localcloud.documents.payload import DEEPEST, MOST_JSON

if TYPE_CHECKING:
    from localcloud.transport import Response

SECRETS = "https://secretmanager.googleapis.com/v1/projects/berth-local/secrets?secretId=a"
BUCKETS = "https://storage.googleapis.com/storage/v1/b?project=berth-local"
GOOD = b'{"replication": {"automatic": {}}}'


@pytest.fixture(autouse=True)
def _enabled(cloud: Cloud) -> None:
    cloud.enable("secretmanager.googleapis.com")


def _post(cloud: Cloud, body: bytes, *, url: str = SECRETS, **headers: str) -> Response:
    sent = {
        "authorization": f"Bearer {cloud.tokens.access_token(OWNER)}",
        "content-type": "application/json",
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    return cloud.request("POST", url, headers=sent, body=body)


def _message(response: Response) -> str:
    found: dict[str, Any] = response.json()["error"]
    assert (response.status, found["code"]) == (400, 400)
    return str(found["message"])


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"not json", "Unexpected token.\nnot json\n^"),
        (b"{", "Unexpected end of string. Expected an object key or }."),
        (b'{"a"', "Unexpected end of string. Expected : between key:value pair."),
        (b'{"a" 1}', "Expected : between key:value pair."),
        (b'{"a": 1 "b": 2}', "Expected , or } after key:value pair."),
        (b'{"a": [1 2]}', "Expected , or ] after array value."),
        (b'{"a": "x', "Closing quote expected in string."),
        (b'{"a": "\\q"}', "Invalid escape sequence."),
        (b'{"a": "\\u12"}', "Illegal hex string."),
        (b"{'a': 1}", "Expected an object key or }."),
        (b'{"a": 1,}', "Expected an object key or }."),
        (b"{} {}", "Parsing terminated before end of input."),
        (b'{"a": NaN}', "Unexpected token.\nNaN\n^"),
        (b'{"a": -Infinity}', "Unexpected token."),
        (b'{"a": \xff}', "Encountered non UTF-8 code points."),
        (b'{"a": "\\ud800"}', "Encountered non UTF-8 code points."),
        (json.dumps({"a": 1}).encode("utf-16"), "Encountered non UTF-8 code points."),
        (b'{"a": ' + b"1" * 10_000 + b"}", "Invalid number."),
        (b"[" * 100_000, "Message too deep."),
        (b'{"a":' * (DEEPEST + 1) + b"1" + b"}" * (DEEPEST + 1), "Message too deep."),
        (b"[]", 'Unknown name "": Root element must be a message.'),
        (b"null", 'Unknown name "": Root element must be a message.'),
        (b'"x"', 'Unknown name "": Root element must be a message.'),
    ],
)
def test_what_is_no_json_object_is_refused(cloud: Cloud, body: bytes, sentence: str) -> None:
    """The parser's sentence is shown, with the place where it stopped."""
    assert sentence in _message(_post(cloud, body))


def test_a_caret_stands_under_the_place(cloud: Cloud) -> None:
    """Only the neighbourhood is shown, as in Google's answers."""
    body = b'{"replication": {"automatic": {}}, "labels": {"a" "b"}}'

    lines = _message(_post(cloud, body)).splitlines()

    assert lines[1][lines[2].index("^")] == '"'
    assert lines[1].startswith('{}}, "labels"')


def test_apis_of_the_old_style_say_parse_error(cloud: Cloud) -> None:
    """Cloud Storage names the reason parseError."""
    refused = _post(cloud, b"{", url=BUCKETS)

    assert refused.json()["error"]["errors"][0]["reason"] == "parseError"


@pytest.mark.parametrize("url", [SECRETS, BUCKETS])
@pytest.mark.parametrize("packed", [False, True])
def test_a_body_may_be_large_but_not_larger(cloud: Cloud, url: str, *, packed: bool) -> None:
    """What is over the limit is 413, however small it was packed."""
    body = b'{"a": "' + b"x" * MOST_JSON + b'"}'
    headers = {"content_encoding": "gzip"} if packed else {}

    refused = _post(cloud, gzip.compress(body) if packed else body, url=url, **headers)

    assert refused.status == 413
    assert "20971520" in refused.json()["error"]["message"]


def test_a_packed_body_is_unpacked(cloud: Cloud) -> None:
    """Clients may compress what they send."""
    assert _post(cloud, gzip.compress(GOOD), content_encoding="gzip").status == 200


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(GOOD, "gzip"), (gzip.compress(GOOD)[:-4], "gzip"), (GOOD, "br"), (b"", "gzip")],
    ids=["plain", "cut short", "of another kind", "empty"],
)
def test_a_body_that_is_not_packed_as_it_says_is_refused(
    cloud: Cloud, body: bytes, encoding: str
) -> None:
    """Neither guesses nor half a body are taken."""
    _message(_post(cloud, body, content_encoding=encoding))


@pytest.mark.parametrize("kind", ["text/html", "application/octet-stream", "multipart/form-data"])
def test_other_content_is_refused(cloud: Cloud, kind: str) -> None:
    """Only JSON is a request."""
    assert kind in _message(_post(cloud, GOOD, content_type=kind))


@pytest.mark.parametrize(
    "kind", ["", "application/json; charset=UTF-8", "application/x-www-form-urlencoded"]
)
def test_json_may_be_called_something_else(cloud: Cloud, kind: str) -> None:
    """What curl sends by default is read as JSON too."""
    assert _post(cloud, GOOD, content_type=kind).status == 200


def test_no_body_is_an_empty_message(cloud: Cloud) -> None:
    """It is then judged by what is required."""
    assert "Required field 'replication' is missing." in _message(_post(cloud, b""))
    assert "Required field 'replication' is missing." in _message(_post(cloud, b" \n"))


def test_the_last_of_equal_keys_counts(cloud: Cloud) -> None:
    """Keys that come twice are no error."""
    body = b'{"labels": {"a": "b"}, "labels": {"c": "d"}, "replication": {"automatic": {}}}'

    assert _post(cloud, body).json()["labels"] == {"c": "d"}


def test_only_post_can_stand_for_another_verb(cloud: Cloud) -> None:
    """X-HTTP-Method-Override is for what has a body."""
    _post(cloud, GOOD)
    url = SECRETS.partition("?")[0] + "/a"
    token = f"Bearer {cloud.tokens.access_token(OWNER)}"
    override = {"authorization": token, "x-http-method-override": "DELETE"}

    assert cloud.request("GET", url, headers=override).status == 200
    assert cloud.request("POST", url, headers=override).status == 200
    assert cloud.request("GET", url, headers={"authorization": token}).status == 404
