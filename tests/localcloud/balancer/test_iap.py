"""Identity-Aware Proxy on a backend service: who gets through, after the security policy."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.services.compute.load_balancers import COMPUTE, HOST, ROOT, RUN, Desk

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud, Response
    from tests.localcloud.conftest import Ask

IAP = "iap.googleapis.com/v1/projects/123456789012/iap_web/compute/services/be"
IDENTITY = (
    "serviceusage.googleapis.com/v1beta1/projects/123456789012/services/iap.googleapis.com"
    ":generateServiceIdentity"
)
AGENT = "serviceAccount:service-123456789012@gcp-sa-iap.iam.gserviceaccount.com"
CLIENT = "1234-abc.apps.googleusercontent.com"


@pytest.fixture
def desk(cloud: Cloud, ask: Ask, clock: VirtualClock) -> Desk:
    """A load balancer with IAP and a brought client; ana@example.com is a member."""

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        told = {key: value for key, value in environ.items() if isinstance(value, str)}
        start("200 OK", [("content-type", "application/json")])
        return [json.dumps(told).encode()]

    made = Desk(cloud, ask, clock)
    cloud.enable("iap.googleapis.com", "run.googleapis.com")
    made.service(invokerIamDisabled=False)
    made.mount(app)
    made.everything()
    iap = {"enabled": True, "oauth2ClientId": CLIENT, "oauth2ClientSecret": "secret"}
    made.done(ask("PATCH", f"{COMPUTE}/global/backendServices/be", {"iap": iap}))
    binding = {"role": "roles/iap.httpsResourceAccessor", "members": ["user:ana@example.com"]}
    answer = ask("POST", f"{IAP}:setIamPolicy", {"policy": {"bindings": [binding], "version": 3}})
    assert answer.status == 200, answer.body
    return made


def agent(desk: Desk) -> None:
    """Have IAP's own account made, and let it call the service."""
    assert desk.ask("POST", IDENTITY).status == 200
    desk.cloud.clock.pause(60)
    desk.cloud.grant(AGENT, "roles/run.invoker", on=f"//run.googleapis.com/{RUN}")


def visit(desk: Desk, who: str | None = None, **headers: str) -> Response:
    """Ask as somebody, or as nobody."""
    if who is not None:
        token = desk.cloud.tokens.id_token(who, CLIENT)
        headers["Authorization"] = f"Bearer {token}"
    found: Response = desk.cloud.request("GET", f"https://{HOST}/", headers=headers)
    return found


def test_a_member_gets_in_with_a_name(desk: Desk) -> None:
    """The service reads who it is from headers that only IAP can set."""
    agent(desk)

    answer = visit(desk, "ana@example.com", **{"X-Goog-Authenticated-User-Email": "forged"})

    assert answer.status == 200, answer.body
    told = answer.json()
    assert told["HTTP_X_GOOG_AUTHENTICATED_USER_EMAIL"] == "accounts.google.com:ana@example.com"
    assert "HTTP_X_SERVERLESS_AUTHORIZATION" not in told


def test_a_stranger_is_sent_to_sign_in(desk: Desk) -> None:
    """Browsers are redirected; programs that cannot follow get a 401."""
    agent(desk)

    assert visit(desk, accept="text/html").status == 302
    assert visit(desk, accept="application/json").status == 401


def test_a_non_member_with_a_good_token_is_refused(desk: Desk) -> None:
    """Known and not let in."""
    agent(desk)

    assert visit(desk, "bob@example.com").status == 403


def test_a_token_for_something_else_is_none(desk: Desk) -> None:
    """The audience must be the client."""
    agent(desk)
    token = desk.cloud.tokens.id_token("ana@example.com", "https://elsewhere.example.com")

    assert visit(desk, Authorization=f"Bearer {token}").status == 401


def test_without_iaps_account_nobody_gets_in(desk: Desk) -> None:
    """It has to be made once per project."""
    answer = visit(desk, "ana@example.com")

    assert answer.status == 500
    assert b"IAP service account is not provisioned" in answer.body


def test_iaps_account_must_be_an_invoker(desk: Desk) -> None:
    """Cloud Run refuses it like any other caller."""
    assert desk.ask("POST", IDENTITY).status == 200
    desk.cloud.clock.pause(60)

    assert visit(desk, "ana@example.com").status == 403


def test_the_policy_comes_first(desk: Desk) -> None:
    """Who is outside the ranges is not even asked who it is."""
    agent(desk)
    desk.policy("203.0.113.0/24")
    attach = {"securityPolicy": f"{ROOT}/global/securityPolicies/armor"}
    desk.post("/global/backendServices/be/setSecurityPolicy", attach)

    answer = visit(desk, "ana@example.com", accept="text/html")

    assert answer.status == 403
    assert b"403 Forbidden" in answer.body
