"""What a deployment has to do with networks: a private database, and a load balancer in front."""

from ipaddress import ip_interface, ip_network
from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from schemas.host import Host
from schemas.model import RESOURCE_PATTERN, Model

MOST_RANGES = 1900
"""As many as fit into the 200 rules of a security policy, ten to a rule, with a few rules left for
Berth's own proof and for everybody else."""


class Network(Model):
    """A VPC network of this project, in which the database has its only address."""

    name: str = Field(
        default="default",
        pattern=RESOURCE_PATTERN,
        description="The network's name.",
        examples=["default"],
    )
    subnetwork: str | None = Field(
        default=None,
        pattern=RESOURCE_PATTERN,
        description="The subnetwork in the deployment's region, from which the server reaches "
        "the database; null: the one that is called like the network.",
        examples=[None],
    )


def _is_a_range(text: str) -> str:
    try:
        network = ip_network(text)
    except ValueError as error:
        if (meant := _meant(text)) is not None:
            raise PydanticCustomError(
                "range",
                "{text} names one address and the size of its network; write {network} for the "
                "network, or {address} for the one address",
                {"text": text, **meant},
            ) from error
        raise PydanticCustomError(
            "range",
            "{text} is no range of addresses: {reason}; write it like 203.0.113.0/24",
            {"text": text, "reason": str(error)},
        ) from error
    if network.prefixlen < 8:  # noqa: PLR2004 - no organisation has more
        raise PydanticCustomError(
            "range_too_wide",
            "{text} is wider than /8; name the networks your people come from, "
            "or leave allowed_ranges out to let everybody come to the login",
            {"text": text},
        )
    return str(network)


def _meant(text: str) -> dict[str, str] | None:
    """Return both readings of an address with the length of its network's prefix behind it."""
    try:
        interface = ip_interface(text)
    except ValueError:
        return None
    return {"network": str(interface.network), "address": str(ip_network(interface.ip))}


def _do_not_overlap(ranges: tuple[str, ...]) -> tuple[str, ...]:
    networks = sorted(map(ip_network, ranges), key=lambda one: (one.version, int(one[0])))
    # In order of their first addresses, whatever overlaps stands side by side.
    for one, other in pairwise(networks):
        if one.version == other.version and int(other[0]) <= int(one[-1]):
            raise PydanticCustomError(
                "ranges_overlap",
                "{one} and {other} overlap; name each address once",
                {"one": str(one), "other": str(other)},
            )
    return ranges


Range = Annotated[str, AfterValidator(_is_a_range)]
"""A range of addresses, not too wide."""


class LoadBalancer(Model):
    """A global load balancer with Cloud Armor and a certificate; nothing else leads in."""

    domain: Host = Field(
        description="The name it answers at.", examples=["mlflow.risk.example.com"]
    )
    dns_zone: str | None = Field(
        default=None,
        pattern=RESOURCE_PATTERN,
        description="The Cloud DNS zone of this project that the records go into; null: Berth "
        "shows which records to make.",
        examples=["risk-example-com", None],
    )
    allowed_ranges: Annotated[
        tuple[Range, ...],
        Field(max_length=MOST_RANGES),
        AfterValidator(_do_not_overlap),
    ] = Field(
        default=(),
        description="From where callers may come; none given: from everywhere. "
        "Whoever comes is still asked who he is.",
        examples=[["203.0.113.0/24", "198.51.100.7/32"]],
    )
