"""The proof: what it proves, what it finds, and whether it asks to be tried again."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import Cloud
from localcloud.services import iam, iamcredentials, secretmanager, storage
from tests.functions.berth import Berth
from tests.functions.doorstep import PASSWORD, keep_password, mlflow, names, settle
from tests.functions.entrance_doors import InvokerCheck
from tests.functions.tracking import Tracking, basic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-verify")

SUFFIXES = ("-123456789012.europe-west1.run.app", "-x7k2abcdeq-ew.a.run.app")


@pytest.fixture(scope="module")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The verify function, and two deployments that one may prove."""
    folder = tmp_path_factory.mktemp("berth")
    services = [storage.SERVICE, secretmanager.SERVICE, iam.SERVICE, iamcredentials.SERVICE]
    cloud = Cloud(folder / "state", machines="paper", only=services)
    with cloud.serve():
        made = Berth(cloud, folder)
        made.found(cloud.project)
        settle(made)
        made.wish("member")
        made.wish("login", access={"mode": "basic_auth"})
        made.wish("older", access={"mode": "basic_auth"}, mlflow_version="2.22.5")
        for name in ("login", "older"):
            keep_password(made, name)
        made.start("verify", account=names(cloud).account("verify"))
        yield made
        made.stop()
    cloud.close()


def serve(berth: Berth, name: str, **options: Any) -> Tracking:
    """Let a tracking server answer at both addresses of a deployment."""
    made = mlflow(berth, login=name != "member", **options)
    members = {names(berth.cloud).account("verify")}
    door = InvokerCheck(berth.cloud, members, made) if name == "member" else made
    for suffix in SUFFIXES:
        berth.cloud.ingress.mount(f"mlflow-{name}{suffix}", door)
    return made


def prove(berth: Berth, name: str, **call: Any) -> Any:
    """Ask for the proof as the workflow does."""
    answer = berth.helper("verify", {"deployment": name, "generation": 1, **call})
    return answer.json() | {"status": answer.json().get("status", answer.status_code)}


@pytest.mark.parametrize("name", ["member", "login"])
def test_a_good_server_is_proved_at_every_address(berth: Berth, name: str) -> None:
    """Both access modes, both names of the service, and nothing is left behind."""
    tracking = serve(berth, name)

    proof = prove(berth, name)

    assert (proof["ok"], proof["retry"]) == (True, False), proof
    assert proof["summary"] == "stranger refused · run logged · artifact came back"
    pages = [check["detail"] for check in proof["checks"] if check["name"] == "page works"]
    assert pages == [f"https://mlflow-{name}{suffix}" for suffix in SUFFIXES]
    assert (tracking.runs, tracking.artifacts) == ({}, {})
    assert [e["lifecycle_stage"] for e in tracking.experiments.values()] == ["deleted"]


def test_a_proof_can_be_repeated(berth: Berth) -> None:
    """The second one finds the deleted experiment of the first and uses it again."""
    serve(berth, "login")

    assert [prove(berth, "login")["ok"] for _ in range(2)] == [True, True]


def test_the_addresses_that_cloud_run_reports_are_the_ones_proved(berth: Berth) -> None:
    """What was observed is nearer to the truth than what was planned."""
    serve(berth, "login")
    url = f"https://mlflow-login{SUFFIXES[1]}"

    proof = prove(berth, "login", observed={"urls": [url], "url": url})

    details = {check["detail"] for check in proof["checks"] if check["name"] == "page works"}
    assert details == {url}


@pytest.mark.parametrize(
    ("fault", "check", "retry"),
    [
        ("open door", "stranger refused", False),
        ("member refused", "version", True),
        ("down", "version", True),
        ("own origin blocked", "page works", False),
        ("any origin", "foreign page refused", False),
        ("metrics lost", "run logged", False),
        ("experiments/create", "run logged", False),
        ("runs/create", "run logged", False),
        ("runs/get", "run logged", False),
        ("direct artifacts", "artifact came back", False),
        ("artifacts damaged", "artifact came back", False),
        ("wall", "artifact came back", False),
    ],
)
def test_what_is_wrong_is_found(berth: Berth, fault: str, check: str, retry: bool) -> None:
    """The check that fails is named; only what may be spreading rights is worth another try."""
    serve(berth, "login", faults={fault})

    proof = prove(berth, "login")

    assert proof["ok"] is False
    assert [one["name"] for one in proof["checks"] if not one["ok"]] == [check], proof
    assert proof["retry"] is retry
    assert proof["summary"].startswith(f"not proved: {check}: ")


