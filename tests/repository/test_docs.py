"""Documentation that can be wrong fails the build."""

import re
from pathlib import Path
from typing import get_args

import pytest

from schemas.deployment import State
from tests.repository import combinations_page
from tests.repository.problems_page import PAGE, page

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page for folder in ("*.md", "docs/**/*.md", "localcloud/**/*.md") for page in ROOT.glob(folder)
)


def test_the_page_of_problems_is_what_the_code_raises() -> None:
    """A problem without a line in docs/problems.md, or a line without a problem, fails here."""
    assert PAGE.read_text() == page(), "run: make schemas"


def test_the_page_of_combinations_is_what_the_models_accept() -> None:
    """An option or a contradiction that the page does not know fails here."""
    assert combinations_page.PAGE.read_text() == combinations_page.page(), "run: make schemas"


def test_every_state_is_in_the_runbook() -> None:
    """An operator finds each state and what to do about it."""
    runbook = (ROOT / "docs" / "operations.md").read_text()

    assert [state for state in get_args(State) if f"| `{state}` |" not in runbook] == []


@pytest.mark.parametrize("name", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(name: Path) -> None:
    """A relative link points at something that is there."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", name.read_text())
    local = [link for link in links if "://" not in link]

    assert [link for link in local if not (name.parent / link).exists()] == []


def test_every_decision_has_its_four_headings() -> None:
    """Status, context, decision and consequences: a page without one of them decides nothing."""
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    wanted = ("Status", "Context", "Decision", "Consequences")

    lacking = {
        (path.name, word)
        for path in decisions
        for word in wanted
        if not re.search(rf"^(\*\*|#+ ){word}", path.read_text(), flags=re.MULTILINE)
    }

    assert len(decisions) >= 3
    assert lacking == set()
