"""MLflow's login: with ``MLFLOW_TRACKING_AUTH=berth`` its client asks here before each request."""

from __future__ import annotations

import logging
import os
import time
from typing import TYPE_CHECKING

from mlflow.tracking.request_auth.abstract_request_auth_provider import RequestAuthProvider
from requests.auth import AuthBase

from berth.errors import BerthError
from berth.origins import origin

if TYPE_CHECKING:
    from collections.abc import Callable

    from requests import PreparedRequest

    from berth.tracking_server import TrackingServer

log = logging.getLogger(__name__)


class BerthAuthProvider(RequestAuthProvider):
    """What the entry point ``berth`` of the group ``mlflow.request_auth_provider`` names."""

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        """Begin without tokens; ``clock`` gives the Unix time."""
        self._auth = BerthAuth(clock)

    def get_name(self) -> str:
        """Return what MLFLOW_TRACKING_AUTH has to say."""
        return "berth"

    def get_auth(self) -> BerthAuth:
        """Return what signs requests, the same for all, so that they share a token."""
        return self._auth


class BerthAuth(AuthBase):
    """Puts the token into requests to the tracking server, and into no others."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin without tokens."""
        self._clock = clock
        self._servers: dict[tuple[int, str], TrackingServer] = {}
        self._strangers: set[str] = set()

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the token, if the request goes to the tracking server; BerthError if there is none."""
        from mlflow.tracking import get_tracking_uri

        ours, asked = origin(get_tracking_uri()), origin(request.url or "")
        if asked != ours:
            self._mention(asked, ours)
            return request
        _check_safe(ours)
        self._server(ours).admit(request)
        return request

    def _server(self, ours: str) -> TrackingServer:
        """Find the server; each process its own, since a fork copies locks and connections."""
        # Google's library is slow to import, and MLflow loads this module for every login
        from berth.tracking_server import TrackingServer

        key = (os.getpid(), ours)
        return self._servers.get(key) or self._servers.setdefault(
            key, TrackingServer(ours, clock=self._clock)
        )

    def _mention(self, asked: str, ours: str) -> None:
        if asked not in self._strangers:
            self._strangers.add(asked)
            log.warning(
                "a request to %s goes without a token: tokens are for the tracking server alone,"
                " which is %s. If that is wrong, set MLFLOW_TRACKING_URI.",
                asked,
                ours or "not set",
            )


def _check_safe(ours: str) -> None:
    if not ours.startswith("https://"):
        raise BerthError(f"{ours} is not https, so it gets no token. Set MLFLOW_TRACKING_URI.")
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in {"true", "1"}:
        raise BerthError(
            "With MLFLOW_TRACKING_INSECURE_TLS anybody could be the tracking server, so it gets no"
            " token. Unset it; MLFLOW_TRACKING_SERVER_CERT_PATH names a certificate to trust."
        )
