"""What differs between the platforms whose containers one ingress serves."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.cloud import Cloud
    from localcloud.iap import Asked
    from localcloud.ingress.hosts import Route
    from localcloud.machines.containers.workload import Workload
    from localcloud.store import Resource

_BY_PREFIX = {
    "projects/": "localcloud.ingress.cloud_run",
    "apps/": "localcloud.ingress.app_engine",
}


class Platform(Protocol):
    """One platform; *name* is the full name of a service, *revision* of what runs in it."""

    def limits(self, cloud: Cloud, revision: str) -> tuple[int, int, int]:
        """Return (least instances, most instances, requests per instance)."""

    def workload(self, cloud: Cloud, revision: str) -> Workload:
        """Return what an instance of it runs."""

    def longest(self, cloud: Cloud, revision: str) -> float:
        """Say how long a request may take, in seconds."""

    def takes_large(self, cloud: Cloud, revision: str) -> bool:
        """Tell whether the 32 MiB limit of HTTP/1 is off."""

    def kept(self, cloud: Cloud, name: str) -> set[str] | None:
        """Return the revisions whose instances may go on; None when the service is gone."""

    def warm(self, cloud: Cloud, name: str) -> list[str]:
        """Return the revisions that keep their minimum of instances."""

    def services(self, cloud: Cloud) -> list[str]:
        """Return the services that have something to serve."""

    def admit(
        self, cloud: Cloud, route: Route, asked: Asked, *, client: str, inside: bool
    ) -> Mapping[str, str | None]:
        """Return how headers change on the way in (None: dropped); Turned if nobody passes."""

    def behind_iap(self, cloud: Cloud, route: Route) -> bool:
        """Tell whether IAP stands in front."""

    def request_log(self, cloud: Cloud, route: Route) -> Resource:
        """Return logName and resource of an entry of the request log."""


def platform_of(name: str) -> Platform:
    """Return the platform that a service or revision is of, by its full name."""
    for prefix, module in _BY_PREFIX.items():
        if name.startswith(prefix):
            platform: Platform = import_module(module).PLATFORM
            return platform
    raise LookupError(f"{name} is of no platform")


def every() -> list[Platform]:
    """Return all platforms."""
    return [import_module(module).PLATFORM for module in _BY_PREFIX.values()]


def service_of(revision: str) -> str:
    """Return the service of a revision or version."""
    return revision.rsplit("/", 2)[0]
