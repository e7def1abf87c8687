"""The proof at the door: who is turned away, by whom and how, in every access mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from install.rights import Right, rights
from tests.functions.doorstep import detail, failing, names, prove, target, without
from tests.functions.entrance_deployments import ACCESS, deployments, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.berth import Berth

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-entrances")


@pytest.fixture(scope="module")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The verify function, and a deployment of each access mode."""
    with deployments(tmp_path_factory.mktemp("berth")) as made:
        yield made


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
        ("proxy", "sends back twice", "login offered", False),
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
        ("parts/create", False, "did not answer as MLflow does: 200"),
        ("parts elsewhere", False, "https://stranger.example, not Cloud Storage"),
        ("parts nowhere", False, "a part would go to ://, not Cloud Storage"),
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
    assert len(served.tracking.parts.given_up) == (
        fault not in {"parts cannot create", "parts/create"}
    )


def test_no_address_of_a_part_is_told(berth: Berth) -> None:
    """It is as good as a key for as long as it holds."""
    serve(berth, "proxy", "parts expired")

    proof = prove(berth, "proxy")

    log = (berth.logs / "verify.log").read_text()
    assert "uploadId" not in str(proof)
    assert "uploadId" not in log


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
