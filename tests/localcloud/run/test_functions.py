"""A function is built from its zip and its own requirements, and is a Cloud Run service."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.run.echo import ACCOUNT, Caller
from tests.localcloud.run.sources import (
    BUILDER,
    BUILDER_ROLES,
    FUNCTIONS,
    REQUIREMENTS,
    deployed,
    function,
    uploaded,
    waited,
)

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

MAIN = """
import importlib.util, json, os

def hello(request):
    seen = {"path": request.path, "env": dict(os.environ), "user": request.headers.get("X-User"),
            "pydantic": importlib.util.find_spec("pydantic") is not None}
    return json.dumps(seen)

def _private():
    pass
"""

pytestmark = pytest.mark.usefixtures("builder")


def called(cloud: Cloud, url: str, email: str = "owner@example.com") -> Any:
    """Call a function with an ID token."""
    audience = "/".join(url.split("/")[:4]) if "cloudfunctions" in url else url.rpartition("/x")[0]
    token = cloud.tokens.id_token(email, audience)
    return cloud.request("GET", url, headers={"authorization": f"Bearer {token}"})


GOOD = {"main.py": MAIN, "requirements.txt": REQUIREMENTS}


def test_function_answers_at_both_addresses(cloud: Cloud, owner: Caller) -> None:
    """What was uploaded runs as its account, with its variables and its requirements only."""
    operation = deployed(
        owner, "hello", function(uploaded(owner, GOOD), environmentVariables={"COLOUR": "blue"})
    )

    made = operation["response"]
    service = called(cloud, made["serviceConfig"]["uri"] + "/x").json()
    own = called(cloud, made["url"] + "/x").json()
    assert made["state"] == "ACTIVE"
    assert made["url"] == "https://europe-west1-berth-local.cloudfunctions.net/hello"
    assert service["path"] == own["path"] == "/x"
    assert service["pydantic"] is False
    expected = {"COLOUR": "blue", "FUNCTION_TARGET": "hello", "K_SERVICE": "hello"}
    assert expected.items() <= service["env"].items()


def test_function_is_a_service(cloud: Cloud, owner: Caller) -> None:
    """Cloud Run shows it; who may call it and the open door are decided there, for good."""
    source = uploaded(owner, GOOD)
    made = deployed(owner, "hello", function(source))["response"]
    name = made["serviceConfig"]["service"]
    run = "https://run.googleapis.com/v2"

    assert cloud.request("GET", made["url"]).status == 403
    path = f"{run}/{name}?updateMask=invokerIamDisabled"
    owner.done(owner("PATCH", path, {"invokerIamDisabled": True}))
    again = waited(
        owner, owner("PATCH", f"{FUNCTIONS}/hello", function(source, timeoutSeconds=9)).json()
    )

    assert again["response"]["serviceConfig"]["timeoutSeconds"] == 9
    assert cloud.request("GET", made["url"]).status == 200
    assert owner("GET", f"{run}/{name}").json()["labels"]["goog-managed-by"] == "cloudfunctions"


def test_missing_entry_point_fails_with_its_name(owner: Caller) -> None:
    """The state and the operation say which function is missing and which are there."""
    operation = deployed(owner, "hello", function(uploaded(owner, GOOD), entry="nope"))

    made = owner("GET", f"{FUNCTIONS}/hello").json()
    assert "to contain a function named 'nope'" in operation["error"]["message"]
    assert made["state"] == "FAILED"
    assert "'nope'" in made["stateMessages"][0]["message"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"other.py": MAIN, "requirements.txt": REQUIREMENTS}, "missing main.py"),
        ({"main.py": MAIN}, "functions-framework is not among the installed packages"),
        ({"main.py": MAIN, "requirements.txt": "no such thing!"}, "could not be installed"),
        (
            {"main.py": "import nothing_of_the_kind", "requirements.txt": REQUIREMENTS},
            "No module named 'nothing_of_the_kind'",
        ),
    ],
)
def test_bad_source_fails_the_build(owner: Caller, files: dict[str, str], said: str) -> None:
    """A source that cannot become a function fails with the reason."""
    operation = deployed(owner, "hello", function(uploaded(owner, files)))

    assert said in operation["error"]["message"]


def test_what_is_no_zip_fails_the_build(owner: Caller) -> None:
    """An upload that is not an archive fails with the reason."""
    operation = deployed(owner, "hello", function(uploaded(owner, b"not a zip")))

    assert "not a zip archive" in operation["error"]["message"]


def test_nothing_uploaded_fails_the_build(owner: Caller) -> None:
    """A source that was announced but never sent fails with its name."""
    source = owner("POST", f"{FUNCTIONS}:generateUploadUrl", {}).json()["storageSource"]

    operation = deployed(owner, "hello", function(source))

    assert source["object"] in operation["error"]["message"]


def test_failed_function_can_be_deployed_again(owner: Caller) -> None:
    """After a failure a patch with a good source makes it work."""
    deployed(owner, "hello", function(uploaded(owner, GOOD), entry="nope"))

    operation = waited(
        owner, owner("PATCH", f"{FUNCTIONS}/hello", function(uploaded(owner, GOOD))).json()
    )

    assert operation["response"]["state"] == "ACTIVE"


@pytest.mark.parametrize(
    ("headers", "forged"),
    [({"content-type": "text/plain"}, ""), ({"content-type": "application/zip"}, "00")],
)
def test_upload_url_is_for_what_it_was_signed_for(
    cloud: Cloud, owner: Caller, headers: dict[str, str], forged: str
) -> None:
    """Another content type or another signature is refused."""
    url = owner("POST", f"{FUNCTIONS}:generateUploadUrl", {}).json()["uploadUrl"]

    assert cloud.request("PUT", url + forged, headers=headers, body=b"x").status == 403


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"runtime": "cobol85"}, "Runtime cobol85 is not supported"),
        ({"source": {}}, "storage_source must be set"),
    ],
)
def test_bad_build_is_refused(owner: Caller, change: dict[str, Any], said: str) -> None:
    """What could never be built is refused at once."""
    body = function({"bucket": "b", "object": "o"})
    body["buildConfig"] |= change

    answer = owner("POST", f"{FUNCTIONS}?functionId=hello", body)

    assert answer.status == 400
    assert said in answer.text


def test_concurrency_needs_a_whole_cpu(owner: Caller) -> None:
    """More than one request at a time needs at least one CPU, as on Google's side."""
    body = function({"bucket": "b", "object": "o"}, maxInstanceRequestConcurrency=8)

    answer = owner("POST", f"{FUNCTIONS}?functionId=hello", body)

    assert answer.status == 400
    assert "concurrency must be 1" in answer.text


