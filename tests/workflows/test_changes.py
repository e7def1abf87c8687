"""What is there already: left alone where it is right, brought right where it is not."""

import pytest

from tests.workflows.berth import Berth
from tests.workflows.test_failures import LONG_RUNNING, is_ready

# A minute of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

BUCKET = "https://storage.googleapis.com/storage/v1/b/berth-local-mlflow-demo"

CHANGES = (
    "iam.projects.serviceAccounts.create",
    "run.projects.locations.jobs.create",
    "run.projects.locations.jobs.patch",
    "run.projects.locations.services.create",
    "run.projects.locations.services.patch",
    "secretmanager.projects.secrets.create",
    "secretmanager.projects.secrets.patch",
    "sql.databases.insert",
    "storage.buckets.insert",
    "storage.buckets.patch",
)


def counts(berth: Berth) -> dict[str, int]:
    """Return how often each method that changes a resource was called."""
    return {method: berth.cloud.calls.count(method) for method in CHANGES}


def test_provisioning_again_changes_nothing(berth: Berth) -> None:
    """Everything is there and as planned, so everything stays as it is."""
    berth.provision()
    before = counts(berth)

    again = berth.provision()

    assert is_ready(again), again.error
    assert counts(berth) == before


def test_what_differs_from_the_plan_is_brought_back_to_it(berth: Berth) -> None:
    """Only the resource whose digest is another one is patched."""
    berth.provision()
    planned = berth.ask("GET", BUCKET)
    drift = {
        "labels": {"berth-digest": "000000000000"},
        "lifecycle": {"rule": []},
    }
    berth.ask("PATCH", BUCKET, drift)
    before = counts(berth)

    again = berth.provision()

    assert is_ready(again), again.error
    after = counts(berth)
    assert {method for method in CHANGES if after[method] != before[method]} == {
        "storage.buckets.patch"
    }
    assert berth.ask("GET", BUCKET)["labels"] == planned["labels"]
    assert berth.ask("GET", BUCKET)["lifecycle"] == planned["lifecycle"]


def test_another_size_changes_the_server_and_nothing_else(berth: Berth) -> None:
    """The same name with more of everything: the service gets a new revision."""
    berth.provision()
    before = counts(berth)

    again = berth.provision(size="medium")

    assert is_ready(again), again.error
    after = counts(berth)
    changed = {method for method in CHANGES if after[method] != before[method]}
    assert "run.projects.locations.services.patch" in changed
    assert changed <= {
        "run.projects.locations.jobs.patch",
        "run.projects.locations.services.patch",
    }


@pytest.mark.parametrize("method", [name for name in LONG_RUNNING if name.startswith("run")])
def test_what_was_left_broken_is_made_anew(berth: Berth, method: str) -> None:
    """A service whose revision failed looks as planned, and is sent the plan once more."""
    berth.cloud.fail_operation(method, "INVALID_ARGUMENT", "the container did not start")
    failed = berth.provision(on_failure="KEEP")

    resumed = berth.provision(on_failure="KEEP")

    assert failed.state == "FAILED"
    assert is_ready(resumed), resumed.error


def test_a_right_that_somebody_took_away_is_given_back(berth: Berth) -> None:
    """Grants are compared like everything else."""
    berth.provision()
    full = "//storage.googleapis.com/projects/_/buckets/berth-local-mlflow-demo"
    policy = berth.cloud.iam.policy(full)
    berth.cloud.iam.set_policy(full, {**policy, "bindings": []})

    again = berth.provision()

    assert is_ready(again), again.error
    roles = {binding["role"] for binding in berth.cloud.iam.policy(full)["bindings"]}
    assert "roles/storage.objectUser" in roles


def test_a_password_is_made_once(berth: Berth) -> None:
    """However often a deployment is provisioned, its secrets keep their first version."""
    basic = {"mode": "basic_auth", "admin_username": "admin"}
    berth.provision(access=basic)
    berth.provision(access=basic)

    assert berth.cloud.calls.count("secretmanager.projects.secrets.addVersion") == 3


def test_an_instance_whose_maker_died_is_waited_for(berth: Berth) -> None:
    """Cloud SQL goes on making it; whoever comes next waits, and does not make another."""
    options = {"placement": "dedicated", "on_failure": "KEEP"}
    dead = berth.launch("provision", "demo", berth.want("demo", **options))
    berth.clock.advance(20)
    berth.cancel(dead)

    resumed = berth.carry_out()

    assert is_ready(resumed), resumed.error
    assert berth.cloud.calls.count("sql.instances.insert") == 1
    # It asks after a while whether a change would help, and is told to wait.
    assert {call.status for call in berth.cloud.calls.of("sql.instances.patch")} <= {409}
