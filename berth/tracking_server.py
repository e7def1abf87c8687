"""A tracking server as its visitor sees it: which token it wants, and what it says to one."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from berth.access import IAP_HEADER, AccessMode, access_mode, has_password
from berth.errors import BerthError
from berth.identity import ServiceAccount, service_account
from berth.renewal import RenewedToken

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

_UNAUTHORIZED, _FORBIDDEN = 401, 403
_LONGEST_QUOTE = 200
# Taking tags out of a long page of nothing but beginnings of tags would take for ever.
_LONGEST_PAGE = 8000


class TrackingServer:
    """Gives the tokens for one origin, all for the same account and by the same access mode."""

    def __init__(self, origin: str, *, clock: Callable[[], float]) -> None:
        """Ask nobody yet; everything is found out when the first token is needed."""
        self.origin = origin
        self._clock = clock
        self._token = RenewedToken(self._make, clock=clock)

    def admit(self, request: requests.PreparedRequest) -> None:
        """Give a request a token that this server takes; BerthError if there is none."""
        token = self._token.text()
        request.headers[self._mode.header(request.headers)] = f"Bearer {token}"
        request.register_hook("response", self.heed)  # type: ignore[no-untyped-call]  # stubs

    def heed(self, answer: requests.Response, **_: object) -> None:
        """Raise BerthError for an answer of whoever guards the door; MLflow's own pass.

        MLflow would follow a redirect to the sign-in page and complain that it is no JSON.
        """
        status = answer.status_code
        refused = status in {_UNAUTHORIZED, _FORBIDDEN} and not _mlflows(answer)
        if not refused and not _signs_in(answer):
            return
        words = _words(answer)
        answer.close()  # the body of a redirect has not been read
        email = self._account.email
        member = (
            f" Is serviceAccount:{email} among the deployment's members (a change takes minutes)?"
        )
        raise BerthError(
            f"{self.origin} refuses {email} ({status}): {words}"
            f"{member if status == _FORBIDDEN else ''} Is MLFLOW_TRACKING_URI the URL that the"
            f" deployment tells, and its access mode {self._mode.name}?"
        )

    def _make(self) -> str:
        token = self._mode.token(self._account, self.origin, self._clock())
        self._mode.prepare_uploads()
        return token

    @cached_property
    def _mode(self) -> AccessMode:
        return access_mode(self.origin)

    @cached_property
    def _account(self) -> ServiceAccount:
        return service_account()


def _signs_in(answer: requests.Response) -> bool:
    """Tell whether an answer leads to a sign-in page."""
    if not answer.is_redirect:
        return False
    if IAP_HEADER in answer.headers:
        return True
    try:
        where = urlsplit(answer.headers["location"])
    except ValueError:
        return False
    return where.hostname == "accounts.google.com" or where.path.startswith("/oauth2/")


def _mlflows(answer: requests.Response) -> bool:
    """Tell whether MLflow itself refuses: with a code of its own, or what its own login says."""
    if IAP_HEADER in answer.headers:
        return False
    if has_password(answer.request.headers):
        return True
    try:
        return "error_code" in answer.json()
    except (ValueError, TypeError):
        return False


def _words(answer: requests.Response) -> str:
    """Give what an answer says, without its tags."""
    if answer.is_redirect:
        return "it shows its sign-in page, so it does not take the token."
    text = re.sub(r"(?s)<(head|style|script)\b.*?</\1>|<[^>]*>", " ", answer.text[:_LONGEST_PAGE])
    quoted = " ".join(text.split())[:_LONGEST_QUOTE]
    return f'it says "{quoted}".'
