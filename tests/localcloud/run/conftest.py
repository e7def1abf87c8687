"""A local cloud on the real clock, with a small image that real containers run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.localcloud.run.echo import ACCOUNT, Caller, add_account, build, open_cloud

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
