"""The APIs that Berth uses, switched on in one go."""

from dataclasses import dataclass
from typing import Any

from install.rows import State
from install.session import Session

BASE = "https://serviceusage.googleapis.com/v1"

APIS = (
    "artifactregistry.googleapis.com",
    "cloudbuild.googleapis.com",
    "cloudfunctions.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "iamcredentials.googleapis.com",
    "logging.googleapis.com",
    "pubsub.googleapis.com",
    "run.googleapis.com",
    "secretmanager.googleapis.com",
    "sqladmin.googleapis.com",
    "storage.googleapis.com",
    "workflowexecutions.googleapis.com",
    "workflows.googleapis.com",
)
"""At most 20 fit into one call, which enables all of them or none."""


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
        operation = session.send(
            "POST",
            f"{BASE}/projects/{self.project}/services:batchEnable",
            {"serviceIds": self._missing(session)},
        )
        session.wait(self.title, operation, f"{BASE}/")

    def _missing(self, session: Session) -> list[str]:
        names = "&".join(f"names=projects/{self.project}/services/{api}" for api in APIS)
        found: Any = session.send(
            "GET", f"{BASE}/projects/{self.project}/services:batchGet?{names}"
        )
        enabled = {
            service["name"].rsplit("/", 1)[-1]
            for service in found.get("services", [])
            if service.get("state") == "ENABLED"
        }
        return [api for api in APIS if api not in enabled]
