"""The load balancer in front of App Engine: services, versions, masks, and who is let in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.appengine.application import (
    API,
    APP,
    DEFAULT,
    HOST,
    MLFLOW,
    application,
    settled,
    version,
)
from tests.localcloud.iap.guarded import echo
from tests.localcloud.run.echo import ACCOUNT, Caller, add_account, build
from tests.localcloud.services.compute.load_balancers import COMPUTE, ROOT, Desk
from tests.localcloud.services.compute.load_balancers import HOST as DOMAIN

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud, Response
    from tests.localcloud.conftest import Ask

GROUPS = "/regions/europe-west1/networkEndpointGroups"


@pytest.fixture
def desk(cloud: Cloud, ask: Ask, clock: VirtualClock, tmp_path: Path) -> Desk:
    """A load balancer whose group is the service mlflow of an application on paper."""
    made = Desk(cloud, ask, clock)
    cloud.enable("appengine.googleapis.com", "appengineflex.googleapis.com")
    add_account(cloud, ACCOUNT)
    build(cloud, tmp_path)
    for role in ("artifactregistry.reader", "logging.logWriter"):
        cloud.grant(f"serviceAccount:{ACCOUNT}", f"roles/{role}")
    owner = Caller(cloud)
    settled(owner, owner("POST", f"{API}/apps", application()))
    settled(owner, owner("POST", f"{DEFAULT}/versions", version("d1")))
    settled(owner, owner("POST", f"{MLFLOW}/versions", version("v1")))
    for host in (HOST, f"mlflow-dot-{HOST}", f"v1-dot-mlflow-dot-{HOST}", f"default-dot-{HOST}"):
        cloud.ingress.mount(host, echo)
    made.service()
    made.everything()
    point(made, {"service": "mlflow"})
    return made


def point(desk: Desk, target: dict[str, Any]) -> None:
    """Have the backend service lead to something of App Engine's."""
    name = f"group{len(desk.get(GROUPS)['items'])}"
    body = {"name": name, "networkEndpointType": "SERVERLESS", "appEngine": target}
    desk.post(GROUPS, body)
    backends = {"backends": [{"group": f"{ROOT}{GROUPS}/{name}"}]}
    desk.done(desk.ask("PATCH", f"{COMPUTE}/global/backendServices/be", backends))


def visit(desk: Desk, client: str = "198.51.100.7") -> Response:
    """Ask the load balancer."""
    found: Response = desk.cloud.request("GET", f"https://{DOMAIN}/x", client=client)
    return found


@pytest.mark.parametrize(
    "target",
    [
        {},
        {"service": "mlflow"},
        {"service": "mlflow", "version": "v1"},
        {"urlMask": "<service>.example.com"},
    ],
)
def test_a_group_leads_to_a_service(desk: Desk, target: dict[str, Any]) -> None:
    """The default one, one by name, one version, or what the URL says."""
    point(desk, target)

    answer = visit(desk)

    assert answer.status == 200, answer.body
    assert answer.json()["headers"]["x-forwarded-for"].startswith("198.51.100.7, ")
    assert answer.json()["headers"]["host"] == DOMAIN


@pytest.mark.parametrize("target", [{"service": "none"}, {"service": "mlflow", "version": "v9"}])
def test_what_is_not_there_is_not_found(desk: Desk, target: dict[str, Any]) -> None:
    """A service or a version nobody deployed."""
    point(desk, target)

    assert visit(desk).status in {404, 503}


@pytest.mark.parametrize(
    ("ingress", "status"),
    [
        ("INGRESS_TRAFFIC_ALLOWED_ALL", 200),
        ("INGRESS_TRAFFIC_ALLOWED_INTERNAL_AND_LB", 200),
        ("INGRESS_TRAFFIC_ALLOWED_INTERNAL_ONLY", 404),
    ],
)
def test_ingress_settings_let_the_load_balancer_in(desk: Desk, ingress: str, status: int) -> None:
    """All but the one for internal traffic only; the own URL is closed with both."""
    owner = Caller(desk.cloud)
    body = {"networkSettings": {"ingressTrafficAllowed": ingress}}
    settled(owner, owner("PATCH", f"{MLFLOW}?updateMask=networkSettings", body))

    assert visit(desk).status == status
    own = desk.cloud.request("GET", f"https://mlflow-dot-{HOST}/").status
    assert (own == 200) == (ingress == "INGRESS_TRAFFIC_ALLOWED_ALL")


def test_the_firewall_sees_the_client(desk: Desk) -> None:
    """Not the load balancer's address."""
    owner = Caller(desk.cloud)
    rule = {"priority": 100, "action": "DENY", "sourceRange": "198.51.100.0/24"}
    assert owner("POST", f"{APP}/firewall/ingressRules", rule).status == 200

    assert visit(desk).status == 403
    assert visit(desk, "203.0.113.5").status == 200
