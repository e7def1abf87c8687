"""The whole of Berth in one run, on the local cloud: ask, wait, log in, train, register, predict.

`make demo` calls it, with the local cloud's variables in the environment. What is local here is
only where tokens and the browser's link come from; everything else is what a team does on Google
Cloud.
"""

import argparse
import base64
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import google.auth
import requests
from google.auth.transport.requests import AuthorizedSession

CALLER = "ana@example.com"
REQUEST = {"name": "demo", "team": "risk", "access": {"mode": "basic_auth"}}
PARTS = (
    "identity",
    "image",
    "backend_store",
    "artifact_root",
    "schema",
    "tracking_server",
    "access",
    "verify",
)
POLL_SECONDS = 0.25
PATIENCE_SECONDS = 900
MARKS = {"DONE": "✓", "FAILED": "✗", "REMOVED": "-"}


class LocalCloud:
    """What only the local cloud can say: tokens of made-up people, and links for a browser."""

    def __init__(self, state: str) -> None:
        self.state = state

    def say(self, *words: str) -> str:
        """Return what `python -m localcloud WORDS` prints."""
        command = [sys.executable, "-m", "localcloud", *words, "--state", self.state]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603 - our own command


class Api:
    """Berth's api, called as one person."""

    def __init__(self, url: str, token: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the JSON answer; stop with the problem when there is one."""
        answer = self.session.request(method, self.url + path, json=body, timeout=60)
        if answer.status_code == requests.codes.not_found:
            return None
        if not answer.ok:
            sys.exit(f"{method} {path}: {answer.status_code}\n{answer.text}")
        return answer.json()

    def wait(self, name: str, *, until: set[str]) -> dict[str, Any]:
        """Return the deployment once its state is in *until*; on the way to READY, print each part."""
        shown: set[str] = set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            deployment: dict[str, Any] = self.call("GET", f"/v1/deployments/{name}")
            for part in PARTS if "READY" in until else ():
                status = deployment["parts"].get(part, {})
                if part not in shown and status.get("state") in {"DONE", "FAILED"}:
                    shown.add(part)
                    print(part_line(part, status), flush=True)
            if deployment["state"] in until:
                return deployment
            time.sleep(POLL_SECONDS)
        sys.exit(f"{name} is still {deployment['state']} after {PATIENCE_SECONDS} s")


def part_line(part: str, status: dict[str, Any]) -> str:
    """Return one line of progress: part, mark, seconds, what was made."""
    started, finished = status.get("started"), status.get("finished")
    seconds = ""
    if started and finished:
        taken = (datetime.fromisoformat(finished) - datetime.fromisoformat(started)).total_seconds()
        seconds = f"{taken:.1f} s" if taken < 10 else f"{taken:.0f} s"  # noqa: PLR2004 - a style
    return f"  {part:<17} {MARKS[status['state']]}  {seconds:<6}  {status.get('summary') or ''}".rstrip()


def seconds_since(moment: float) -> str:
    """Return the time since *moment*, for people."""
    return f"{time.monotonic() - moment:.0f} s"


def admin_password(project: str, name: str) -> str:
    """Return the password of the deployment's administrator, as the owner of the project may."""
    session = AuthorizedSession(google.auth.default()[0])  # type: ignore[no-untyped-call]  # not typed there
    secret = f"projects/{project}/secrets/mlflow-{name}-admin-password/versions/latest:access"
    answer = session.get(f"https://secretmanager.googleapis.com/v1/{secret}", timeout=30)
    answer.raise_for_status()
    return base64.b64decode(answer.json()["payload"]["data"]).decode()


def train(url: str, password: str) -> None:
    """Run the wine-quality walk-through through the new server."""
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": url,
        "MLFLOW_TRACKING_USERNAME": "admin",
        "MLFLOW_TRACKING_PASSWORD": password,
        "MLFLOW_LOGGING_LEVEL": "ERROR",
        "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    }
    print("training on wine quality … ", end="", flush=True)
    example = Path(__file__).with_name("wine_quality.py")
    # What MLflow says besides is only of interest when something goes wrong.
    ended = subprocess.run(  # noqa: S603 - our own
        [sys.executable, str(example)], env=environment, stderr=subprocess.PIPE, check=False
    )
    if ended.returncode:
        sys.exit(f"the walk-through failed:\n{ended.stderr.decode()}")


def remove_last_time(api: Api) -> None:
    """Remove what an earlier demo left, so that this one shows the whole way again."""
    found = api.call("GET", "/v1/deployments/demo")
    if found is None or found["state"] == "DELETED":
        return
    started = time.monotonic()
    print("DELETE /v1/deployments/demo   (left from the last time)", flush=True)
    api.call("DELETE", "/v1/deployments/demo")
    ended = api.wait("demo", until={"DELETED", "FAILED"})
    print(f"{ended['state']} in {seconds_since(started)}\n", flush=True)


def main() -> None:
    """Show everything once; leave the deployment for the reader to look at."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", default=".localcloud")
    parser.add_argument("--project", default="berth-local")
    parser.add_argument("--region", default="europe-west1")
    arguments = parser.parse_args()
    cloud = LocalCloud(arguments.state)
    number = cloud.say("status", "--format", "project-number")
    api = Api(f"https://berth-api-{number}.{arguments.region}.run.app", cloud.say("token", CALLER))
    remove_last_time(api)

    started = time.monotonic()
    print('POST /v1/deployments {"name": "demo", "team": "risk", "access": {"mode": "basic_auth"}}')
    api.call("POST", "/v1/deployments", REQUEST)
    print("202, Location: /v1/deployments/demo", flush=True)
    deployment = api.wait("demo", until={"READY", "FAILED"})
    if deployment["state"] == "FAILED":
        problem = deployment["problem"]
        sys.exit(
            f"FAILED at {problem.get('step')}: {problem.get('detail')}\n"
            f"cause:  {problem.get('cause')}\nremedy: {problem.get('remedy')}"
        )
    password = admin_password(arguments.project, "demo")
    print(f"READY in {seconds_since(started)}   {cloud.say('link', deployment['url'])}")
    print("  user:     admin")
    print(f"  password: {password}")
    print(f"  programs: MLFLOW_TRACKING_URI={deployment['url']}\n")
    train(deployment["url"], password)


if __name__ == "__main__":
    main()
