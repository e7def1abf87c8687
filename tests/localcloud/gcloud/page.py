"""Make ``localcloud/gcloud.md`` of the tables: ``python -m tests.localcloud.gcloud.page``."""

from __future__ import annotations

from pathlib import Path

from tests.localcloud.gcloud import table

PAGE = Path(__file__).parents[3] / "localcloud" / "gcloud.md"

_HEAD = """\
# gcloud on the local cloud

After `eval "$(python -m localcloud env)"` plain `gcloud` works. This page is made of the tables in
`tests/localcloud/gcloud/tables`: a test types every line in this order with an unmodified gcloud
and sees what stands beside it. Its servers, builds and containers are on paper; other tests have
real ones. `$x` is what an earlier command printed. What is not listed may work too: nobody has
tried. What answers "no handler" is not built; gcloud repeats such a call for up to half a minute.
"""


def text() -> str:
    """Return the page."""
    return _HEAD + "".join(_section(table.read(name)) for name in table.names())


def _section(made: table.Table) -> str:
    about = f"{made.about.strip()}\n\n" if made.about else ""
    rows = "".join(f"| `{_cell(_typed(row))}` | {_cell(_seen(row))} |\n" for row in made.rows)
    return f"\n## {made.title}\n\n{about}| gcloud ... | seen |\n|---|---|\n{rows}"


def _typed(row: table.Row) -> str:
    return row.run + (f" <<< '{row.given}'" if row.given else "")


def _seen(row: table.Row) -> str:
    said = row.so or (f"`{row.refused or row.says}`" if row.refused or row.says else "done")
    return f"refused: {said}" if row.refused else said


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", r"\|")


if __name__ == "__main__":
    PAGE.write_text(text())
