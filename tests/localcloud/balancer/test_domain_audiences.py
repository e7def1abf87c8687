"""Tokens for the custom domain: for services without IAP, with it, and for IAP at three places."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.services.run import names
from tests.localcloud.appengine.application import (
    API,
    APP,
    DEFAULT,
    MLFLOW,
    application,
    settled,
    version,
)
from tests.localcloud.appengine.application import HOST as APPSPOT
from tests.localcloud.iap.guarded import echo
from tests.localcloud.run.echo import ACCOUNT, Caller, add_account, build
from tests.localcloud.services.compute.load_balancers import COMPUTE, HOST, ROOT, RUN, Desk

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud, Response
    from tests.localcloud.conftest import Ask

URL = f"https://{HOST}"
OWN = "mlflow-123456789012.europe-west1.run.app"
IAP = "iap.googleapis.com/v1/projects/123456789012/iap_web"
IDENTITY = (
    "serviceusage.googleapis.com/v1beta1/projects/123456789012/services/iap.googleapis.com"
    ":generateServiceIdentity"
)
AGENT = "serviceAccount:service-123456789012@gcp-sa-iap.iam.gserviceaccount.com"
TRAINER = "trainer@berth-local.iam.gserviceaccount.com"
STRANGER = "stranger@berth-local.iam.gserviceaccount.com"
GROUPS = "/regions/europe-west1/networkEndpointGroups"


@pytest.fixture
def desk(cloud: Cloud, ask: Ask, clock: VirtualClock) -> Desk:
    """A load balancer in front of a service that lets nobody in by itself."""
    made = Desk(cloud, ask, clock)
    cloud.enable("iap.googleapis.com", "iamcredentials.googleapis.com", "run.googleapis.com")
    for short in ("trainer", "stranger"):
        body = {"accountId": short}
        url = "iam.googleapis.com/v1/projects/berth-local/serviceAccounts"
        assert ask("POST", url, body).status == 200
    cloud.grant("user:owner@example.com", "roles/iam.serviceAccountTokenCreator")
    made.service(invokerIamDisabled=False)
    made.mount(echo)
    made.everything()
    return made


def agent(desk: Desk) -> None:
    """Have IAP's own account made, and let it call the service."""
    assert desk.ask("POST", IDENTITY).status == 200
    desk.cloud.clock.pause(60)
    desk.cloud.grant(AGENT, "roles/run.invoker", on=f"//run.googleapis.com/{RUN}")


def admit(desk: Desk, place: str) -> None:
    """Let the trainer through IAP at a place."""
    member = {"role": "roles/iap.httpsResourceAccessor", "members": [f"serviceAccount:{TRAINER}"]}
    answer = desk.ask("POST", f"{IAP}/{place}:setIamPolicy", {"policy": {"bindings": [member]}})
    assert answer.status == 200, answer.body


def signed(desk: Desk, audience: str, *, email: str = TRAINER) -> str:
    """Have Google sign a token of an account's own, as programs without a key do."""
    now = int(desk.cloud.clock.now())
    claims = {"iss": email, "sub": email, "aud": audience, "iat": now, "exp": now + 600}
    url = f"iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{email}:signJwt"
    answer = desk.ask("POST", url, {"payload": json.dumps(claims)})
    assert answer.status == 200, answer.body
    return str(answer.json()["signedJwt"])


def visit(desk: Desk, token: str = "", host: str = HOST) -> Response:
    """Ask at a host, with a token."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    found: Response = desk.cloud.request("GET", f"https://{host}/api/2.0/x", headers=headers)
    return found


def email(answer: Response) -> str:
    """Return who the program behind was told it is."""
    assert answer.status == 200, answer.text
    return str(answer.json()["headers"]["x-goog-authenticated-user-email"]).partition(":")[2]


class TestWithoutIap:
    """Cloud Run's own check."""

    def test_a_custom_audience_is_the_domain(self, desk: Desk) -> None:
        """An ID token for it is taken behind the load balancer, once the service names it."""
        desk.cloud.grant(f"serviceAccount:{TRAINER}", "roles/run.invoker")
        token = desk.cloud.tokens.id_token(TRAINER, URL)
        assert visit(desk, token).status == 401

        desk.service(invokerIamDisabled=False, customAudiences=[URL])

        assert visit(desk, token).status == 200

    @pytest.mark.parametrize(
        ("who", "audience", "status"),
        [
            (TRAINER, f"https://{OWN}", 200),
            (TRAINER, f"{URL}/*", 401),
            (TRAINER, "https://other.example.com", 401),
            (STRANGER, URL, 403),
        ],
    )
    def test_others_are_not(self, desk: Desk, who: str, audience: str, status: int) -> None:
        """The service's own address still is one; who is no invoker stays outside."""
        desk.service(invokerIamDisabled=False, customAudiences=[URL])
        desk.cloud.grant(f"serviceAccount:{TRAINER}", "roles/run.invoker")

        assert visit(desk, desk.cloud.tokens.id_token(who, audience)).status == status

    def test_without_its_own_address_nobody_gets_there_directly(self, desk: Desk) -> None:
        """From nowhere: not from a network, not from a service of Google's."""
        desk.service(defaultUriDisabled=True, customAudiences=[URL])

        for host in names.hosts(RUN, desk.cloud.number):
            desk.cloud.ingress.mount(host, echo)
            for where in ({}, {"network": "default"}, {"inside": True}):
                assert desk.cloud.request("GET", f"https://{host}/", **where).status == 404
        assert visit(desk).status == 200


