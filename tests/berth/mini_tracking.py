"""A stand-in for MLflow's server: as much of its API as a training calls, and it counts.

It looks at no token; whoever stands in front of it does. The image's own tests have the real one.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

RUN = "0123456789abcdef0123456789abcdef"
PARTS = "https://parts-123456789012.europe-west1.run.app"
"""Where large artifacts go in parts, in place of the bucket."""

_API = "/api/2.0/mlflow"
_INFO = {
    "run_id": RUN,
    "run_uuid": RUN,
    "experiment_id": "0",
    "status": "RUNNING",
    "lifecycle_stage": "active",
    "artifact_uri": f"mlflow-artifacts:/0/{RUN}/artifacts",
}


class MiniTracking:
    """A WSGI application that remembers what it got."""

    def __init__(self) -> None:
        """Begin empty."""
        self.metrics: list[float] = []
        self.artifacts: dict[str, int] = {}
        self.parts: list[int] = []
        self.parts_seen_tokens: list[str] = []
        self.tokens: list[str] = []
        self._lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer one request."""
        path, token = environ["PATH_INFO"], environ.get("HTTP_AUTHORIZATION", "")
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        with self._lock:
            if token not in self.tokens:
                self.tokens.append(token)
            status, answer = self._answer(environ["REQUEST_METHOD"], path, body)
        start(status, [("content-type", "application/json")])
        return [json.dumps(answer).encode()]

    def take_part(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """Answer as the bucket does to a part with a signed URL."""
        with self._lock:
            self.parts.append(len(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))))
            self.parts_seen_tokens.append(environ.get("HTTP_AUTHORIZATION", ""))
        start("200 OK", [("etag", f'"{len(self.parts)}"')])
        return [b""]

    def _answer(self, method: str, path: str, body: bytes) -> tuple[str, dict[str, Any]]:
        if path in {f"{_API}/runs/create", f"{_API}/runs/get", f"{_API}/runs/update"}:
            return "200 OK", {"run": {"info": _INFO, "data": {}}, "run_info": _INFO}
        if path == f"{_API}/runs/log-metric":
            self.metrics.append(json.loads(body)["value"])
            return "200 OK", {}
        if method == "PUT" and path.startswith(f"{_API}-artifacts/artifacts/"):
            self.artifacts[path.rpartition("/")[2]] = len(body)
            return "200 OK", {}
        if path.startswith(f"{_API}-artifacts/mpu/create/"):
            asked = json.loads(body)
            numbers = range(1, asked["num_parts"] + 1)
            parts = [{"url": f"{PARTS}/{n}", "part_number": n, "headers": {}} for n in numbers]
            return "200 OK", {"upload_id": "upload", "credentials": parts}
        if path.startswith(f"{_API}-artifacts/mpu/complete/"):
            self.artifacts[json.loads(body)["path"].rpartition("/")[2]] = sum(self.parts)
            return "200 OK", {}
        return "404 Not Found", {"error_code": "ENDPOINT_NOT_FOUND", "message": path}
