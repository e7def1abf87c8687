"""Calls drawn from the discovery documents: in the right shape, or a little broken."""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER
from localcloud.machines.builds.contract import Built
from localcloud.machines.images import parse
from localcloud.services.artifactregistry import artifacts
from localcloud.transport import ConnectionFailed
from tests.localcloud.good_bodies import BODIES, IMAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from localcloud.cloud import Cloud
    from localcloud.documents.discovery import Document, Method, Schema
    from localcloud.service import Service
    from localcloud.transport import Response

_IDS = ("alpha", "beta-one")
_OF_COLLECTION = {
    "projects": ("berth-local", "berth-local", "123456789012", "-", "somebody-elses"),
    "locations": ("europe-west1", "europe-west1", "us-central1", "-", "global", "nowhere"),
    "serviceAccounts": ("robot-one@berth-local.iam.gserviceaccount.com", "-", "1234"),
    "services": ("alpha", "run.googleapis.com", "sqladmin.googleapis.com"),
    "versions": ("1", "2", "latest", "alpha"),
    "organizations": ("1",),
    "folders": ("1",),
}
_OF_FIELD = {
    "project": ("berth-local", "123456789012", "somebody-elses"),
    "projectId": ("berth-local", "123456789012", "somebody-elses"),
    "parent": ("projects/berth-local/locations/europe-west1", "projects/berth-local"),
    "instance": ("alpha", "beta-one"),
    "updateMask": ("labels", "description", "*", "name", "nope.nope", ""),
    "readMask": ("name", "nope"),
    "filter": ("", "state=ACTIVE", 'labels.a="b"', "(((", "name:alpha AND", "état"),
    "orderBy": ("", "createTime desc", "nope", "name asc, nope"),
    "pageToken": ("", "junk", "b2Zmc2V0OjE"),
    "view": ("FULL", "BASIC"),
    "serviceAccount": ("robot-one@berth-local.iam.gserviceaccount.com", "nobody@nowhere.com"),
    "role": ("roles/owner", "roles/viewer", "roles/nope"),
    "members": ("user:ana@example.com", "allUsers", "group:all@example.com", "bogus"),
    "permissions": ("run.services.get", "nope", "*"),
    "etag": ("ACAB", "nope"),
    "uniqueId": ("1234",),
}
_ODD_TEXT = (
    "",
    " ",
    "a",
    "é\u4f60\U0001f600",
    "x" * 300,
    "a/b",
    "../..",
    "%00",
    "-1",
    "null",
    "\x00",
)
_ODD: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    2**70,
    "",
    "x",
    [],
    {},
    [None],
    {"x": 1},
    [[]],
    [{}],
    {"": ""},
)
_OF_FORMAT = {
    "google-datetime": (
        "2026-11-20T08:00:00Z",
        "2026-11-20T08:00:00.5+01:00",
        "9999-12-31T23:59:59Z",
    ),
    "date-time": ("2026-11-20T08:00:00Z",),
    "google-duration": ("60s", "0s", "3.5s", "-1s", "999999999s"),
    "google-fieldmask": ("labels", "*", "nope"),
    "byte": ("aGk=", "", base64.b64encode(b'{"a": 1}').decode()),
}
_ODD_HEADERS = (
    ("content-type", "text/html"),
    ("content-encoding", "gzip"),
    ("content-range", "bytes 5-2/x"),
    ("x-http-method-override", "DELETE"),
    ("authorization", "Bearer ya29.l.a.b"),
    ("range", "bytes=9-1"),
    ("range", "bytes=-0"),
    ("if-match", "nope"),
    ("x-goog-user-project", "nobody"),
)
_DEEPEST = 4
_MAKING = frozenset({"create", "insert", "addVersion", "publish", "batchEnable", "write"})


@dataclass(frozen=True)
class DrawnCall:
    """One call, ready to be made."""

    method_id: str
    verb: str
    url: str
    headers: dict[str, str]
    body: bytes


def explore(cloud: Cloud, seeds: Iterable[int]) -> Iterator[tuple[DrawnCall, Response | None]]:
    """Make a project with one thing of each kind, and then a call of each seed; None: no answer."""
    cloud.enable(*{service.host for service in cloud.services})
    _push_image(cloud)
    drawing = Drawing(cloud)
    for _ in range(2):
        # twice: some come before what they need
        for call in drawing.settle():
            yield call, drawing.make(call)
    for seed in seeds:
        drawing.reinstate_owner()
        call = drawing.call(seed)
        yield call, drawing.make(call)


