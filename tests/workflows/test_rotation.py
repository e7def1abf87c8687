"""A newer version of a brought secret: taken up in place, and never at the cost of what is there."""

from typing import Any

import pytest

from tests.workflows.berth import Berth
from tests.workflows.lives import CLIENT, bring
from tests.workflows.test_failures import is_ready

# A minute of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

IAP: dict[str, Any] = {"access": {"mode": "iap", "oauth_client": CLIENT}}
SECRETS = "https://secretmanager.googleapis.com/v1/projects/berth-local/secrets"


def keep(berth: Berth, **more: Any) -> None:
    """Say in the spec, as the api does, that the deployment was READY once."""
    spec = berth.read("deployments/demo/spec.json")
    berth.write("deployments/demo/spec.json", {**spec, "kept": True, **more})


def test_what_was_ready_outlives_a_failure(berth: Berth) -> None:
    """ROLLBACK is for what nobody has worked with yet; the problem says what went wrong."""
    bring(berth)
    assert is_ready(berth.provision(**IAP))
    before = berth.resources()
    berth.want("demo", **IAP)
    keep(berth)
    berth.functions.proofs.append(
        {"ok": False, "retry": False, "summary": "not proved", "checks": []}
    )

    failed = berth.carry_out()

    assert failed.state == "FAILED"
    assert failed.status["problem"]["type"] == "urn:berth:problem:verify-failed"
    assert set(before) <= set(berth.resources())


def test_what_was_never_ready_is_rolled_back_as_ever(berth: Berth) -> None:
    """Nothing of it is left."""
    bring(berth)
    before = berth.resources()
    berth.functions.proofs.append(
        {"ok": False, "retry": False, "summary": "not proved", "checks": []}
    )

    failed = berth.provision(**IAP)

    assert failed.state == "FAILED"
    assert berth.resources() == before


def test_after_that_failure_the_next_attempt_is_ready(berth: Berth) -> None:
    """Everything is found where it was; removing takes it all."""
    bring(berth)
    before = berth.resources()
    berth.provision(**IAP)
    berth.want("demo", **IAP)
    keep(berth)
    berth.cloud.fail("secretmanager.projects.secrets.versions.access", 404, times=1)
    failed = berth.carry_out()
    berth.want("demo", **IAP)
    keep(berth)

    made = berth.carry_out()
    removed = berth.tear_down()

    assert failed.state == "FAILED"
    assert is_ready(made), made.error
    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before


@pytest.mark.parametrize("which", CLIENT.values())
def test_a_client_that_is_not_there_is_told_before_the_server_is_made(
    berth: Berth, which: str
) -> None:
    """Its settings could only be made minutes later; the part that is first looks at it."""
    bring(berth)
    berth.ask("DELETE", f"{SECRETS}/{which}")
    before = berth.resources()

    failed = berth.provision(**IAP)

    problem = failed.status["problem"]
    assert problem["type"] == "urn:berth:problem:brought-secret"
    assert problem["step"] == "identity: oauth_client"
    assert f"gcloud secrets create {which}" in problem["remedy"]
    assert berth.cloud.calls.count("sql.databases.insert") == 0
    assert berth.resources() == before
