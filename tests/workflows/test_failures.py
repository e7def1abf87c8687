"""What a deployment looks like, and what is left behind, when a Google API misbehaves.

Every method that changes something while provisioning is made to fail in every way an API fails:
before its effect, after it, without a word, for good, inside a finished operation.
"""

from typing import Any

import pytest

from tests.workflows.berth import LIMIT, Berth, Outcome

# A minute of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

PLACEMENTS: dict[str, dict[str, Any]] = {
    "pooled": {},
    "dedicated": {"placement": "dedicated"},
    "basic_auth": {"access": {"mode": "basic_auth", "admin_username": "admin"}},
}

IAM_POLICIES = (
    "cloudresourcemanager.projects.setIamPolicy",
    "iam.projects.serviceAccounts.setIamPolicy",
    "run.projects.locations.services.setIamPolicy",
    "secretmanager.projects.secrets.setIamPolicy",
    "storage.buckets.setIamPolicy",
)

LONG_RUNNING = {
    "cloudbuild.projects.locations.builds.create": "image",
    "run.projects.locations.jobs.create": "schema",
    "run.projects.locations.jobs.run": "schema",
    "run.projects.locations.services.create": "tracking_server",
    "sql.databases.insert": "backend_store",
}

CREATES = {
    **LONG_RUNNING,
    "iam.projects.serviceAccounts.create": "identity",
    "secretmanager.projects.secrets.create": "backend_store",
    "storage.buckets.insert": "artifact_root",
}

POOLED = {
    **CREATES,
    "cloudresourcemanager.projects.setIamPolicy": "backend_store",
    "iam.projects.serviceAccounts.setIamPolicy": "identity",
    "run.projects.locations.services.setIamPolicy": "access",
    "secretmanager.projects.secrets.setIamPolicy": "backend_store",
    "storage.buckets.setIamPolicy": "artifact_root",
}
"""Every method that changes something on the way of a pooled deployment, and its part."""

BOOKKEEPING = ("storage.objects.insert", "pubsub.projects.topics.publish")


def changes(berth: Berth) -> set[str]:
    """Return the methods by which the workflow changed something."""
    reading = ("get", "list", "getIamPolicy", "batchGet")
    return {
        call.method
        for call in berth.cloud.calls
        if call.who.startswith("berth-workflow@") and not call.method.endswith(reading)
    }


def is_ready(outcome: Outcome) -> bool:
    """Say whether all went well."""
    return outcome.state == "READY" and outcome.execution["state"] == "SUCCEEDED"


# -- the way without failures ------------------------------------------------------------------


@pytest.mark.parametrize("kind", PLACEMENTS)
def test_a_deployment_becomes_ready_and_leaves_nothing(berth: Berth, kind: str) -> None:
    """Afterwards the cloud holds exactly what it held before."""
    before = berth.resources()

    made = berth.provision(**PLACEMENTS[kind])
    removed = berth.tear_down()

    assert is_ready(made), made.error
    assert {part["state"] for part in made.status["parts"].values()} == {"DONE"}
    assert removed.state == "DELETED", removed.error
    assert berth.claims() == []
    assert berth.resources() == before


def test_the_table_names_every_method_that_provisioning_uses(berth: Berth) -> None:
    """A new method in the plan has to come into the failure table."""
    berth.provision()

    assert changes(berth) - set(BOOKKEEPING) == set(POOLED)


# -- passing faults ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", [429, 503])
def test_bad_moments_are_waited_out(berth: Berth, status: int) -> None:
    """Every method is refused once before its effect: the same again, and all is well."""
    berth.want("demo")
    for method in (*POOLED, *BOOKKEEPING):
        berth.cloud.fail(method, status=status)

    made = berth.carry_out()

    assert is_ready(made), made.error


def test_errors_after_the_effect_are_no_failures(berth: Berth) -> None:
    """It was done each time, but the answer said otherwise: a look tells."""
    berth.want("demo")
    for method in (*POOLED, *BOOKKEEPING):
        berth.cloud.fail(method, status=503, after=True)

    made = berth.carry_out()

    assert is_ready(made), made.error


