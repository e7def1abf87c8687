"""Running conformance cases: plain YAML data, a scripted transport, a virtual clock.

``python -m localcloud.workflows.conformance DIR`` prints a line for each failing case and then
``N passed, N failed``.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import yaml

from localcloud.clock import VirtualClock
from localcloud.workflows import values
from localcloud.workflows.code.compiler import compile_source
from localcloud.workflows.effects import HttpReply, HttpRequest
from localcloud.workflows.errors import DeployError
from localcloud.workflows.report import context_text
from localcloud.workflows.running.engine import Engine, TransportError
from localcloud.workflows.running.machine import Execution, Settings

Case = dict[str, Any]
# The service always sets these; a case may say otherwise in ``env``.
_BUILT_IN = {
    "GOOGLE_CLOUD_LOCATION": "us-central1",
    "GOOGLE_CLOUD_PROJECT_ID": "example-project",
    "GOOGLE_CLOUD_PROJECT_NUMBER": "123456789012",
    "GOOGLE_CLOUD_SERVICE_ACCOUNT_NAME": "workflow@example-project.iam.gserviceaccount.com",
    "GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID": "00000000-0000-4000-8000-000000000001",
    "GOOGLE_CLOUD_WORKFLOW_ID": "example",
    "GOOGLE_CLOUD_WORKFLOW_REVISION_ID": "000001-000",
}
_CLOSE = 1e-6  # seconds are sums of doubles


class ScriptedTransport:
    """Answers requests from the ``http`` list of a case and checks them on the way."""

    def __init__(self, script: list[dict[str, Any]]) -> None:
        """Start at the first response of each entry."""
        self.script = script
        self.given = [0] * len(script)
        self.count = 0
        self.complaints: list[str] = []

    def __call__(self, request: HttpRequest) -> HttpReply:
        """Answer a request."""
        self.count += 1
        address, _, query = request.url.partition("?")
        for number, entry in enumerate(self.script):
            if entry["method"] == request.method and entry["url"] == address:
                self._check(entry, request, query)
                responses = entry["responses"]
                response = responses[min(self.given[number], len(responses) - 1)]
                self.given[number] += 1
                return _reply(response)
        self.complaints.append(f"unexpected request: {request.method} {request.url}")
        raise TransportError("refused", f"no script for {request.method} {request.url}")

    def _check(self, entry: dict[str, Any], request: HttpRequest, query: str) -> None:
        if "query" in entry:
            found = {
                key: item if len(item) > 1 else item[0] for key, item in parse_qs(query).items()
            }
            self._expect("query", entry["query"], found)
        if "request_json" in entry:
            self._expect("request_json", entry["request_json"], json.loads(request.body or b"null"))
        if "request_text" in entry:
            self._expect("request_text", entry["request_text"], request.body.decode())
        headers = {name.lower(): value for name, value in request.headers.items()}
        for name, value in entry.get("request_headers", {}).items():
            self._expect(f"header {name}", value, headers.get(name.lower()))

    def _expect(self, what: str, wanted: object, found: object) -> None:
        if not values.equal(wanted, found):
            self.complaints.append(f"{what}: wanted {wanted!r}, found {found!r}")


def _callback_url(execution: Execution, method: str) -> str:
    """Stand-in for an endpoint: nobody calls it."""
    return f"https://workflowexecutions.googleapis.com/v1/callbacks/{method}/{execution.steps}"


def _reply(response: dict[str, Any]) -> HttpReply:
    if "fault" in response:
        raise TransportError(response["fault"])
    body = response.get("body", "")
    headers = {name: str(value) for name, value in response.get("headers", {}).items()}
    if isinstance(body, str):
        content = body
    else:
        content = json.dumps(body)
        if "content-type" not in map(str.lower, headers):
            headers["Content-Type"] = "application/json"
    return HttpReply(response["status"], headers, content.encode())


@dataclass
class Outcome:
    """What came of a case."""

    deploy_error: DeployError | None = None
    execution: Execution | None = None
    elapsed: float = 0.0
    complaints: list[str] = field(default_factory=list)
    requests: int = 0


def run_case(case: Case) -> list[str]:
    """Run a case; give what is wrong, nothing if all is as expected."""
    outcome = _execute(case)
    found = list(outcome.complaints)
    expect = case["expect"]
    if expect.get("deploy_error") or "message_contains" in expect:
        if outcome.deploy_error is None:
            return ["was not refused at deployment"]
        if expect.get("message_contains", "") not in str(outcome.deploy_error):
            return [f"refused with another message: {outcome.deploy_error}"]
        return []
    failed = outcome.execution is None or outcome.execution.state == "FAILED"
    if expect.get("fails"):
        return [] if failed else ["did not fail"]
    if outcome.execution is None:
        return [] if "result_not" in expect else [f"refused: {outcome.deploy_error}"]
    for key, check in _CHECKS.items():
        if key in expect:
            found += check(expect[key], outcome)
    if failed and not {"error", "result_not"} & expect.keys() and outcome.execution.error:
        found.append(f"failed: {context_text(outcome.execution.error)}")
    return found


def _execute(case: Case) -> Outcome:
    try:
        program = compile_source(case["workflow"])
    except DeployError as error:
        return Outcome(deploy_error=error)
    clock = VirtualClock()
    transport = ScriptedTransport(case.get("http", []))
    engine = Engine(clock, transport, create_callback=_callback_url)
    settings = Settings(environment={**_BUILT_IN, **case.get("env", {})})
    execution = Execution(program, case.get("args"), host=engine, settings=settings)
    begun = clock.now()
    execution.start()
    clock.run_until_idle()
    ended = execution.ended if execution.ended is not None else clock.now()
    return Outcome(None, execution, ended - begun, transport.complaints, transport.count)


def _result(wanted: Any, outcome: Outcome) -> list[str]:
    execution = _execution(outcome)
    if execution.state != "SUCCEEDED":
        return [f"ended as {execution.state}"]
    found = json.loads(values.to_json(execution.result))
    if values.equal(wanted, found):
        return []
    return [f"result: wanted {wanted!r}, found {found!r}"]


def _result_not(refused: Any, outcome: Outcome) -> list[str]:
    execution = _execution(outcome)
    if execution.state == "SUCCEEDED" and values.equal(refused, execution.result):
        return [f"result must not be {refused!r}"]
    return []


def _error(wanted: dict[str, Any], outcome: Outcome) -> list[str]:
    execution = _execution(outcome)
    if execution.state != "FAILED" or execution.error is None:
        return [f"did not fail; ended as {execution.state}"]
    value = execution.error.value
    fields = value if isinstance(value, dict) else {}
    tags = fields.get("tags") or []
    found = []
    missing = [tag for tag in wanted.get("tags", []) if tag not in tags]
    if missing:
        found.append(f"tags: wanted {missing}, found {tags}: {context_text(execution.error)}")
    if "tags_any" in wanted and not set(wanted["tags_any"]) & set(tags):
        found.append(f"tags: wanted one of {wanted['tags_any']}, found {tags}")
    found += [
        f"{key}: wanted {wanted[key]!r}, found {fields.get(key)!r}"
        for key in ("code", "message")
        if key in wanted and not values.equal(wanted[key], fields.get(key))
    ]
    if "payload" in wanted and not values.equal(wanted["payload"], value):
        found.append(f"payload: wanted {wanted['payload']!r}, found {value!r}")
    trace = execution.error.trace
    for key in ("step", "routine"):
        if key in wanted and (not trace or getattr(trace[0], key) != wanted[key]):
            place = getattr(trace[0], key) if trace else None
            found.append(f"{key}: wanted {wanted[key]!r}, found {place!r}")
    return found


def _requests(wanted: int, outcome: Outcome) -> list[str]:
    return (
        []
        if wanted == outcome.requests
        else [f"requests: wanted {wanted}, found {outcome.requests}"]
    )


def _sleeps(wanted: list[float], outcome: Outcome) -> list[str]:
    found = _execution(outcome).sleeps
    same = len(wanted) == len(found) and all(
        abs(a - b) < _CLOSE for a, b in zip(wanted, found, strict=True)
    )
    return [] if same else [f"sleeps: wanted {wanted}, found {found}"]


def _elapsed(wanted: list[float], outcome: Outcome) -> list[str]:
    least, most = wanted
    if least - _CLOSE <= outcome.elapsed <= most + _CLOSE:
        return []
    return [f"elapsed: wanted {wanted}, found {outcome.elapsed}"]


def _execution(outcome: Outcome) -> Execution:
    assert outcome.execution is not None
    return outcome.execution


_CHECKS: dict[str, Callable[[Any, Outcome], list[str]]] = {
    "result": _result,
    "result_not": _result_not,
    "error": _error,
    "requests": _requests,
    "sleeps": _sleeps,
    "elapsed": _elapsed,
}


def cases(folder: Path) -> Iterator[tuple[str, Case]]:
    """Give all cases of a folder with their names."""
    for path in sorted(folder.rglob("*.yaml")):
        for case in yaml.safe_load(path.read_text(encoding="utf-8")) or []:
            yield f"{path.name}:{case['name']}", case


def main(arguments: list[str]) -> int:
    """Run the cases of a folder."""
    if len(arguments) != 1 or not Path(arguments[0]).is_dir():
        sys.stderr.write("usage: python -m localcloud.workflows.conformance DIR\n")
        return 2
    passed = failed = 0
    for name, case in cases(Path(arguments[0])):
        try:
            found = run_case(case)
        except Exception as error:  # noqa: BLE001 - one broken case must not hide the others
            found = [f"{type(error).__name__}: {error}"]
        if found:
            failed += 1
            sys.stdout.write(f"FAILED {name}: {'; '.join(found)}\n")
        else:
            passed += 1
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
