"""The APIs that Berth and its deployments use, switched on in as few calls as it takes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from install.rows import State
from install.session import Session

BASE = "https://serviceusage.googleapis.com/v1"

MOST_AT_ONCE = 20
"""How many fit into one call, which enables all of them or none."""

APIS = (
    "appengine.googleapis.com",
    "appengineflex.googleapis.com",
    "artifactregistry.googleapis.com",
    "certificatemanager.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "compute.googleapis.com",
    "dns.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "iap.googleapis.com",
    "logging.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "servicenetworking.googleapis.com",
    "sqladmin.googleapis.com",
    "storage.googleapis.com",
    "workflowexecutions.googleapis.com",
    "workflows.googleapis.com",
)
"""What Berth itself uses, and what a deployment may ask for: nobody but the installer enables any."""


@dataclass(frozen=True, kw_only=True)
class Apis:
    """All of them as one row."""

    project: str

    @property
    def title(self) -> str:
        """Say how many."""
        return f"{len(APIS)} APIs"

    def look(self, session: Session) -> State:
        """Look whether every one is enabled."""
        return "absent" if self._missing(session) else "same"

    def make(self, session: Session, state: State) -> None:  # noqa: ARG002 - a row's signature
        """Enable those that are not."""
        # "Enabled" is not "usable": until it is, the session repeats what SERVICE_DISABLED refused.
        session.fresh = True
        for some in batched(self._missing(session)):
            operation = session.send(
                "POST",
                f"{BASE}/projects/{self.project}/services:batchEnable",
                {"serviceIds": list(some)},
            )
            session.wait(self.title, operation, f"{BASE}/")

    def _missing(self, session: Session) -> list[str]:
        enabled = {api for some in batched(APIS) for api in self._enabled(session, some)}
        return [api for api in APIS if api not in enabled]

    def _enabled(self, session: Session, apis: Sequence[str]) -> Iterator[str]:
        names = "&".join(f"names=projects/{self.project}/services/{api}" for api in apis)
        found: Any = session.send(
            "GET", f"{BASE}/projects/{self.project}/services:batchGet?{names}"
        )
        for service in found.get("services", []):
            if service.get("state") == "ENABLED":
                yield service["name"].rsplit("/", 1)[-1]


def batched(apis: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the APIs, as many at once as one call takes."""
    for start in range(0, len(apis), MOST_AT_ONCE):
        yield apis[start : start + MOST_AT_ONCE]