def test_lost_replies_are_no_failures(berth: Berth) -> None:
    """It was done each time, but nobody said so: a look tells."""
    berth.want("demo")
    for method in (*POOLED, *BOOKKEEPING):
        berth.cloud.lose_reply(method)

    made = berth.carry_out()

    assert is_ready(made), made.error


@pytest.mark.parametrize("method", [*LONG_RUNNING, *BOOKKEEPING])
def test_one_lost_reply_is_no_failure(berth: Berth, method: str) -> None:
    """Alone, too: here an operation is under way whose name nobody knows."""
    berth.want("demo")
    berth.cloud.lose_reply(method)

    made = berth.carry_out()

    assert is_ready(made), made.error


def test_an_image_is_built_once_although_the_reply_was_lost(berth: Berth) -> None:
    """Every builds.create is a new build; so what is under way is looked for first."""
    berth.cloud.lose_reply("cloudbuild.projects.locations.builds.create")

    made = berth.provision()

    assert is_ready(made), made.error
    assert berth.cloud.calls.count("cloudbuild.projects.locations.builds.create") == 1


def test_two_deployments_that_need_one_image_build_it_once(berth: Berth) -> None:
    """The second finds the build of the first, and waits for it."""
    first = berth.launch("provision", "one", berth.want("one"))
    berth.clock.advance(30)
    second = berth.launch("provision", "two", berth.want("two"))
    berth.clock.advance(LIMIT)

    assert is_ready(berth.outcome("one", first))
    assert is_ready(berth.outcome("two", second))
    assert berth.cloud.calls.count("cloudbuild.projects.locations.builds.create") == 1


def test_policies_that_move_are_read_again(berth: Berth) -> None:
    """Somebody else wrote first: read, change and write again, not write again."""
    for method in IAM_POLICIES:
        berth.cloud.fail(
            method, status=409, times=2, message="There were concurrent policy changes."
        )

    made = berth.provision()

    assert is_ready(made), made.error


def test_a_busy_instance_is_waited_for(berth: Berth) -> None:
    """Cloud SQL does one thing at a time on an instance, and the pool is shared."""
    berth.cloud.fail(
        "sql.databases.insert",
        status=409,
        reason="operationInProgress",
        message="Operation failed because another operation was already in progress.",
        times=12,
    )

    assert is_ready(berth.provision())


@pytest.mark.parametrize(
    ("method", "status", "message"),
    [
        (
            "run.projects.locations.services.create",
            403,
            "Permission 'iam.serviceaccounts.actAs' denied on service account (or it may not exist).",
        ),
        (
            "storage.buckets.setIamPolicy",
            400,
            "Service account mlflow-demo@berth-local.iam.gserviceaccount.com does not exist.",
        ),
    ],
)
def test_what_is_not_known_everywhere_yet_is_waited_for(
    berth: Berth, method: str, status: int, message: str
) -> None:
    """Accounts and rights made moments ago take minutes to spread."""
    berth.cloud.fail(method, status=status, message=message, times=4)

    assert is_ready(berth.provision())


def test_operations_that_break_inside_google_are_begun_again(berth: Berth) -> None:
    """Once each: an internal error is nobody's fault of ours."""
    for method in LONG_RUNNING:
        berth.cloud.fail_operation(method, "INTERNAL", "an internal error occurred")

    made = berth.provision()

    assert is_ready(made), made.error


# -- faults that stay --------------------------------------------------------------------------


@pytest.mark.parametrize("method", POOLED)
def test_a_refusal_is_told_and_taken_back(berth: Berth, method: str) -> None:
    """FAILED, with the part and Google's words; and nothing is left."""
    before = berth.resources()
    berth.cloud.fail(method, status=403, message="a rule of the organisation forbids it")

    failed = berth.provision()

    assert failed.state == "FAILED"
    assert failed.error["part"] == POOLED[method]
    assert failed.status["problem"]["step"].startswith(POOLED[method])
    assert "a rule of the organisation forbids it" in failed.status["problem"]["cause"]
    assert failed.status["problem"]["remedy"]
    assert berth.claims() == []
    assert berth.resources() == before


