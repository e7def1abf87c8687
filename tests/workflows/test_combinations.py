"""Every two options that may be asked for at once can be had: provisioned, and gone again."""

from collections.abc import Iterator
from typing import Any

import pytest

from planner.plan import plan
from schemas.deployment import DeploymentRequest
from schemas.plan import Resource
from tests.install.installed import Installed
from tests.planner import discovery
from tests.planner.conftest import platform_of
from tests.planner.drawn import observed, spec_of
from tests.repository.options import FIELDS, Wish, options, pairs_of, request, valid_pairs
from tests.workflows.berth import Berth
from tests.workflows.covering import covering_set

ZONE = "risk-example-com"
DOMAIN = "risk.example.com"


def asked(wish: Wish) -> dict[str, Any]:
    """Return the request of a combination, with what is there to be referred to."""
    made = request(wish, name=f"pair{covering_set().index(wish)}")
    if made["load_balancer"] is not None:
        # With a zone of ours its certificate is issued, and the execution comes to its end.
        made["load_balancer"] = {"domain": f"{made['name']}.{DOMAIN}", "dns_zone": ZONE}
    return made


def spoken(wish: Wish) -> str:
    """Return what a combination is called: its options that are not the first of their field."""
    said = [
        title if title != "yes" else name
        for name, title in zip(FIELDS, wish, strict=True)
        if title != next(iter(options(name)))
    ]
    return ", ".join(said) or "the smallest"


every_wish = pytest.mark.parametrize("wish", covering_set(), ids=spoken)


def test_the_set_covers_every_pair_that_is_possible() -> None:
    """Whatever two options somebody combines, a test has had them together."""
    covered = {pair for wish in covering_set() for pair in pairs_of(wish)}

    assert covered == valid_pairs()
    assert len(covering_set()) < 50


@every_wish
def test_google_knows_every_body(wish: Wish) -> None:
    """Each call of the plan is checked against Google's discovery document."""
    platform = platform_of()
    made = plan(
        spec_of(DeploymentRequest.model_validate(asked(wish))), platform, observed(platform)
    )
    for part in made.parts:
        for step in part.steps:
            sent = (step.create, step.update, *step.remove) if isinstance(step, Resource) else ()
            for call in sent:
                if call is not None and call.auth == "OAuth2":
                    discovery.check(call.method, call.url, call.body)


@pytest.fixture(scope="module")
def settled(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """A project with what teams bring, and what stays once it is made: application and peering."""
    cloud = installed.wake(tmp_path_factory.mktemp("combinations") / "state")
    berth = Berth(cloud)
    bring(berth)
    first = berth.provision(
        "first",
        placement="dedicated",
        serving={"platform": "app_engine"},
        access={"mode": "iap"},
        network={},
    )
    assert first.state == "READY", first.error
    assert berth.tear_down("first").state == "DELETED"
    yield berth
    unused = cloud.unused_faults()
    cloud.close()
    assert unused == {}


def bring(berth: Berth) -> None:
    """Make what a team has before it asks: an OAuth client's two secrets, a DNS zone."""
    project = berth.cloud.project
    secrets = f"https://secretmanager.googleapis.com/v1/projects/{project}/secrets"
    reader = f"serviceAccount:berth-credentials@{project}.iam.gserviceaccount.com"
    role = {"role": "roles/secretmanager.secretAccessor", "members": [reader]}
    for name in ("mlflow-client-id", "mlflow-client-secret"):
        berth.ask("POST", f"{secrets}?secretId={name}", {"replication": {"automatic": {}}})
        berth.ask("POST", f"{secrets}/{name}:addVersion", {"payload": {"data": "c3RhbmQtaW4="}})
        berth.ask("POST", f"{secrets}/{name}:setIamPolicy", {"policy": {"bindings": [role]}})
    berth.ask(
        "POST",
        f"https://dns.googleapis.com/dns/v1/projects/{project}/managedZones",
        {"name": ZONE, "dnsName": f"{DOMAIN}.", "description": "of the team"},
    )


def held(berth: Berth) -> dict[str, Any]:
    """Return what the project holds; a policy in which nobody is named any more is nothing."""
    return {
        where: body
        for where, body in berth.resources().items()
        if not where.startswith("iam.policies/") or body.get("bindings")
    }


@pytest.mark.slow
@every_wish
def test_it_gets_ready_and_goes_without_a_trace(settled: Berth, wish: Wish) -> None:
    """READY, and afterwards the project holds what it held before."""
    wishes = asked(wish)
    before = held(settled)

    made = settled.provision(wishes["name"], **{field: wishes[field] for field in FIELDS})
    gone = settled.tear_down(wishes["name"])

    assert made.state == "READY", made.status.get("problem") or made.error
    assert gone.state == "DELETED", gone.status.get("problem") or gone.error
    after = held(settled)
    assert [
        (where, before.get(where), after.get(where))
        for where in sorted(before.keys() | after.keys())
        if before.get(where) != after.get(where)
    ] == []
