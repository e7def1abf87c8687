"""Where verify stands: what it cannot see from there, and what would help."""

from __future__ import annotations

from typing import TYPE_CHECKING

from functions.verification import side_doors
from functions.verification.check import Check, failed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from planner.target import Target

_INSTALL = "python -m install apply"


def can_reach(target: Target) -> Check | None:
    """Prove that verify can come to the door at all; None where everybody can.

    Raises:
        CheckFailedError: Only callers in the project's networks can, and verify is in none.
    """
    if not _internal(target):
        return None
    name, network = "verify is inside", target.platform.network
    if network is None:
        raise failed(
            name,
            "ingress internal: only callers in the project's VPC networks find the server, and "
            f"verify is in none - what helps: {_INSTALL} … --network NETWORK",
        )
    return Check(name, ok=True, detail=f"network {network.name}")


def unseen(target: Target, *, certified: bool) -> Iterator[str]:
    """Yield what a proof from here leaves open, for people."""
    balancer = target.request.load_balancer
    if _internal(target):
        yield "that callers outside the project's networks find nothing: verify is inside"
    if balancer is None:
        return
    if not side_doors.visible(target):
        yield "that the platform's own address is shut for callers outside: verify is inside"
    if not certified:
        yield f"anything through {balancer.domain}: its certificate is not issued yet"
    elif balancer.allowed_ranges:
        ranges = ", ".join(balancer.allowed_ranges[:3])
        more = " …" if len(balancer.allowed_ranges) > 3 else ""  # noqa: PLR2004 - as many as fit in a line
        yield f"that addresses outside of {ranges}{more} are refused: verify comes from one address"


def with_hint(target: Target, check: Check) -> Check:
    """Return a check that failed, saying so where verify's own address may be the reason."""
    balancer = target.request.load_balancer
    if balancer is None or not balancer.allowed_ranges or " 403" not in check.detail:
        return check
    hint = f"if Cloud Armor refused verify's address: {_INSTALL} … --verify-range CIDR"
    return Check(check.name, ok=False, detail=f"{check.detail} - {hint}", retry=check.retry)


def _internal(target: Target) -> bool:
    serving = target.request.serving
    return serving.platform == "cloud_run" and serving.ingress == "internal"
