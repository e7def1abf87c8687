"""The variables that make gcloud find a local cloud."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

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


def gcloud_settings(place: _Place, folder: Path, *, token: Path, bundle: Path) -> dict[str, str]:
    """Give the variables that make gcloud find a local cloud, with its own state in ``folder``."""
    return {
        "CLOUDSDK_CONFIG": str(folder),
        "CLOUDSDK_CORE_PROJECT": place.project,
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_CHECK_GCE_METADATA": "false",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "true",
        "CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK": "true",
        "CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE": str(bundle),
        "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE": str(token),
        "CLOUDSDK_PROXY_TYPE": "http",
        "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
        "CLOUDSDK_PROXY_PORT": str(place.port),
        "CLOUDSDK_RUN_REGION": place.region,
        "CLOUDSDK_FUNCTIONS_REGION": place.region,
        "CLOUDSDK_WORKFLOWS_LOCATION": place.region,
        "CLOUDSDK_ARTIFACTS_LOCATION": place.region,
    }
