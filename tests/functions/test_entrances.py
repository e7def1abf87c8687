"""The proof at the door: who is turned away, by whom and how, in every access mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from install.accounts import Right, rights
from localcloud.cloud import Cloud
from localcloud.services import iam, iamcredentials, secretmanager, storage
from tests.functions.berth import Berth
from tests.functions.doorstep import (
    REGION,
    detail,
    failing,
    keep_password,
    mlflow,
    names,
    prove,
    settle,
    target,
    without,
)
from tests.functions.entrance_doors import Door, Iap, InvokerCheck, OAuth2Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.tracking import Tracking

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-entrances")

CLIENT = {"id_secret": "client-id", "secret_secret": "client-secret"}
ACCESS: dict[str, Any] = {
    "iam": {"mode": "iam"},
    "iap": {"mode": "iap"},
    "both": {"mode": "basic_auth", "iap": {}},
    "proxy": {
        "mode": "oauth2_proxy",
        "oauth_client": CLIENT,
        "email_domains": ["example.com"],
    },
}
DOORS: dict[str, type[Door]] = {
    "iam": InvokerCheck,
    "iap": Iap,
    "both": Iap,
    "proxy": OAuth2Proxy,
}
BALANCER = {"domain": "mlflow.risk.example.com"}


@dataclass
class Served:
    """What answers at the addresses of a deployment."""

    door: Door
    tracking: Tracking


@pytest.fixture(scope="module")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The verify function, and a deployment of each access mode."""
    folder = tmp_path_factory.mktemp("berth")
    services = [storage.SERVICE, secretmanager.SERVICE, iam.SERVICE, iamcredentials.SERVICE]
    cloud = Cloud(folder / "state", machines="paper", only=services)
    with cloud.serve():
        made = Berth(cloud, folder)
        made.found(cloud.project)
        settle(made)
        for name, access in ACCESS.items():
            made.wish(name, access=access)
            made.wish(f"{name}-behind", access=access, load_balancer=BALANCER)
        made.wish("inside", serving={"platform": "cloud_run", "ingress": "internal"})
        made.wish("ranges", load_balancer={**BALANCER, "allowed_ranges": ["203.0.113.0/24"]})
        accounts = f"{cloud.project}.iam.gserviceaccount.com"
        made.wish("open-to-all", access={**ACCESS["proxy"], "email_domains": [accounts]})
        for name in ("both", "both-behind"):
            keep_password(made, name)
        made.start("verify", account=names(cloud).account("verify"))
        yield made
        made.stop()
    cloud.close()


def serve(berth: Berth, name: str, *faults: str, hosts: tuple[str, ...] = ()) -> Served:
    """Let a server answer behind its door, at the addresses of a deployment or at others."""
    mode = name.removesuffix("-behind")
    mode = mode if mode in DOORS else "proxy" if mode == "open-to-all" else "iam"
    of_server = {fault for fault in faults if fault.startswith(("parts", "too few", "no login"))}
    tracking = mlflow(berth, login=mode == "both" and "no login" not in faults, faults=of_server)
    members = {names(berth.cloud).account("verify")}
    door = DOORS[mode](berth.cloud, members, tracking, set(faults) - of_server)
    for host in hosts or target(berth, name).own_hosts:
        berth.cloud.ingress.mount(host, door)
    return Served(door, tracking)


STRANGERS = {
    "iam": ("no token: 403", "a forged token: 401", "berth-stranger@", ": 403 Forbidden"),
    "iap": (
        "no token: 302 Found, to Google's sign-in",
        "a forged token: 401",
        "berth-stranger@",
        ": 403 Forbidden",
    ),
    "both": (
        "neither token nor password: 302 Found, to Google's sign-in",
        "the password and no token: 302 Found, to Google's sign-in",
        "a forged token: 401",
        "berth-stranger@",
        "IAP's token and no password: 401",
        "IAP's token and a wrong password: 401",
    ),
    "proxy": ("no token: 401", "a forged token: 401", "berth-stranger@"),
}


@pytest.mark.parametrize("name", ACCESS)
def test_every_stranger_is_tried_at_every_address(berth: Berth, name: str) -> None:
    """Each comes with something else, and how each was turned away is told."""
    serve(berth, name)

    proof = prove(berth, name)

    assert proof["ok"] is True, proof
    assert proof["summary"] == "stranger refused · run logged · artifact came back"
    told = detail(proof, "stranger refused")
    assert all(words in told for words in STRANGERS[name]), told
    assert all(f"https://{host}" in told for host in target(berth, name).own_hosts)


