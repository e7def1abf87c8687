"""Google's own programs and libraries, unmodified, against the local cloud."""

import shutil
import subprocess

import pytest

from tests.end_to_end.installation import PROJECT, REGION, Installation

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("end_to_end"),
    pytest.mark.usefixtures("door"),
]

GCLOUD = shutil.which("gcloud")
COMMANDS = {
    "sql instances list --format=value(name)": "berth-pool-1",
    "secrets list --format=value(name)": "mlflow-door-db-password",
    f"run services list --region={REGION} --format=value(metadata.name)": "mlflow-door",
    "storage ls": f"gs://{PROJECT}-mlflow-door/",
    f"workflows executions list berth-provision --location={REGION} --format=value(state)": (
        "SUCCEEDED"
    ),
    f"builds list --region={REGION} --format=value(status)": "SUCCESS",
    "iam service-accounts list --format=value(email)": "mlflow-door@",
    "pubsub topics list --format=value(name)": "berth-events",
    'logging read resource.labels.service_name="mlflow-door" --limit=1 --format=value(severity)': "",
}


@pytest.mark.skipif(GCLOUD is None, reason="gcloud is not installed here")
@pytest.mark.parametrize("command", COMMANDS)
def test_gcloud_shows_what_there_is(berth: Installation, command: str) -> None:
    """The command line finds its way by the variables of `localcloud env` alone."""
    ended = subprocess.run(
        [str(GCLOUD), *command.split()],
        env=berth.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    assert COMMANDS[command] in ended.stdout


def test_the_client_made_from_documents_works(berth: Installation) -> None:
    """Google's googleapiclient, over four APIs."""
    found = berth.program("discovered", PROJECT, REGION)

    assert found["instances"] == ["berth-pool-1"]
    assert {"berth-api", "mlflow-door"} <= set(found["services"])
    assert "mlflow-door-admin-password" in found["secrets"]
    assert f"mlflow-door@{PROJECT}.iam.gserviceaccount.com" in found["accounts"]


def test_the_client_of_cloud_storage_works(berth: Installation) -> None:
    """Google's own, with a resumable upload in three pieces."""
    found = berth.program("objects", PROJECT, f"{PROJECT}-mlflow-door")

    assert found == {"found": ["proof/large.bin"], "back": 600_000, "after": []}


def test_the_client_of_executions_works(berth: Installation) -> None:
    """Google's own, over gRPC."""
    found = berth.program("executions", PROJECT, REGION, "berth-provision")

    assert ["SUCCEEDED", '{"deployment": "door", "generation": 1}'] in found
