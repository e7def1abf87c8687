"""A program as it would run on Google Cloud: it knows nothing of where it is, and says what it saw.

Run as a process of its own, since Google's libraries read their environment when they are imported.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import google.auth
from google.api_core import exceptions
from google.auth.transport.requests import Request
from google.cloud import secretmanager_v1
from google.oauth2 import id_token
from googleapiclient.discovery import build

if TYPE_CHECKING:
    from collections.abc import Callable

PARENT = "projects/berth-local"
SECRET: dict[str, Any] = {"replication": {"automatic": {}}, "labels": {"a": "b"}}


def default_credentials() -> list[str]:
    """Whose credentials, and which project."""
    credentials: Any
    credentials, project = google.auth.default()
    credentials.refresh(Request())
    return [type(credentials).__module__, credentials.service_account_email, str(project)]


def identity_token() -> list[str]:
    """What Google's library makes of an ID token from the metadata server."""
    fetch: Any = id_token.fetch_id_token
    verify: Any = id_token.verify_oauth2_token
    claims = verify(fetch(Request(), "https://x"), Request(), "https://x")
    return [claims["email"], claims["aud"]]


def discovery_client() -> list[str]:
    """Make a secret through googleapiclient."""
    api = build("secretmanager", "v1", static_discovery=True, cache_discovery=False)
    secrets = api.projects().secrets()
    made = secrets.create(parent=PARENT, secretId="discovery", body=SECRET).execute()
    listed = secrets.list(parent=PARENT).execute()
    return [made["name"], listed["secrets"][0]["name"]]


def cloud_client(transport: str) -> list[str]:
    """Make and read a secret through google-cloud-secret-manager."""
    client: Any = secretmanager_v1.SecretManagerServiceClient(transport=transport)
    made = client.create_secret(parent=PARENT, secret_id=transport, secret=SECRET)
    client.add_secret_version(parent=made.name, payload={"data": b"hush"})
    found = client.access_secret_version(name=f"{made.name}/versions/latest")
    seen = [found.payload.data.decode(), made.labels["a"]]
    attempts: tuple[Callable[[], object], ...] = (
        lambda: client.create_secret(parent=PARENT, secret_id=transport, secret=SECRET),
        lambda: client.access_secret_version(name=f"{PARENT}/secrets/none/versions/1"),
        lambda: client.access_secret_version(name="projects/other/secrets/none/versions/1"),
    )
    for attempt in attempts:
        try:
            attempt()
        except exceptions.GoogleAPICallError as error:
            seen.append(f"{type(error).__name__} {error.reason}")
    return seen


def missing_method() -> str:
    """Call over gRPC what only REST has here."""
    client = secretmanager_v1.SecretManagerServiceClient()
    try:
        client.get_secret(name=f"{PARENT}/secrets/x")
    except exceptions.MethodNotImplemented as error:
        return str(error.grpc_status_code)
    return "answered"


if __name__ == "__main__":
    found = {
        "default_credentials": default_credentials(),
        "identity_token": identity_token(),
        "discovery_client": discovery_client(),
        "rest": cloud_client("rest"),
        "grpc": cloud_client("grpc"),
        "missing_method": missing_method(),
    }
    sys.stdout.write(json.dumps(found))
