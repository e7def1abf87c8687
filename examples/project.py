"""The Google Cloud project, asked as its owner: what Berth does not do for a team."""

import base64
import sys
from typing import Any

import google.auth
import requests
from google.auth.transport.requests import AuthorizedSession

SECRETS = "https://secretmanager.googleapis.com/v1"


class Project:
    """One project, with the login of this shell, or with that of a session."""

    def __init__(self, name: str, session: requests.Session | None = None) -> None:
        self.name = name
        self.session = session or _session()

    def call(self, method: str, url: str, body: Any = None, *, fine: tuple[int, ...] = ()) -> Any:
        """Return the JSON answer, or None when its status is one of *fine*; else stop with it."""
        answer = self.session.request(method, url, json=body, timeout=60)
        if answer.status_code in fine:
            return None
        if not answer.ok:
            sys.exit(f"{method} {url}: {answer.status_code}\n{answer.text}")
        return answer.json() if answer.content else {}

    def answers(self, url: str) -> bool:
        """Tell whether there is something at a resource's address."""
        return bool(self.session.get(url, timeout=60).status_code == requests.codes.ok)

    def secret(self, name: str) -> str:
        """Return the latest value of a secret, as the owner of the project may."""
        version = f"projects/{self.name}/secrets/{name}/versions/latest:access"
        answer = self.call("GET", f"{SECRETS}/{version}")
        return base64.b64decode(answer["payload"]["data"]).decode()

    def let(self, resource: str, role: str, member: str, *, read: str = "GET") -> None:
        """Give a member a role on one resource, whoever else has it."""
        policy = self.call(read, f"{resource}:getIamPolicy")
        bindings = policy.setdefault("bindings", [])
        if not any(one["role"] == role and member in one["members"] for one in bindings):
            bindings.append({"role": role, "members": [member]})
            self.call("POST", f"{resource}:setIamPolicy", {"policy": policy})


def _session() -> requests.Session:
    session: requests.Session = AuthorizedSession(google.auth.default()[0])  # type: ignore[no-untyped-call]  # not typed there
    return session