@pytest.mark.parametrize(
    ("name", "fault", "check", "retry"),
    [
        ("iam", "open", "stranger refused", False),
        ("iam", "takes forged tokens", "stranger refused", False),
        ("iam", "lets in every account", "stranger refused", False),
        ("iam", "foreign login", "stranger refused", False),
        ("iam", "hidden", "stranger refused", True),
        ("iap", "open", "stranger refused", False),
        ("iap", "absent", "stranger refused", True),
        ("iap", "takes forged tokens", "stranger refused", False),
        ("iap", "lets in every account", "stranger refused", False),
        ("iap", "foreign login", "login offered", True),
        ("both", "open", "stranger refused", True),
        ("both", "no login", "stranger refused", False),
        ("both", "lets in every account", "stranger refused", False),
        ("proxy", "open", "stranger refused", False),
        ("proxy", "takes forged tokens", "stranger refused", False),
        ("proxy", "lets in every account", "stranger refused", False),
        ("proxy", "no sign-in", "login offered", True),
        ("proxy", "sends back elsewhere", "login offered", False),
    ],
)
def test_a_door_that_is_not_shut_is_found(
    berth: Berth, name: str, fault: str, check: str, retry: bool
) -> None:
    """An answer that proves nothing is no refusal; one that lets in is never waited out."""
    serve(berth, name, fault)

    proof = prove(berth, name)

    assert failing(proof) == ([check], retry), proof


@pytest.mark.parametrize("name", ACCESS)
def test_a_member_who_is_not_let_in_yet_is_tried_again(berth: Berth, name: str) -> None:
    """Policies of IAP take minutes, and so does everything else at times."""
    serve(berth, name).door.members.clear()

    # Where IAP stands before MLflow's login, the first to miss it is who has no password.
    check = "stranger refused" if name == "both" else "version"
    assert failing(prove(berth, name)) == ([check], True)


def test_where_a_redirect_leads_is_told_without_its_state(berth: Berth) -> None:
    """The state of a sign-in is for one browser only."""
    serve(berth, "iap", "foreign login")

    proof = prove(berth, "iap")

    assert "302, sent to https://login.stranger.example/" in proof["summary"]
    assert "state=" not in str(proof)


def test_who_belongs_to_an_admitted_domain_is_no_stranger(berth: Berth) -> None:
    """Where all accounts of the project may enter, that others may not is not seen, and said."""
    serve(berth, "open-to-all", "lets in every account")

    proof = prove(berth, "open-to-all")

    assert proof["ok"] is True, proof
    assert "berth-stranger" not in detail(proof, "stranger refused")
    assert "everybody of this project's accounts is let in" in proof["summary"]


# -- artifacts -----------------------------------------------------------------------------------


def test_a_big_artifact_comes_back_in_signed_parts(berth: Berth) -> None:
    """Where the platform speaks HTTP/1 the parts go to Cloud Storage, without any token."""
    served = serve(berth, "iap")
    berth.cloud.calls.clear()

    proof = prove(berth, "iap")

    assert detail(proof, "artifact came back") == "33 MiB in 4 signed parts"
    assert served.tracking.artifacts == {}
    assert served.tracking.parts is not None
    assert served.tracking.parts.given_up == []


@pytest.mark.parametrize(
    ("fault", "retry", "words"),
    [
        ("parts cannot create", True, "mpu/create"),
        ("parts elsewhere", False, "https://stranger.example, not Cloud Storage"),
        ("too few parts", False, "4 parts were asked for, and 3 addresses came"),
        ("parts expired", True, "404"),
        ("parts cannot complete", True, "mpu/complete"),
    ],
)
def test_parts_that_do_not_arrive_are_found(
    berth: Berth, fault: str, retry: bool, words: str
) -> None:
    """Whatever goes wrong on the way, what was begun is given up."""
    served = serve(berth, "proxy", fault)

    proof = prove(berth, "proxy")

    assert failing(proof) == (["artifact came back"], retry)
    assert words in proof["summary"]
    assert served.tracking.parts is not None
    assert len(served.tracking.parts.given_up) == (fault != "parts cannot create")


def test_no_address_of_a_part_is_told(berth: Berth) -> None:
    """It is as good as a key for as long as it holds."""
    serve(berth, "proxy", "parts expired")

    proof = prove(berth, "proxy")

    log = (berth.logs / "verify.log").read_text()
    assert "uploadId" not in str(proof)
    assert "uploadId" not in log


# -- load balancers ------------------------------------------------------------------------------

FRONT = f"mlflow-front-123456789012.{REGION}.run.app"
"""Stands for the domain, which no name server here knows."""


class Shut(Door):
    """An address that leads nowhere, or one that has stayed open."""

    def turned_away(self, request: Any) -> Any:
        """Answer as Cloud Run does where nothing is."""
        from werkzeug.wrappers import Response

        del request
        return Response("Page not found", 404)


def shut(berth: Berth, name: str, *faults: str) -> None:
    """Shut the side doors of a deployment."""
    for host in target(berth, name).own_hosts:
        berth.cloud.ingress.mount(host, Shut(berth.cloud, set(), mlflow(berth), set(faults)))


@pytest.mark.parametrize("name", [f"{name}-behind" for name in ACCESS])
def test_before_the_certificate_only_the_side_doors_are_proved(berth: Berth, name: str) -> None:
    """The proof says what it has not seen."""
    shut(berth, name)

    proof = prove(berth, name, certificate="PROVISIONING", urls=["https://not-yet.example"])

    assert [check["name"] for check in proof["checks"]] == ["side doors shut"], proof
    assert proof["ok"] is True
    assert proof["unseen"] == [
        "anything through mlflow.risk.example.com: its certificate is not issued yet"
    ]
    assert proof["summary"].startswith("side doors shut; not seen: anything through mlflow.risk")


