"""Remedies: every known failure is recognised, and every answer says where and what to do."""

from typing import Any

import pytest

from planner.remedies import LONGEST_CAUSE, REMEDIES, diagnosis
from schemas.problem import Problem
from tests.planner import domain_failures, ground_failures
from tests.planner.failures import (
    ACCOUNTS,
    BUCKET,
    BUILD,
    FUNCTION,
    IAP,
    JOB,
    RUN,
    SECRET,
    SQL,
    failure,
    http,
    operation,
    shown,
)

KNOWN = [
    *domain_failures.KNOWN,
    *ground_failures.KNOWN,
    (
        http(
            FUNCTION,
            400,
            "The secret x is empty; what helps: `gcloud secrets versions add x`",
            reason="urn:berth:problem:brought-secret",
        ),
        "brought-secret",
    ),
    (
        http(
            f"{RUN}:setIamPolicy",
            400,
            "Service account service-1@gcp-sa-iap.iam.gserviceaccount.com does not exist.",
        ),
        "iap-agent-missing",
    ),
    (
        failure(
            ["VerifyFailed"],
            RUN,
            code=0,
            message="a member is let in, 403 Your client does not have permission to get URL /",
        ),
        "iap-may-not-call",
    ),
    (
        failure(
            ["VerifyFailed"],
            RUN,
            code=0,
            message="500 The IAP service account is not provisioned. Please follow",
        ),
        "iap-may-not-call",
    ),
    (http(f"{IAP}:getIamPolicy", 404, "Requested entity was not found."), "iap-not-there"),
    (
        failure(["NotOurs"], f"{IAP}:iapSettings", code=0, message=f"exists - {IAP}:iapSettings"),
        "iap-foreign-settings",
    ),
    (
        http(
            FUNCTION,
            502,
            "Google Cloud answered 400 to a call of Berth's: oauth_settings: client_id and "
            "client_secret must be set together.",
            reason="urn:berth:problem:google-refused",
        ),
        "iap-settings-refused",
    ),
    (
        http(f"{IAP}:setIamPolicy", 403, "Permission 'iap.webServices.setIamPolicy' denied"),
        "permission-missing",
    ),
    (
        http(
            RUN, 403, "Cloud Run Admin API has not been used in project 1 before or it is disabled."
        ),
        "api-disabled",
    ),
    (
        http(RUN, 403, "disabled", status="PERMISSION_DENIED", reason="SERVICE_DISABLED"),
        "api-disabled",
    ),
    (http(SQL, 403, "disabled", reason="accessNotConfigured"), "api-disabled"),
    (http(SQL, 403, "This API method requires billing to be enabled."), "billing"),
    (
        http(
            RUN,
            403,
            "Request is prohibited by organization's policy. vpcServiceControlsUniqueIdentifier: x",
        ),
        "perimeter",
    ),
    (
        http(
            ACCOUNTS, 429, "Quota exceeded for Service Account Count", status="RESOURCE_EXHAUSTED"
        ),
        "quota",
    ),
    (http(SQL, 429, "Quota exceeded for quota metric", reason="RATE_LIMIT_EXCEEDED"), "rate"),
    (http(SQL, 403, "Quota exceeded for quota metric 'x' and limit 'y per minute'"), "rate"),
    (http(RUN, 401, "Request had invalid authentication credentials."), "token-refused"),
    (
        http(
            RUN,
            400,
            "One or more users named in the policy do not belong to a permitted customer, perhaps due to an organization policy.",
        ),
        "members-outside",
    ),
    (
        http(RUN, 400, "violates constraints/run.managed.requireInvokerIam"),
        "public-service-forbidden",
    ),
    (
        http(
            SECRET,
            400,
            "Constraint constraints/gcp.resourceLocations violated for [orgpolicy:projects/1]",
        ),
        "location-forbidden",
    ),
    (
        http(
            SQL,
            400,
            "Organization Policy check failure: violates the constraints/sql.restrictPublicIp",
        ),
        "public-address-forbidden",
    ),
    (
        http(ACCOUNTS, 400, "violates constraint constraints/iam.disableServiceAccountCreation"),
        "policy-forbids",
    ),
    (
        http(
            SQL,
            409,
            "Operation failed because another operation was already in progress.",
            reason="operationInProgress",
        ),
        "database-busy",
    ),
    (
        http(SQL, 409, "The Cloud SQL instance already exists.", reason="instanceAlreadyExists"),
        "instance-name-blocked",
    ),
    (
        http(
            SQL, 400, "Invalid request: Invalid Tier (db-g1-small) for (ENTERPRISE_PLUS) Edition."
        ),
        "instance-refused",
    ),
    (
        http(
            SQL,
            400,
            "The instance is protected. Please disable the deletion protection and try again.",
        ),
        "instance-protected",
    ),
    (http(SQL, 400, "Invalid request: since instance is not running."), "instance-stopped"),
    (operation(SQL, 'database "demo" is being accessed by other users'), "database-in-use"),
    (
        http(SQL, 400, 'role "demo" cannot be dropped because some objects depend on it'),
        "user-owns-things",
    ),
    (operation(SQL, "An unknown error occurred.", status="INTERNAL_ERROR"), "instance-failed"),
    (shown(SQL, "state is FAILED"), "instance-failed"),
    (
        http(BUILD, 400, "due to quota restrictions, cannot run builds in this region"),
        "build-region",
    ),
    (
        operation(BUILD, "denied: Permission artifactregistry.repositories.uploadArtifacts denied"),
        "build-push",
    ),
    (operation(BUILD, "FETCH_SOURCE_FAILED"), "build-source"),
    (operation(BUILD, "build exceeded TIMEOUT"), "build-late"),
    (operation(BUILD, "step exited with non-zero status: 1"), "build-failed"),
    (
        operation(RUN, "Google Cloud Run Service Agent must have permission to read the image"),
        "image-unreadable",
    ),
    (
        operation(RUN, "Permission denied on secret: projects/1/secrets/x/versions/1"),
        "secret-unreadable",
    ),
    (
        http(RUN, 403, "Permission 'iam.serviceaccounts.actAs' denied on service account x"),
        "act-as",
    ),
    (
        operation(RUN, "The user-provided container failed to start and listen on the port"),
        "server-not-starting",
    ),
    (
        operation(RUN, "The user-provided container failed the configured startup probe checks."),
        "server-not-starting",
    ),
    (shown(RUN, "terminalCondition.state is CONDITION_FAILED"), "server-not-starting"),
    (shown(JOB, "latestCreatedExecution.completionStatus is EXECUTION_FAILED"), "migration-failed"),
    (
        operation(f"{JOB}:run", "Task mlflow-demo-migrate-x-task0 failed with exit code 1"),
        "migration-failed",
    ),
    (http(RUN, 400, "Violation in UpdateServiceRequest"), "server-refused"),
    (
        http(BUCKET, 409, "The requested bucket name is not available.", reason="conflict"),
        "bucket-name-taken",
    ),
    (http(BUCKET, 403, "berth does not have storage.buckets.get access"), "bucket-name-taken"),
    (http(BUCKET, 409, "The bucket you tried to delete is not empty."), "bucket-not-empty"),
    (http(RUN, 409, "There were concurrent policy changes.", status="ABORTED"), "policy-race"),
    (
        http(SECRET, 400, "Service account x@y does not exist.", status="INVALID_ARGUMENT"),
        "member-unknown",
    ),
    (http(FUNCTION, 403, "The request was not authenticated"), "function-closed"),
    (http(FUNCTION, 500, "no words came with it"), "function-failed"),
    (
        http(
            SECRET,
            403,
            "Permission 'secretmanager.secrets.create' denied",
            status="PERMISSION_DENIED",
        ),
        "permission-missing",
    ),
    (http(RUN, 403, "Permission 'run.services.create' denied on resource"), "permission-missing"),
    (failure(["TimedOut"], "", message="it was not ready after 900 s"), "timed-out"),
    (failure(["ConnectionError"], "", message="connection reset"), "unreachable"),
    (http(SECRET, 503, "The service is currently unavailable."), "server-fault"),
    (failure(["ResourceLimitError"], "", message="Memory usage limit exceeded"), "too-big"),
    (failure(["KeyError"], "", message="key not found: uri"), "our-mistake"),
    (http(SECRET, 400, "Invalid JSON payload received. Unknown name"), "refused"),
    (operation("https://artifactregistry.googleapis.com/v1/x", "it broke"), "operation-failed"),
    (
        {
            "tags": ["NotOurs"],
            "part": "artifact_root",
            "step": "bucket",
            "message": "bucket exists",
            "cause": None,
        },
        "not-ours",
    ),
    (
        {
            "tags": ["NotAsNeeded"],
            "part": "network",
            "step": "application",
            "message": "App Engine application of p - the application is in us-central for ever",
            "cause": None,
        },
        "not-as-needed",
    ),
    (
        {
            "tags": ["VerifyFailed"],
            "part": "verify",
            "step": "verify",
            "message": "a stranger got in",
            "cause": None,
        },
        "verify-failed",
    ),
    (
        {
            "tags": ["LeaseLost"],
            "part": None,
            "step": "report",
            "message": "taken over",
            "cause": None,
        },
        "superseded",
    ),
    (
        {
            "tags": ["NoSpec"],
            "part": None,
            "step": "lease",
            "message": "no spec.json",
            "cause": None,
        },
        "no-spec",
    ),
]


