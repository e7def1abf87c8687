"""Where Google's sign-in page sends browsers: IAP takes the code and hands the browser on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localcloud.errors import invalid
from localcloud.iap import sessions
from localcloud.identity.grants import CODE
from localcloud.service import Reply

if TYPE_CHECKING:
    from localcloud.service import Call


def handle(call: Call) -> Reply:
    """Redeem the code for IAP's own client, and send the browser to the application's host."""
    if call.get("error"):
        raise invalid(f"The sign-in page refused: {call['error']}")
    client = str(call["client"])
    claims = call.cloud.tokens.redeem(CODE, str(call.get("code", "")))
    good = (
        claims is not None
        and claims["x"] >= call.cloud.clock.now()
        and claims["c"] == client
        and urlsplit(str(claims["r"])).path
        == urlsplit(sessions.HANDLE_REDIRECT.format(client)).path
    )
    if claims is None or not good:
        raise invalid("Malformed auth code.")
    where = sessions.handed_over(call.cloud, str(call.get("state", "")), str(claims["e"]))
    if where is None:
        raise invalid("The state of the sign-in is none of IAP's, or it took too long.")
    return Reply(302, headers={"location": where})
