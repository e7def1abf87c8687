"""Deployments behind a load balancer: their domain, its records and its certificate."""

from typing import Any

import pytest

from tests.workflows.balancers import DOMAIN, made_by_hand, make_zone, ours, records
from tests.workflows.berth import Berth
from tests.workflows.test_failures import is_ready

# A minute of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def rights(berth: Berth) -> None:
    for api in ("compute", "certificatemanager", "dns"):
        berth.cloud.enable(f"{api}.googleapis.com")
    for role in ("compute.admin", "certificatemanager.owner", "dns.admin"):
        berth.cloud.grant(
            "serviceAccount:berth-workflow@berth-local.iam.gserviceaccount.com", f"roles/{role}"
        )


def test_the_whole_way_with_a_zone_of_the_project(berth: Berth) -> None:
    """READY comes first, the certificate later, and then the domain is proved; nothing stays behind."""
    make_zone(berth)
    before = berth.resources()
    running = berth.launch("provision", "demo", berth.want("demo", load_balancer=ours()))
    while berth.outcome("demo", running).status.get("state") != "READY":
        berth.clock.advance(10)
    first = berth.outcome("demo", running)

    made = berth.finish("demo", running)

    assert (first.state, first.status["certificate"]) == ("READY", "PROVISIONING")
    assert first.execution["state"] == "ACTIVE"
    assert is_ready(made), made.error
    assert made.status["certificate"] == "ACTIVE"
    assert made.status["url"] == f"https://{DOMAIN}"
    assert made.status["urls"] == [f"https://{DOMAIN}"]
    assert records(berth)[f"{DOMAIN}. A"] == [made.status["observed"]["address"]]
    assert [
        body["observed"].get("certificate")
        for name, body in berth.functions.calls
        if name == "verify"
    ] == ["PROVISIONING", "ACTIVE"]
    removed = berth.tear_down()
    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before
