"""Berth in a local cloud of its own, called the way its users call it."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

import pytest
import requests

ROOT = Path(__file__).parents[2]
PROGRAMS = (Path(__file__).parent / "programs", ROOT / "examples")
PROJECT = "berth-test"
REGION = "europe-west1"
OWNER = "owner@example.com"
ANA = "ana@example.com"
CLEO = "cleo@example.com"
PATIENCE = 900
"""In seconds, of whoever waits for what takes 30 on an idle machine: others may need it, too."""


class Installation:
    """A local cloud, and Berth installed into it by its own command."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.environment = {
            name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
        }
        self.number = ""
        self._tokens: dict[tuple[str, ...], str] = {}

    # -- commands ------------------------------------------------------------------------------

    def run(self, *command: str, timeout: float = PATIENCE, **more: str) -> str:
        """Return what a Python program prints; show everything when it fails."""
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment | more,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert ended.returncode == 0, (
            f"{command}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        )
        return ended.stdout.strip()

    def program(self, name: str, *arguments: str, **more: str) -> Any:
        """Return the JSON that one of the programs prints: Google's clients, unmodified."""
        found = next(one for folder in PROGRAMS if (one := folder / f"{name}.py").exists())
        said = self.run(str(found), *arguments, timeout=PATIENCE, **more)
        return json.loads(said.splitlines()[-1])

    def begin(self, output: IO[str], *command: str) -> subprocess.Popen[str]:
        """Start a Python program that goes on for a while."""
        return subprocess.Popen(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment | {"PYTHONUNBUFFERED": "1"},
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def cloud(self, *words: str) -> str:
        """Return what `python -m localcloud WORDS` prints."""
        return self.run("-m", "localcloud", *words, "--state", str(self.state))

    def start(self) -> None:
        """Start the local cloud and take over the variables that lead Google's clients to it."""
        self.cloud("up", "--project", PROJECT, "--region", REGION)
        exports = re.findall(r"^export (\w+)=(.*)$", self.cloud("env"), flags=re.MULTILINE)
        self.environment.update({name: value.strip("'\"") for name, value in exports})
        self.number = self.cloud("status", "--format", "project-number")

    def stop(self) -> None:
        """Stop the local cloud."""
        self.cloud("down")

    def install(self, *options: str) -> str:
        """Run the installer; return what it prints."""
        policy = str(ROOT / "examples" / "policy.yaml")
        command = ["apply", "--project", PROJECT, "--region", REGION, "--policy", policy, *options]
        return self.run("-m", "install", *command)

    # -- callers -------------------------------------------------------------------------------

    def token(self, caller: str, *options: str) -> str:
        """Return a token of *caller*; a new one only if there is none yet."""
        key = (caller, *options)
        if key not in self._tokens:
            self._tokens[key] = self.cloud("token", *key)
        return self._tokens[key]

    def session(self, token: str | None = None) -> requests.Session:
        """Return a session that goes through the local cloud's door, as Google's clients do."""
        session = requests.Session()
        session.trust_env = False
        session.proxies = {"https": self.environment["HTTPS_PROXY"]}
        session.verify = self.environment["REQUESTS_CA_BUNDLE"]
        if token is not None:
            session.headers["Authorization"] = f"Bearer {token}"
        return session

    @property
    def api_url(self) -> str:
        """Where Berth's api answers."""
        return f"https://berth-api-{self.number}.{REGION}.run.app"

    def api(
        self, method: str, path: str, body: Any = None, *, caller: str = ANA
    ) -> requests.Response:
        """Call Berth's api as *caller*."""
        session = self.session(self.token(caller))
        return session.request(method, self.api_url + path, json=body, timeout=60)

    def post(self, name: str, *, caller: str = ANA, **wishes: Any) -> dict[str, Any]:
        """Ask for a deployment and see the request accepted."""
        body = {"name": name, "team": "risk", **wishes}
        answer = self.api("POST", "/v1/deployments", body, caller=caller)
        assert answer.status_code == 202, answer.text
        assert answer.headers["Location"] == f"/v1/deployments/{name}"
        found: dict[str, Any] = answer.json()
        return found

    def delete(self, name: str) -> dict[str, Any]:
        """Ask for the removal of a deployment and wait until it is gone."""
        answer = self.api("DELETE", f"/v1/deployments/{name}")
        assert answer.status_code == 202, answer.text
        return self.wait(name, "DELETED", "FAILED")

    def show(self, name: str) -> dict[str, Any]:
        """Return a deployment."""
        found: dict[str, Any] = self.api("GET", f"/v1/deployments/{name}").json()
        return found

    def wait(self, name: str, *until: str, seconds: float = PATIENCE) -> dict[str, Any]:
        """Return the deployment once its state is one of *until*."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            deployment = self.show(name)
            if deployment["state"] in until:
                return deployment
            time.sleep(0.5)
        pytest.fail(
            f"{name} is {deployment['state']}, not {until}, after {seconds} s: {deployment}"
        )

    def google(self, url: str, method: str = "GET", **options: Any) -> Any:
        """Return the JSON answer of one of Google's APIs, asked as the owner of the project."""
        session = self.session(self.token(OWNER, "--access"))
        answer = session.request(method, url, timeout=60, **options)
        assert answer.ok, answer.text
        return answer.json() if answer.content else {}

    def pages(self, url: str, field: str, **parameters: str) -> list[Any]:
        """Return everything a list of Google's holds."""
        found: list[Any] = []
        while True:
            page = self.google(url, params=parameters)
            found += page.get(field, [])
            if not page.get("nextPageToken"):
                return found
            parameters = {**parameters, "pageToken": page["nextPageToken"]}

    def password(self, name: str, purpose: str = "admin-password") -> str:
        """Return a generated password of a deployment, as the owner of the project may."""
        secret = f"projects/{PROJECT}/secrets/mlflow-{name}-{purpose}/versions/latest:access"
        answer = self.google(f"https://secretmanager.googleapis.com/v1/{secret}")
        import base64

        return base64.b64decode(answer["payload"]["data"]).decode()

    def executions(self, name: str) -> list[dict[str, Any]]:
        """Return the executions of both workflows that were started for a deployment."""
        parent = (
            f"https://workflowexecutions.googleapis.com/v1/projects/{PROJECT}/locations/{REGION}"
        )
        return [
            execution
            for workflow in ("berth-provision", "berth-teardown")
            for execution in self.pages(
                f"{parent}/workflows/{workflow}/executions", "executions", view="FULL"
            )
            if execution.get("labels", {}).get("berth-deployment") == name
        ]
