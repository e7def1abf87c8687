"""The VPC network that verify is put into, so that it finds servers which only insiders find."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from install.errors import InstallError
from install.names import Names
from install.rows import State
from install.session import Session
from schemas.network import Network

COMPUTE = "https://compute.googleapis.com/compute/v1"


@dataclass(frozen=True, kw_only=True)
class PrivateAccess:
    """A subnetwork from which Google's services are reached without an external address.

    All that verify sends goes through it, tokens and servers' addresses included; a subnetwork
    of a new project does not let such calls out.
    """

    names: Names
    network: Network

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"private Google access of subnetwork {self.subnetwork}"

    @property
    def subnetwork(self) -> str:
        """Return the subnetwork's name: in the networks Google makes it is the network's own."""
        return self.network.subnetwork or self.network.name

    @property
    def region(self) -> str:
        """Return where the subnetwork lies."""
        return f"{COMPUTE}/projects/{self.names.project}/regions/{self.names.region}"

    def look(self, session: Session) -> State:
        """Look whether it is on.

        Raises:
            InstallError: There is no such subnetwork, or it is another network's.
        """
        found = session.get(f"{self.region}/subnetworks/{self.subnetwork}")
        if found is None:
            raise InstallError(self._absent())
        network = found["network"].rsplit("/", 1)[-1]
        if network != self.network.name:
            raise InstallError(
                f"subnetwork {self.subnetwork} belongs to network {network}, not to "
                f"{self.network.name}\n  what helps: --network {network}, or another --subnetwork"
            )
        return "same" if found.get("privateIpGoogleAccess") else "different"

    def make(self, session: Session, state: State) -> None:  # noqa: ARG002 - a row's signature
        """Switch it on."""
        operation: Any = session.send(
            "POST",
            f"{self.region}/subnetworks/{self.subnetwork}/setPrivateIpGoogleAccess",
            {"privateIpGoogleAccess": True},
        )
        session.wait(self.title, operation, f"{self.region}/operations/")

    def _absent(self) -> str:
        name, region = self.subnetwork, self.names.region
        return (
            f"there is no subnetwork {name} in {region}\n"
            f"  what helps: name one of network {self.network.name} there with --subnetwork, or "
            f"gcloud compute networks subnets create {name} --network={self.network.name} "
            f"--region={region} --range=10.8.0.0/24 --enable-private-ip-google-access"
        )


def egress(network: Network | None) -> Mapping[str, Any]:
    """Return what a function's serviceConfig says of the network that its calls go through."""
    if network is None:
        # Said, so that a network of an earlier installation is taken away.
        return {"directVpcNetworkInterface": []}
    interface = {"network": network.name}
    if network.subnetwork is not None:
        interface["subnetwork"] = network.subnetwork
    return {
        "directVpcNetworkInterface": [interface],
        "directVpcEgress": "VPC_EGRESS_ALL_TRAFFIC",
    }
