"""A link for a browser to a load balancer's domain: nothing is open that is not open there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from localcloud.cloud import OWNER, Cloud
from tests.localcloud.services.compute.load_balancers import COMPUTE, HOST, ROOT, RUN, Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.transport import Response

ANA = "ana@example.com"
IAP = "iap.googleapis.com/v1/projects/123456789012/iap_web/compute/services/be"
IDENTITY = (
    "serviceusage.googleapis.com/v1beta1/projects/123456789012/services/iap.googleapis.com"
    ":generateServiceIdentity"
)
AGENT = "serviceAccount:service-123456789012@gcp-sa-iap.iam.gserviceaccount.com"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A served cloud with a whole load balancer, and an application that tells what it got."""
    cloud = Cloud(tmp_path / "state", machines="paper")

    def ask(method: str, url: str, body: object = None, *, who: str | None = OWNER) -> Response:
        headers = {"authorization": f"Bearer {cloud.tokens.access_token(who or OWNER)}"}
        data = b"" if body is None else json.dumps(body).encode()
        return cloud.request(method, f"https://{url}", headers=headers, body=data)

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        told = {key: value for key, value in environ.items() if isinstance(value, str)}
        if environ["PATH_INFO"] == "/broken":
            start("302 Found", [("location", "https://[there")])
            return [b""]
        if environ["PATH_INFO"] == "/moved":
            start("302 Found", [("location", f"https://{HOST}/there")])
            return [b""]
        start("200 OK", [("content-type", "application/json")])
        return [json.dumps(told).encode()]

    made = Desk(cloud, ask, None)
    with cloud.serve():
        made.service()
        made.mount(app)
        made.everything()
        yield made
    cloud.close()


def guard(desk: Desk) -> None:
    """Put IAP in front of the backend; ana is a member."""
    desk.cloud.enable("iap.googleapis.com", "run.googleapis.com")
    assert desk.ask("POST", IDENTITY).status == 200
    desk.cloud.grant(AGENT, "roles/run.invoker", on=f"//run.googleapis.com/{RUN}")
    desk.done(desk.ask("PATCH", f"{COMPUTE}/global/backendServices/be", {"iap": {"enabled": True}}))
    binding = {"role": "roles/iap.httpsResourceAccessor", "members": [f"user:{ANA}"]}
    policy = {"bindings": [binding], "version": 3}
    assert desk.ask("POST", f"{IAP}:setIamPolicy", {"policy": policy}).status == 200


def visit(url: str, **headers: str) -> httpx.Response:
    """Come as a browser does, without following anything."""
    return httpx.get(url, headers={"accept": "text/html", **headers}, trust_env=False, timeout=20)


def test_a_browser_sees_the_domains_server(desk: Desk) -> None:
    """Host, Origin and the way through the load balancer are as on the domain itself."""
    link = desk.cloud.ingress.link(f"https://{HOST}/page")

    answer = visit(link, origin=link.removesuffix("/page"))

    assert answer.headers["via"] == "1.1 google"
    told = answer.json()
    assert told["PATH_INFO"] == "/page"
    assert told["HTTP_HOST"] == HOST
    assert told["HTTP_ORIGIN"] == f"https://{HOST}"
    assert told["HTTP_X_FORWARDED_FOR"].startswith("127.0.0.1,")


def test_redirects_stay_at_the_link(desk: Desk) -> None:
    """Where the server sends a browser to its own domain, the browser goes on here."""
    link = desk.cloud.ingress.link(f"https://{HOST}")

    assert visit(f"{link}/moved").headers["location"] == f"{link}/there"


def test_a_redirect_to_what_is_no_address_is_passed_on(desk: Desk) -> None:
    """What the server says is the server's business; the link makes no fault of its own of it."""
    link = desk.cloud.ingress.link(f"https://{HOST}")

    answer = visit(f"{link}/broken")

    assert (answer.status_code, answer.headers["location"]) == (302, "https://[there")


def test_the_ranges_count_for_the_browser(desk: Desk) -> None:
    """Cloud Armor sees the browser's own address, and turns it away where that is not allowed."""
    link = desk.cloud.ingress.link(f"https://{HOST}")
    desk.policy("203.0.113.0/24")
    attach = {"securityPolicy": f"{ROOT}/global/securityPolicies/armor"}
    desk.post("/global/backendServices/be/setSecurityPolicy", attach)

    assert visit(link).status_code == 403


def test_iap_asks_who_it_is(desk: Desk) -> None:
    """Without an account the browser is sent to a sign-in page that it can reach, too."""
    guard(desk)
    link = desk.cloud.ingress.link(f"https://{HOST}")

    answer = visit(link)

    assert answer.status_code == 302
    assert answer.headers["location"].startswith("http://127.0.0.1:")
    assert visit(answer.headers["location"]).status_code == 200


def test_the_link_of_a_member_is_signed_in(desk: Desk) -> None:
    """With a member's account IAP at the load balancer lets in, with anybody else's it does not."""
    guard(desk)

    member = visit(desk.cloud.ingress.link(f"https://{HOST}", account=ANA))
    other = visit(desk.cloud.ingress.link(f"https://{HOST}", account="bob@example.com"))

    assert member.status_code == 200
    assert member.json()["HTTP_X_GOOG_AUTHENTICATED_USER_EMAIL"].endswith(f":{ANA}")
    assert other.status_code == 403


def test_without_a_certificate_there_is_nothing_to_see(desk: Desk) -> None:
    """A browser would stop at the certificate; so the link says that, and opens nothing."""
    desk.cloud.resolver.publish(
        "other.example.com", "A", desk.get("/global/addresses/ip")["address"]
    )
    link = desk.cloud.ingress.link("https://other.example.com")

    answer = visit(link)

    assert answer.status_code == 502
    assert "none that shows a certificate" in answer.text


def test_a_domain_that_leads_nowhere_has_no_link(desk: Desk) -> None:
    """As with services: a link is made only where something answers."""
    with pytest.raises(LookupError, match="no service answers at https://elsewhere"):
        desk.cloud.ingress.link("https://elsewhere.example.net")
