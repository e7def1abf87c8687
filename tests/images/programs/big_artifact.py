"""Log an artifact of 40 MiB and bring it back, through MLflow's client and as a browser does."""

import hashlib
import json
import logging
import random
import sys
import tempfile
import time
from pathlib import Path

import mlflow
import requests
from mlflow.exceptions import MlflowException

MIB = 1024 * 1024


def digest(content: bytes) -> str:
    """Return the SHA-256 of what an artifact holds."""
    return hashlib.sha256(content).hexdigest()


logging.basicConfig(stream=sys.stderr)
found: dict[str, object] = {}
with tempfile.TemporaryDirectory() as folder:
    made = Path(folder, "weights 1 ü.bin")
    made.write_bytes(random.Random(40).randbytes(40 * MIB))  # noqa: S311 - nothing secret
    wanted = digest(made.read_bytes())
    with mlflow.start_run() as run:
        began = time.monotonic()
        try:
            mlflow.log_artifact(str(made), "some where")
        except (MlflowException, requests.HTTPError) as error:
            found["refused"] = str(error)
        found["seconds_up"] = round(time.monotonic() - began, 2)
    if "refused" not in found:
        Path(folder, "back").mkdir()
        began = time.monotonic()
        client = mlflow.MlflowClient()
        path = f"some where/{made.name}"
        back = client.download_artifacts(run.info.run_id, path, str(Path(folder, "back")))
        found["seconds_down"] = round(time.monotonic() - began, 2)
        found["same"] = digest(Path(back).read_bytes()) == wanted
        shown = requests.get(
            f"{mlflow.get_tracking_uri()}/get-artifact",
            params={"run_id": run.info.run_id, "path": path},
            timeout=60,
        )
        found["shown"] = [shown.status_code, digest(shown.content) == wanted]
print("\n" + json.dumps(found))  # noqa: T201 - what the test reads
