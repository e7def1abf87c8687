"""What makes gcloud find a local cloud, and be somebody there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from localcloud.doors.insiders import PASSWORD

if TYPE_CHECKING:
    from pathlib import Path


class _Place(Protocol):
    """Where a local cloud is."""

    @property
    def project(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def port(self) -> int: ...


GCLOUD_CLIENT = "32555940559.apps.googleusercontent.com"
"""The client id gcloud asks for tokens with, and so the audience of its ID tokens."""

LEADS_ELSEWHERE = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_ACTIVE_CONFIG_NAME",
    "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
    "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT",
    "CLOUDSDK_PROXY_USERNAME",
    "CLOUDSDK_PROXY_PASSWORD",
    "PUBSUB_EMULATOR_HOST",
    "STORAGE_EMULATOR_HOST",
)
"""Variables that go before what `env` sets: credentials for the real cloud, other stand-ins, a network."""


def credentials_file(refresh_token: str) -> str:
    """Give the text of an ``authorized_user`` file, which is what a person's login leaves behind."""
    file = {
        "type": "authorized_user",
        "client_id": GCLOUD_CLIENT,
        "client_secret": "local",
        "refresh_token": refresh_token,
        "universe_domain": "googleapis.com",
    }
    return json.dumps(file, indent=2)


def gcloud_settings(
    place: _Place,
    folder: Path,
    *,
    account: str,
    credentials: Path,
    bundle: Path,
    network: str | None = None,
) -> dict[str, str]:
    """Give the variables that make gcloud find a local cloud, with its own state in ``folder``.

    It is *account*, by a file with its refresh token: that gives access tokens for as long as the
    shell lives, and ID tokens, which a file with an access token does not.
    """
    inside = {}
    if network is not None:
        inside = {"CLOUDSDK_PROXY_USERNAME": network, "CLOUDSDK_PROXY_PASSWORD": PASSWORD}
    return {
        **inside,
        "CLOUDSDK_CONFIG": str(folder),
        "CLOUDSDK_CORE_PROJECT": place.project,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(bundle),
        "CLOUDSDK_CORE_ACCOUNT": account,
        "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE": str(credentials),
        "CLOUDSDK_PROXY_TYPE": "http",
        "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
        "CLOUDSDK_PROXY_PORT": str(place.port),
        "CLOUDSDK_RUN_REGION": place.region,
        "CLOUDSDK_FUNCTIONS_REGION": place.region,
        "CLOUDSDK_WORKFLOWS_LOCATION": place.region,
        "CLOUDSDK_ARTIFACTS_LOCATION": place.region,
    }
