"""Stands in for MLflow: as much of its REST API as the proof uses, with faults to choose from.

The real server is used by the tests in tests/end_to_end; this one can misbehave on request.
"""

from __future__ import annotations

import base64
import itertools
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from werkzeug.wrappers import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.cloud import Cloud

API = "/api/2.0/mlflow/"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts/"
PARTS = "/api/2.0/mlflow-artifacts/mpu/"
OWNER = "owner@example.com"
WALL = 32 * 1024 * 1024
"""What Cloud Run takes in one request over HTTP/1."""


@dataclass
class Tracking:
    """One server; `faults` names what it does wrong, or a call that it answers with a page.

    Args:
        allows: Says whether a request's Authorization header is a member's.
        version: What /version answers.
        parts: Where artifacts go that come in parts, if they may.
    """

    allows: Callable[[str], bool]
    version: str = "3.17.2"
    faults: set[str] = field(default_factory=set)
    parts: Parts | None = None
    experiments: dict[str, dict[str, str]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)
    artifacts: dict[str, bytes] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer as WSGI wants it."""
        return self.answer(Request(environ))(environ, start_response)

    def answer(self, request: Request) -> Response:
        """Check who calls and from which page, then do what is asked."""
        known = self.allows(request.headers.get("Authorization", ""))
        if "open door" not in self.faults and not known:
            return Response("who are you", 401, {"WWW-Authenticate": 'Basic realm="mlflow"'})
        if "member refused" in self.faults:
            return Response("not you", 403)
        if "down" in self.faults:
            return Response("no", 503)
        origin = request.headers.get("Origin")
        own = f"https://{request.host}"
        if origin and "any origin" not in self.faults and origin != own:
            return Response("Cross-origin request blocked", 403)
        if origin == own and "own origin blocked" in self.faults:
            return Response("Cross-origin request blocked", 403)
        if request.path == "/version":
            return Response(self.version)
        if request.path.startswith(ARTIFACTS):
            return self.artifact(request)
        if request.path.startswith(PARTS) and self.parts is not None:
            return self.in_parts(self.parts, request)
        name = request.path.removeprefix("/ajax-api/2.0/mlflow/").removeprefix(API)
        known_calls: dict[str, Callable[[dict[str, Any]], Any]] = {
            "experiments/search": lambda _body: {"experiments": []},
            "experiments/create": self.create_experiment,
            "experiments/get-by-name": self.get_experiment,
            "experiments/restore": lambda body: self.mark(body, "active"),
            "experiments/delete": lambda body: self.mark(body, "deleted"),
            "runs/create": self.create_run,
            "runs/log-metric": self.log_metric,
            "runs/get": lambda body: {"run": self.runs[body["run_id"]]},
            "runs/delete": lambda body: self.runs.pop(body["run_id"]) and {},
        }
        if name in self.faults:
            return Response("<html>Welcome</html>", mimetype="text/html")
        body = dict(request.args) | (json.loads(request.data) if request.data else {})
        answer = known_calls[name](body)
        status = 400 if "error_code" in answer else 200
        return Response(json.dumps(answer), status, mimetype="application/json")

    def create_experiment(self, body: dict[str, Any]) -> dict[str, Any]:
        """Refuse a name that is there, deleted or not, as MLflow does."""
        if body["name"] in self.experiments:
            return {"error_code": "RESOURCE_ALREADY_EXISTS"}
        number = str(next(self.numbers))
        found = {"experiment_id": number, "name": body["name"], "lifecycle_stage": "active"}
        self.experiments[body["name"]] = found
        return found

    def get_experiment(self, body: dict[str, Any]) -> dict[str, Any]:
        """Find an experiment by name."""
        return {"experiment": self.experiments[body["experiment_name"]]}

    def mark(self, body: dict[str, Any], stage: str) -> dict[str, Any]:
        """Delete or restore an experiment."""
        for found in self.experiments.values():
            if found["experiment_id"] == body["experiment_id"]:
                found["lifecycle_stage"] = stage
        return {}

    def create_run(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a run; one cannot be made in a deleted experiment."""
        stages = {e["experiment_id"]: e["lifecycle_stage"] for e in self.experiments.values()}
        if stages[body["experiment_id"]] != "active":
            return {"error_code": "INVALID_PARAMETER_VALUE"}
        number = f"run{next(self.numbers)}"
        scheme = "gs://bucket" if "direct artifacts" in self.faults else "mlflow-artifacts:"
        uri = f"{scheme}/{body['experiment_id']}/{number}/artifacts"
        info = {"run_id": number, "artifact_uri": uri}
        self.runs[number] = {"info": info, "data": {"metrics": []}}
        return {"run": self.runs[number]}

    def log_metric(self, body: dict[str, Any]) -> dict[str, Any]:
        """Keep a metric, unless that is what goes wrong."""
        if "metrics lost" not in self.faults:
            self.runs[body["run_id"]]["data"]["metrics"].append(
                {"key": body["key"], "value": body["value"]}
            )
        return {}

    def in_parts(self, parts: Parts, request: Request) -> Response:
        """Begin, end or give up an upload in parts."""
        verb, _, folder = request.path.removeprefix(PARTS).partition("/")
        body = json.loads(request.data)
        name = f"{folder}/{body['path']}"
        if f"parts cannot {verb}" in self.faults:
            return Response("no", 500)
        if f"parts/{verb}" in self.faults:
            return Response("[]", mimetype="application/json")
        if verb == "create":
            upload, urls = parts.begin(name, body["num_parts"])
            if "parts elsewhere" in self.faults:
                urls = [url.replace("storage.googleapis.com", "stranger.example") for url in urls]
            if "parts nowhere" in self.faults:
                urls = ["https://[there" for _ in urls]
            if "parts expired" in self.faults:
                urls = [url.replace(upload, "gone") for url in urls]
            if "too few parts" in self.faults:
                urls = urls[1:]
            credentials = [
                {"part_number": number, "url": url, "headers": {}}
                for number, url in enumerate(urls, start=1)
            ]
            return Response(json.dumps({"upload_id": upload, "credentials": credentials}))
        if verb == "complete":
            self.artifacts[name] = parts.end(name, body["upload_id"], body["parts"])
        else:
            parts.give_up(name, body["upload_id"])
        return Response("{}")

    def artifact(self, request: Request) -> Response:
        """Take, give or drop a file."""
        path = request.path.removeprefix(ARTIFACTS)
        if request.method == "PUT":
            if "wall" in self.faults and (request.content_length or 0) > WALL:
                return Response("Error: Request Entity Too Large", 413)
            self.artifacts[path] = request.data
            return Response("{}")
        if request.method == "DELETE":
            self.artifacts.pop(path, None)
            return Response("{}", 500 if "artifacts stay" in self.faults else 200)
        if "artifacts unreadable" in self.faults:
            return Response("no", 503)
        content = self.artifacts[path]
        return Response(content[::-1] if "artifacts damaged" in self.faults else content)


