"""The tables: gcloud commands in the order a person could type them, and what is seen.

One YAML file per group of commands in ``tables/``. `test_tables` runs every row, and `page` makes
``localcloud/gcloud.md`` of them, so that the page says nothing that no test runs.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from string import Template
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from tests.localcloud.gcloud.shell import Seen, Shell

FOLDER = Path(__file__).parent / "tables"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One command.

    Args:
        run: what follows ``gcloud``; ``$name`` is what an earlier row kept.
        says: words it must print, on either stream, with exit code 0.
        refused: words of its error instead, with an exit code that is not 0.
        given: what stands on its standard input.
        keep: the name under which what it prints is kept for later rows.
        so: what the page says of it, if not the words themselves.
    """

    run: str
    says: str = ""
    refused: str = ""
    given: str = ""
    keep: str = ""
    so: str = ""

    def mistake(self, shell: Shell, kept: dict[str, str]) -> str:
        """Run the command; return what is wrong with what it did, or nothing."""
        words = shlex.split(Template(self.run).safe_substitute(kept))
        seen = shell.run(words, given=self.given)
        if self.keep:
            kept[self.keep] = seen.out.strip()
        wanted = Template(self.refused or self.says).safe_substitute(kept)
        if bool(seen.code) == bool(self.refused) and _words(wanted) in _words(seen.out + seen.err):
            return ""
        return f"gcloud {shlex.join(words)}\nwanted: {wanted}\n{_shown(seen)}"


@dataclass(frozen=True, kw_only=True)
class Table:
    """The commands of a group.

    Args:
        title: what the group is called.
        about: what a reader must know before.
        enable: hosts of the APIs they need.
        files: what lies in the folder where they are typed, by name.
        large: how large files are whose content does not matter, by name.
        rows: the commands.
    """

    title: str
    rows: list[Row]
    about: str = ""
    enable: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    large: dict[str, int] = field(default_factory=dict)

    def lay_out(self, folder: Path) -> None:
        """Write the files."""
        for name, text in self.files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        for name, size in self.large.items():
            (folder / name).write_bytes(Random(0).randbytes(size))  # noqa: S311 - nobody's secret


def read(name: str) -> Table:
    """Read the table of a group."""
    given: dict[str, Any] = yaml.safe_load((FOLDER / f"{name}.yaml").read_text())
    return Table(**{**given, "rows": [Row(**row) for row in given["rows"]]})


def names() -> list[str]:
    """Return the groups there are, in order."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


def _words(text: str) -> str:
    """Return text without the differences that the width of a terminal makes."""
    return " ".join(text.split())


def _shown(seen: Seen) -> str:
    return f"exit code {seen.code}\n{seen.out}{seen.err}"
