"""A local cloud with its doors open, and Google's own clients in front of them."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pytest
from google.cloud import storage
from google.oauth2.credentials import Credentials

from localcloud.cloud import OWNER, Cloud
from localcloud.services.pubsub import SERVICE as PUBSUB
from localcloud.services.storage import SERVICE as STORAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


_NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud that real clients of this process reach under Google's names."""
    cloud = Cloud(tmp_path_factory.mktemp("state"), only=[STORAGE, PUBSUB])
    with pytest.MonkeyPatch.context() as patch, cloud.serve():
        for name, value in cloud.environment(OWNER).items():
            patch.setenv(name, value)
        yield cloud
    cloud.close()


@pytest.fixture(scope="module")
def token(served: Cloud) -> Callable[[str], Credentials]:
    """Gives an identity's access token, as credentials."""

    def give(email: str) -> Credentials:
        return Credentials(served.tokens.access_token(email))  # type: ignore[no-untyped-call]

    return give


@pytest.fixture(scope="module")
def client_of(
    served: Cloud, token: Callable[[str], Credentials]
) -> Iterator[Callable[[str], storage.Client]]:
    """Makes Google's storage client for an identity."""
    made: list[storage.Client] = []

    def make(email: str) -> storage.Client:
        made.append(storage.Client(project=served.project, credentials=token(email)))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture(scope="module")
def client(client_of: Callable[[str], storage.Client]) -> storage.Client:
    """Google's storage client, as the project's owner."""
    return client_of(OWNER)


@pytest.fixture
def bucket(client: storage.Client, request: pytest.FixtureRequest) -> storage.Bucket:
    """A bucket named after the test, without soft delete."""
    stem = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).removeprefix("test-")
    made = client.bucket(f"{stem[:50].strip('-')}-{next(_NUMBERS)}")
    made.soft_delete_policy.retention_duration_seconds = 0
    made.iam_configuration.uniform_bucket_level_access_enabled = True
    return client.create_bucket(made, location="europe-west1")
