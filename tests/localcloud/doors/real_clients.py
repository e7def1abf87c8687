"""A program as it would run on Google Cloud: it knows nothing of where it is, and says what it saw.

Run as a process of its own, since Google's libraries read their environment when they are imported.
"""

from __future__ import annotations

import base64
import json
import sys
from typing import TYPE_CHECKING, Any

import google.auth
from google.api_core import exceptions
from google.auth.transport.requests import Request
from google.cloud import secretmanager_v1
from google.oauth2 import id_token, service_account
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


def key_file() -> list[str]:
    """Make an account with a key, and use the key as its file is used on Google Cloud."""
    accounts = build("iam", "v1", static_discovery=True, cache_discovery=False)
    accounts = accounts.projects().serviceAccounts()
    email = accounts.create(name=PARENT, body={"accountId": "with-key"}).execute()["email"]
    name = f"{PARENT}/serviceAccounts/{email}"
    made = accounts.keys().create(name=name, body={}).execute()
    file = json.loads(base64.b64decode(made["privateKeyData"]))

    load: Any = service_account.Credentials.from_service_account_info
    scoped = load(file, scopes=["https://www.googleapis.com/auth/cloud-platform"])
    scoped.refresh(Request())
    seen = [scoped.token.partition(".")[0]]
    load = service_account.IDTokenCredentials.from_service_account_info
    identity = load(file, target_audience="https://x")
    identity.refresh(Request())
    verify: Any = id_token.verify_oauth2_token
    seen.append(verify(identity.token, Request(), "https://x")["email"])
    # over gRPC the library signs a token itself and asks nobody
    client: Any = secretmanager_v1.SecretManagerServiceClient(credentials=load_plain(file))
    try:
        client.create_secret(parent=PARENT, secret_id="by-key", secret=SECRET)
    except exceptions.PermissionDenied as error:
        seen.append(str(error.reason))
    return seen


def load_plain(file: dict[str, Any]) -> Any:
    """Read a key file without scopes."""
    load: Any = service_account.Credentials.from_service_account_info
    return load(file)


def missing_method() -> str:
    """Call over gRPC what is not built here: secrets of a region."""
    client = secretmanager_v1.SecretManagerServiceClient()
    try:
        client.list_secrets(parent=f"{PARENT}/locations/europe-west1")
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
        "key_file": key_file(),
    }
    sys.stdout.write(json.dumps(found))