@dataclass
class Parts:
    """A bucket of a local cloud that takes parts from everybody, in place of signed addresses."""

    cloud: Cloud
    bucket: str
    given_up: list[str] = field(default_factory=list)

    def begin(self, name: str, count: int) -> tuple[str, list[str]]:
        """Begin an upload; return its id and where its parts go."""
        text = self._ask("POST", f"{name}?uploads").decode()
        upload = text.partition("<UploadId>")[2].partition("<")[0]
        base = f"https://storage.googleapis.com/{self.bucket}/{name}"
        return upload, [f"{base}?partNumber={n}&uploadId={upload}" for n in range(1, count + 1)]

    def end(self, name: str, upload: str, parts: list[dict[str, Any]]) -> bytes:
        """Join the parts; return what they are together."""
        listed = "".join(
            f"<Part><PartNumber>{part['part_number']}</PartNumber><ETag>{part['etag']}</ETag></Part>"
            for part in parts
        )
        whole = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
        self._ask("POST", f"{name}?uploadId={upload}", whole.encode())
        content = self._ask("GET", name)
        self._ask("DELETE", name)
        return content

    def give_up(self, name: str, upload: str) -> None:
        """Forget the parts."""
        self._ask("DELETE", f"{name}?uploadId={upload}")
        self.given_up.append(upload)

    def _ask(self, method: str, what: str, body: bytes = b"") -> bytes:
        answer = self.cloud.request(
            method,
            f"https://storage.googleapis.com/{self.bucket}/{what}",
            headers={"authorization": f"Bearer {self.cloud.tokens.access_token(OWNER)}"},
            body=body,
        )
        assert answer.status < 300, answer.body
        return answer.body


def basic(username: str, password: str) -> str:
    """Return the header of a login."""
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
