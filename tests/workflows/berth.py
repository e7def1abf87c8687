"""An installed Berth on a virtual clock, driven by its registry and its workflows."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from schemas.deployment import DeploymentRequest, Spec
from tests.workflows.stand_ins import Functions

MOMENT = "2026-11-20T08:00:00Z"
LIMIT = 6 * 3600.0

IGNORED = {
    "operations",
    "executions",
    "stepEntries",
    "builds",
    "changes",
    # Images are shared by all deployments, and stay.
    "packages",
    # What can still be brought back for 30 days, on purpose.
    "deletedServiceAccounts",
    "backups",
}
"""Collections that only record what was done, or hold what may stay."""

RECORDS = {
    "compute.busy",
    "compute.requests",
    "logging",
    "sqladmin.contents",
    "sqladmin.latest",
    "workflowexecutions",
}
"""What the cloud keeps for its own use only, and what the final backup of an instance holds."""


VOLATILE = {"etag", "updateTime", "updated", "metageneration", "uid", "lastModified"}
"""Fields that change whenever anything is written."""


def _is_record(api: str, name: str) -> bool:
    parts = name.split("/")
    # A zone's SOA counts the changes of the zone.
    return (
        bool(IGNORED & set(parts)) or "deployments/" in name or api in RECORDS or parts[-1] == "SOA"
    )


def _settled(body: Any) -> Any:
    if isinstance(body, dict):
        return {key: _settled(value) for key, value in body.items() if key not in VOLATILE}
    return body


@dataclass
class Outcome:
    """How an execution ended."""

    execution: dict[str, Any]
    status: dict[str, Any]
    events: list[dict[str, Any]] = field(default_factory=list)

    @property
    def result(self) -> Any:
        """Return what it returned."""
        return json.loads(self.execution["result"]) if "result" in self.execution else None

    @property
    def error(self) -> Any:
        """Return what it raised."""
        failure = self.execution.get("error")
        return None if failure is None else json.loads(failure["payload"])

    @property
    def state(self) -> str:
        """Return the state of the deployment."""
        return str(self.status["state"])


class Berth:
    """One installation."""

    def __init__(self, cloud: Cloud) -> None:
        """Drive the one in `cloud`."""
        assert isinstance(cloud.clock, VirtualClock)
        self.cloud = cloud
        self.clock = cloud.clock
        self.registry = f"{cloud.project}-berth-registry"
        self.functions = Functions(cloud, self.registry)
        self.functions.mount()
        cloud.calls.clear()

    # -- what the api does -------------------------------------------------------------------

    def want(self, name: str, *, desired: str = "present", **options: Any) -> int:
        """Write the spec of a deployment, as the api does; return its generation."""
        found = self.read(f"deployments/{name}/spec.json")
        generation = 1 if found is None else found["generation"] + 1
        asked = {"name": name, "team": "risk", "region": self.cloud.region, **options}
        if found is not None and desired == "absent":
            asked = found["request"]
        spec = Spec.model_validate(
            {
                "name": name,
                "generation": generation,
                "uid": "3f9c2b7a41d0",
                "desired": desired,
                "request": DeploymentRequest.model_validate(asked).document(),
                "created_by": "ana@example.com",
                "created": MOMENT,
                "updated": MOMENT,
            }
        )
        self.write(f"deployments/{name}/spec.json", spec.document())
        return generation

    def launch(self, workflow: str, name: str, generation: int) -> str:
        """Create an execution and return its name; nothing runs until time moves."""
        location = f"projects/{self.cloud.project}/locations/{self.cloud.region}"
        made = self.ask(
            "POST",
            f"https://workflowexecutions.googleapis.com/v1/{location}/workflows/berth-{workflow}"
            "/executions",
            {
                "argument": json.dumps({"deployment": name, "generation": generation}),
                "labels": {"berth-deployment": name},
            },
        )
        return str(made["name"])

    def cancel(self, execution: str) -> None:
        """Cancel an execution, as DELETE does."""
        self.ask("POST", f"https://workflowexecutions.googleapis.com/v1/{execution}:cancel", {})

    # -- what a test does --------------------------------------------------------------------

    def provision(self, name: str = "demo", **options: Any) -> Outcome:
        """Want a deployment, provision it, and let time run until all is quiet."""
        return self.finish(name, self.launch("provision", name, self.want(name, **options)))

    def carry_out(self, name: str = "demo") -> Outcome:
        """Provision what is wanted, and let time run until all is quiet."""
        generation = self.read(f"deployments/{name}/spec.json")["generation"]
        return self.finish(name, self.launch("provision", name, generation))

    def tear_down(self, name: str = "demo") -> Outcome:
        """Want it gone, tear it down, and let time run until all is quiet."""
        generation = self.want(name, desired="absent")
        return self.finish(name, self.launch("teardown", name, generation))

    def finish(self, name: str, execution: str) -> Outcome:
        """Let time run until all is quiet and return how the execution ended."""
        self.clock.advance(LIMIT)
        return self.outcome(name, execution)

    def outcome(self, name: str, execution: str) -> Outcome:
        """Return how an execution stands."""
        found = self.ask("GET", f"https://workflowexecutions.googleapis.com/v1/{execution}")
        return Outcome(found, self.read(f"deployments/{name}/status.json") or {})

    def claims(self, name: str = "demo") -> list[str]:
        """Return which parts of a deployment are claimed."""
        url = (
            f"https://storage.googleapis.com/storage/v1/b/{self.registry}/o"
            f"?prefix=deployments/{name}/claims/"
        )
        items = self.ask("GET", url).get("items", [])
        return [item["name"].rsplit("/", 1)[1].removesuffix(".json") for item in items]

    def resources(self) -> dict[str, Any]:
        """Return everything the cloud holds but the records of what was done."""
        rows = self.cloud.store.read("SELECT api, name, body FROM resources")
        return {
            f"{api}/{name}": _settled(json.loads(body))
            for api, name, body in rows
            if not _is_record(api, name)
        }

    def read(self, name: str) -> Any:
        """Return the content of an object of the registry, None if it is not there."""
        status, found = self.answer("GET", f"{self._object(name)}?alt=media")
        return None if status == 404 else found

    def write(self, name: str, body: Any) -> None:
        """Write an object of the registry."""
        self.ask(
            "POST",
            f"https://storage.googleapis.com/upload/storage/v1/b/{self.registry}/o"
            f"?uploadType=media&name={quote(name, safe='')}",
            body,
        )

    def ask(self, method: str, url: str, body: Any = None, email: str = "owner@example.com") -> Any:
        """Make a call that must succeed."""
        status, found = self.answer(method, url, body, email)
        assert status < 400, (method, url, found)
        return found

    def answer(
        self, method: str, url: str, body: Any = None, email: str = "owner@example.com"
    ) -> tuple[int, Any]:
        """Make a call and return status and body."""
        token = self.cloud.tokens.access_token(email)
        answer = self.cloud.request(
            method,
            url,
            headers={"authorization": f"Bearer {token}", "content-type": "application/json"},
            body=b"" if body is None else json.dumps(body).encode(),
        )
        return answer.status, answer.json() if answer.body else {}

    def _object(self, name: str) -> str:
        quoted = quote(name, safe="")
        return f"https://storage.googleapis.com/storage/v1/b/{self.registry}/o/{quoted}"
