"""A local cloud on the real clock, with a small image that real containers run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.localcloud.run.echo import ACCOUNT, Caller, add_account, build, open_cloud
from tests.localcloud.run.sources import BUILDER, BUILDER_ROLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from localcloud.cloud import Cloud


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """A served cloud with the echo image in its registry and a runtime account."""
    made = open_cloud(tmp_path / "state")
    add_account(made, ACCOUNT)
    build(made, tmp_path)
    with made.serve():
        yield made
        unused = made.unused_faults()
        made.close()
    assert unused == {}


@pytest.fixture
def owner(cloud: Cloud) -> Caller:
    """The project's owner."""
    return Caller(cloud)


@pytest.fixture
def caller(cloud: Cloud) -> Callable[[str], Caller]:
    """Make callers of other identities."""
    return lambda email: Caller(cloud, email)


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory for Python environments; named by content, so tests can share it."""
    return tmp_path_factory.mktemp("environments")


@pytest.fixture
def builder(cloud: Cloud, environments: Path) -> None:
    """Make the account that builds functions."""
    add_account(cloud, BUILDER)
    for role in BUILDER_ROLES:
        cloud.grant(f"serviceAccount:{BUILDER}", role)
    (cloud.state / "functions").mkdir()
    (cloud.state / "functions" / "environments").symlink_to(environments)
