"""Which service account a training acts as, and the tokens made for it. No key files.

cloud.google.com/iam/docs/create-short-lived-credentials-direct has the calls.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import google.auth
import requests
from google.auth import compute_engine, exceptions
from google.auth.transport.requests import AuthorizedSession, Request
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from berth.errors import BerthError

if TYPE_CHECKING:
    from collections.abc import Callable

IMPERSONATE = "BERTH_IMPERSONATE"
"""The variable that names the account to act as."""

LIFETIME = 3600
"""How long a token may be good that an account signs for itself: IAP takes no more, in seconds."""

_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_CREDENTIALS_API = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
_ADDRESS = re.compile(r"[^@\s/]+@[^@\s/]+\.gserviceaccount\.com")
_SLOW_CLOCK = 60
_TIMEOUT = 30
_RETRY = Retry(
    total=4,
    backoff_factor=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    allowed_methods=None,
    raise_on_status=False,
)
_REMEDY = (
    f"Set {IMPERSONATE} to the deployment's training account, "
    "mlflow-NAME-train@PROJECT.iam.gserviceaccount.com."
)


@dataclass(frozen=True)
class ServiceAccount:
    """An account, and by whose login its tokens are made."""

    email: str
    session: requests.Session
    attached: bool
    """Whether it is this machine's own account, whose ID tokens the metadata server gives."""

    def id_token(self, audience: str) -> str:
        """Return an ID token that Google signed."""
        if self.attached:
            return str(_asked(lambda: _metadata_token(audience)))
        return self._made("generateIdToken", {"audience": audience, "includeEmail": True})["token"]

    def signed_jwt(self, audience: str, now: float) -> str:
        """Return a token that the account signed itself; it starts a minute ago, as clocks differ."""
        begin = int(now) - _SLOW_CLOCK
        claims = {
            "iss": self.email,
            "sub": self.email,
            "aud": audience,
            "iat": begin,
            "exp": begin + LIFETIME,
        }
        return self._made("signJwt", {"payload": json.dumps(claims)})["signedJwt"]

    def _made(self, verb: str, body: dict[str, Any]) -> dict[str, str]:
        url = f"{_CREDENTIALS_API}/{self.email}:{verb}"
        answer = _asked(lambda: self.session.post(url, json=body, timeout=_TIMEOUT))
        if answer.status_code == requests.codes.ok:
            made: dict[str, str] = answer.json()
            return made
        raise BerthError(self._why(answer))

    def _why(self, answer: requests.Response) -> str:
        try:
            words = answer.json()["error"]["message"]
        except (ValueError, KeyError, TypeError):
            words = answer.text[:200]
        why = f"Google makes no token for {self.email} ({answer.status_code}): {words}"
        if answer.status_code == requests.codes.forbidden:
            who = "this account itself" if self.attached else "whoever you are logged in as"
            why += (
                " If the API is enabled, what lacks is roles/iam.serviceAccountTokenCreator on"
                f" {self.email}, for {who}."
            )
        return why


def service_account() -> ServiceAccount:
    """Find out whom to act as: whom the variable names, else the account that is logged in."""
    named = os.environ.get(IMPERSONATE, "").strip()
    if named and not _ADDRESS.fullmatch(named):
        raise BerthError(f"{IMPERSONATE}={named} is no service account's address. {_REMEDY}")
    credentials = _asked(lambda: google.auth.default(scopes=[_SCOPE])[0])
    session = AuthorizedSession(credentials)  # type: ignore[no-untyped-call]  # half typed
    session.mount("https://", HTTPAdapter(max_retries=_RETRY))
    if named:
        return ServiceAccount(named, session, attached=False)
    attached = isinstance(credentials, compute_engine.Credentials)
    if attached:
        _asked(lambda: credentials.refresh(Request()))  # until then its address is "default"
    # Where a person has a machine, such as Cloud Shell, its metadata server names the person.
    email = str(getattr(credentials, "service_account_email", None) or "")
    if not _ADDRESS.fullmatch(email):
        raise BerthError(
            "You are logged in as a person, or with a federated identity, and Google makes no tokens"
            f" for a tracking server from that. {_REMEDY} Who may use it is in the deployment's"
            " training_account.impersonated_by."
        )
    return ServiceAccount(email, session, attached)


def _metadata_token(audience: str) -> str:
    asked = Request()
    credentials = compute_engine.IDTokenCredentials(  # type: ignore[no-untyped-call]  # half typed
        asked, audience, use_metadata_identity_endpoint=True
    )
    credentials.refresh(asked)  # type: ignore[no-untyped-call]  # half typed
    return str(credentials.token)


def _asked(call: Callable[[], Any]) -> Any:
    """Make a call of Google's library; whatever goes wrong there is a BerthError with its words."""
    try:
        return call()
    except exceptions.DefaultCredentialsError as error:
        raise BerthError(
            f"There is no login here: {error} On Google Cloud attach a service account. Elsewhere"
            f" run `gcloud auth application-default login`. {_REMEDY}"
        ) from error
    except (exceptions.GoogleAuthError, requests.RequestException) as error:
        raise BerthError(f"Google gives no token: {error}") from error
