"""A local cloud with its doors open."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from google.oauth2.credentials import Credentials

from localcloud.cloud import OWNER, Cloud
from localcloud.domains.certificates import Authority
from localcloud.services.pubsub import SERVICE as PUBSUB
from localcloud.services.storage import SERVICE as STORAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """One certificate authority for all clouds: gRPC reads its roots once per process."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Cloud]:
    """A cloud that real clients of this process reach under Google's names."""
    state = tmp_path_factory.mktemp("state")
    shutil.copytree(authority.bundle.parent, state / "keys")
    cloud = Cloud(state, only=[STORAGE, PUBSUB])
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
