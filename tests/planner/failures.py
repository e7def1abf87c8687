"""Errors as the workflow raises them, for the remedies to recognise."""

from typing import Any

RUN = "https://run.googleapis.com/v2/projects/p/locations/r/services/mlflow-demo"
JOB = "https://run.googleapis.com/v2/projects/p/locations/r/jobs/mlflow-demo-migrate"
SQL = "https://sqladmin.googleapis.com/v1/projects/p/instances/berth-pool-1"
BUILD = "https://cloudbuild.googleapis.com/v1/projects/p/locations/r/builds"
BUCKET = "https://storage.googleapis.com/storage/v1/b/p-mlflow-demo"
SECRET = "https://secretmanager.googleapis.com/v1/projects/p/secrets"
ACCOUNTS = "https://iam.googleapis.com/v1/projects/p/serviceAccounts"
IAP = "https://iap.googleapis.com/v1/projects/1/iap_web/cloud_run-r/services/mlflow-demo"
FUNCTION = "https://berth-credentials-123456789012.europe-west1.run.app"


def http(
    url: str, code: int, message: str, *, status: str = "", reason: str = ""
) -> dict[str, Any]:
    """Return what the workflow raises when Google refuses a call."""
    return failure(["HttpError"], url, code=code, message=message, status=status, reason=reason)


def operation(url: str, message: str, *, status: str = "9") -> dict[str, Any]:
    """Return what it raises when an operation ends in an error."""
    return failure(["OperationFailed"], url, code=0, message=message, status=status)


def shown(url: str, message: str) -> dict[str, Any]:
    """Return what it raises when a resource says that it will never be ready."""
    return failure(["ResourceFailed"], url, code=0, message=message)


def failure(tags: list[str], url: str, **cause: Any) -> dict[str, Any]:
    """Return an error with its cause, as lib/ensure.yaml words it."""
    return {
        "tags": tags,
        "part": "tracking_server",
        "step": "service",
        "message": f"making it - {cause['message']}",
        "cause": {
            "tags": tags,
            "status": "",
            "reason": "",
            "request": f"POST {url}",
            **cause,
        },
    }
