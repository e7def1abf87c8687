"""Writes docs/combinations.md from the models and their contradictions: `make schemas` calls it."""

from itertools import combinations
from pathlib import Path

from schemas.contradictions import TABLE
from tests.repository.options import FIELDS, options, valid_pairs

PAGE = Path(__file__).parents[2] / "docs" / "combinations.md"


def matrix(one: str, other: str) -> list[str]:
    """Return the table of two fields; nothing when everything goes with everything."""
    rows, columns = options(one), options(other)
    known = valid_pairs()
    cells = [[((one, row), (other, column)) in known for column in columns] for row in rows]
    if all(all(row) for row in cells):
        return []
    return [
        f"## {one} and {other}",
        "",
        f"| {one} | " + " | ".join(columns) + " |",
        "|---" * (len(columns) + 1) + "|",
        *(
            f"| {title} | " + " | ".join("yes" if cell else "**no**" for cell in row) + " |"
            for title, row in zip(rows, cells, strict=True)
        ),
        "",
    ]


def page() -> str:
    """Return the page: what is offered, what goes with what, and what is said when it does not."""
    choices = [f"| `{name}` | " + " · ".join(options(name)) + " |" for name in FIELDS]
    tables = [line for one, other in combinations(FIELDS, 2) for line in matrix(one, other)]
    said = [
        f"| {' · '.join(f'`{where}`' for where in contradiction.pointers)} "
        f"| {contradiction.message.replace('{request.', '{')} |"
        for contradiction in TABLE
    ]
    lines = [
        "# Combinations",
        "",
        "Written by `make schemas` from the models. Every pair of options that is not in one of the tables below",
        "goes together. What an installation lacks (a region, a version, a pool) is another matter and is said, too.",
        "",
        "| field | values |",
        "|---|---|",
        *choices,
        "",
        *tables,
        "## What is said",
        "",
        "All contradictions of a request come in one answer, each with the pointers to both places. `{iap}` is `/access`,",
        "or `/access/iap` where IAP stands before MLflow's own login.",
        "",
        "| places | message |",
        "|---|---|",
        *said,
    ]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page())
