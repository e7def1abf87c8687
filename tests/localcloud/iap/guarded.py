"""A Cloud Run service behind IAP, on paper: what tests ask, and what the program behind saw."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.localcloud.run.echo import PARENT, service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from localcloud.cloud import Cloud
    from localcloud.transport import Response
    from tests.localcloud.run.echo import Caller

IAP = "https://iap.googleapis.com/v1"
HOST = "hello-123456789012.europe-west1.run.app"
URL = f"https://{HOST}"
RESOURCE = "projects/123456789012/iap_web/cloud_run-europe-west1/services/hello"
AGENT = "service-123456789012@gcp-sa-iap.iam.gserviceaccount.com"
MEMBER = "ana@example.com"
TRAINER = "trainer@berth-local.iam.gserviceaccount.com"
CLIENT = "1234-abc.apps.googleusercontent.com"


def echo(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    """Answer with the headers that came in."""
    headers = {
        name.removeprefix("HTTP_").lower().replace("_", "-"): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    start("200 OK", [("content-type", "application/json")])
    return [json.dumps({"path": environ["PATH_INFO"], "headers": headers}).encode()]


def put_up(owner: Caller, name: str = "hello", **more: Any) -> None:
    """Deploy a service behind IAP; the operation ends when the clock goes on."""
    answer = owner(
        "POST", f"{PARENT}/services?serviceId={name}", {**service(), "iapEnabled": True, **more}
    )
    assert answer.status == 200, answer.text


def admit(owner: Caller, *members: str, resource: str = RESOURCE) -> Response:
    """Let these through IAP."""
    binding = {"role": "roles/iap.httpsResourceAccessor", "members": list(members)}
    return owner(
        "POST", f"{IAP}/{resource}:setIamPolicy", {"policy": {"bindings": [binding], "version": 3}}
    )


def settle(owner: Caller, settings: dict[str, Any], resource: str = RESOURCE) -> Response:
    """Set IAP's settings."""
    return owner("PATCH", f"{IAP}/{resource}:iapSettings", settings)


def signed(cloud: Cloud, audience: str, *, email: str = TRAINER, **claims: Any) -> str:
    """Give a token that an account signed itself, as signJwt does it."""
    now = int(cloud.clock.now())
    made = {"iss": email, "sub": email, "aud": audience, "iat": now, "exp": now + 3600}
    return cloud.tokens.accounts.sign_jwt(email, {**made, **claims})[1]


def ask(cloud: Cloud, token: str = "", *, path: str = "/", **headers: str) -> Response:
    """Make a request, with a token if one is given."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if token:
        sent["authorization"] = f"Bearer {token}"
    return cloud.request("GET", URL + path, headers=sent)
