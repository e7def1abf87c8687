"""A stand-in for the workflow: carries plans out, one call at a time, on the local cloud.

It has none of the workflow's patience; what it shows is that the plan itself is right.
"""

import base64
import json
from typing import Any

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER, Cloud
from schemas.claim import ClaimedGrant, ClaimedResource
from schemas.plan import Check, Grant, Operations, PartPlan, Request, Resource

LONGEST = 3600
SETTINGS = {
    "oauthSettings": {"clientId": "1234", "clientSecret": "hush"},
    "allowedDomainsSettings": {"enable": True, "domains": ["example.com"]},
}
PASSWORD = "Correct-horse-battery-staple-1"


class RefusedError(AssertionError):
    """The cloud did not take a call of the plan."""


class Executor:
    """Carries plans out as the project's owner."""

    def __init__(self, cloud: Cloud, clock: VirtualClock) -> None:
        self.cloud = cloud
        self.clock = clock
        self.observed: dict[str, Any] = {}
        self.changes: list[str] = []

    def send(self, method: str, url: str, body: Any = None) -> tuple[int, Any]:
        """Make one call; return status and JSON."""
        token = self.cloud.tokens.access_token(OWNER)
        headers = {"content-type": "application/json", "authorization": f"Bearer {token}"}
        data = b"" if body is None else json.dumps(body).encode()
        answer = self.cloud.request(method, url, headers=headers, body=data)
        return answer.status, json.loads(answer.body) if answer.body else {}

    def must(self, method: str, url: str, body: Any = None) -> Any:
        """Make one call that has to succeed; return its JSON."""
        status, answer = self.send(method, url, body)
        if status >= 300:
            raise RefusedError(f"{method} {url}: {status} {json.dumps(answer)}")
        return answer

    def make(self, part: PartPlan) -> None:
        """Make everything a part is made of."""
        for step in part.steps:
            if isinstance(step, Grant):
                self.bind(step)
            else:
                self.ensure(step)
        self.observed.update(part.known)

    def ensure(self, resource: Resource) -> None:
        """Look, create or update, wait, read back."""
        status, found = self.send("GET", resource.url)
        request = resource.create
        if status == 200 and (resource.exists is None or shows(found, resource.exists)):
            if resource.mark is not None and not shows(found, resource.mark):
                raise RefusedError(f"{resource.title} does not show {resource.mark}")
            wanted = resource.digest is None or not shows(found, resource.digest)
            if resource.update is None or not wanted:
                self.learn(resource, found)
                return
            request = resource.update
        elif status not in {200, 404}:
            raise RefusedError(f"GET {resource.url}: {status} {found}")
        self.changes.append(resource.name)
        self.carry_out(request, resource.operation)
        for _ in range(LONGEST):
            found = self.must("GET", resource.url)
            if resource.ready is None or shows(found, resource.ready):
                self.learn(resource, found)
                return
            assert not any(shows(found, check) for check in resource.failed), found
            self.clock.advance(1)
        raise RefusedError(f"{resource.title} is never ready: {found}")

    def learn(self, resource: Resource, found: Any) -> None:
        """Keep what later parts need to know."""
        for name, path in resource.outputs.items():
            self.observed[name] = at(found, path)
            assert self.observed[name], f"{resource.title} shows nothing at {path}"

    def carry_out(self, request: Request, operation: Operations | None) -> None:
        """Send one request and wait for its operation."""
        if request.auth == "OIDC":
            self.credentials(request)
            return
        answer = self.must(request.method, request.url, request.body)
        if operation is None:
            return
        for _ in range(LONGEST):
            answer = self.must("GET", operation.base + answer["name"])
            if answer.get("done") or answer.get("status") == "DONE":
                assert "error" not in answer, answer
                return
            self.clock.advance(1)
        raise RefusedError(f"the operation never ends: {answer}")

    def credentials(self, request: Request) -> None:
        """Do what the credentials function does, without its care for repeats."""
        assert request.body is not None
        name = f"mlflow-{request.body['deployment']}"
        purpose = request.body["credential"]
        project = self.cloud.project
        if purpose == "oauth_client":
            return
        if purpose == "iap_settings":
            place = f"cloud_run-europe-west1/services/{name}"
            self.must(
                "PATCH",
                f"https://iap.googleapis.com/v1/projects/{self.cloud.number}/iap_web/{place}"
                ":iapSettings?updateMask=accessSettings",
                {"accessSettings": SETTINGS},
            )
            return
        if purpose == "db_user":
            instance = self.observed["instance"]
            sql = f"https://sqladmin.googleapis.com/v1/projects/{project}"
            user = f"{sql}/instances/{instance}/users?name={request.body['deployment']}"
            self.carry_out(
                Request(method="PUT", url=user, body={"password": PASSWORD}),
                Operations(base=f"{sql}/operations/", dialect="status"),
            )
            return
        secret = (
            f"https://secretmanager.googleapis.com/v1/projects/{project}"
            f"/secrets/{name}-{purpose.replace('_', '-')}"
        )
        if self.send("GET", f"{secret}/versions/latest")[0] == 200:
            return
        data = base64.b64encode(PASSWORD.encode()).decode()
        self.must("POST", f"{secret}:addVersion", {"payload": {"data": data}})

    def bind(self, grant: Grant | ClaimedGrant, *, drop: bool = False) -> None:
        """Add one binding to a policy, or take it away."""
        policy = self.must(grant.read.method, grant.read.url, grant.read.body)
        binding: dict[str, Any] = {"role": grant.role, "members": [grant.member]}
        if grant.condition is not None:
            binding["condition"] = grant.condition
        bound = [(one, one["members"]) for one in policy.get("bindings", [])]
        same = [(one, members) for one, members in bound if one == {**binding, "members": members}]
        others = [one for one, members in bound if (one, members) not in same]
        members = {member for _, found in same for member in found}
        if drop:
            assert grant.member in members
        members = members - {grant.member} if drop else members | {grant.member}
        bindings = [*others, *([{**binding, "members": sorted(members)}] if members else [])]
        policy = {**policy, "version": 3, "bindings": bindings}
        body = {"policy": policy} if grant.wrap else policy
        self.must(grant.write.method, grant.write.url, body)

    def remove(self, step: ClaimedResource | ClaimedGrant) -> None:
        """Undo one step of a claim."""
        if isinstance(step, ClaimedGrant):
            if step.drop:
                self.bind(step, drop=True)
            return
        if self.send("GET", step.url)[0] == 404:
            return
        for request in step.remove:
            self.carry_out(request, step.operation)


def shows(document: Any, check: Check) -> bool:
    """Tell whether the document has the value at the path; anything at all, if none is named."""
    found = at(document, check.path)
    return found is not None if check.value is None else bool(found == check.value)


def at(document: Any, path: tuple[str | int, ...]) -> Any:
    """Return what stands at the path; nothing if the path ends early."""
    for key in path:
        if not isinstance(document, dict) or key not in document:
            return None
        document = document[key]
    return document