@pytest.mark.parametrize(
    ("error", "kind"), KNOWN, ids=[f"{kind}-{n}" for n, (_, kind) in enumerate(KNOWN)]
)
def test_a_known_failure_is_recognised(error: dict[str, Any], kind: str) -> None:
    """Google's words lead to the row that speaks of them."""
    assert diagnosis(error).type == f"urn:berth:problem:{kind}"


def test_every_row_is_reached_by_some_failure() -> None:
    """No row stands behind a wider one that takes its failures away."""
    assert {remedy.kind for remedy in REMEDIES} == {kind for _, kind in KNOWN}


@pytest.mark.parametrize("error", [error for error, _ in KNOWN])
def test_a_problem_is_whole(error: dict[str, Any]) -> None:
    """Step, cause and remedy are always said, and the status is an error's."""
    problem = diagnosis(error, deployment="demo")
    assert problem.step
    assert problem.cause
    assert problem.remedy
    assert 400 <= problem.status < 600
    assert problem.instance == "/v1/deployments/demo"


def test_the_cause_is_in_google_s_words() -> None:
    """The sentence of the API comes through as it was said."""
    said = "Permission 'run.services.create' denied on resource"
    problem = diagnosis(http(RUN, 403, said))
    assert problem.cause == said
    assert problem.step == "tracking_server: service"
    assert problem.resumable