@pytest.mark.parametrize("name", [f"{name}-behind" for name in ACCESS])
def test_with_the_certificate_everything_is_proved(berth: Berth, name: str) -> None:
    """Through the domain, and the side doors are still shut."""
    shut(berth, name)
    serve(berth, name, hosts=(FRONT,))

    proof = prove(berth, name, certificate="ACTIVE", urls=[f"https://{FRONT}"])

    assert proof["ok"] is True, proof
    assert (
        proof["summary"] == "side doors shut · stranger refused · run logged · artifact came back"
    )
    assert proof["unseen"] == []


@pytest.mark.parametrize("certificate", ["PROVISIONING", "ACTIVE"])
@pytest.mark.parametrize("name", [f"{name}-behind" for name in ACCESS])
def test_a_side_door_that_is_open_to_members_is_found(
    berth: Berth, name: str, certificate: str
) -> None:
    """That strangers are refused there is not enough: Cloud Armor has not been asked."""
    serve(berth, name)
    serve(berth, name, hosts=(FRONT,))

    proof = prove(berth, name, certificate=certificate, urls=[f"https://{FRONT}"])

    assert failing(proof) == (["side doors shut"], True)
    assert "leads past the load balancer" in proof["summary"]


def test_a_side_door_that_is_open_to_all_is_found(berth: Berth) -> None:
    """No answer at a side door but that there is nothing."""
    shut(berth, "iam-behind", "open")

    proof = prove(berth, "iam-behind", certificate="PROVISIONING")

    assert failing(proof) == (["side doors shut"], True)
    assert "a stranger got 200" in proof["summary"]


def test_what_verify_cannot_see_of_ranges_is_said(berth: Berth) -> None:
    """It cannot come from another address than its own."""
    shut(berth, "ranges")
    serve(berth, "ranges", hosts=(FRONT,))

    proof = prove(berth, "ranges", certificate="ACTIVE", urls=[f"https://{FRONT}"])

    assert proof["ok"] is True, proof
    assert proof["unseen"] == [
        "that addresses outside of 203.0.113.0/24 are refused: verify comes from one address"
    ]


def test_cloud_armor_may_be_what_refuses_a_member(berth: Berth) -> None:
    """Then the operator is told what would let verify come to the door."""
    shut(berth, "ranges")
    serve(berth, "ranges", hosts=(FRONT,)).door.members.clear()

    proof = prove(berth, "ranges", certificate="ACTIVE", urls=[f"https://{FRONT}"])

    assert failing(proof) == (["version"], True)
    assert "--verify-range CIDR" in proof["summary"]


# -- inside networks -----------------------------------------------------------------------------


def test_outside_of_every_network_nothing_internal_can_be_proved(berth: Berth) -> None:
    """No waiting helps; the installer does."""
    serve(berth, "inside")

    proof = prove(berth, "inside")

    assert failing(proof) == (["verify is inside"], False)
    assert "python -m install apply … --network NETWORK" in proof["summary"]


# -- rights --------------------------------------------------------------------------------------

NEEDED = {
    ("iam.serviceAccountOpenIdTokenCreator", "stranger"): "iam",
    ("berthSigner", "stranger"): "iap",
    ("berthSigner", "verify"): "iap",
}
"""In which access mode each of verify's rights is needed, besides the registry."""


def of_verify(berth: Berth) -> dict[tuple[str, str], Right]:
    """Return verify's rights by role and place."""
    found = [right for right in rights(names(berth.cloud)) if right.account == "verify"]
    return {(right.role.rsplit("/", 1)[1], right.on): right for right in found}


def test_each_right_of_verify_is_looked_at(berth: Berth) -> None:
    """The registry's is tried in tests/end_to_end."""
    assert set(of_verify(berth)) == {*NEEDED, ("storage.objectViewer", "registry")}


@pytest.mark.parametrize("right", NEEDED, ids="-".join)
def test_without_a_right_no_token_is_made(berth: Berth, right: tuple[str, str]) -> None:
    """None of verify's rights is too many; what is missing is told, and what gives it back."""
    name = NEEDED[right]
    serve(berth, name)

    with without(berth.cloud, of_verify(berth)[right]):
        proof = prove(berth, name)

    assert failing(proof) == (["token made"], True)
    assert "was refused with 403" in proof["summary"]
    assert "python -m install apply" in proof["summary"]
    assert prove(berth, name)["ok"] is True


def test_no_token_is_in_the_answer_or_the_log(berth: Berth) -> None:
    """Executions, and therefore answers, are read by more people than may enter."""
    serve(berth, "both")

    proof = prove(berth, "both")

    log = (berth.logs / "verify.log").read_text()
    assert "eyJ" not in str(proof)
    assert "eyJ" not in log
