"""Who may call a service: the ID token, its audience, and run.routes.invoke."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.identity.principals import ANONYMOUS, Principal, bearer
from localcloud.identity.tokens import GCLOUD_CLIENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.cloud import Cloud
    from localcloud.ingress.hosts import Route

OWN_HEADER = "x-serverless-authorization"
REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"
_PARTS = 3


class RefusedError(Exception):
    """The caller may not call the service."""

    def __init__(self, status: int, log: str, *, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(log)
        self.status = status
        self.headers = dict(headers or {})


def admit(cloud: Cloud, route: Route, headers: Mapping[str, str]) -> dict[str, str | None]:
    """Return how headers change on the way in (None: dropped); RefusedError if nobody may pass.

    ``X-Serverless-Authorization`` goes first and is consumed; a program can so keep
    ``Authorization`` for itself. A token taken from ``Authorization`` goes on without its
    signature: whoever gets it cannot use it again.
    """
    own = headers.get(OWN_HEADER)
    text = own or headers.get("authorization", "")
    token = bearer({"authorization": text})
    open_to_all = bool(route.service.get("invokerIamDisabled")) or _invokes(cloud, route, ANONYMOUS)
    if open_to_all:
        return {OWN_HEADER: None} if own else {}
    if token is None:
        raise RefusedError(
            403,
            "The request was not authenticated. Either allow unauthenticated invocations or set "
            "the proper Authorization header.",
        )
    principal = _principal(cloud, route, token)
    if not _invokes(cloud, route, principal):
        raise RefusedError(
            403,
            "The request was not authorized to invoke this service: "
            f"{principal.email} lacks run.routes.invoke.",
        )
    if own:
        return {OWN_HEADER: None}
    head, body, _ = token.split(".")
    return {"authorization": f"{text.split(' ')[0]} {head}.{body}.{REMOVED}"}


def _principal(cloud: Cloud, route: Route, token: str) -> Principal:
    claims = cloud.tokens.verify_id_token(token) if token.count(".") == _PARTS - 1 else None
    if claims is None or not claims.get("email"):
        raise _unauthorised("The access token could not be verified", "invalid_token")
    audience = claims.get("aud")
    wanted = audience if isinstance(audience, list) else [str(audience)]
    known = {url.rstrip("/") for url in route.audiences(cloud.number)}
    # gcloud's own client id stands for any service, but only in a person's token.
    person = not claims["email"].endswith(".gserviceaccount.com")
    if person:
        known.add(GCLOUD_CLIENT)
    if not any(one.rstrip("/") in known for one in wanted):
        raise _unauthorised(f"The token's audience is {audience!r}", "invalid_token")
    if not cloud.account_usable(claims["email"]):
        raise _unauthorised(f"{claims['email']} is disabled or deleted", "invalid_token")
    return Principal(claims["email"])


def _unauthorised(why: str, error: str) -> RefusedError:
    return RefusedError(
        401,
        f"The request was not authorized to invoke this service. {why}.",
        headers={
            "www-authenticate": f'Bearer error="{error}" '
            'error_description="The access token could not be verified"'
        },
    )


def _invokes(cloud: Cloud, route: Route, principal: Principal) -> bool:
    return cloud.iam.allowed(principal.member, "run.routes.invoke", "run", route.name)
