"""Google's storage client in front of a local cloud, and a bucket for each test."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

import pytest
from google.cloud import storage

from localcloud.cloud import OWNER, Cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from google.oauth2.credentials import Credentials

_NUMBERS = itertools.count(1)


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
