"""House rules of the workflows that no language checks."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2] / "workflows"
FILES = sorted(ROOT.rglob("*.yaml"))
LIBRARY = [path for path in FILES if path.parent.name == "lib"]
CHANGES = ("http.post", "http.put", "http.patch", "http.delete", "http.request", "googleapis.")


def steps(node: Any) -> Iterator[dict[str, Any]]:
    """Yield every map in a YAML document."""
    if isinstance(node, dict):
        yield node
        for value in node.values():
            yield from steps(value)
    elif isinstance(node, list):
        for value in node:
            yield from steps(value)


def calls(path: Path) -> list[str]:
    """Return what a file calls."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [str(step["call"]) for step in steps(document) if "call" in step]


def test_there_are_files_to_look_at() -> None:
    """A rule that looks at nothing holds always."""
    assert {"provision.yaml", "teardown.yaml"} <= {path.name for path in FILES}
    assert LIBRARY


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_the_library_changes_anything(path: Path) -> None:
    """Creating and deleting happens in one place."""
    found = [call for call in calls(path) if call.startswith(CHANGES)]

    assert path in LIBRARY or found == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_http_call_stands_in_a_try(path: Path) -> None:
    """An error of a call is classified where it happens."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    guarded = [
        step
        for attempt in steps(document)
        if "try" in attempt
        for step in steps(attempt["try"])
        if str(step.get("call", "")).startswith("http.")
    ]
    everywhere = [step for step in steps(document) if str(step.get("call", "")).startswith("http.")]

    assert len(guarded) == len(everywhere)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_subworkflow_says_what_it_promises(path: Path) -> None:
    """A comment stands above each."""
    lines = path.read_text(encoding="utf-8").splitlines()
    starts = [
        number for number, line in enumerate(lines) if line.endswith(":") and line[0].isalpha()
    ]

    silent = [lines[number] for number in starts if not lines[max(0, number - 1)].startswith("#")]

    assert silent == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_what_the_language_leaves_open_is_not_used(path: Path) -> None:
    """Google's pages do not settle `not in`, nor maps inside expressions."""
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    expressions = [
        value
        for step in steps(document)
        for value in step.values()
        if isinstance(value, str) and value.startswith("${")
    ]

    assert [text for text in expressions if " not in " in text or "{" in text[2:]] == []


def test_nothing_reads_a_secret() -> None:
    """The variables of an execution are visible, so no value of a secret may become one."""
    text = "".join(path.read_text(encoding="utf-8") for path in FILES)

    assert ":access" not in text
    assert "accessString" not in text
