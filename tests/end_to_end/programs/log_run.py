"""Log a run with an artifact through MLflow's client, and read both back."""

import json
import tempfile
from pathlib import Path

import mlflow

mlflow.set_experiment("proof")
with mlflow.start_run() as run:
    mlflow.log_metric("accuracy", 0.5)
    mlflow.log_text("hello", "note.txt")
client = mlflow.MlflowClient()
with tempfile.TemporaryDirectory() as folder:
    text = Path(client.download_artifacts(run.info.run_id, "note.txt", folder)).read_text()
metric = client.get_run(run.info.run_id).data.metrics["accuracy"]
print("\n" + json.dumps({"metric": metric, "artifact": text}))