def test_how_each_stranger_was_turned_away_is_told(berth: Berth) -> None:
    """Without a password, with a wrong one, and with a token that is good elsewhere."""
    serve(berth, "login")

    proof = prove(berth, "login")

    told = [one["detail"] for one in proof["checks"] if one["name"] == "stranger refused"]
    assert len(told) == len(SUFFIXES)
    stranger = names(berth.cloud).account("stranger")
    for detail in told:
        for who in ("no password", "a wrong password", f"a token of {stranger} for a password"):
            assert f"{who}: 401 Unauthorized" in detail


@pytest.mark.parametrize(
    ("let_in", "who"),
    [
        (bool, "a wrong password"),
        # A token that Google signed, of somebody whom nobody has let in.
        (lambda given: given.count(".") == 2, "a token of berth-stranger@"),
    ],
    ids=["any password", "any token"],
)
def test_a_login_that_takes_more_than_the_password_is_found(
    berth: Berth, let_in: Callable[[str], bool], who: str
) -> None:
    """Open to whoever writes anything, or to whoever is anybody: never a matter of waiting."""

    def opens(header: str) -> bool:
        if not header.startswith("Basic "):
            return False
        given = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")[2]
        return given == PASSWORD or let_in(given)

    door = Tracking(opens)
    for suffix in SUFFIXES:
        berth.cloud.ingress.mount(f"mlflow-login{suffix}", door)

    proof = prove(berth, "login")

    assert (proof["ok"], proof["retry"]) == (False, False)
    assert f"a stranger with {who}" in proof["summary"]


@pytest.mark.parametrize("fault", ["artifacts unreadable", "artifacts damaged", "wall"])
def test_a_proof_that_failed_leaves_nothing_behind(berth: Berth, fault: str) -> None:
    """It is tried again for a quarter of an hour, and each try brings 33 MiB into the team's bucket."""
    tracking = serve(berth, "login", faults={fault})

    proof = prove(berth, "login")

    assert proof["ok"] is False
    assert (tracking.runs, tracking.artifacts) == ({}, {})


def test_what_could_not_be_tidied_up_fails_no_proof(berth: Berth) -> None:
    """The server works; a file too many is a line in the log."""
    serve(berth, "login", faults={"artifacts stay"})

    assert prove(berth, "login")["ok"] is True


def test_another_version_is_not_the_planned_one(berth: Berth) -> None:
    """An old revision that still serves must not pass for the new one."""
    serve(berth, "login", version="3.16.0")

    proof = prove(berth, "login")

    assert proof["ok"] is False
    assert "MLflow 3.16.0, planned is 3.17.2" in proof["summary"]


def test_an_older_mlflow_need_not_refuse_foreign_pages(berth: Berth) -> None:
    """2.x has no list of origins; nothing can be proved there."""
    serve(berth, "older", version="2.22.5", faults={"any origin"})

    assert prove(berth, "older")["ok"] is True


def test_a_server_that_does_not_answer_is_tried_again(berth: Berth) -> None:
    """Routes of a new service take a while."""
    observed = {"urls": ["https://mlflow-nowhere-123456789012.europe-west1.run.app"]}

    proof = prove(berth, "login", observed=observed)

    assert (proof["ok"], proof["retry"]) == (False, True)


def test_a_right_that_has_not_arrived_is_waited_for(berth: Berth) -> None:
    """Verify may read the password since a moment ago, and not everywhere knows yet."""
    serve(berth, "login")
    berth.cloud.fail("secretmanager.projects.secrets.versions.access", 403, message="denied")

    proof = prove(berth, "login")

    assert (proof["ok"], proof["retry"]) == (False, True)
    assert "password is there: Secret Manager answered 403: denied" in proof["summary"]


def test_the_password_is_nowhere_in_the_answer_or_the_log(berth: Berth) -> None:
    """Executions, and therefore answers, are read by more people than may log in."""
    serve(berth, "login", faults={"down"})

    proof = prove(berth, "login")

    log = (berth.logs / "verify.log").read_text()
    for hidden in (PASSWORD, basic("admin", PASSWORD).removeprefix("Basic ")):
        assert hidden not in str(proof)
        assert hidden not in log


def test_every_line_names_deployment_and_execution(berth: Berth) -> None:
    """Who looks for one provisioning in the log finds all that was done for it."""
    serve(berth, "member")
    berth.report("member", "PROVISIONING", execution="projects/1/executions/x")

    prove(berth, "member")

    text = (berth.logs / "verify.log").read_text().splitlines()
    lines = [json.loads(line) for line in text if line.startswith("{")]
    assert len(lines) > 1
    for line in lines[-2:]:
        assert (line["deployment"], line["execution"]) == ("member", "projects/1/executions/x")


def test_an_overtaken_generation_is_refused(berth: Berth) -> None:
    """A workflow that has been overtaken must not go on."""
    proof = prove(berth, "login", generation=2)

    assert proof["status"] == 409
    assert "generation 1 is" in proof["detail"]
