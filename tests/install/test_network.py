"""Putting verify into a network, and saying from where it calls."""

from collections.abc import Callable
from typing import Any

import pytest

from install.__main__ import understood
from install.errors import InstallError
from install.names import Names
from install.report import Report
from localcloud.cloud import Cloud
from schemas.platform import Platform
from tests.install.in_process import session
from tests.install.test_apply import read

Install = Callable[..., Report]

COMPUTE = "https://compute.googleapis.com/compute/v1/projects"
COMMAND = ["apply", "--project", "acme-mlflow", "--region", "europe-west1"]


def names(cloud: Cloud) -> Names:
    """Return what things are called there."""
    return Names(cloud.project, cloud.number, cloud.region)


def config(cloud: Cloud, function: str) -> Any:
    """Return a function's serviceConfig."""
    url = f"https://cloudfunctions.googleapis.com/v2/{names(cloud).function(function)}"
    return session(cloud).get(url)["serviceConfig"]


def test_verify_alone_is_put_into_the_network(ready: Cloud, again: Install) -> None:
    """All its calls go through the network; the other functions have no business there."""
    again("--network", "default", "--verify-range", "203.0.113.7/32")

    inside, outside = config(ready, "verify"), config(ready, "credentials")
    platform = Platform.model_validate(read(ready, "platform.json"))
    assert inside["directVpcNetworkInterface"] == [{"network": "default"}]
    assert inside["directVpcEgress"] == "VPC_EGRESS_ALL_TRAFFIC"
    assert "directVpcNetworkInterface" not in outside
    assert platform.network is not None
    assert platform.network.name == "default"
    assert platform.verify_ranges == ("203.0.113.7/32",)


def test_google_is_reached_from_the_subnetwork(ready: Cloud, again: Install) -> None:
    """Private Google access is off in a new project's subnetworks; nothing would answer verify."""
    url = f"{COMPUTE}/{ready.project}/regions/{ready.region}/subnetworks/default"
    before = session(ready).get(url)["privateIpGoogleAccess"]

    again("--network", "default")

    assert (before, session(ready).get(url)["privateIpGoogleAccess"]) == (False, True)


@pytest.mark.usefixtures("ready")
def test_the_same_network_again_changes_nothing(again: Install) -> None:
    """What is as it should be is left alone."""
    again("--network", "default", "--verify-range", "203.0.113.7/32")

    report = again("--network", "default", "--verify-range", "203.0.113.7/32")

    assert set(report.counts) == {"unchanged"}


def test_without_the_option_verify_is_outside_again(ready: Cloud, again: Install) -> None:
    """The options say how it shall be from now on."""
    again("--network", "default", "--verify-range", "203.0.113.7/32")

    report = again()

    platform = Platform.model_validate(read(ready, "platform.json"))
    assert report.counts["updated"] == 2
    assert not config(ready, "verify").get("directVpcNetworkInterface")
    assert (platform.network, platform.verify_ranges) == (None, ())


def test_looking_leaves_the_network_alone(ready: Cloud, again: Install) -> None:
    """With `--plan` nothing of the customer's own network is changed either."""
    again("--network", "default", "--plan")

    assert ready.calls.count("compute.subnetworks.setPrivateIpGoogleAccess") == 0
    assert not config(ready, "verify").get("directVpcNetworkInterface")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--network", "nowhere"), "no subnetwork nowhere in europe-west1.*subnets create nowhere"),
        (("--network", "default", "--subnetwork", "other"), "no subnetwork other.*--subnetwork"),
        (("--network", "elsewhere", "--subnetwork", "default"), "belongs to network default"),
    ],
)
def test_a_network_that_is_not_there_is_refused(
    ready: Cloud, again: Install, arguments: tuple[str, ...], words: str
) -> None:
    """The refusal says what would help, and comes before any function is deployed anew."""
    with pytest.raises(InstallError, match=f"(?s){words}"):
        again(*arguments)

    assert ready.calls.count("cloudfunctions.projects.locations.functions.patch") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--subnetwork", "default"), "--subnetwork needs --network"),
        (("--network", "Default"), "is no name"),
        (("--network", "-x"), "expected one argument"),
        (("--verify-range", "203.0.113.7/24"), "write 203.0.113.0/24"),
        (("--verify-range", "0.0.0.0/0"), "wider than /8"),
        (("--verify-range", "office"), "no range of addresses"),
    ],
)
def test_nonsense_on_the_command_line_is_refused(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], words: str
) -> None:
    """Before anything is asked of Google."""
    with pytest.raises(SystemExit):
        understood([*COMMAND, *arguments])

    assert words in capsys.readouterr().err


def test_a_lost_reply_leaves_nothing_half_done(ready: Cloud, again: Install) -> None:
    """The identity and the subnetwork are asked for once more, which is harmless."""
    session(ready).send(
        "DELETE",
        f"https://storage.googleapis.com/storage/v1/b/{names(ready).registry}/o/"
        "identities%2Fiap.googleapis.com.json",
    )
    ready.lose_reply("serviceusage.services.generateServiceIdentity")
    ready.lose_reply("compute.subnetworks.setPrivateIpGoogleAccess")

    again("--network", "default")

    assert set(again("--network", "default").counts) == {"unchanged"}
