"""A tracking server on App Engine: its application is shared by all, and there is only one."""

from typing import Any

import pytest

from tests.workflows.berth import Berth, Outcome

# Minutes of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

PROJECT = "berth-local"
API = "https://appengine.googleapis.com/v1"
APP = f"{API}/apps/{PROJECT}"
ON_APP_ENGINE: dict[str, Any] = {
    "serving": {"platform": "app_engine"},
    "access": {"mode": "iap", "members": ["user:ana@example.com"]},
}


def make_application(berth: Berth, **fields: Any) -> None:
    """Make the application as somebody else would have."""
    body = {"id": PROJECT, "locationId": "europe-west", "iap": {"enabled": True}, **fields}
    berth.ask("POST", f"{API}/apps", body)
    berth.clock.advance(600)


def found_the_default_network(berth: Berth) -> None:
    """Make the cloud write down the network that every project has from the beginning."""
    berth.ask(
        "GET", f"https://compute.googleapis.com/compute/v1/projects/{PROJECT}/global/networks"
    )


def provision(berth: Berth, name: str = "demo", **options: Any) -> Outcome:
    """Provision on App Engine."""
    return berth.provision(name, **{**ON_APP_ENGINE, **options})


def test_a_project_without_an_application_gets_one(berth: Berth) -> None:
    """In the right region, with IAP on before anything serves, and a service default first."""
    outcome = provision(berth)

    assert outcome.state == "READY", outcome.status
    application = berth.ask("GET", APP)
    assert application["locationId"] == "europe-west"
    assert application["iap"]["enabled"] is True
    assert application["serviceAccount"].startswith("berth-app-engine@")
    page = berth.ask("GET", f"{APP}/services/default/versions/placeholder")
    assert page["env"] == "standard"
    assert outcome.status["url"] == f"https://mlflow-demo-dot-{application['defaultHostname']}"


def test_the_server_is_one_healthy_version_with_all_of_the_traffic(berth: Berth) -> None:
    """By digest, as its own account, told its hosts, its secret by number and never by value."""
    outcome = provision(berth, size="medium", placement="dedicated")

    service = berth.ask("GET", f"{APP}/services/mlflow-demo")
    assert service["split"]["allocations"] == {"server": 1}
    assert service["labels"]["berth-deployment"] == "demo"
    [listed] = berth.ask("GET", f"{APP}/services/mlflow-demo/versions")["versions"]
    version = berth.ask("GET", f"{API}/{listed['name']}?view=FULL")
    variables = version["envVariables"]
    assert version["serviceAccount"] == f"mlflow-demo@{PROJECT}.iam.gserviceaccount.com"
    assert "@sha256:" in version["deployment"]["container"]["image"]
    assert (version["resources"]["cpu"], version["resources"]["memoryGb"]) == (2, 4)
    assert version["readinessCheck"]["path"] == "/health/database"
    assert variables["MLFLOW_SERVER_ALLOWED_HOSTS"] == outcome.status["url"].split("/")[-1]
    assert variables["DB_PASSWORD_SECRET"].endswith("/secrets/mlflow-demo-db-password/versions/1")
    assert not any(name.endswith("_FILE") for name in variables)


def test_an_application_that_fits_is_used_as_it_is(berth: Berth) -> None:
    """Neither it nor its service default is changed."""
    make_application(berth)
    mine = {
        "id": "mine",
        "runtime": "python312",
        "handlers": [{"urlRegex": ".*", "staticFiles": {"path": "a", "uploadPathRegex": "a"}}],
        "deployment": {
            "files": {
                "a": {
                    "sourceUrl": f"https://storage.googleapis.com/{PROJECT}-berth-source"
                    "/app-engine/index.html"
                }
            }
        },
        "serviceAccount": f"berth-app-engine@{PROJECT}.iam.gserviceaccount.com",
    }
    berth.ask("POST", f"{APP}/services/default/versions", mine)
    berth.clock.advance(600)
    before = berth.ask("GET", APP), berth.ask("GET", f"{APP}/services/default")

    outcome = provision(berth)

    assert outcome.state == "READY", outcome.status
    assert (berth.ask("GET", APP), berth.ask("GET", f"{APP}/services/default")) == before


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"locationId": "us-central"}, ["us-central", "europe-west", "another project"]),
        ({"iap": {"enabled": False}}, ["gcloud iap web enable --resource-type=app-engine"]),
        ({"servingStatus": "USER_DISABLED"}, ["USER_DISABLED", "switched off"]),
    ],
    ids=["elsewhere", "open", "off"],
)
def test_an_application_that_does_not_fit_is_left_alone(
    berth: Berth, fields: dict[str, Any], words: list[str]
) -> None:
    """Refused before a database is made, in words that say what is and what to do."""
    make_application(berth, **fields)
    before = berth.resources()

    failed = provision(berth)

    assert failed.state == "FAILED"
    problem = failed.status["problem"]
    assert problem["type"] == "urn:berth:problem:not-as-needed"
    assert problem["step"] == "network: application"
    assert all(word in problem["cause"] for word in words), problem["cause"]
    assert "backend_store" not in failed.status["parts"]
    assert berth.resources() == before


