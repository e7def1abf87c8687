"""Writes docs/problems.md from the code that raises the problems: `make schemas` calls it."""

from pathlib import Path

from functions.door.problems import KINDS
from planner.remedies import REMEDIES
from planner.remedies.remedy import UNKNOWN

PAGE = Path(__file__).parents[2] / "docs" / "problems.md"


def page() -> str:
    """Return the page: what the api refuses, and what a deployment can fail of."""
    lines = [
        "# Problems",
        "",
        "Written by `make schemas` from the code. Errors are `application/problem+json` (RFC 9457); the kind is",
        "the end of `type`, `urn:berth:problem:KIND`.",
        "",
        "## What the api refuses",
        "",
        "| kind | status | title |",
        "|---|---|---|",
        *(f"| `{kind}` | {status} | {title} |" for kind, (status, title) in KINDS.items()),
        "",
        "## What a deployment can fail of",
        "",
        "`problem.cause` has Google's words. Resumable: the same request again goes on from the step that failed.",
        "",
        "| kind | title | what helps | resumable |",
        "|---|---|---|---|",
    ]
    for one in (*REMEDIES, UNKNOWN):
        again = "yes" if one.resumable else ""
        helps = one.words("")
        lines.append(f"| `{one.kind}` | {one.title} | {helps} | {again} |".replace(" |  |", " | |"))
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    PAGE.write_text(page())