def test_after_each_failure_the_next_request_gets_a_clean_start(berth: Berth) -> None:
    """Rolled back again and again, the same request succeeds in the end."""
    for method in LONG_RUNNING:
        berth.cloud.fail(method, status=400, message="a rule of the organisation forbids it")
        assert berth.provision().state == "FAILED"

    made = berth.provision()

    assert is_ready(made), made.error


@pytest.mark.parametrize("method", LONG_RUNNING)
def test_an_operation_that_fails_is_told_and_taken_back(berth: Berth, method: str) -> None:
    """The failure stands inside an answer of 200, and is a failure all the same."""
    before = berth.resources()
    berth.cloud.fail_operation(method, "INVALID_ARGUMENT", "the container did not start")

    failed = berth.provision()

    assert failed.state == "FAILED"
    assert failed.error["part"] == LONG_RUNNING[method]
    assert "the container did not start" in failed.status["problem"]["cause"]
    assert berth.resources() == before


def test_what_is_kept_can_be_resumed_at_every_step(berth: Berth) -> None:
    """With on_failure KEEP each request goes on where the last one stopped."""
    before = berth.resources()
    for method in POOLED:
        berth.cloud.fail(method, status=400, message="a rule of the organisation forbids it")
    attempts = 0
    while not is_ready(made := berth.provision(on_failure="KEEP")):
        attempts += 1
        assert attempts <= len(POOLED), made.error

    assert "identity" in berth.claims()
    assert berth.cloud.calls.count("iam.projects.serviceAccounts.create") == 2
    assert berth.tear_down().state == "DELETED"
    assert berth.resources() == before


def test_an_instance_that_cannot_be_made_is_taken_back(berth: Berth) -> None:
    """A dedicated instance that fails leaves nothing, not even half of itself."""
    before = berth.resources()
    berth.cloud.fail_operation("sql.instances.insert", "RESOURCE_EXHAUSTED", "no capacity")

    failed = berth.provision(placement="dedicated")

    assert failed.state == "FAILED"
    assert failed.error["part"] == "backend_store"
    assert "no capacity" in failed.status["problem"]["cause"]
    assert berth.resources() == before


# -- verify ------------------------------------------------------------------------------------


def proof(*, ok: bool, retry: bool) -> dict[str, Any]:
    """Return what verify may answer."""
    check = {"name": "stranger refused", "ok": ok, "detail": "a stranger got in"}
    return {"ok": ok, "retry": retry, "checks": [check], "summary": "1 of 1 checks"}


def test_a_proof_that_needs_time_gets_it(berth: Berth) -> None:
    """Rights take minutes to spread, so verify may ask to be asked again."""
    berth.functions.proofs.extend([proof(ok=False, retry=True)] * 5)

    assert is_ready(berth.provision())


def test_a_server_that_lets_strangers_in_is_not_ready(berth: Berth) -> None:
    """What is not proved is not READY, and is taken down again."""
    before = berth.resources()
    berth.functions.proofs.append(proof(ok=False, retry=False))

    failed = berth.provision()

    assert failed.state == "FAILED"
    assert failed.error["tags"] == ["VerifyFailed"]
    assert "a stranger got in" in failed.error["message"]
    assert berth.resources() == before


def test_patience_with_a_proof_ends(berth: Berth) -> None:
    """After a quarter of an hour, twice of what the slowest policy takes to spread."""
    berth.functions.proofs.extend([proof(ok=False, retry=True)] * 100)

    assert berth.provision().error["tags"] == ["VerifyFailed"]
    asked = 100 - len(berth.functions.proofs)
    assert asked == 1 + 900 // 10
    berth.functions.proofs.clear()


# -- the topic ---------------------------------------------------------------------------------


def test_a_topic_that_cannot_be_reached_is_no_reason_to_fail(berth: Berth) -> None:
    """The state of record is the registry; the events are news of it."""
    berth.cloud.fail("pubsub.projects.topics.publish", status=404, times=2)

    assert is_ready(berth.provision())
