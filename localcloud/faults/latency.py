"""How long Google's calls and operations take, in seconds: low, typical and high.

What was observed in apply logs and issue threads or, where nothing was, estimated. Typical is the
median, high about the 95th percentile; a log-normal spread through both fits what was seen.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

_RUN = "run.projects.locations."
_FUNCTIONS = "cloudfunctions.projects.locations.functions."
_WORKFLOWS = "workflows.projects.locations.workflows."
_APP_ENGINE = "appengine.apps."
_REPOSITORIES = "artifactregistry.projects.locations.repositories."

_CERTIFICATES = "certificatemanager.projects.locations."
_COMPUTE = (
    "backendServices.patch",
    "backendServices.setSecurityPolicy",
    "backendServices.update",
    "securityPolicies.addRule",
    "securityPolicies.patch",
    "securityPolicies.patchRule",
    "securityPolicies.removeRule",
    "targetHttpsProxies.setCertificateMap",
    "targetHttpsProxies.setSslCertificates",
    "targetHttpsProxies.setUrlMap",
    "urlMaps.patch",
    "urlMaps.update",
    *(
        f"{kind}.{verb}"
        for kind in (
            "addresses",
            "backendServices",
            "globalAddresses",
            "globalForwardingRules",
            "networks",
            "regionNetworkEndpointGroups",
            "routes",
            "securityPolicies",
            "sslCertificates",
            "subnetworks",
            "targetHttpProxies",
            "targetHttpsProxies",
            "urlMaps",
        )
        for verb in ("insert", "delete")
    ),
)
_CERTIFICATE_OBJECTS = tuple(
    f"{kind}.{verb}"
    for kind in (
        "certificateMaps",
        "certificateMaps.certificateMapEntries",
        "certificates",
        "dnsAuthorizations",
    )
    for verb in ("create", "delete")
)

OPERATIONS: dict[str, tuple[float, float, float]] = {
    "serviceusage.services.batchEnable": (10, 40, 180),
    "serviceusage.services.enable": (10, 40, 180),
    "serviceusage.services.disable": (5, 20, 60),
    "serviceusage.services.generateServiceIdentity": (1, 2, 10),
    _REPOSITORIES + "create": (3, 12, 20),
    _REPOSITORIES + "delete": (2, 5, 20),
    "cloudbuild.projects.builds.create": (60, 180, 600),
    "cloudbuild.projects.locations.builds.create": (60, 180, 600),
    "sql.instances.insert": (240, 390, 1110),
    "sql.instances.patch": (45, 90, 300),
    "sql.instances.update": (45, 90, 300),
    "sql.instances.restart": (60, 120, 420),
    "sql.instances.delete": (10, 60, 300),
    "sql.databases.insert": (0.5, 2, 25),
    "sql.databases.delete": (0.5, 2, 25),
    "sql.users.insert": (0.5, 1, 28),
    "sql.users.update": (0.5, 1, 28),
    "sql.users.delete": (0.5, 1, 28),
    _RUN + "services.create": (10, 20, 120),
    _RUN + "services.patch": (10, 20, 120),
    _RUN + "services.delete": (2, 5, 30),
    _RUN + "jobs.create": (2, 5, 20),
    _RUN + "jobs.patch": (2, 5, 20),
    _RUN + "jobs.delete": (2, 5, 20),
    _RUN + "jobs.run": (5, 15, 60),
    _FUNCTIONS + "create": (60, 100, 240),
    _FUNCTIONS + "patch": (60, 100, 240),
    _FUNCTIONS + "delete": (10, 20, 60),
    _WORKFLOWS + "create": (2, 5, 15),
    _WORKFLOWS + "patch": (2, 5, 15),
    _WORKFLOWS + "delete": (1, 2, 10),
    _APP_ENGINE + "create": (14, 60, 240),
    _APP_ENGINE + "patch": (5, 15, 60),
    _APP_ENGINE + "repair": (5, 15, 60),
    _APP_ENGINE + "services.patch": (3, 10, 60),
    _APP_ENGINE + "services.delete": (10, 30, 120),
    _APP_ENGINE + "services.versions.create": (200, 480, 1200),
    _APP_ENGINE + "services.versions.patch": (10, 60, 300),
    _APP_ENGINE + "services.versions.delete": (10, 60, 300),
    **{f"compute.{name}": (2, 8, 25) for name in _COMPUTE},
    **{f"{_CERTIFICATES}{name}": (1, 3, 10) for name in _CERTIFICATE_OBJECTS},
    "servicenetworking.services.connections.create": (30, 62, 180),
    "servicenetworking.services.connections.patch": (30, 62, 180),
    "servicenetworking.services.connections.deleteConnection": (10, 30, 120),
}
"""Until an operation is done."""

CALLS: dict[str, tuple[float, float, float]] = {
    "iam.projects.serviceAccounts.create": (0.5, 1, 3),
    "storage.buckets.insert": (0.5, 1, 4),
    "secretmanager.projects.secrets.create": (0.2, 0.5, 2),
    "secretmanager.projects.secrets.addVersion": (0.2, 0.5, 2),
    "secretmanager.projects.secrets.setIamPolicy": (0.2, 0.5, 2),
    "pubsub.projects.topics.create": (0.1, 0.2, 1),
    "pubsub.projects.topics.publish": (0.1, 0.2, 1),
    "workflowexecutions.projects.locations.workflows.executions.create": (0.2, 0.5, 2),
}
"""Until a call is answered."""

ISSUANCE, NAME_SERVERS = "certificates", "nameServers"
AFTERWARDS: dict[str, tuple[float, float, float]] = {
    ISSUANCE: (600, 1200, 3600),
    NAME_SERVERS: (2, 10, 60),
}
"""Until something has happened that no call and no operation waits for."""

REAL: dict[str, float] = {ISSUANCE: 1.0}
"""On the real clock, where nobody wants to wait: as long as it takes to see both states."""

TYPICAL: dict[str, float] = {
    method: typical for method, (_, typical, _) in {**OPERATIONS, **AFTERWARDS}.items()
}
"""What a virtual clock begins with; the real clock uses none of it by default."""

_SHARE = 1.645
"""How many standard deviations above the median the 95th percentile is."""


class Spread(dict[str, float]):
    """Durations by chance around the typical ones, drawn anew each time they are asked for."""

    def __init__(self, random: Random) -> None:
        """Draw with ``random``."""
        super().__init__(table("typical"))
        self._random = random

    def get(self, method: str, default: Any = None) -> Any:
        """Draw the duration of one call or operation."""
        known = OPERATIONS.get(method) or CALLS.get(method) or AFTERWARDS.get(method)
        if known is None or self[method] != known[1]:
            # what a test set holds
            return super().get(method, default)
        _, typical, high = known
        return self._random.lognormvariate(math.log(typical), math.log(high / typical) / _SHARE)


def table(pace: str) -> dict[str, float]:
    """Give the durations of one column: ``none``, ``low``, ``typical`` or ``high``."""
    if pace == "none":
        return {}
    column = PACES[pace]
    all_times = {**OPERATIONS, **CALLS, **AFTERWARDS}
    return {method: times[column] for method, times in all_times.items()}


PACES = {"low": 0, "typical": 1, "high": 2}
"""The columns by name."""
