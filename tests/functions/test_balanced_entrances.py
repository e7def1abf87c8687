"""The proof at the door behind a load balancer: through the domain, and past it nobody gets in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.functions.doorstep import REGION, failing, mlflow, prove, target
from tests.functions.entrance_deployments import ACCESS, deployments, serve
from tests.functions.entrance_doors import Door

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.berth import Berth

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-balanced-entrances")


@pytest.fixture(scope="module")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The verify function, and a deployment of each access mode."""
    with deployments(tmp_path_factory.mktemp("berth")) as made:
        yield made


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
