"""What a tracking server's account holds, taken from a server that works: the proof sees it.

The rights that a server needs to start are taken away on the virtual clock, in tests/workflows. The
right to connect is asked for at each connection: Google's own connector is refused without it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from examples.local_cloud import LocalCloud
from tests.end_to_end.installation import PROJECT, REGION, Installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

SERVER = f"mlflow-signer@{PROJECT}.iam.gserviceaccount.com"
ACCOUNT = f"https://iam.googleapis.com/v1/projects/{PROJECT}/serviceAccounts/{SERVER}"
BUCKET = f"https://storage.googleapis.com/storage/v1/b/{PROJECT}-mlflow-signer/iam"
PROJECTS = f"https://cloudresourcemanager.googleapis.com/v3/projects/{PROJECT}"
POOL = f"{PROJECT}:{REGION}:berth-pool-1"
VERSION_3 = "options.requestedPolicyVersion=3"


@pytest.fixture(scope="module")
def signer(berth: Installation) -> Iterator[dict[str, Any]]:
    """A deployment behind IAP, where big artifacts go in signed parts; gone afterwards."""
    berth.post("signer", access={"mode": "iap"})
    made = berth.wait("signer", "READY", "FAILED")
    assert made["state"] == "READY", made["problem"]
    yield made
    assert berth.delete("signer")["state"] == "DELETED"


def prove(berth: Installation, deployment: dict[str, Any]) -> Any:
    """Ask for the proof as the workflow does."""
    url = f"https://berth-verify-{berth.number}.{REGION}.run.app"
    workflow = f"berth-workflow@{PROJECT}.iam.gserviceaccount.com"
    session = berth.session(berth.token(workflow, "--audience", url))
    body = {
        "deployment": deployment["name"],
        "generation": deployment["generation"],
        "observed": {"url": deployment["url"], "urls": deployment["urls"]},
    }
    answer = session.post(url, json=body, timeout=300)
    assert answer.ok, answer.text
    return answer.json()


def read_policy(berth: Installation, place: str) -> Any:
    """Return a policy, of the bucket, the project or the account."""
    if place == BUCKET:
        return berth.google(BUCKET, params={"optionsRequestedPolicyVersion": 3})
    if place == PROJECTS:
        asked = {"options": {"requestedPolicyVersion": 3}}
        return berth.google(f"{PROJECTS}:getIamPolicy", "POST", json=asked)
    return berth.google(f"{place}:getIamPolicy?{VERSION_3}", "POST")


def write_policy(berth: Installation, place: str, policy: Any) -> None:
    """Write it, whatever has changed in between: nothing else runs here."""
    policy = {key: value for key, value in policy.items() if key != "etag"}
    if place == BUCKET:
        berth.google(BUCKET, "PUT", json=policy)
    else:
        berth.google(f"{place}:setIamPolicy", "POST", json={"policy": policy})


@contextmanager
def without(berth: Installation, place: str, role: str) -> Iterator[None]:
    """Take a role from the server, and give it back."""
    before = read_policy(berth, place)
    held = (role, [f"serviceAccount:{SERVER}"])
    kept = [one for one in before["bindings"] if (one["role"], one["members"]) != held]
    assert len(kept) == len(before["bindings"]) - 1, before
    write_policy(berth, place, {**before, "bindings": kept})
    try:
        yield
    finally:
        write_policy(berth, place, before)


@pytest.mark.parametrize(
    ("place", "role"),
    [(BUCKET, "roles/storage.objectUser"), (ACCOUNT, "roles/iam.serviceAccountTokenCreator")],
    ids=["bucket", "signing"],
)
def test_without_it_no_artifact_comes_back(
    berth: Installation, signer: dict[str, Any], place: str, role: str
) -> None:
    """The proof fails at the artifact, says so, and asks to be tried again."""
    with without(berth, place, role):
        proof = prove(berth, signer)

    wrong = [check["name"] for check in proof["checks"] if not check["ok"]]
    assert (wrong, proof["retry"]) == (["artifact came back"], True), proof
    assert prove(berth, signer)["ok"] is True


def connect(berth: Installation) -> Any:
    """Log in to the server's database as its own account does, with its own password."""
    machine = LocalCloud(str(berth.state)).environment(SERVER)
    password = berth.password("signer", "db-password")
    return berth.program("connect", POOL, "signer", password, "signer", **machine)


def test_without_it_the_password_opens_no_database(
    berth: Installation, signer: dict[str, Any]
) -> None:
    """Of all that the account holds this alone lets it connect, to the one instance."""
    assert signer["state"] == "READY"
    assert connect(berth) == {"user": "signer"}

    with without(berth, PROJECTS, "roles/cloudsql.client"):
        refused = connect(berth)

    assert refused["status"] == 403, refused
    assert connect(berth) == {"user": "signer"}


def test_each_stranger_was_turned_away_by_iap(berth: Installation, signer: dict[str, Any]) -> None:
    """Without a token they are sent to sign in; with a valid one they are told no."""
    proof = prove(berth, signer)

    [told] = {
        check["detail"].partition(" (")[2]
        for check in proof["checks"]
        if check["name"] == "stranger refused"
    }
    assert "no token: 302 Found, to Google's sign-in" in told
    assert "a forged token: 401 Unauthorized" in told
    assert f"berth-stranger@{PROJECT}.iam.gserviceaccount.com: 403 Forbidden" in told
