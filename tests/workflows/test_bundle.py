"""The bundler: joins what belongs together and refuses what does not make one workflow."""

from pathlib import Path

import pytest
import yaml

from localcloud.workflows.code.compiler import compile_source
from workflows.bundle import EXPRESSION_LIMIT, SOURCE_LIMIT, BundleError, bundle, main, names

WORKFLOWS = ("provision", "teardown")


def write(folder: Path, name: str, text: str) -> None:
    """Put a YAML file into a folder of workflows."""
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


def routine(name: str, step: str) -> str:
    """Return a subworkflow of one step."""
    return f"{name}:\n  steps:\n    - only:\n        {step}\n"


def test_the_real_workflows_are_known() -> None:
    """There are two workflows, and the library is no workflow."""
    assert names() == list(WORKFLOWS)


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_real_bundle_can_be_deployed(name: str) -> None:
    """What the bundler prints passes every check of a deployment."""
    compile_source(bundle(name))


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_bundle_is_the_same_each_time(name: str) -> None:
    """The installer compares sources, so the same files must give the same text."""
    assert bundle(name) == bundle(name)


def test_a_bundle_holds_what_is_used_directly_or_not_and_nothing_else(tmp_path: Path) -> None:
    """Use is followed through calls, expressions and retry predicates."""
    write(tmp_path, "w.yaml", routine("main", "call: first"))
    write(tmp_path, "lib/a.yaml", routine("first", "return: ${second(1) + len([])}"))
    write(
        tmp_path,
        "lib/b.yaml",
        "second:\n  params: [x]\n  steps:\n    - only:\n        try:\n          call: http.get\n"
        "          args:\n            url: https://example.com\n"
        "        retry:\n          predicate: ${third}\n",
    )
    write(tmp_path, "lib/c.yaml", routine("third", "return: true"))
    write(tmp_path, "lib/d.yaml", routine("nobody_calls_me", "return: true"))

    joined = yaml.safe_load(bundle("w", folder=tmp_path))

    assert list(joined) == ["main", "first", "second", "third"]


def test_a_workflow_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """The refusal lists the ones there are."""
    write(tmp_path, "w.yaml", routine("main", "return: 1"))

    with pytest.raises(BundleError, match="known are: w"):
        bundle("v", folder=tmp_path)


def test_a_name_that_two_files_define_is_refused(tmp_path: Path) -> None:
    """Joined, the second would silently win; so both files are named."""
    write(tmp_path, "w.yaml", routine("main", "call: twice"))
    write(tmp_path, "lib/a.yaml", routine("twice", "return: 1"))
    write(tmp_path, "lib/b.yaml", routine("twice", "return: 2"))

    with pytest.raises(BundleError, match=r"twice is defined in a\.yaml and in b\.yaml"):
        bundle("w", folder=tmp_path)


@pytest.mark.parametrize(
    "step",
    [
        "call: nowhere",
        "return: ${nowhere(1)}",
        "return: ${1 + nowhere(1)}",
        "raise: {message: '${nowhere(1)}'}",
    ],
)
def test_a_call_of_something_that_no_file_defines_is_refused(tmp_path: Path, step: str) -> None:
    """The refusal names the file that calls and what it calls."""
    write(tmp_path, "w.yaml", routine("main", step))

    with pytest.raises(BundleError, match=r"w\.yaml calls nowhere"):
        bundle("w", folder=tmp_path)


def test_a_function_of_no_library_is_refused(tmp_path: Path) -> None:
    """A misspelt library is found before the deployment."""
    write(tmp_path, "w.yaml", routine("main", "call: htpp.get"))

    with pytest.raises(BundleError, match=r"htpp\.get"):
        bundle("w", folder=tmp_path)


def test_words_in_a_string_are_no_calls(tmp_path: Path) -> None:
    """A text that looks like a call is a text."""
    write(tmp_path, "w.yaml", routine("main", "return: '${\"see nowhere(1)\"}'"))

    assert "nowhere" in bundle("w", folder=tmp_path)


def test_an_expression_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """Workflows allows 400 characters; the refusal says how many there are."""
    long = "${" + "1 + " * 100 + "1}"
    write(tmp_path, "w.yaml", routine("main", f"return: {long}"))

    with pytest.raises(BundleError, match=f"{len(long)} characters, {EXPRESSION_LIMIT}"):
        bundle("w", folder=tmp_path)


def test_a_source_that_is_too_long_is_refused(tmp_path: Path) -> None:
    """Workflows takes 128 KB, comments included."""
    write(tmp_path, "w.yaml", "# " + "x" * SOURCE_LIMIT + "\n" + routine("main", "return: 1"))

    with pytest.raises(BundleError, match="Workflows takes 131072"):
        bundle("w", folder=tmp_path)


def test_a_file_that_is_no_map_is_refused(tmp_path: Path) -> None:
    """A bare list of steps cannot be joined with anything."""
    write(tmp_path, "w.yaml", "- only:\n    return: 1\n")

    with pytest.raises(BundleError, match="not a map"):
        bundle("w", folder=tmp_path)


def test_the_command_prints_the_bundle(capsys: pytest.CaptureFixture[str]) -> None:
    """What is printed is what is deployed."""
    status = main(["teardown"])

    assert status == 0
    assert capsys.readouterr().out == bundle("teardown")


@pytest.mark.parametrize("arguments", [[], ["one", "two"], ["nothing"]])
def test_the_command_refuses_what_it_does_not_know(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong call ends with a status and says what there is."""
    status = main(arguments)

    assert status != 0
    assert "provision" in capsys.readouterr().err
