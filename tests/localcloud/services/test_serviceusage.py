"""What enabling APIs promises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

URL = "serviceusage.googleapis.com/v1/projects/berth-local/services"
RUN, SQL = "run.googleapis.com", "sqladmin.googleapis.com"


def test_batch_is_an_operation_of_its_time(cloud: Cloud, ask: Ask, clock: VirtualClock) -> None:
    """Enabling takes as long as it does at Google, and then all are enabled."""
    started = ask("POST", f"{URL}:batchEnable", {"serviceIds": [RUN, SQL]}).json()
    poll = f"serviceusage.googleapis.com/v1/{started['name']}"

    assert ask("GET", poll).json()["done"] is False
    assert not cloud.enabled(RUN)
    clock.advance(40)

    done = ask("GET", poll).json()
    assert done["done"] is True
    assert [item["state"] for item in done["response"]["services"]] == ["ENABLED", "ENABLED"]
    assert cloud.enabled(RUN)
    assert cloud.enabled(SQL)


def test_enabled_is_not_yet_usable(cloud: Cloud, ask: Ask, clock: VirtualClock) -> None:
    """With a delay the finished operation comes before the first answered call."""
    cloud.propagation["services"] = 30
    host = "secretmanager.googleapis.com"
    ask("POST", f"{URL}/{host}:enable", {})
    clock.advance(40)
    assert ask("GET", f"{URL}/{host}").json()["state"] == "ENABLED"

    early = ask("GET", f"{host}/v1/projects/berth-local/secrets")
    clock.advance(30)

    assert early.json()["error"]["details"][0]["reason"] == "SERVICE_DISABLED"
    assert ask("GET", f"{host}/v1/projects/berth-local/secrets").status == 200


def test_repeat_is_done_at_once(cloud: Cloud, ask: Ask) -> None:
    """What is enabled already needs no operation."""
    cloud.enable(RUN)

    assert ask("POST", f"{URL}/{RUN}:enable", {}).json()["name"] == "operations/noop.DONE_OPERATION"


@pytest.mark.parametrize(
    ("hosts", "status"),
    [([], 400), ([RUN] * 21, 400), (["nosuch.googleapis.com", RUN], 403), (["run"], 403)],
)
def test_wrong_batch_enables_nothing(
    cloud: Cloud, ask: Ask, clock: VirtualClock, hosts: list[str], status: int
) -> None:
    """All or none: one unknown name refuses the batch."""
    assert ask("POST", f"{URL}:batchEnable", {"serviceIds": hosts}).status == status
    clock.run_until_idle()

    assert not cloud.enabled(RUN)


def test_failed_operation_enables_nothing(cloud: Cloud, ask: Ask, clock: VirtualClock) -> None:
    """The known internal error leaves the API off."""
    cloud.fail_operation("serviceusage.services.batchEnable", "INTERNAL", "error 160009")
    started = ask("POST", f"{URL}:batchEnable", {"serviceIds": [RUN]}).json()
    clock.run_until_idle()

    found = ask("GET", f"serviceusage.googleapis.com/v1/{started['name']}").json()

    assert found["error"] == {"code": 13, "message": "error 160009"}
    assert not cloud.enabled(RUN)


def test_disabled_api_refuses_calls(cloud: Cloud, ask: Ask, clock: VirtualClock) -> None:
    """Disabling takes effect on the next call."""
    cloud.enable("secretmanager.googleapis.com")
    ask("POST", f"{URL}/secretmanager.googleapis.com:disable", {})
    clock.run_until_idle()

    url = "secretmanager.googleapis.com/v1/projects/berth-local/secrets"

    assert ask("GET", url).json()["error"]["details"][0]["reason"] == "SERVICE_DISABLED"


def test_states_can_be_read(cloud: Cloud, ask: Ask) -> None:
    """One, several, or a filtered list."""
    cloud.enable(RUN)

    several = ask(
        "GET",
        f"{URL}:batchGet?names=projects/berth-local/services/{RUN}"
        f"&names=projects/berth-local/services/{SQL}",
    ).json()
    listed = ask("GET", f"{URL}?filter=state:ENABLED&pageSize=200").json()

    assert ask("GET", f"{URL}/{RUN}").json()["config"]["title"] == "Cloud Run Admin API"
    assert [item["state"] for item in several["services"]] == ["ENABLED", "DISABLED"]
    hosts = {item["config"]["name"] for item in listed["services"]}
    assert RUN in hosts
    assert SQL not in hosts


def test_unknown_operation_is_404(ask: Ask) -> None:
    """An operation nobody started does not exist."""
    assert ask("GET", "serviceusage.googleapis.com/v1/operations/none").status == 404


def test_strangers_may_not_enable(ask: Ask) -> None:
    """Enabling needs its permission."""
    response = ask("POST", f"{URL}/{RUN}:enable", {}, who="stranger@example.com")

    assert response.status == 403


def test_service_identity_has_googles_address(ask: Ask, clock: VirtualClock) -> None:
    """The agent's e-mail is the documented one, also on a repeat."""
    url = f"serviceusage.googleapis.com/v1beta1/projects/123456789012/services/{RUN}"
    seen: list[Any] = []
    for _ in range(2):
        started = ask("POST", f"{url}:generateServiceIdentity").json()
        clock.run_until_idle()
        poll = f"serviceusage.googleapis.com/v1beta1/{started['name']}"
        seen.append(ask("GET", poll).json()["response"]["email"])

    assert seen == ["service-123456789012@serverless-robot-prod.iam.gserviceaccount.com"] * 2


def test_api_without_agent_says_so(ask: Ask) -> None:
    """Not every API has a service agent."""
    url = "serviceusage.googleapis.com/v1beta1/projects/123456789012/services/dns.googleapis.com"

    assert ask("POST", f"{url}:generateServiceIdentity").status == 400
