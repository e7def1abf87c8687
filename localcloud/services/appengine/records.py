"""What is kept of a version beside what the API shows: its image by digest, its static files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.iap import settings as iap_settings

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.store import Resource

_KEPT = "appengine.deployed"


def remember(cloud: Cloud, version: str, record: Resource) -> None:
    """Keep what a deployment found."""
    cloud.store.of(_KEPT).put(version, record)


def of(cloud: Cloud, version: str) -> Resource:
    """Give what the last deployment of a version found."""
    return cloud.store.of(_KEPT).find(version) or {}


def forget(cloud: Cloud, name: str) -> None:
    """Strike out a version or service, what is kept of it, and what IAP was told about it."""
    cloud.store.of("appengine").delete(name)
    if cloud.store.of(_KEPT).find(name) is not None:
        cloud.store.of(_KEPT).delete(name)
    rest = name.removeprefix(f"apps/{cloud.project}")
    iap_settings.forget(cloud, f"projects/{cloud.project}/iap_web/appengine-{cloud.project}{rest}")
