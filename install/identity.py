"""IAP's own service account, in whose name it calls the services it guards."""

import json
from dataclasses import dataclass
from typing import Any

from install.names import Names
from install.rows import State, Upload
from install.session import Session

API = "iap.googleapis.com"
BASE = "https://serviceusage.googleapis.com/v1beta1"


@dataclass(frozen=True, kw_only=True)
class ServiceIdentity:
    """The account that enabling the API alone does not make.

    Nothing tells whether it is there. So that it has been made is written into the registry; made
    once more it is the same one, whenever that record should be missing.
    """

    names: Names

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"service identity of {API}"

    @property
    def member(self) -> str:
        """Return its name, which Google derives from the project's number."""
        return f"service-{self.names.number}@gcp-sa-iap.iam.gserviceaccount.com"

    def look(self, session: Session) -> State:
        """Look for the record."""
        return self._record().look(session)

    def make(self, session: Session, state: State) -> None:
        """Have it made, and write that down."""
        operation: Any = session.send(
            "POST",
            f"{BASE}/projects/{self.names.number}/services/{API}:generateServiceIdentity",
        )
        session.wait(self.title, operation, f"{BASE}/")
        self._record().make(session, state)

    def _record(self) -> Upload:
        return Upload(
            bucket=self.names.registry,
            name=f"identities/{API}.json",
            content=json.dumps({"email": self.member}, indent=2).encode(),
            content_type="application/json",
        )
