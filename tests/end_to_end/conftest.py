"""One local cloud with Berth installed into it by its own command, shared by these tests."""

import os
import re
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).parents[2]
PROJECT = "berth-test"
REGION = "europe-west1"
HISTORY = ("/operations/", "/executions/", "/builds/")
"""What Google keeps of things done: records, not resources."""


class Installation:
    """Berth in a local cloud of its own, called the way its users call it."""

    def __init__(self, state: Path) -> None:
        self.state = state
        self.environment = {
            name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
        }

    def run(self, *command: str, timeout: float = 300) -> str:
        """Return what a Python module prints; show everything when it fails."""
        ended = subprocess.run(
            [sys.executable, *command],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert ended.returncode == 0, f"{command}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout.strip()

    def cloud(self, *words: str) -> str:
        """Return what `python -m localcloud WORDS` prints."""
        return self.run("-m", "localcloud", *words, "--state", str(self.state))

    def start(self) -> None:
        """Start the local cloud and take over the variables that lead Google's clients to it."""
        self.cloud("up", "--project", PROJECT, "--region", REGION)
        exports = re.findall(r"^export (\w+)=(.*)$", self.cloud("env"), flags=re.MULTILINE)
        self.environment.update({name: value.strip("'\"") for name, value in exports})
        self.number = self.cloud("status", "--format", "project-number")

    def install(self, *options: str) -> str:
        """Run the installer; return what it prints."""
        policy = str(ROOT / "examples" / "policy.yaml")
        command = ["apply", "--project", PROJECT, "--region", REGION, "--policy", policy, *options]
        return self.run("-m", "install", *command, timeout=600)

    def session(self, token: str | None = None) -> requests.Session:
        """Return a session that goes through the local cloud's door, as Google's clients do."""
        session = requests.Session()
        session.trust_env = False
        session.proxies = {"https": self.environment["HTTPS_PROXY"]}
        session.verify = self.environment["REQUESTS_CA_BUNDLE"]
        if token is not None:
            session.headers["Authorization"] = f"Bearer {token}"
        return session

    def api(
        self, method: str, path: str, body: Any = None, *, caller: str = "ana@example.com"
    ) -> requests.Response:
        """Call Berth's api as *caller*."""
        url = f"https://berth-api-{self.number}.{REGION}.run.app{path}"
        return self.session(self.cloud("token", caller)).request(method, url, json=body, timeout=60)

    def wait(self, name: str, *until: str, seconds: float = 300) -> dict[str, Any]:
        """Return the deployment once its state is one of *until*."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            deployment: dict[str, Any] = self.api("GET", f"/v1/deployments/{name}").json()
            if deployment["state"] in until:
                return deployment
            time.sleep(0.5)
        pytest.fail(f"{name} is {deployment['state']}, not {until}, after {seconds} s: {deployment}")

    def google(self, url: str, **options: Any) -> Any:
        """Return the JSON answer of one of Google's APIs, asked as the owner of the project."""
        token = self.cloud("token", "owner@example.com", "--access")
        answer = self.session(token).get(url, timeout=60, **options)
        assert answer.ok, answer.text
        return answer.json()

    def resources(self) -> dict[tuple[str, str], str]:
        """Return everything the local cloud holds, by API and name."""
        rows: dict[tuple[str, str], str] = {}
        for file in self.state.glob("*.sqlite*"):
            if file.suffix != ".sqlite":
                continue
            with sqlite3.connect(f"file:{file}?mode=ro", uri=True) as database:
                for api, name, body in database.execute("select api, name, body from resources"):
                    if not any(part in name for part in HISTORY):
                        rows[api, name] = body
        return rows


@pytest.fixture(scope="session")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """A local cloud, up, with Berth installed; stopped at the end."""
    installation = Installation(tmp_path_factory.mktemp("cloud") / "state")
    installation.start()
    try:
        installation.install()
        yield installation
    finally:
        installation.cloud("down")
