"""Berth's functions as processes of their own, on a local cloud in the test's process.

Google's clients read where the metadata server and the certificates are when they are imported,
so a function gets its process, as it does in the cloud. Stands in for the workflow: tests write
status.json themselves, where they need one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from localcloud.machines.containers.container_ports import free_port
from tests.functions.conftest import BUCKET, ROOT, make_platform, make_policy

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.cloud import Cloud, Response

OWNER = "owner@example.com"
LONGEST_START = 120
"""Of a process that lives: one that has ended is noticed at once, so patience costs nothing."""

LONGEST_END = 60
"""gunicorn gives its threads 30 s to end what they are at, and kills them then."""

APIS = (
    "cloudbuild.googleapis.com",
    "secretmanager.googleapis.com",
    "sqladmin.googleapis.com",
    "workflowexecutions.googleapis.com",
    "workflows.googleapis.com",
)


@dataclass
class Function:
    """One function, served by functions-framework in a child process."""

    target: str
    process: subprocess.Popen[bytes]
    port: int

    def call(self, method: str, path: str, body: Any = None, *, token: str = "") -> Any:
        """Call it; the answer is that of requests."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        url = f"http://127.0.0.1:{self.port}{path}"
        return requests.request(method, url, json=body, headers=headers, timeout=60)


@dataclass
class Berth:
    """A local cloud with a registry, and the functions that a test starts."""

    cloud: Cloud
    logs: Path
    functions: dict[str, Function] = field(default_factory=dict)

    def start(self, target: str, *, account: str = OWNER) -> Function:
        """Start a function that acts as an account, and wait until it answers."""
        port = free_port()
        environment = {
            **self.cloud.environment(account),
            "PATH": os.environ["PATH"],
            "BERTH_REGISTRY": BUCKET,
            "K_SERVICE": f"berth-{target}",
        }
        command = ["-m", "functions_framework", "--source", "main.py", "--target", target]
        with (self.logs / f"{target}.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *command, "--host", "127.0.0.1", "--port", str(port)],
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        function = Function(target, process, port)
        self.functions[target] = function
        self._wait(function)
        return function

    def stop(self) -> None:
        """End every function."""
        for function in self.functions.values():
            function.process.terminate()
            function.process.wait(LONGEST_END)

    def api(self, method: str, path: str, body: Any = None, *, who: str = "ana@example.com") -> Any:
        """Call the api as somebody, with the token that gcloud would give."""
        token = self.cloud.tokens.id_token(who, "32555940559.apps.googleusercontent.com")
        return self.functions["api"].call(method, path, body, token=token)

    def google(self, method: str, url: str, body: Any = None) -> Response:
        """Call one of Google's APIs as the owner of the project."""
        token = self.cloud.tokens.access_token(OWNER)
        headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        data = b"" if body is None else json.dumps(body).encode()
        answer = self.cloud.request(method, url, headers=headers, body=data)
        assert answer.status < 300, answer.body
        return answer

    def found(self, project: str) -> None:
        """Make what the installation would have: APIs, registry, topic, platform and policy."""
        self.cloud.enable(*APIS)
        bucket = {"name": BUCKET, "location": "EU", "versioning": {"enabled": True}}
        self.google(
            "POST", f"https://storage.googleapis.com/storage/v1/b?project={project}", bucket
        )
        self.put("platform.json", make_platform(project=project).document())
        self.put("policy.yaml", make_policy(limits={"deployments": 1000}).document())

    def put(self, name: str, document: Any, *, metadata: dict[str, str] | None = None) -> None:
        """Write an object of the registry."""
        content = json.dumps(document)
        described = json.dumps({"name": name, "metadata": metadata or {}})
        body = (
            f"--b\r\nContent-Type: application/json\r\n\r\n{described}\r\n"
            f"--b\r\nContent-Type: application/json\r\n\r\n{content}\r\n--b--"
        ).encode()
        answer = self.cloud.request(
            "POST",
            f"https://storage.googleapis.com/upload/storage/v1/b/{BUCKET}/o?uploadType=multipart",
            headers={
                "authorization": f"Bearer {self.cloud.tokens.access_token(OWNER)}",
                "content-type": "multipart/related; boundary=b",
            },
            body=body,
        )
        assert answer.status == 200, answer.body

    def get(self, name: str) -> Any:
        """Read an object of the registry."""
        url = f"https://storage.googleapis.com/storage/v1/b/{BUCKET}/o/{quote(name, safe='')}"
        return json.loads(self.google("GET", url + "?alt=media").body)

    def wish(self, name: str, **changes: Any) -> None:
        """Write a spec as the api would; what is not one of its fields goes into the request."""
        team = changes.pop("team", "risk")
        fields = {
            "name": name,
            "generation": changes.pop("generation", 1),
            "uid": "3f9c2b7a41d0",
            "desired": changes.pop("desired", "present"),
            "brought": changes.pop("brought", {}),
            "created_by": "ana@example.com",
            "created": "2026-11-20T07:00:00Z",
            "updated": "2026-11-20T07:00:00Z",
        }
        request = {"name": name, "team": team, "region": "europe-west1", **changes}
        metadata = {
            "state": "PENDING" if fields["desired"] == "present" else "DELETING",
            "team": team,
            "generation": str(fields["generation"]),
            "url": "",
        }
        spec = {**fields, "request": request}
        self.put(f"deployments/{name}/spec.json", spec, metadata=metadata)

    def helper(self, target: str, body: Any) -> Any:
        """Call a helper as the workflow does, with the token that Cloud Run lets through."""
        workflow = make_platform(project=self.cloud.project).accounts.workflow
        token = self.cloud.tokens.id_token(workflow, f"https://berth-{target}.example")
        stripped = token.rsplit(".", 1)[0] + ".SIGNATURE_REMOVED_BY_GOOGLE"
        return self.functions[target].call("POST", "/", body, token=stripped)

    def report(self, name: str, state: str, *, generation: int = 1, **more: Any) -> None:
        """Write a status as the workflow would."""
        status = {
            "generation": generation,
            "state": state,
            "updated": "2026-11-20T08:00:00Z",
            **more,
        }
        metadata = {
            "state": state,
            "team": more.pop("team", "risk"),
            "generation": str(generation),
            "url": more.get("url") or "",
            "certificate": more.get("certificate") or "",
        }
        status.pop("team", None)
        self.put(f"deployments/{name}/status.json", status, metadata=metadata)

    def _wait(self, function: Function) -> None:
        deadline = time.monotonic() + LONGEST_START
        while time.monotonic() < deadline:
            if function.process.poll() is not None:
                break
            try:
                function.call("GET", "/v1/openapi.json")
            except requests.ConnectionError:
                time.sleep(0.05)
            else:
                return
        log = (self.logs / f"{function.target}.log").read_text()
        raise AssertionError(f"{function.target} did not start:\n{log[-3000:]}")