@pytest.mark.parametrize("missing", [ACCOUNT, BUILDER])
def test_deployer_must_act_as_both_accounts(cloud: Cloud, missing: str) -> None:
    """Without actAs on the runtime's or the build's account the call is refused by name."""
    cloud.grant("user:dev@example.com", "roles/cloudfunctions.developer")
    held = ({ACCOUNT, BUILDER} - {missing}).pop()
    full = f"//iam.googleapis.com/projects/berth-local/serviceAccounts/{held}"
    cloud.grant("user:dev@example.com", "roles/iam.serviceAccountUser", on=full)
    developer = Caller(cloud, "dev@example.com")

    answer = developer(
        "POST", f"{FUNCTIONS}?functionId=hello", function({"bucket": "b", "object": "o"})
    )

    assert answer.status == 403
    assert missing in answer.text


@pytest.mark.parametrize("missing", BUILDER_ROLES)
def test_builder_needs_all_three_roles(cloud: Cloud, owner: Caller, missing: str) -> None:
    """An account of one's own that builds must read, push and log; the error says what it lacks."""
    project = "//cloudresourcemanager.googleapis.com/projects/berth-local"
    policy = cloud.iam.policy(project)
    policy["bindings"] = [one for one in policy["bindings"] if one["role"] != missing]
    cloud.iam.set_policy(project, policy)

    operation = deployed(owner, "hello", function(uploaded(owner, GOOD)))

    assert "missing permission on the build service account" in operation["error"]["message"]
    assert f"{BUILDER} lacks" in operation["error"]["message"]


def test_deleted_function_is_gone(cloud: Cloud, owner: Caller) -> None:
    """Deleting removes the service as well."""
    made = deployed(owner, "hello", function(uploaded(owner, GOOD)))["response"]

    waited(owner, owner("DELETE", f"{FUNCTIONS}/hello").json())

    run = "https://run.googleapis.com/v2"
    assert owner("GET", f"{FUNCTIONS}/hello").status == 404
    assert owner("GET", f"{run}/{made['serviceConfig']['service']}").status == 404
    assert cloud.request("GET", made["url"]).status == 404


def with_variables(source: dict[str, Any], **variables: str) -> dict[str, Any]:
    """Return a function whose build has these variables."""
    made = function(source)
    made["buildConfig"]["environmentVariables"] = variables
    return made


def test_build_variable_names_the_source_file(cloud: Cloud, owner: Caller) -> None:
    """The function lies where GOOGLE_FUNCTION_SOURCE says."""
    files = {"app/there.py": MAIN, "requirements.txt": REQUIREMENTS}
    body = with_variables(uploaded(owner, files), GOOGLE_FUNCTION_SOURCE="app/there.py")

    made = deployed(owner, "hello", body)["response"]

    assert called(cloud, made["url"] + "/x").json()["path"] == "/x"


def test_source_file_that_is_not_there_fails_the_build(owner: Caller) -> None:
    """The build says which file it looked for."""
    body = with_variables(uploaded(owner, GOOD), GOOGLE_FUNCTION_SOURCE="nope.py")

    assert "'nope.py'" in deployed(owner, "hello", body)["error"]["message"]


def test_build_variable_that_would_change_nothing_here_is_refused(owner: Caller) -> None:
    """A variable for Google's builder that has no meaning here is named."""
    body = with_variables({"bucket": "b", "object": "o"}, GOOGLE_ENTRYPOINT="gunicorn main:app")

    answer = owner("POST", f"{FUNCTIONS}?functionId=hello", body)

    assert (answer.status, "GOOGLE_ENTRYPOINT" in answer.text) == (501, True)
