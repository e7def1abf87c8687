"""Berth's api, called as one person, with what it reports shown as it comes."""

import sys
import time
from datetime import datetime
from typing import Any, get_args

import requests

from schemas.deployment import Part

PARTS: tuple[str, ...] = get_args(Part)
POLL_SECONDS = 0.25
PATIENCE_SECONDS = 900
MARKS = {"DONE": "✓", "FAILED": "✗", "REMOVED": "-"}


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

    def wait(self, name: str, *, generation: int, until: set[str]) -> dict[str, Any]:
        """Return the deployment once its state is in *until*; print each part as it ends.

        Stop when the generation is not the one that was asked for: somebody else asks, too.
        """
        shown: set[str] = set()
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            deployment: dict[str, Any] | None = self.call("GET", f"/v1/deployments/{name}")
            if deployment is None:
                sys.exit(f"nothing is known of {name} any more: the registry was emptied meanwhile")
            if deployment["generation"] != generation:
                sys.exit(
                    f"somebody else has asked for {name} meanwhile, or for its removal: it is "
                    f"{deployment['state']} in generation {deployment['generation']}, not {generation}"
                )
            for part in PARTS if "READY" in until else ():
                status = deployment["parts"].get(part, {})
                if part not in shown and status.get("state") in {"DONE", "FAILED"}:
                    shown.add(part)
                    print(part_line(part, status), flush=True)
            if deployment["state"] in until:
                return deployment
            time.sleep(POLL_SECONDS)
        sys.exit(f"{name} is still not {' or '.join(sorted(until))} after {PATIENCE_SECONDS} s")

    def make(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask for a deployment and return it once it is READY; stop with the problem if it fails."""
        asked = self.call("POST", "/v1/deployments", request)
        print(f"202, Location: /v1/deployments/{request['name']}", flush=True)
        generation = asked["generation"]
        deployment = self.wait(request["name"], generation=generation, until={"READY", "FAILED"})
        if deployment["state"] == "FAILED":
            problem = deployment["problem"]
            sys.exit(
                f"FAILED at {problem.get('step')}: {problem.get('detail')}\n"
                f"cause:  {problem.get('cause')}\nremedy: {problem.get('remedy')}"
            )
        return deployment

    def remove(self, name: str, why: str = "") -> None:
        """Remove a deployment, if there is one, and wait until it is gone."""
        found = self.call("GET", f"/v1/deployments/{name}")
        if found is None or found["state"] == "DELETED":
            return
        started = time.monotonic()
        print(f"DELETE /v1/deployments/{name}   {why}".rstrip(), flush=True)
        asked = self.call("DELETE", f"/v1/deployments/{name}")
        ended = self.wait(name, generation=asked["generation"], until={"DELETED", "FAILED"})
        if ended["state"] == "FAILED":
            sys.exit(f"FAILED: {ended['problem'].get('detail')}")
        print(f"{ended['state']} in {seconds_since(started)}\n", flush=True)


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
