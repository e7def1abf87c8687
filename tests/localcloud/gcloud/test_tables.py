"""gcloud, unmodified, against a served local cloud: every command that the page lists."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from localcloud.cloud import Cloud
from tests.localcloud.gcloud import page, table
from tests.localcloud.gcloud.shell import Shell

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud with its doors open; its servers and containers are paper, gcloud is real."""
    cloud = Cloud(tmp_path_factory.mktemp("cloud") / "state", machines="paper")
    with cloud.serve():
        yield cloud
    cloud.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the commands are typed."""
    return tmp_path_factory.mktemp("folder")


@pytest.fixture
def shell(served: Cloud, folder: Path) -> Iterator[Shell]:
    """One gcloud for a table: after some commands of one group another's go wrong in it."""
    with Shell(served, folder) as made:
        yield made


@pytest.mark.slow
@pytest.mark.xdist_group("gcloud")
@pytest.mark.skipif(shutil.which("gcloud") is None, reason="gcloud is not installed")
@pytest.mark.parametrize("group", table.names())
def test_commands(group: str, served: Cloud, shell: Shell, folder: Path) -> None:
    """Each command of a group does and says what the page tells, and is refused where it tells."""
    made = table.read(group)
    served.enable(*made.enable)
    made.lay_out(folder)
    kept: dict[str, str] = {}

    mistakes = [mistake for row in made.rows if (mistake := row.mistake(shell, kept))]

    assert not mistakes, "\n\n".join(mistakes)


def test_the_page_is_made_of_the_tables() -> None:
    """`python -m tests.localcloud.gcloud.page` has been run since a table changed."""
    assert page.PAGE.read_text() == page.text()