class TestIapOnTheService:
    """iapEnabled of the service that is behind the load balancer."""

    @pytest.fixture
    def guarded(self, desk: Desk) -> Desk:
        """Only the trainer may pass."""
        desk.service(invokerIamDisabled=False, iapEnabled=True)
        agent(desk)
        admit(desk, "cloud_run-europe-west1/services/mlflow")
        return desk

    def test_a_token_of_ones_own_is_made_out_to_the_domain(self, guarded: Desk) -> None:
        """With a star for all below."""
        assert email(visit(guarded, signed(guarded, f"{URL}/*"))) == TRAINER

    @pytest.mark.parametrize(
        ("who", "audience", "status"),
        [
            (TRAINER, f"https://{OWN}/*", 401),
            (TRAINER, URL, 401),
            (TRAINER, f"{URL}/other/*", 401),
            (STRANGER, f"{URL}/*", 403),
        ],
    )
    def test_others_are_refused(self, guarded: Desk, who: str, audience: str, status: int) -> None:
        """A token for another address is none, and a stranger's is not enough."""
        assert visit(guarded, signed(guarded, audience, email=who)).status == status

    def test_an_id_token_for_the_domain_is_none(self, guarded: Desk) -> None:
        """IAP knows OAuth clients as audiences, and no addresses."""
        assert visit(guarded, guarded.cloud.tokens.id_token(TRAINER, URL)).status == 401
        assert visit(guarded).status in {302, 401}


class TestIapOnTheBackend:
    """IAP of the load balancer's own."""

    @pytest.fixture
    def guarded(self, desk: Desk) -> Desk:
        """Only the trainer may pass."""
        agent(desk)
        iap = {"iap": {"enabled": True}}
        desk.done(desk.ask("PATCH", f"{COMPUTE}/global/backendServices/be", iap))
        admit(desk, "compute/services/be")
        return desk

    def test_a_token_of_ones_own_is_made_out_to_the_domain(self, guarded: Desk) -> None:
        """As on the service itself."""
        assert email(visit(guarded, signed(guarded, f"{URL}/*"))) == TRAINER

    @pytest.mark.parametrize(
        ("who", "audience", "status"),
        [(TRAINER, f"https://{OWN}/*", 401), (TRAINER, URL, 401), (STRANGER, f"{URL}/*", 403)],
    )
    def test_others_are_refused(self, guarded: Desk, who: str, audience: str, status: int) -> None:
        """In the same way."""
        assert visit(guarded, signed(guarded, audience, email=who)).status == status

    def test_a_policy_of_the_service_does_not_count(self, guarded: Desk) -> None:
        """The backend has its own."""
        answer = guarded.ask(
            "POST", f"{IAP}/compute/services/be:setIamPolicy", {"policy": {"bindings": []}}
        )
        assert answer.status == 200
        admit(guarded, "cloud_run-europe-west1/services/mlflow")

        assert visit(guarded, signed(guarded, f"{URL}/*")).status == 403


