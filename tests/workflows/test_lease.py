"""One execution at a time: two that were started for one request, and those that died."""

import json

import pytest

from tests.workflows.berth import LIMIT, Berth
from tests.workflows.stand_ins import PASSWORD
from tests.workflows.test_failures import PLACEMENTS, is_ready

# A minute of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

REMOVALS = (
    "cloudresourcemanager.projects.setIamPolicy",
    "iam.projects.serviceAccounts.delete",
    "run.projects.locations.jobs.delete",
    "run.projects.locations.services.delete",
    "secretmanager.projects.secrets.delete",
    "sql.databases.delete",
    "sql.users.delete",
    "storage.buckets.delete",
    "storage.objects.delete",
)


def test_of_two_executions_for_one_request_only_one_works(berth: Berth) -> None:
    """A reply to executions.create that was lost starts a second one; it ends at once."""
    generation = berth.want("demo")
    executions = [berth.launch("provision", "demo", generation) for _ in range(2)]

    berth.clock.advance(LIMIT)
    outcomes = [berth.outcome("demo", execution) for execution in executions]

    assert sorted(outcome.result["outcome"] for outcome in outcomes) == ["READY", "superseded"]
    assert berth.cloud.calls.count("iam.projects.serviceAccounts.create") == 1
    assert berth.cloud.calls.count("sql.databases.insert") == 1


def test_twenty_executions_at_once_make_one_deployment(berth: Berth) -> None:
    """The lease is a compare-and-swap, so it does not matter how many try."""
    generation = berth.want("demo")
    executions = [berth.launch("provision", "demo", generation) for _ in range(20)]

    berth.clock.advance(LIMIT)
    results = [berth.outcome("demo", execution).result["outcome"] for execution in executions]

    assert sorted(results) == ["READY"] + ["superseded"] * 19
    assert berth.cloud.calls.count("storage.buckets.insert") == 1


def test_an_execution_for_an_older_generation_touches_nothing(berth: Berth) -> None:
    """What it was started for is not wanted any more."""
    older = berth.want("demo")
    newer = berth.want("demo", size="medium")

    late = berth.finish("demo", berth.launch("provision", "demo", older))

    assert newer == older + 1
    assert late.result == {"outcome": "superseded"}
    assert late.status == {}
    assert berth.cloud.calls.count("iam.projects.serviceAccounts.create") == 0


def test_an_execution_that_comes_when_all_is_done_touches_nothing(berth: Berth) -> None:
    """A message that was late starts one for a deployment that is READY."""
    berth.provision()
    calls = berth.cloud.calls.count("storage.buckets.insert")

    late = berth.finish("demo", berth.launch("provision", "demo", 1))

    assert late.result == {"outcome": "superseded"}
    assert berth.cloud.calls.count("storage.buckets.insert") == calls


def test_a_function_that_calls_an_execution_overtaken_is_not_asked_again(berth: Berth) -> None:
    """Nothing it could wait for would make its generation wanted again."""
    running = berth.launch("provision", "demo", berth.want("demo", on_failure="KEEP"))
    while "credentials" not in _called(berth):
        berth.clock.advance(0.25)

    berth.want("demo", desired="absent")
    overtaken = berth.finish("demo", running)

    assert overtaken.error["cause"]["reason"] == "urn:berth:problem:overtaken"
    assert _called(berth).count("credentials") == 2


def _called(berth: Berth) -> list[str]:
    """Return which functions the workflow has called."""
    return [name for name, _ in berth.functions.calls]


def test_without_a_spec_there_is_nothing_to_do(berth: Berth) -> None:
    """An execution started by hand for a name that nobody asked for."""
    lost = berth.finish("ghost", berth.launch("provision", "ghost", 1))

    assert lost.error["tags"] == ["NoSpec"]
    assert lost.status == {}


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        *(("pooled", seconds) for seconds in (0, 1, 2.5, 4, 100, 190, 200, 215, 230)),
        *(("dedicated", seconds) for seconds in (5, 200, 395, 600)),
    ],
)
def test_a_delete_in_the_middle_leaves_nothing(berth: Berth, kind: str, seconds: float) -> None:
    """The running execution is cancelled wherever it is, and what it made is removed."""
    before = berth.resources()
    running = berth.launch("provision", "demo", berth.want("demo", **PLACEMENTS[kind]))
    berth.clock.advance(seconds)

    generation = berth.want("demo", desired="absent")
    if berth.outcome("demo", running).execution["state"] == "ACTIVE":
        berth.cancel(running)
    removed = berth.finish("demo", berth.launch("teardown", "demo", generation))

    assert removed.state == "DELETED", removed.error
    assert berth.claims() == []
    assert berth.resources() == before


