"""The life of a deployment with IAM in front: obstructed, made, used by its members, removed."""

import time
from typing import Any

import pytest

from tests.end_to_end.conftest import Obstructed, Removed
from tests.end_to_end.holdings import difference, holdings
from tests.end_to_end.installation import ANA, PROJECT, REGION, Installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=5"


def test_what_is_in_the_way_is_named(obstructed: Obstructed) -> None:
    """FAILED at that step, with the name of what is not ours."""
    problem = obstructed.deployment["problem"]

    assert obstructed.deployment["state"] == "FAILED"
    assert f"{PROJECT}-mlflow-members" in problem["detail"]
    assert problem["step"].startswith("artifact_root")
    assert problem["remedy"]


def test_what_is_in_the_way_is_not_touched(obstructed: Obstructed) -> None:
    """All that the failed attempt made is taken back; the bucket of somebody else stays."""
    name = ("bucket", f"{PROJECT}-mlflow-members")
    after = dict(obstructed.after)
    bucket = after.pop(name)
    policy = after.pop(("iam.policies", f"//storage.googleapis.com/projects/_/buckets/{name[1]}"))

    assert "labels" not in bucket
    assert bucket["updated"] == bucket["timeCreated"]
    assert "mlflow-members@" not in str(policy)
    assert difference(obstructed.before, after, removed="members") == {}


def test_members_enter(berth: Installation, members: dict[str, Any]) -> None:
    """Who asked for it is a member; an ID token for the server's URL opens."""
    token = berth.token(ANA, "--audience", members["url"])

    answer = berth.session(token).get(members["url"] + SEARCH, timeout=60)

    assert answer.status_code == 200
    assert "experiments" in answer.json()


def test_members_log_runs_with_a_token(berth: Installation, members: dict[str, Any]) -> None:
    """MLflow's client sends the token by itself, from MLFLOW_TRACKING_TOKEN."""
    logged = berth.program(
        "log_run",
        MLFLOW_TRACKING_URI=members["url"],
        MLFLOW_TRACKING_TOKEN=berth.token(ANA, "--audience", members["url"]),
    )

    assert logged == {"metric": 0.5, "artifact": "hello"}


def test_an_artifact_of_a_member_above_32_mib_comes_back(
    berth: Installation, members: dict[str, Any]
) -> None:
    """MLflow's client needs nothing but its token for it."""
    found = berth.program(
        "big_artifact",
        MLFLOW_TRACKING_URI=members["url"],
        MLFLOW_TRACKING_TOKEN=berth.token(ANA, "--audience", members["url"]),
    )

    assert found == {"mib": 40, "same": True}


def test_others_are_refused_with_a_valid_token(
    berth: Installation, members: dict[str, Any]
) -> None:
    """Being somebody is not enough, not even being of the team."""
    token = berth.token("ben@example.com", "--audience", members["url"])

    answer = berth.session(token).get(members["url"] + SEARCH, timeout=60)

    assert answer.status_code == 403


def test_strangers_are_refused(berth: Installation, members: dict[str, Any]) -> None:
    """Without a token, or with one for somewhere else, nobody gets to the server."""
    elsewhere = berth.token(ANA, "--audience", "https://elsewhere.example.com")

    without = berth.session().get(members["url"] + SEARCH, timeout=60)
    wrong = berth.session(elsewhere).get(members["url"] + SEARCH, timeout=60)

    assert without.status_code == 403
    assert wrong.status_code == 401


def test_removal_leaves_exactly_what_was_there_before(
    berth: Installation, obstructed: Obstructed, removed: Removed
) -> None:
    """Compared resource by resource, down to the roles inside PostgreSQL."""
    assert removed.deployment["state"] == "DELETED", removed.deployment
    assert difference(obstructed.before, removed.after, removed="members") == {}
    assert list((berth.state / "containers").glob("mlflow-members*")) == []


@pytest.mark.usefixtures("removed")
def test_the_tombstone_tells_what_was(berth: Installation) -> None:
    """GET still answers; deleting once more changes nothing."""
    found = berth.show("members")
    again = berth.api("DELETE", "/v1/deployments/members")

    assert found["state"] == "DELETED"
    assert again.status_code == 202
    assert again.json()["generation"] == found["generation"]
    assert berth.show("members")["state"] == "DELETED"


@pytest.mark.usefixtures("removed")
def test_deleting_while_provisioning_cancels_and_cleans_up(berth: Installation) -> None:
    """202; the execution is cancelled, and everything it made is removed."""
    before = holdings(berth)
    berth.post("hasty")
    job = f"projects/{PROJECT}/locations/{REGION}/jobs/mlflow-hasty-migrate"
    deadline = time.monotonic() + 240
    while ("run", job) not in holdings(berth):
        assert time.monotonic() < deadline, berth.show("hasty")
        time.sleep(0.3)

    deployment = berth.delete("hasty")

    assert deployment["state"] == "DELETED", deployment
    assert difference(before, holdings(berth), removed="hasty") == {}
    states = {one["name"].split("/")[-3]: one["state"] for one in berth.executions("hasty")}
    assert states == {"berth-provision": "CANCELLED", "berth-teardown": "SUCCEEDED"}
