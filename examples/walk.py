"""The walk-through: what a training does with a tracking server, from nothing to a prediction."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

QUIET = {
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "PYTHONUNBUFFERED": "1",
}


def train(environment: Mapping[str, str]) -> None:
    """Train, register, load and predict with wine; stop with what the client says if it fails."""
    print("training on wine quality … ", end="", flush=True)
    print(_run("wine_quality", environment), flush=True)


def bring_artifact(environment: Mapping[str, str]) -> None:
    """Bring an artifact that is larger than one request may be there and back."""
    print("bringing an artifact of 40 MiB there and back … ", end="", flush=True)
    started = time.monotonic()
    found = json.loads(_run("big_artifact", environment).splitlines()[-1])
    if not found["same"]:
        sys.exit("it came back changed")
    print(f"the same, {time.monotonic() - started:.0f} s", flush=True)


def _run(name: str, environment: Mapping[str, str]) -> str:
    script = str(Path(__file__).with_name(f"{name}.py"))
    # What MLflow says besides is only of interest when something goes wrong.
    ended = subprocess.run(  # noqa: S603 - our own
        [sys.executable, script],
        env={**environment, **QUIET},
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode:
        sys.exit(f"the walk-through failed:\n{ended.stdout}{ended.stderr}")
    return ended.stdout.strip()
