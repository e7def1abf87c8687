"""The command line shows results, and mistakes at their place."""

from __future__ import annotations

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
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == f"{file}:3:13: key not found: x"
    assert lines[-2:] == ["        return: ${m.x}", "                ^^^^^^"]


def test_check_goes_through_all_files(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One mistake does not hide the next file."""
    other = tmp_path / "other.yaml"
    file.write_text("- a:\n    return: ${1 + + 2}\n")
    other.write_text("- a: {return: 1}")
    assert main(["check", str(file), str(other)]) == 1
    shown = capsys.readouterr()
    assert "other.yaml: ok" in shown.out
    assert shown.err.splitlines()[-1].index("^") == 4 + 18


@pytest.mark.parametrize(
    "arguments",
    [[], ["fly"], ["check"], ["run"], ["run", "/nowhere.yaml"], ["check", "/nowhere.yaml"]],
)
def test_wrong_commands(arguments: list[str]) -> None:
    """A command that makes no sense is neither success nor a workflow's fault."""
    assert main(arguments) == 2


def test_data_must_be_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Text that is no JSON is refused before anything runs."""
    file.write_text("- a: {return: 1}")
    assert main(["run", str(file), "--data", "{k: 1}"]) == 2
    assert "--data is not JSON" in capsys.readouterr().err