def test_a_delete_waits_for_an_execution_that_was_not_cancelled(berth: Berth) -> None:
    """The lease of an older generation is waited for, not broken."""
    before = berth.resources()
    running = berth.launch("provision", "demo", berth.want("demo"))
    berth.clock.advance(5)

    generation = berth.want("demo", desired="absent")
    removed = berth.finish("demo", berth.launch("teardown", "demo", generation))

    assert berth.outcome("demo", running).execution["state"] != "ACTIVE"
    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before


def test_an_execution_that_died_is_taken_over_from(berth: Berth) -> None:
    """Somebody cancelled it by hand; the same request again goes on and ends READY."""
    dead = berth.launch("provision", "demo", berth.want("demo", on_failure="KEEP"))
    berth.clock.advance(20)
    berth.cancel(dead)

    again = berth.finish("demo", berth.launch("provision", "demo", 1))

    assert is_ready(again), again.error


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [
        *(("pooled", seconds) for seconds in (0, 0.5, 1.5, 2.5, 4, 100, 188, 195, 203, 215)),
        *(("dedicated", seconds) for seconds in (5, 200, 395, 415)),
    ],
)
def test_wherever_an_execution_dies_the_next_one_ends_ready(
    berth: Berth, kind: str, seconds: float
) -> None:
    """What it had begun is found, waited for or set right; afterwards a DELETE leaves nothing."""
    before = berth.resources()
    wanted = berth.want("demo", on_failure="KEEP", **PLACEMENTS[kind])
    dead = berth.launch("provision", "demo", wanted)
    berth.clock.advance(seconds)
    berth.cancel(dead)

    resumed = berth.carry_out()

    assert is_ready(resumed), resumed.error
    assert berth.tear_down().state == "DELETED"
    assert berth.resources() == before


def test_a_holder_that_lost_the_lease_stops(berth: Berth) -> None:
    """Whoever finds another execution in status.json does nothing more, and takes nothing back."""
    running = berth.launch("provision", "demo", berth.want("demo"))
    berth.clock.advance(3)
    status = berth.read("deployments/demo/status.json")
    berth.write("deployments/demo/status.json", {**status, "execution": "projects/1/another"})

    outcome = berth.finish("demo", running)

    assert outcome.status["execution"] == "projects/1/another"
    assert outcome.result == {"outcome": "superseded"}
    assert berth.cloud.calls.count("iam.projects.serviceAccounts.delete") == 0


def test_a_teardown_that_failed_can_be_repeated(berth: Berth) -> None:
    """DELETE again goes on where the first one stopped."""
    before = berth.resources()
    berth.provision()
    berth.cloud.fail("storage.buckets.delete", status=403, message="no")

    failed = berth.tear_down()
    removed = berth.tear_down()

    assert failed.state == "FAILED"
    assert "no" in failed.status["problem"]["cause"]
    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before


@pytest.mark.parametrize("after", [False, True])
def test_a_removal_with_bad_moments_ends_well(berth: Berth, *, after: bool) -> None:
    """Before their effect or after: look again, and remove what is left."""
    before = berth.resources()
    berth.provision()
    for method in REMOVALS:
        berth.cloud.fail(method, status=503, after=after)

    removed = berth.tear_down()

    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before


def test_a_deletion_does_not_depend_on_what_prepares_it(berth: Berth) -> None:
    """Taking off a protection may be refused where there is none; the deletion decides."""
    before = berth.resources()
    berth.provision(placement="dedicated")
    instance = "https://sqladmin.googleapis.com/v1/projects/berth-local/instances/mlflow-demo-3f9c"
    berth.ask("PATCH", instance, {"settings": {"deletionProtectionEnabled": False}})
    berth.clock.advance(600)
    berth.cloud.fail("sql.instances.patch", status=400, message="not now")

    removed = berth.tear_down()

    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before


def test_a_deployment_can_come_back_after_its_removal(berth: Berth) -> None:
    """The tombstone is in nobody's way."""
    berth.provision()
    berth.tear_down()

    assert is_ready(berth.provision())


def test_no_password_is_in_any_variable(berth: Berth) -> None:
    """Neither arguments, results, step entries nor the registry hold what opens the database."""
    made = berth.provision(access={"mode": "basic_auth", "admin_username": "admin"})

    rows = berth.cloud.store.read("SELECT api, name, body FROM resources")
    seen = [f"{api}/{name}" for api, name, body in rows if PASSWORD in body]

    assert is_ready(made)
    assert PASSWORD not in json.dumps(made.execution)
    assert [name for name in seen if not name.startswith(("secretmanager/", "sqladmin/"))] == []
