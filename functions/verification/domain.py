"""The domain: whether what DNS says of it leads callers to the load balancer, all of them.

verify comes with IPv4 and sees nothing wrong where an AAAA record leads everybody else away. So
Google's public resolver is asked, over HTTPS like everything else that this function asks.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from functions.door import logs
from functions.verification.check import Check, failed

if TYPE_CHECKING:
    from collections.abc import Iterable

    from planner.observed import Observed
    from planner.target import Target

NAME = "domain leads here"
RESOLVER = "https://dns.google/resolve"
_TYPES = {"A": 1, "AAAA": 28}
# Some networks let nothing out but Google's APIs; the proof itself does not depend on it.
_TIMEOUT = 3.0


def leads_here(target: Target, observed: Observed) -> Check | None:
    """Look at the domain's addresses; None when nobody can tell.

    Raises:
        CheckFailedError: One of them leads callers with IPv6 elsewhere.
    """
    balancer, ours = target.request.load_balancer, observed.get("address")
    if balancer is None or ours is None:
        return None
    four = _addresses(balancer.domain, "A")
    six = _addresses(balancer.domain, "AAAA")
    if four is None or six is None:
        return None
    if ours not in four:
        # Something of the team's may stand in front of it: the proof shows whether it works.
        return Check(
            NAME,
            ok=True,
            detail=f"{balancer.domain} leads to {', '.join(four) or 'nothing'}, not {ours}",
        )
    if six:
        raise failed(
            NAME,
            f"{balancer.domain} has an AAAA record, {', '.join(six)}: the load balancer has an IPv4 "
            f"address only, {ours}, so callers with IPv6 are led elsewhere",
            retry=True,
        )
    return Check(NAME, ok=True, detail=f"{balancer.domain} leads to {ours}")


def with_hint(checks: Iterable[Check], check: Check, observed: Observed) -> Check:
    """Return a check that failed, saying so where the domain's address may be the reason."""
    ours = f"not {observed.get('address')}"
    for earlier in checks:
        if earlier.name == NAME and earlier.detail.endswith(ours):
            detail = f"{check.detail} - {earlier.detail}"
            return Check(check.name, ok=False, detail=detail, retry=check.retry)
    return check


def _addresses(domain: str, kind: str) -> list[str] | None:
    import requests

    asked = {"name": f"{domain}.", "type": kind}
    try:
        answer = requests.get(RESOLVER, params=asked, timeout=_TIMEOUT)
        if answer.status_code != HTTPStatus.OK:
            raise requests.HTTPError(f"{answer.status_code}: {answer.text[:200]}")
        found = answer.json().get("Answer", [])
    except requests.RequestException as error:
        logs.write("INFO", f"could not look up {domain} {kind}", cause=str(error)[:300])
        return None
    # Aliases on the way are in the answer, too.
    return sorted(str(one["data"]) for one in found if one.get("type") == _TYPES[kind])
