"""What IAP is asked about, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.cloud import Cloud
    from localcloud.store import Resource

AGENT = "service-{}@gcp-sa-iap.iam.gserviceaccount.com"
IDENTITIES = "serviceusage.identities"
"""The collection of service agents that were made."""


@dataclass(frozen=True)
class Guarded:
    """What stands behind IAP.

    ``name`` is the resource that policies and settings hang on, ``projects/N/iap_web/…``;
    ``audience`` is what the signed header is made out to (cloud.google.com/iap/docs/
    signed-headers-howto); ``client`` the OAuth client that was brought along, empty for Google's.
    """

    name: str
    audience: str
    client: str = ""


@dataclass(frozen=True)
class Asked:
    """A request as it came; ``target`` is path and query, header names are in lower case."""

    method: str
    host: str
    target: str
    headers: Mapping[str, str]

    @property
    def path(self) -> str:
        """The path alone."""
        return self.target.partition("?")[0]


@dataclass(frozen=True)
class Admitted:
    """The request may go on, with these headers changed (None: dropped).

    ``email`` is empty where nobody needs to be known: the policy lets everybody in, or the
    request is a browser's CORS preflight and the settings let those through.
    """

    email: str
    changes: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Refusal:
    """The request goes no further; this is what the client gets."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    log: str = ""


def agent(cloud: Cloud) -> str | None:
    """Give IAP's own account, or None while nobody has had it made (generateServiceIdentity)."""
    made = cloud.store.of(IDENTITIES).find("iap.googleapis.com")
    return None if made is None else str(made["email"])


def cloud_run(cloud: Cloud, service: str) -> Guarded:
    """Give what guards a Cloud Run service, by its full name."""
    _, _, _, region, _, short = service.split("/")
    return Guarded(
        f"projects/{cloud.number}/iap_web/cloud_run-{region}/services/{short}",
        f"/projects/{cloud.number}/locations/{region}/services/{short}",
    )


def app_engine(cloud: Cloud, version: str, client: str = "") -> Guarded:
    """Give what guards a version, ``apps/P/services/S/versions/V``."""
    _, app, rest = version.split("/", 2)
    return Guarded(
        f"projects/{cloud.number}/iap_web/appengine-{app}/{rest}",
        f"/projects/{cloud.number}/apps/{app}",
        client,
    )


def backend_service(cloud: Cloud, resource: Resource) -> Guarded:
    """Give what guards a backend service of Compute Engine, global or of a region."""
    region = str(resource.get("region", "")).rpartition("/")[2]
    kind = f"compute-{region}" if region else "compute"
    place = f"regions/{region}" if region else "global"
    return Guarded(
        f"projects/{cloud.number}/iap_web/{kind}/services/{resource['name']}",
        f"/projects/{cloud.number}/{place}/backendServices/{resource['id']}",
        str(resource.get("iap", {}).get("oauth2ClientId", "")),
    )