class TestAppEngine:
    """An application that was made with IAP on, its service mlflow with a policy of its own."""

    @pytest.fixture
    def guarded(self, desk: Desk, tmp_path: Path) -> Desk:
        """Only the trainer may pass, and to mlflow only."""
        cloud = desk.cloud
        cloud.enable("appengine.googleapis.com", "appengineflex.googleapis.com")
        add_account(cloud, ACCOUNT)
        build(cloud, tmp_path)
        for role in ("artifactregistry.reader", "logging.logWriter"):
            cloud.grant(f"serviceAccount:{ACCOUNT}", f"roles/{role}")
        owner = Caller(cloud)
        made = settled(owner, owner("POST", f"{API}/apps", application(iap={"enabled": True})))
        assert made["response"]["iap"]["enabled"] is True
        settled(owner, owner("POST", f"{DEFAULT}/versions", version("d1")))
        settled(owner, owner("POST", f"{MLFLOW}/versions", version("v1")))
        for host in (APPSPOT, f"mlflow-dot-{APPSPOT}"):
            cloud.ingress.mount(host, echo)
        admit(desk, "appengine-berth-local/services/mlflow")
        return desk

    @pytest.fixture
    def balanced(self, guarded: Desk) -> Desk:
        """Reached by the load balancer only."""
        owner = Caller(guarded.cloud)
        body: dict[str, Any] = {"name": "gae", "networkEndpointType": "SERVERLESS"}
        guarded.post(GROUPS, {**body, "appEngine": {"service": "mlflow"}})
        backends = {"backends": [{"group": f"{ROOT}{GROUPS}/gae"}]}
        guarded.done(guarded.ask("PATCH", f"{COMPUTE}/global/backendServices/be", backends))
        allowed = "INGRESS_TRAFFIC_ALLOWED_INTERNAL_AND_LB"
        body = {"networkSettings": {"ingressTrafficAllowed": allowed}}
        settled(owner, owner("PATCH", f"{MLFLOW}?updateMask=networkSettings", body))
        return guarded

    def test_the_application_shows_iap(self, guarded: Desk) -> None:
        """From its first moment on."""
        assert Caller(guarded.cloud)("GET", APP).json()["iap"]["enabled"] is True

    def test_a_token_for_the_services_own_host(self, guarded: Desk) -> None:
        """It is good there and not next door, where the policy does not reach."""
        host = f"mlflow-dot-{APPSPOT}"
        assert email(visit(guarded, signed(guarded, f"https://{host}/*"), host)) == TRAINER

        assert visit(guarded, signed(guarded, f"https://{APPSPOT}/*"), APPSPOT).status == 403
        assert visit(guarded, signed(guarded, f"https://{host}/*"), APPSPOT).status == 401
        stranger = signed(guarded, f"https://{host}/*", email=STRANGER)
        assert visit(guarded, stranger, host).status == 403
        assert visit(guarded, host=host).status in {302, 401}

    def test_a_token_for_the_domain(self, balanced: Desk) -> None:
        """Behind a load balancer the address is the domain's, and the own one is shut."""
        assert email(visit(balanced, signed(balanced, f"{URL}/*"))) == TRAINER

        host = f"mlflow-dot-{APPSPOT}"
        assert visit(balanced, signed(balanced, f"https://{host}/*"), host).status == 403
        assert visit(balanced, signed(balanced, f"https://{host}/*")).status == 401
        assert visit(balanced, signed(balanced, f"{URL}/*", email=STRANGER)).status == 403
        assert visit(balanced).status in {302, 401}

    def test_labels_split_and_network_change_at_once(self, guarded: Desk) -> None:
        """One patch of the service, and only what its mask names."""
        owner = Caller(guarded.cloud)
        settled(owner, owner("POST", f"{MLFLOW}/versions", version("v2")))
        allowed = "INGRESS_TRAFFIC_ALLOWED_INTERNAL_AND_LB"
        body = {
            "labels": {"team": "risk"},
            "split": {"shardBy": "IP", "allocations": {"v2": 1}},
            "networkSettings": {"ingressTrafficAllowed": allowed},
        }

        settled(owner, owner("PATCH", f"{MLFLOW}?updateMask=labels,split,networkSettings", body))

        found = owner("GET", MLFLOW).json()
        assert {name: found[name] for name in body} == body

    @pytest.mark.parametrize("mask", ["labels,id", "name", "nothing"])
    def test_other_masks_are_refused(self, guarded: Desk, mask: str) -> None:
        """Nothing changes then."""
        owner = Caller(guarded.cloud)

        answer = owner("PATCH", f"{MLFLOW}?updateMask={mask}", {"labels": {"team": "risk"}})

        assert answer.status == 400, answer.text
        assert "labels" not in owner("GET", MLFLOW).json()

    @pytest.mark.parametrize(
        ("view", "shown"), [("?view=FULL", True), ("?view=BASIC", False), ("", False)]
    )
    def test_variables_are_part_of_the_full_view(
        self, guarded: Desk, view: str, shown: bool
    ) -> None:
        """Only of that one."""
        owner = Caller(guarded.cloud)
        variables = {"ARTIFACT_UPLOADS": "signed_parts"}
        body = version("v3", envVariables=variables)
        settled(owner, owner("POST", f"{MLFLOW}/versions", body))

        found = owner("GET", f"{MLFLOW}/versions/v3{view}").json()

        assert found.get("envVariables") == (variables if shown else None)
