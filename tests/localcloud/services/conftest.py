"""A local cloud with its doors open, and Google's own clients in front of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from google.cloud import storage
from google.oauth2.credentials import Credentials

from localcloud.cloud import OWNER, Cloud
from localcloud.services.pubsub import SERVICE as PUBSUB
from localcloud.services.storage import SERVICE as STORAGE

if TYPE_CHECKING:
    from collections.abc import Iterator



@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud that real clients of this process reach under Google's names."""
    cloud = Cloud(tmp_path_factory.mktemp("state"), only=[STORAGE, PUBSUB])
    with pytest.MonkeyPatch.context() as patch, cloud.serve():
        for name, value in cloud.environment(OWNER).items():
            patch.setenv(name, value)
        yield cloud
    cloud.close()


def credentials(cloud: Cloud, email: str = OWNER) -> Credentials:
    """Give an identity's access token."""
    return Credentials(cloud.tokens.access_token(email))  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def client(served: Cloud) -> Iterator[storage.Client]:
    """Google's storage client, as the project's owner."""
    made = storage.Client(project=served.project, credentials=credentials(served))
    yield made
    made.close()


@pytest.fixture
def bucket(client: storage.Client, request: pytest.FixtureRequest) -> storage.Bucket:
    """A bucket named after the test, without soft delete."""
    stem = request.node.name.lower().replace("_", "-").replace("[", "-").replace("]", "")
    made = client.bucket(stem.removeprefix("test-")[:60].strip("-"))
    made.soft_delete_policy.retention_duration_seconds = 0
    made.iam_configuration.uniform_bucket_level_access_enabled = True
    return client.create_bucket(made, location="europe-west1")
