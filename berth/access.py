"""How a tracking server is entered: which token it wants, and how it takes large artifacts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from berth.errors import BerthError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from berth.identity import ServiceAccount

CHOSEN = "BERTH_ACCESS"
"""The variable that names the access mode; without it the server is asked once."""

IAP_HEADER = "x-goog-iap-generated-response"
"""What IAP's own answers carry (cloud.google.com/iap/docs/query-parameters-and-headers-howto)."""

UPLOADS = {
    "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": "true",
    "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE": str(10 * 1024**2),
}
"""What MLflow's client needs where no request may be larger than 32 MiB. It looks at every file."""

# oauth2-proxy answers 401 here in every version; the others look at no path before the credentials.
_PROBE = "/oauth2/auth"
_TIMEOUT = 30
_RETRY = Retry(
    total=3,
    backoff_factor=0.5,
    status_forcelist=(429, 500, 502, 503, 504),
    raise_on_status=False,
)


@dataclass(frozen=True)
class AccessMode:
    """One of the ways in."""

    name: str
    token: Callable[[ServiceAccount, str, float], str]
    """Gives a token of an account for an origin, at a time."""
    signed_parts: bool
    """Whether large artifacts go to the bucket in parts with signed URLs, or through HTTP/2."""
    second_header: str = "Authorization"
    """The header for the token where the user has given MLflow a name and a password, too."""

    def header(self, headers: Mapping[str, str]) -> str:
        """Return the header that the token goes into, given what MLflow has put there itself."""
        return self.second_header if has_password(headers) else "Authorization"

    def prepare_uploads(self) -> None:
        """Tell MLflow's client how to bring large artifacts; what the user has set stays."""
        if self.signed_parts:
            for name, value in UPLOADS.items():
                os.environ.setdefault(name, value)


def has_password(headers: Mapping[str, str]) -> bool:
    """Tell whether a request carries a name and a password for MLflow's own login."""
    return headers.get("Authorization", "").startswith("Basic ")


def _id_token(account: ServiceAccount, origin: str, _: float) -> str:
    return account.id_token(origin)


def _signed_jwt(account: ServiceAccount, origin: str, now: float) -> str:
    return account.signed_jwt(f"{origin}/*", now)


ACCESS_MODES = {
    mode.name: mode
    for mode in (
        AccessMode("iam", _id_token, signed_parts=False),
        # IAP leaves Authorization to the application then (iap/docs/authentication-howto)
        AccessMode("iap", _signed_jwt, signed_parts=True, second_header="Proxy-Authorization"),
        AccessMode("oauth2_proxy", _id_token, signed_parts=True),
    )
}


def access_mode(origin: str) -> AccessMode:
    """Return the mode the variable names, or what the server shows to a stranger."""
    name = os.environ.get(CHOSEN, "").strip() or _shown(origin)
    if name not in ACCESS_MODES:
        known = ", ".join(ACCESS_MODES)
        raise BerthError(
            f"{CHOSEN}={name} is not an access mode that needs this login; {known} are. With"
            " basic_auth set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, and leave"
            " MLFLOW_TRACKING_AUTH unset."
        )
    return ACCESS_MODES[name]


def _shown(origin: str) -> str:
    """Tell the mode from the answer to a request without credentials."""
    answer = _as_stranger(origin)
    status, challenge = answer.status_code, answer.headers.get("www-authenticate", "")
    if IAP_HEADER in answer.headers:
        return "iap"
    if challenge.lower().startswith("basic"):
        raise BerthError(
            f"{origin} asks for a user name and a password (access mode basic_auth): set"
            " MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, and leave"
            " MLFLOW_TRACKING_AUTH unset."
        )
    if status in _MODES_BY_STATUS:
        return _MODES_BY_STATUS[status]
    gone = " The deployment may be gone, or open to a VPC network alone." * (status == _NOT_FOUND)
    raise BerthError(
        f"{origin} answers a stranger with {status}, as no access mode of Berth's does.{gone} Is"
        f" MLFLOW_TRACKING_URI right? If it is, say which mode it has: {CHOSEN}=iam, iap or"
        " oauth2_proxy."
    )


_NOT_FOUND = 404
_MODES_BY_STATUS = {401: "oauth2_proxy", 403: "iam"}


def _as_stranger(origin: str) -> requests.Response:
    with requests.Session() as session:
        session.mount("https://", HTTPAdapter(max_retries=_RETRY))
        try:
            return session.get(
                origin + _PROBE,
                headers={"accept": "application/json"},
                auth=_nobody,
                allow_redirects=False,
                timeout=_TIMEOUT,
                verify=os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True,
                cert=os.environ.get("MLFLOW_TRACKING_CLIENT_CERT_PATH"),
            )
        except requests.RequestException as error:
            raise BerthError(
                f"{origin} could not be asked which way it is entered: {error}"
            ) from error


def _nobody(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Add nothing; without it requests would look for a password in ~/.netrc."""
    return request