class Drawing:
    """Draws calls of one cloud's services; remembers names it saw, so that later calls meet them."""

    def __init__(self, cloud: Cloud) -> None:
        """Draw for one cloud."""
        self._cloud = cloud
        self._random = Random(0)  # noqa: S311 - must repeat itself
        self._names: list[str] = []
        self._plain = False
        self._methods = [
            (service, cloud.router.document(service).methods[method_id])
            for service in cloud.services
            for method_id in service.handlers
        ]

    def make(self, call: DrawnCall) -> Response | None:
        """Make a call, let a little time pass, and keep the names in the answer for later calls."""
        try:
            response = self._cloud.request(
                call.verb, call.url, headers=call.headers, body=call.body
            )
        except ConnectionFailed:
            return None
        if isinstance(self._cloud.clock, VirtualClock):
            self._cloud.clock.advance(
                700 if self._plain else self._random.choice((0, 0, 1, 60, 700))
            )
        self._saw(response)
        return response

    def reinstate_owner(self) -> None:
        """Give the owner back what a drawn setIamPolicy took."""
        for role in ("roles/owner", "roles/iam.serviceAccountTokenCreator"):
            self._cloud.grant(f"user:{OWNER}", role)

    def _saw(self, response: Response) -> None:
        if response.status < 300 and response.headers.get("content-type", "").startswith(
            "application/json"
        ):
            found = response.json()
            self._names.extend(_names(found))
            del self._names[:-60]

    def settle(self) -> Iterator[DrawnCall]:
        """Give good calls that make one thing of each kind, each built on those before."""
        for service, method in self._methods:
            if method.id in BODIES and method.id.rpartition(".")[2] in _MAKING:
                yield self._drawn(service, method, plain=True)

    def call(self, seed: int) -> DrawnCall:
        """Draw one call; the seed and what was seen before say everything about it."""
        self._random = Random(seed)  # noqa: S311 - must repeat itself
        service = self._random.choice(self._cloud.services)
        methods = [method for owner, method in self._methods if owner is service]
        return self._drawn(service, self._random.choice(methods), plain=False)

    def _drawn(self, service: Service, method: Method, *, plain: bool) -> DrawnCall:
        self._plain = plain
        document = self._cloud.router.document(service)
        path = self._path(method)
        query = self._query(method)
        body = self._body(document, method)
        token = self._cloud.tokens.access_token(OWNER)
        headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        if self._rarely(40):
            headers.pop("authorization")
        data = b"" if body is None else self._written(body)
        if method.upload_paths and not self._rarely(3):
            path, data = f"/upload{path}", b"hello"
            headers["content-type"] = "text/plain"
            query += [("uploadType", "media"), ("name", "alpha")]
        if self._rarely(30):
            headers.update([self._random.choice(_ODD_HEADERS)])
        url = f"https://{service.host}{path}"
        return DrawnCall(
            method.id,
            method.http_method,
            f"{url}?{urlencode(query)}" if query else url,
            headers,
            data,
        )

    # -- the parts ------------------------------------------------------------------------

    def _path(self, method: Method) -> str:
        def fill(found: re.Match[str]) -> str:
            name = found[2]
            pattern = method.parameters.get(name, {}).get("pattern")
            if pattern is None:
                return quote(self._identifier(name), safe="")
            fitting = [known for known in self._names if re.fullmatch(pattern, known)]
            if fitting and not self._plain and not self._rarely(4):
                return quote(self._random.choice(fitting), safe="/@")
            return quote(self._of_pattern(pattern), safe="/@")

        return re.sub(r"\{(\+?)([^}*]+)\*?\}", fill, method.path)

    def _of_pattern(self, pattern: str) -> str:
        # the slash inside [^/]+ is none
        segments: list[str] = []
        for segment in pattern.strip("^$").replace("[^/]+", "*").replace(".*", "*").split("/"):
            before = segments[-1] if segments else "kind"
            filled = "projects" if before == "kind" else self._identifier(before)
            segments.append(segment.replace("*", filled))
        return "/".join(segments)

    def _identifier(self, collection: str) -> str:
        if self._rarely(25):
            return self._random.choice(_ODD_TEXT) or "a"
        choices = _OF_COLLECTION.get(collection) or _OF_FIELD.get(collection) or _IDS
        return self._random.choice(choices) if self._rarely(6) else choices[0]

    def _query(self, method: Method) -> list[tuple[str, str]]:
        drawn: list[tuple[str, str]] = []
        for name, schema in method.parameters.items():
            if schema.get("location") != "query":
                continue
            needed = schema.get("required") or name.endswith("Id")
            if needed and not self._rarely(20):
                drawn.append((name, self._identifier(name)))
            elif self._rarely(6):
                value = self._scalar(schema, name)
                drawn.append((name, str(value).lower() if isinstance(value, bool) else str(value)))
        if self._rarely(15):
            drawn.append(
                self._random.choice(
                    [
                        ("colour", "red"),
                        ("fields", "name,items(name)"),
                        ("fields", "a(b"),
                        ("$fields", "*"),
                        ("alt", "media"),
                        ("alt", "json;enum-encoding=int"),
                        ("prettyPrint", "false"),
                    ]
                )
            )
        if method.upload_paths and self._rarely(5):
            drawn.append(("uploadType", self._random.choice(["media", "resumable", "multipart"])))
        return drawn

    def _body(self, document: Document, method: Method) -> Any:
        if method.request is None:
            return {"x": 1} if self._rarely(20) else None
        good = BODIES.get(method.id)
        if good is not None and not self._rarely(4):
            body = json.loads(json.dumps(good[0] if self._plain else self._random.choice(good)))
        else:
            body = self._message(document.schemas[method.request], document, 0)
        if self._rarely(3):
            body = self._broken(body)
        return body

    def _message(self, schema: Schema, document: Document, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in schema.get("properties", {}).items():
            if not field.get("readOnly") and self._rarely(3 if depth else 2):
                found[name] = self._value(field, document, depth, name)
        extra = schema.get("additionalProperties")
        if extra is not None:
            for key in _IDS[: self._random.randrange(3)]:
                found[key] = self._value(extra, document, depth, key)
        return found

    def _value(self, schema: Schema, document: Document, depth: int, name: str) -> Any:
        if "$ref" in schema:
            if depth >= _DEEPEST:
                return {}
            return self._value(document.schemas[schema["$ref"]], document, depth + 1, name)
        kind = schema.get("type")
        if kind == "object":
            return self._message(schema, document, depth + 1) if depth < _DEEPEST else {}
        if kind == "array":
            count = self._random.randrange(3)
            return [self._value(schema["items"], document, depth, name) for _ in range(count)]
        if kind == "any":
            return self._random.choice(_ODD)
        return self._scalar(schema, name)

    def _scalar(self, schema: Schema, name: str) -> Any:
        kind, form = schema.get("type"), schema.get("format")
        if kind == "boolean":
            return self._random.random() < 0.5
        if kind == "integer" or form in {"int64", "uint64", "int32"}:
            number = self._random.choice((0, 1, 2, 10, 100, -1, 2**31 - 1))
            return str(number) if kind == "string" else number
        if kind == "number":
            return self._random.choice((0, 0.5, -1.5, 1e300))
        if "enum" in schema:
            return self._random.choice(schema["enum"])
        if form in _OF_FORMAT:
            return self._random.choice(_OF_FORMAT[form])
        if self._names and self._rarely(5):
            return self._random.choice(self._names)
        choices = _OF_FIELD.get(name) or _OF_COLLECTION.get(name)
        return self._random.choice(choices or (*_IDS, *_ODD_TEXT))

    def _broken(self, body: Any) -> Any:
        """Drop, replace or add something somewhere in a body."""
        if isinstance(body, dict) and body and not self._rarely(4):
            key = self._random.choice(sorted(body))
            if self._rarely(4):
                del body[key]
            else:
                body[key] = self._broken(body[key])
            return body
        if isinstance(body, list) and body and not self._rarely(3):
            at = self._random.randrange(len(body))
            body[at] = self._broken(body[at])
            return body
        if isinstance(body, dict) and self._rarely(3):
            body["colour"] = "red"
            return body
        return self._random.choice((*_ODD, *_ODD_TEXT, *self._names[-3:]))

    def _written(self, body: Any) -> bytes:
        data = json.dumps(body).encode()
        if not self._rarely(40):
            return data
        return self._random.choice(
            [data[:-1], data + b"}", b"\xff" + data, b"[" * 500, b"{" * 5, b"NaN", b'"x"', b"null"]
        )

    def _rarely(self, one_in: int) -> bool:
        return not self._plain and self._random.randrange(one_in) == 0


def _push_image(cloud: Cloud) -> None:
    reference = parse(IMAGE)
    assert reference is not None
    tree = cloud.state / "drawn-image"
    tree.mkdir(exist_ok=True)
    repositories = cloud.store.of("artifactregistry")
    name = reference.repository_name
    repositories.create(name, {"name": name, "format": "DOCKER", "mode": "STANDARD_REPOSITORY"})
    artifacts.push(cloud, reference, Built(tree, {"Entrypoint": ["true"]}), f"user:{OWNER}")


def _names(value: Any) -> list[str]:
    if isinstance(value, list):
        return [name for item in value for name in _names(item)]
    if not isinstance(value, dict):
        return []
    found = [
        item
        for key, item in value.items()
        if key in {"name", "id", "uniqueId", "etag", "generation", "topic", "revision"}
        and isinstance(item, str)
    ]
    return found + [name for item in value.values() for name in _names(item)]
