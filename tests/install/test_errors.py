"""What a person reads when an API refuses."""

import pytest

from install.errors import Answer, operation_failed, refused

URL = "https://run.googleapis.com/v2/projects/p/locations/r/services/s"


def modern(code: int, message: str, reason: str | None = None) -> Answer:
    """Return an error in Google's newer style."""
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    return Answer(
        code, {"error": {"code": code, "message": message, "details": details if reason else []}}
    )


@pytest.mark.parametrize(
    "message",
    [
        "Permission 'run.services.get' denied on resource (or it may not exist).",
        'Permission "run.services.get" denied on resource',
        "x@y.iam.gserviceaccount.com does not have run.services.get access to the bucket.",
    ],
)
def test_a_missing_permission_is_named(message: str) -> None:
    """The remedy says which permission whoever installs has to have."""
    assert "needs the permission run.services.get" in str(refused("GET", URL, modern(403, message)))


@pytest.mark.parametrize(
    ("answer", "helps"),
    [
        (modern(403, "Cloud Run API has not been used", "SERVICE_DISABLED"), "wait a few minutes"),
        (modern(403, "This API method requires billing to be enabled"), "billing account"),
        (modern(404, "not found"), "--project and --region"),
        (modern(429, "Quota exceeded"), "quota"),
        (modern(401, "invalid credentials"), "log in again"),
        (Answer(0, "GET x cannot be reached"), "goes on where it stopped"),
        (Answer(502, "<html>"), "goes on where it stopped"),
    ],
)
def test_every_refusal_says_what_helps(answer: Answer, helps: str) -> None:
    """What was asked, what came back in Google's words, and what a person can do."""
    text = str(refused("GET", URL, answer))

    assert f"GET {URL}" in text
    assert answer.message in text
    assert helps in text


@pytest.mark.parametrize(
    "error",
    [
        {"code": 9, "message": "no quota left"},
        {"errors": [{"code": "ERROR", "message": "no quota left"}]},
        {"odd": "no quota left"},
    ],
)
def test_a_failed_operation_tells_why(error: object) -> None:
    """Both dialects, and what is of neither."""
    text = str(operation_failed("function berth-api", error))

    assert "function berth-api" in text
    assert "no quota left" in text