@pytest.mark.parametrize(
    "error", [{}, {"tags": []}, {"cause": {}}, {"message": "well"}, {"cause": {"code": "x"}}]
)
def test_an_unknown_failure_says_that_it_is_unknown(error: dict[str, Any]) -> None:
    """Nothing is guessed, and still there is a step."""
    problem = diagnosis(error)
    assert problem.type == "urn:berth:problem:unknown"
    assert problem.step == "unknown"
    assert problem.remedy


def test_the_caller_may_know_the_step() -> None:
    """An error raised outside every part is placed by whoever caught it."""
    assert diagnosis({"message": "x"}, step="image").step == "image"


def test_an_error_in_google_s_own_body_is_opened() -> None:
    """A bare HTTP error of the language is understood in both of Google's styles."""
    modern = {"error": {"message": "off", "details": [{"reason": "SERVICE_DISABLED"}]}}
    legacy = {"error": {"message": "off", "errors": [{"reason": "accessNotConfigured"}]}}
    for body in (modern, legacy):
        problem = diagnosis({"tags": ["HttpError"], "code": 403, "body": body})
        assert problem.type == "urn:berth:problem:api-disabled"
        assert problem.cause == "off"


@pytest.mark.parametrize(
    "body", ["<html>", None, 5, {"error": "text"}, {"error": {"details": "x"}}]
)
def test_a_body_that_is_no_error_does_no_harm(body: object) -> None:
    """Whatever came back, the answer is a problem."""
    assert diagnosis({"tags": ["HttpError"], "code": 502, "body": body}) == Problem.model_validate(
        diagnosis({"tags": ["HttpError"], "code": 502, "body": body}).document()
    )


def test_a_long_cause_is_cut() -> None:
    """status.json is read often, and a build log in it helps nobody."""
    problem = diagnosis(http(RUN, 500, "x" * 10_000))
    assert problem.cause is not None
    assert len(problem.cause) == LONGEST_CAUSE
    assert len(problem.detail) == LONGEST_CAUSE


def test_a_command_that_helps_is_part_of_the_remedy() -> None:
    """What only the moment knows, the name of a secret, is taken from what was said."""
    said = http(
        FUNCTION,
        400,
        "The secret x is empty; what helps: `gcloud secrets versions add x --data-file=FILE`",
        reason="urn:berth:problem:brought-secret",
    )
    remedy = diagnosis(said).remedy or ""
    assert "run gcloud secrets versions add x --data-file=FILE - a grant" in remedy
    assert "{found}" not in remedy


def test_a_cause_without_a_command_still_has_a_remedy() -> None:
    """An older function may word it otherwise; the sentence then shows no braces."""
    said = http(FUNCTION, 400, "no.", reason="urn:berth:problem:brought-secret")
    assert "run the command in the cause - a grant" in (diagnosis(said).remedy or "")
