"""Stand-ins for Berth's functions: the real planner behind WSGI, without clients of a network.

The functions themselves talk to Google through client libraries, which need sockets and real time.
These make the same calls to the cloud in-process, with the tokens of the same service accounts, so
that the workflows run on a virtual clock. tests/functions tests the real ones.
"""

import base64
import json
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote

import google_crc32c

from functions.door import problems
from localcloud.cloud import Cloud
from planner.access import iap
from planner.plan import plan_part
from planner.remedies import diagnosis
from planner.target import Target
from schemas.deployment import Spec
from schemas.platform import Platform

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]
Handler = Callable[[dict[str, Any]], Any]

PASSWORD = "correct horse battery staple 1A!"
PROVED = {"ok": True, "retry": False, "checks": [], "summary": "proved"}


class Functions:
    """plan, credentials and verify of one installation."""

    def __init__(self, cloud: Cloud, registry: str) -> None:
        """Stand in for those of `cloud`."""
        self.cloud = cloud
        self.registry = registry
        self.proofs: deque[dict[str, Any]] = deque()
        """What verify answers next; then it proves everything."""
        self.without: str | None = None
        """A step that plan leaves out, as if nobody had ever thought of it."""
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def mount(self) -> None:
        """Answer at the functions' addresses."""
        for name in ("plan", "credentials", "verify"):
            host = f"berth-{name}-{self.cloud.number}.{self.cloud.region}.run.app"
            self.cloud.ingress.mount(host, self._app(name, getattr(self, f"_{name}")))

    def _app(self, name: str, handler: Handler) -> Wsgi:
        def app(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            body = json.loads(environ["wsgi.input"].read())
            self.calls.append((name, body))
            kind = "application/json"
            try:
                status, answer = 200, handler(body)
            except problems.ProblemError as error:
                kind = problems.MEDIA_TYPE
                status, answer = error.problem.status, error.problem.document()
            start(f"{status} x", [("Content-Type", kind)])
            return [json.dumps(answer).encode()]

        return app

    def _plan(self, call: dict[str, Any]) -> Any:
        if "error" in call:
            return diagnosis(call["error"], deployment=call["deployment"]).document()
        spec, platform = self._spec(call), self._platform("plan")
        made: dict[str, Any] = plan_part(spec, platform, call["part"], call["observed"]).document()
        kept = [step for step in made["steps"] if step["name"] != self.without]
        return {**made, "steps": kept}

    def _verify(self, call: dict[str, Any]) -> Any:
        self._spec(call)
        return self.proofs.popleft() if self.proofs else PROVED

    def _credentials(self, call: dict[str, Any]) -> Any:
        target = Target(self._spec(call), self._platform("credentials"))
        if call["credential"] == "iap_settings":
            return {"name": self._iap_settings(target)}
        if call["credential"] == "oauth_client":
            return {"name": self._oauth_client(target)}
        purpose = call["credential"].replace("_", "-").replace("db-user", "db-password")
        secret = f"projects/{target.project}/secrets/{target.secret(purpose)}"
        version = self._version(secret)
        if call["credential"] == "db_user":
            instance = f"projects/{target.project}/instances/{target.instance}"
            self._send(
                "credentials",
                "PUT",
                f"https://sqladmin.googleapis.com/v1/{instance}/users"
                f"?name={quote(target.database_user)}",
                {"name": target.database_user, "password": PASSWORD},
            )
        return {"name": version}

    def _oauth_client(self, target: Target) -> str:
        assert target.oauth_client is not None
        for name in (target.oauth_client.id_secret, target.oauth_client.secret_secret):
            version = f"projects/{target.project}/secrets/{name}/versions/latest"
            url = f"https://secretmanager.googleapis.com/v1/{version}:access"
            status, _ = self._ask("credentials", "GET", url)
            if status != 200:
                words = f"there is no secret {name}; what helps: `gcloud secrets create {name}`"
                raise problems.make("brought-secret", words)
        return version

    def _iap_settings(self, target: Target) -> str:
        name = iap.resource(target)
        wanted = {"allowedDomainsSettings": {"enable": True, "domains": ["example.com"]}}
        if target.iap is not None and target.iap.oauth_client is not None:
            wanted["oauthSettings"] = {"clientId": "1234", "clientSecret": PASSWORD}
        url = f"{iap.settings_url(target)}?updateMask=accessSettings"
        self._send("credentials", "PATCH", url, {"accessSettings": wanted})
        return name

    def _version(self, secret: str) -> str:
        base = f"https://secretmanager.googleapis.com/v1/{secret}"
        status, found = self._ask("credentials", "GET", f"{base}/versions/latest:access")
        if status == 200:
            return str(found["name"])
        data = PASSWORD.encode()
        payload = {
            "data": base64.b64encode(data).decode(),
            "dataCrc32c": str(google_crc32c.value(data)),
        }
        made = self._send("credentials", "POST", f"{base}:addVersion", {"payload": payload})
        return str(made["name"])

    def _spec(self, call: dict[str, Any]) -> Spec:
        spec = Spec.model_validate(
            self._document("plan", f"deployments/{call['deployment']}/spec.json")
        )
        if spec.generation != call["generation"] or spec.desired != "present":
            raise problems.make("overtaken", "no longer wanted")
        return spec

    def _platform(self, who: str) -> Platform:
        return Platform.model_validate(self._document(who, "platform.json"))

    def _document(self, who: str, name: str) -> Any:
        return self._send(
            who,
            "GET",
            f"https://storage.googleapis.com/storage/v1/b/{self.registry}/o/{quote(name, safe='')}"
            "?alt=media",
        )

    def _send(self, who: str, method: str, url: str, body: Any = None) -> Any:
        status, answer = self._ask(who, method, url, body)
        if status >= 400:
            raise problems.google_refused(status, answer.get("error", {}).get("message", ""))
        return answer

    def _ask(self, who: str, method: str, url: str, body: Any = None) -> tuple[int, Any]:
        email = f"berth-{who}@{self.cloud.project}.iam.gserviceaccount.com"
        answer = self.cloud.request(
            method,
            url,
            headers={
                "authorization": f"Bearer {self.cloud.tokens.access_token(email)}",
                "content-type": "application/json",
            },
            body=b"" if body is None else json.dumps(body).encode(),
        )
        return answer.status, answer.json()
