"""The command line shows results, and mistakes at their place."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING

import pytest

from localcloud.workflows.commands import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A place for a source."""
    return tmp_path / "w.yaml"


def test_a_result_is_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The argument goes in and the result comes out."""
    file.write_text(
        "main: {params: [a], steps: [{b: {return: ['${a.k}', '${sys.get_env(\"X\")}']}}]}"
    )
    assert main(["run", str(file), "--data", '{"k": 1}', "--env", "X=y"]) == 0
    assert capsys.readouterr().out == '[\n  1,\n  "y"\n]\n'


def test_time_can_jump(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An hour of sleep need not take an hour."""
    file.write_text("- a: {call: sys.sleep, args: {seconds: 3600}}\n- b: {return: done}")
    assert main(["run", str(file), "--no-wait"]) == 0
    assert capsys.readouterr().out == '"done"\n'


def test_a_failure_has_a_caret(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What went wrong is shown under the expression."""
    file.write_text("- a: {assign: [{m: {}}]}\n- b:\n    return: ${m.x}\n")
    assert main(["run", str(file)]) == 1
    assert capsys.readouterr().err.splitlines() == [
        f"{file}:3:13: KeyError: key not found: x",
        "        return: ${m.x}",
        "                ^^^^^^",
        'in step "b", routine "main", line: 3',
        'payload: {"message":"KeyError: key not found: x","tags":["KeyError","LookupError"]}',
    ]


def test_the_way_of_an_error_is_shown(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each routine that an error came through is named, and the whole error value."""
    file.write_text(
        "main: {steps: [{a: {call: f}}]}\nf: {steps: [{b: {raise: {code: 5, message: oh}}}]}\n"
    )
    assert main(["run", str(file)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[3:] == [
        'in step "b", routine "f", line: 2',
        'in step "a", routine "main", line: 1',
        'payload: {"code":5,"message":"oh"}',
    ]


def test_sources_and_data_come_from_where_one_likes(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dash is the standard input, and an at sign leads to a file."""
    file.write_text('{"k": [1]}')
    monkeypatch.setattr(
        "sys.stdin", io.StringIO("main: {params: [a], steps: [{b: {return: '${a}'}}]}")
    )
    assert main(["run", "-", "--data", f"@{file}"]) == 0
    assert json.loads(capsys.readouterr().out) == {"k": [1]}


def test_a_run_knows_its_own_name(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The workflow has the name of the file, and each run an identifier."""
    file.write_text(
        "- a: {return: ['${sys.get_env(\"GOOGLE_CLOUD_WORKFLOW_ID\")}',"
        " '${len(sys.get_env(\"GOOGLE_CLOUD_WORKFLOW_EXECUTION_ID\"))}']}"
    )
    assert main(["run", str(file)]) == 0
    assert json.loads(capsys.readouterr().out) == ["w", 36]


def test_help_is_no_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    """It says what the exit codes mean."""
    assert main(["run", "--help"]) == 0
    assert "exit code: 0 all is well" in capsys.readouterr().out


def test_check_goes_through_all_files(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One mistake does not hide the next file."""
    other = tmp_path / "other.yaml"
    file.write_text("- a:\n    return: ${1 + + 2}\n")
    other.write_text("- a: {return: 1}")
    assert main(["check", str(file), str(other)]) == 1
    shown = capsys.readouterr()
    assert shown.out == f"{other}: ok, 1 routine\n"
    assert shown.err.splitlines()[-1].index("^") == 4 + 18


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["fly"],
        ["check"],
        ["run"],
        ["run", "/nowhere.yaml"],
        ["run", "/"],
        ["check", "/nowhere.yaml"],
        ["run", "-", "--env", "X"],
        ["run", "-", "--data", "@/nowhere.json"],
    ],
)
def test_wrong_commands(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that makes no sense is neither success nor a workflow's fault."""
    monkeypatch.setattr("sys.stdin", io.StringIO("- a: {return: 1}"))
    assert main(arguments) == 2


def test_data_must_be_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text that is no JSON is refused before anything runs."""
    file.write_text("- a: {return: 1}")
    assert main(["run", str(file), "--data", "{k: 1}"]) == 2
    assert "--data is not JSON" in capsys.readouterr().err
