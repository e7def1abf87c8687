"""Log an artifact of 40 MiB through MLflow's client, unmodified, and bring it back."""

import hashlib
import json
import random
import tempfile
from pathlib import Path

import mlflow

MIB = 1024 * 1024


def digest(file: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


with tempfile.TemporaryDirectory() as folder:
    made = Path(folder, "weights.bin")
    made.write_bytes(random.Random(40).randbytes(40 * MIB))  # noqa: S311 - nothing secret
    mlflow.set_experiment("big")
    with mlflow.start_run() as run:
        mlflow.log_artifact(str(made))
    Path(folder, "back").mkdir()
    client = mlflow.MlflowClient()
    back = Path(client.download_artifacts(run.info.run_id, made.name, str(Path(folder, "back"))))
    found = {"mib": back.stat().st_size // MIB, "same": digest(back) == digest(made)}
print("\n" + json.dumps(found))
