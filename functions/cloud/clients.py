"""Google's clients, each made once per process and only when a request first needs it.

A client costs 100 to 200 ms of import, which a cold start should not pay for a request that is
refused anyway. Hence the imports inside the functions.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.auth.credentials import Credentials
    from google.auth.transport.requests import AuthorizedSession
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient
    from google.cloud.pubsub_v1 import PublisherClient
    from google.cloud.storage import Client as StorageClient
    from google.cloud.workflows.executions_v1 import ExecutionsClient

SCOPE = "https://www.googleapis.com/auth/cloud-platform"


@functools.cache
def credentials() -> Credentials:
    """Who this function is: the account it was deployed with."""
    import google.auth

    found, _project = google.auth.default(scopes=[SCOPE])
    return found


@functools.cache
def storage(project: str | None = None) -> StorageClient:
    """The client of Cloud Storage."""
    from google.cloud.storage import Client

    # A project is only needed to make or list buckets, which no function does.
    return Client(project=project or "-", credentials=credentials())


@functools.cache
def executions() -> ExecutionsClient:
    """The client that starts and cancels executions of a workflow."""
    from google.cloud.workflows.executions_v1 import ExecutionsClient

    return ExecutionsClient(credentials=credentials())


@functools.cache
def builds() -> CloudBuildClient:
    """The client of Cloud Build, over REST: two calls do not need a gRPC channel."""
    from google.cloud.devtools.cloudbuild_v1 import CloudBuildClient

    return CloudBuildClient(credentials=credentials(), transport="rest")


@functools.cache
def publisher() -> PublisherClient:
    """The Pub/Sub client, keeping the order of the events of each deployment."""
    from google.cloud.pubsub_v1 import PublisherClient
    from google.cloud.pubsub_v1.types import PublisherOptions

    return PublisherClient(
        publisher_options=PublisherOptions(enable_message_ordering=True),
        credentials=credentials(),
    )


@functools.cache
def session() -> AuthorizedSession:
    """For addresses that a plan names: whatever API they are of."""
    from google.auth.transport.requests import AuthorizedSession

    return AuthorizedSession(credentials())  # type: ignore[no-untyped-call]


def discovered(api: str, version: str) -> Any:
    """Build a client from the discovery document that ships with the client library."""
    from googleapiclient.discovery import build

    from functions.cloud.transport import Transport

    http = Transport(credentials())
    return build(api, version, http=http, cache_discovery=False, static_discovery=True)


def forget() -> None:
    """Drop every client, so that the next request makes them anew."""
    for made in (credentials, storage, executions, builds, publisher, session):
        made.cache_clear()