def test_removing_leaves_the_application_and_nothing_else(berth: Berth) -> None:
    """Service, account, database and every grant go; application and default stay for ever."""
    found_the_default_network(berth)
    before = berth.resources()
    assert provision(berth).state == "READY"

    gone = berth.tear_down()

    assert gone.state == "DELETED", gone.status["problem"]
    after = berth.resources()
    left = {name for name in after if name not in before}
    assert left
    assert all(name.startswith("appengine") for name in left), left
    assert not any("mlflow-demo" in name for name in left)
    assert {name: after[name] for name in before} == before


def test_two_deployments_take_turns_in_one_application(berth: Berth) -> None:
    """An application carries out one change at a time: who comes second waits."""
    executions = {}
    for name in ("one", "two"):
        generation = berth.want(name, **ON_APP_ENGINE)
        executions[name] = berth.launch("provision", name, generation)

    outcomes = [berth.finish(name, execution) for name, execution in executions.items()]

    assert [outcome.state for outcome in outcomes] == ["READY", "READY"], outcomes


def test_a_service_of_that_name_that_is_not_ours_stays_untouched(berth: Berth) -> None:
    """A version added to somebody's service would be an intrusion."""
    provision(berth, "demo")
    assert berth.tear_down("demo").state == "DELETED"
    page = f"https://storage.googleapis.com/{PROJECT}-berth-source/app-engine/index.html"
    berth.ask(
        "POST",
        f"{APP}/services/mlflow-demo/versions",
        {
            "id": "theirs",
            "runtime": "python312",
            "handlers": [{"urlRegex": ".*", "staticFiles": {"path": "a", "uploadPathRegex": "a"}}],
            "deployment": {"files": {"a": {"sourceUrl": page}}},
            "serviceAccount": f"berth-app-engine@{PROJECT}.iam.gserviceaccount.com",
        },
    )
    berth.clock.advance(600)
    before = berth.ask("GET", f"{APP}/services/mlflow-demo")

    failed = provision(berth, "demo")

    assert failed.status["problem"]["type"] == "urn:berth:problem:not-ours"
    assert berth.ask("GET", f"{APP}/services/mlflow-demo") == before


def test_a_version_that_did_not_get_ready_is_tried_again(berth: Berth) -> None:
    """The machine's account may pull the image only once that right has spread."""
    berth.cloud.fail_operation(
        "appengine.apps.services.versions.create",
        "FAILED_PRECONDITION",
        "There was an error while pulling the application's docker image: the image does not "
        "exist, or the service account does not have permission to pull the image.",
    )
    make_application(berth)

    outcome = provision(berth)

    assert outcome.state == "READY", outcome.status


def operations(berth: Berth) -> list[Any]:
    """Return what App Engine says it does and has done."""
    return list(berth.ask("GET", f"{APP}/operations")["operations"])


def test_a_version_under_way_when_the_deployment_goes_does_not_stay(berth: Berth) -> None:
    """App Engine shows the service only when it is done; until then nobody may call it absent."""
    make_application(berth)
    execution = berth.launch("provision", "demo", berth.want("demo", **ON_APP_ENGINE))
    creates = "appengine.apps.services.versions.create"
    # The first one makes the service default.
    while berth.cloud.calls.count(creates) < 2:
        berth.clock.advance(1)
        assert berth.outcome("demo", execution).execution["state"] == "ACTIVE"
    pending = [one for one in operations(berth) if not one["done"]]
    assert "/services/mlflow-demo/" in pending[0]["metadata"]["target"]
    assert berth.answer("GET", f"{APP}/services/mlflow-demo")[0] == 404
    berth.cancel(execution)
    berth.clock.advance(1)

    gone = berth.tear_down()

    assert gone.state == "DELETED", gone.status["problem"]
    berth.clock.advance(3600)
    assert not [name for name in berth.resources() if "mlflow-demo" in name]
