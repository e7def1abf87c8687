"""Requests and tokens for workflows run by hand: over the network, as this shell's identity."""

from typing import Final

import google.auth
import google.auth.exceptions
import google.auth.transport.requests
import google.oauth2.id_token
import requests

from localcloud.workflows.effects import HttpReply, HttpRequest
from localcloud.workflows.running.engine import TokenError, TransportError
from localcloud.workflows.running.machine import Execution

_CONNECT_SECONDS: Final = 10.0


def _reason(error: BaseException) -> str:
    """Say what lies at the bottom of it, not what the layers above made of it."""
    while error.__context__ is not None:
        error = error.__context__
    return str(error)


def send(request: HttpRequest) -> HttpReply:
    """Perform a request; proxies and certificates come from the environment."""
    try:
        response = requests.request(
            request.method,
            request.url,
            headers=request.headers,
            data=request.body or None,
            timeout=(_CONNECT_SECONDS, request.timeout),
            allow_redirects=False,
        )
    except (requests.ConnectTimeout, requests.exceptions.ProxyError) as error:
        raise TransportError("refused", _reason(error)) from error
    except requests.Timeout as error:
        raise TransportError("timeout", _reason(error)) from error
    except requests.ConnectionError as error:
        refused = "NewConnectionError" in repr(error) or "NameResolution" in repr(error)
        raise TransportError("refused" if refused else "reset", _reason(error)) from error
    except requests.RequestException as error:
        raise TransportError("reset", _reason(error)) from error
    return HttpReply(response.status_code, dict(response.headers), response.content)


class ShellTokens:
    """Tokens of the application default credentials."""

    def access_token(self, execution: Execution, scopes: tuple[str, ...]) -> str:
        """Give an OAuth2 access token."""
        del execution
        try:
            credentials, _ = google.auth.default(scopes=list(scopes))
            credentials.refresh(google.auth.transport.requests.Request())  # type: ignore[no-untyped-call]  # ships no types
        except google.auth.exceptions.GoogleAuthError as error:
            raise TokenError(str(error)) from error
        return str(credentials.token)

    def id_token(self, execution: Execution, audience: str) -> str:
        """Give an OIDC token."""
        del execution
        try:
            request = google.auth.transport.requests.Request()
            found = google.oauth2.id_token.fetch_id_token(request, audience)  # type: ignore[no-untyped-call]  # ships no types
            return str(found)
        except google.auth.exceptions.GoogleAuthError as error:
            raise TokenError(str(error)) from error
