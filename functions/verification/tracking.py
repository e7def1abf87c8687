"""The work itself: a run is logged, an artifact goes in and comes back, and both are taken away."""

from __future__ import annotations

import secrets
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from functions.door import logs
from functions.verification import artifacts
from functions.verification.check import Check, CheckFailedError, failed
from functions.verification.visitor import json_object

if TYPE_CHECKING:
    from functions.verification.visitor import Visitor
    from planner.target import Uploads

EXPERIMENT = "berth-verify"
_API = "/api/2.0/mlflow"
_METRIC = "proof"


def runs_the_planned_version(member: Visitor, version: str) -> Check:
    """Prove that the server is the MLflow that was asked for.

    Raises:
        CheckFailedError: It is another one.
    """
    name = "version"
    found = member.expect(name, "GET", "/version").text.strip()
    if found != version:
        raise failed(name, f"the server is MLflow {found}, planned is {version}")
    return Check(name, ok=True, detail=f"MLflow {found}")


def keeps_runs_and_artifacts(member: Visitor, uploads: Uploads) -> list[Check]:
    """Prove that the database and the bucket behind the server work.

    Raises:
        CheckFailedError: What was written did not come back.
    """
    experiment = _experiment(member)
    run = _post(member, "run logged", "runs/create", experiment_id=experiment, start_time=_now())
    info = run["run"]["info"]
    try:
        return [
            _logged(member, info["run_id"]),
            artifacts.come_back(member, info["artifact_uri"], uploads),
        ]
    finally:
        _tidy(member, run_id=info["run_id"], experiment=experiment)


def _experiment(member: Visitor) -> str:
    """Return the experiment of the proof; an earlier proof may have left it, deleted."""
    name = "run logged"
    made = member.call(name, "POST", f"{_API}/experiments/create", json={"name": EXPERIMENT})
    if made.status_code == HTTPStatus.OK:
        return str(json_object(name, made)["experiment_id"])
    found = member.ask(name, "GET", f"{_API}/experiments/get-by-name?experiment_name={EXPERIMENT}")[
        "experiment"
    ]
    if found["lifecycle_stage"] == "deleted":
        _post(member, name, "experiments/restore", experiment_id=found["experiment_id"])
    return str(found["experiment_id"])


def _logged(member: Visitor, run_id: str) -> Check:
    name = "run logged"
    value = secrets.randbelow(1_000_000)
    _post(
        member, name, "runs/log-metric", run_id=run_id, key=_METRIC, value=value, timestamp=_now()
    )
    run = member.ask(name, "GET", f"{_API}/runs/get?run_id={run_id}")["run"]
    found = {metric["key"]: metric["value"] for metric in run["data"].get("metrics", [])}
    if found.get(_METRIC) != value:
        raise failed(name, f"the metric was {value}, and {found.get(_METRIC)} came back")
    return Check(name, ok=True, detail=f"run {run_id}")


def _tidy(member: Visitor, *, run_id: str, experiment: str) -> None:
    """Delete the run and its experiment; what stays behind is no reason to fail."""
    try:
        member.call("tidy", "POST", f"{_API}/runs/delete", json={"run_id": run_id})
        member.call(
            "tidy", "POST", f"{_API}/experiments/delete", json={"experiment_id": experiment}
        )
    except CheckFailedError as error:
        logs.write("WARNING", "the run of the proof is still there", cause=str(error))


def _post(member: Visitor, check: str, path: str, **body: Any) -> dict[str, Any]:
    return member.ask(check, "POST", f"{_API}/{path}", json=body)


def _now() -> int:
    return int(time.time() * 1000)
