"""Whatever is sent to Cloud Storage and Pub/Sub, the answer is Google's and never a crash."""

from __future__ import annotations

import json
import random
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER, Cloud
from localcloud.documents.discovery import Document, Method, Schema, document
from localcloud.services.pubsub import SERVICE as PUBSUB
from localcloud.services.storage import SERVICE as STORAGE

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.service import Service

PROJECT = "projects/berth-local"
TEXTS = [
    *("", "x", "bkt-1", "obj", "a/b", "*", "{a", "ä", "\ud800", "\n", "x" * 300, "AAAA"),
    *("0", "-1", "99999999999", "true", "2026-01-01T00:00:00Z", "10s", "600s", "user:a@b.c"),
    *('attributes.a="1"', "roles/storage.admin", "allUsers", "https://x.example/", "berth-local"),
    *(f"{PROJECT}/topics/topic1", f"{PROJECT}/subscriptions/sub1", f"{PROJECT}/snapshots/snap1"),
]
NUMBERS = ["0", "1", "-1", "9223372036854775807", "604800", "60"]


class Fuzzer:
    """Makes requests by the documents' schemas, a little wrong here and there."""

    def __init__(self, cloud: Cloud, seed: int) -> None:
        """Make the same requests for the same seed."""
        self._cloud = cloud
        self._any = random.Random(seed)  # noqa: S311 - reproducible, not secret
        self._headers = {
            "authorization": f"Bearer {cloud.tokens.access_token(OWNER)}",
            "content-type": "application/json",
        }

    def plant(self) -> None:
        """Put something there to be found."""
        storage, pubsub = "storage.googleapis.com", f"pubsub.googleapis.com/v1/{PROJECT}"
        upload = f"{storage}/upload/storage/v1/b/bkt-1/o?uploadType=media&name=obj"
        self._send("POST", f"{storage}/storage/v1/b?project=berth-local", {"name": "bkt-1"})
        self._send("POST", upload, {})
        self._send("PUT", f"{pubsub}/topics/topic1", {})
        topic = {"topic": f"{PROJECT}/topics/topic1"}
        self._send("PUT", f"{pubsub}/subscriptions/sub1", topic)
        subscription = {"subscription": f"{PROJECT}/subscriptions/sub1"}
        self._send("PUT", f"{pubsub}/snapshots/snap1", subscription)

    def shoot(self, service: Service) -> tuple[int, str]:
        """Make one request; give the status, and what was asked in case it matters."""
        found = document(service.api, service.version)
        method = found.methods[self._any.choice(sorted(service.handlers))]
        query = [
            f"{quote(name)}={quote(str(self._value(found, schema)), errors='replace')}"
            for name, schema in method.parameters.items()
            if schema.get("location") == "query" and self._any.random() < 0.15
        ]
        if method.id in {"storage.buckets.insert", "storage.buckets.list"}:
            query.append("project=berth-local")
        body = self._value(found, {"$ref": method.request}) if method.request else None
        url = f"{service.host}{self._path(method)}?{'&'.join(query)}"
        status = self._send(method.http_method, url, body)
        return status, f"{method.id} {url} {json.dumps(body)}"

    def _send(self, verb: str, url: str, body: Any) -> int:
        sent = b"" if body is None else json.dumps(body).encode()
        headers = dict(self._headers)
        for name, values in (("range", ["bytes=5-2", "bytes=-0", "x"]), ("if-match", ["x"])):
            if self._any.random() < 0.05:
                headers[name] = self._any.choice(values)
        return self._cloud.request(verb, f"https://{url}", headers=headers, body=sent).status

    def _path(self, method: Method) -> str:
        kind = next((k for k in ("topics", "subscriptions") if k in method.id), "snapshots")

        def fill(found: re.Match[str]) -> str:
            name = found[1]
            if "ucket" in name:
                return self._any.choice(["bkt-1", "bkt-1", "zz"])
            if "bject" in name:
                return quote(self._any.choice(["obj", "obj", "new", "a/b", "ä"]), safe="")
            if name in {"project", "projectId"}:
                return PROJECT if name == "project" else "berth-local"
            return f"{PROJECT}/{kind}/{self._any.choice(['topic1', 'sub1', 'snap1', 'zzz'])}"

        return re.sub(r"\{\+?([^}*]+)\*?\}", fill, method.path)

    def _value(self, found: Document, schema: Schema, depth: int = 0) -> Any:
        if "$ref" in schema:
            schema = found.schemas[schema["$ref"]]
        if self._any.random() < 0.05:
            return self._any.choice([None, 1, "x", [], {}, True, -1])
        kind = schema.get("type")
        if kind == "object" and "properties" in schema:
            chance = 0.35 if depth < 3 else 0.1
            return {
                key: self._value(found, inner, depth + 1)
                for key, inner in schema["properties"].items()
                if self._any.random() < chance
            }
        if kind == "object":
            inner = schema.get("additionalProperties", {"type": "string"})
            return {self._any.choice(TEXTS): self._value(found, inner, depth + 1)}
        if kind == "array":
            count = self._any.randint(0, 3)
            return [self._value(found, schema["items"], depth + 1) for _ in range(count)]
        if kind == "boolean":
            return self._any.random() < 0.5
        if kind in {"integer", "number"}:
            return self._any.choice([0, 1, 5, 10, -1, 2**31 - 1, 600])
        if "enum" in schema:
            return self._any.choice(schema["enum"])
        return self._any.choice(NUMBERS if "int" in schema.get("format", "") else TEXTS)


@pytest.mark.parametrize("seed", range(2))
def test_nothing_that_is_sent_makes_a_500(tmp_path: Path, seed: int) -> None:
    """Requests by the schema, right and wrong, are answered with anything but a crash."""
    cloud = Cloud(tmp_path / "state", clock=VirtualClock(), only=[STORAGE, PUBSUB])
    fuzzer = Fuzzer(cloud, seed)
    statuses = set()
    for number in range(1200):
        if number % 50 == 0:
            fuzzer.plant()
        status, asked = fuzzer.shoot(STORAGE if number % 2 else PUBSUB)
        assert status != 500, asked
        statuses.add(status)
    cloud.close()

    assert {200, 400, 404, 409, 412} <= statuses
