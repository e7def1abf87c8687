"""What the command line says to people, above all when it cannot do what they ask."""

from __future__ import annotations

import re
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from localcloud.__main__ import main, parser
from localcloud.command_line import arguments, commands, progress
from localcloud.store import Store

COMMANDS = {"up", "down", "status", "env", "token", "link", "logs", "calls", "faults", "group"}
COMMANDS |= {"record", "reset", "workflows", "daemon"}


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The interpreter's too, which has a command line of its own."""
    with pytest.raises(SystemExit) as ended:
        main(["--help"])

    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert {name for name in COMMANDS if f"\n    {name} " not in told} == set()
    assert "first steps:" in told


def test_the_readme_has_every_command() -> None:
    """And none that is not there."""
    readme = (Path(commands.__file__).parents[1] / "README.md").read_text()
    table = readme.partition("## Commands")[2].partition("## ")[0]

    assert set(re.findall(r"^\| `(\w+)", table, flags=re.MULTILINE)) == COMMANDS


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 0, and a name that can be typed."""
    try:
        code: object = main([command, "--help"])
    except SystemExit as ended:
        code = ended.code

    assert code in {0, None}
    assert f"usage: python -m localcloud {command}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["dwon"], "invalid choice: 'dwon' (choose from"),
        ([], "required: COMMAND"),
        (["token", "ana"], "'ana' is no e-mail address"),
        (["token", "user:ana@example.com"], "is no e-mail address"),
        (["token", "ana@example.com", "--access", "--refresh"], "not allowed with"),
        (["env", "--account", "../../ana@example.com"], "is no e-mail address"),
        (["link", "https://x-1.europe-west1.run.app", "--account", "x"], "is no e-mail address"),
        (["up", "--project", "My Project"], "is no project ID"),
        (["up", "--project", "ends-with-"], "is no project ID"),
        (["up", "--region", "mars"], "no region of Cloud Run's"),
        (["calls", "--format", "xml"], "invalid choice: 'xml'"),
        (["faults", "explode"], "invalid choice: 'explode'"),
        (["status", "extra"], "unrecognized arguments: extra"),
    ],
)
def test_a_wrong_command_is_refused_by_name(
    words: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, what was wrong, and nothing done."""
    with pytest.raises(SystemExit) as ended:
        main(words)

    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    "words", [["token", "ana@example.com"], ["logs"], ["env"], ["calls"], ["faults", "list"]]
)
def test_a_folder_without_a_cloud_is_left_as_it_is(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error is one sentence that says how to start one there."""
    state = tmp_path / "none"

    assert main(["--state", str(state), *words]) == 1

    assert f" -m localcloud up --state {state}` starts" in capsys.readouterr().err
    assert not state.exists()


def test_reset_forgets_only_what_is_a_local_clouds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that was named by mistake stays."""
    (tmp_path / "mine").write_text("mine")

    assert main(["reset", "--state", str(tmp_path)]) == 0

    assert f"there is no local cloud in {tmp_path}" in capsys.readouterr().out
    assert (tmp_path / "mine").exists()


def test_state_can_be_named_before_the_command_or_after_it(tmp_path: Path) -> None:
    """Both are where people put it; the later one counts."""
    words = [["--state", "/a", "status"], ["status", "--state", "/a"]]
    words.append(["--state", "/b", "status", "--state", "/a"])

    assert {str(parser().parse_args(one).state) for one in words} == {"/a"}
    assert parser().parse_args(["status"]).state.name == ".localcloud"
    assert main(["--state", str(tmp_path), "status"]) == 3


def test_logs_of_nobody_say_whose_there_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A misspelt service is told from a silent one."""
    (tmp_path / "settings.json").write_text("{}")
    Store(tmp_path / "store.sqlite").close()

    assert main(["logs", "--service", "wbe", "--state", str(tmp_path)]) == 0

    assert "'wbe' has logged nothing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("entry", "shown"),
    [
        ({"textPayload": "hello"}, "hello"),
        ({"jsonPayload": {"message": "hello", "n": 1}}, "hello"),
        ({"jsonPayload": {"n": 1}}, '{"n": 1}'),
        (
            {"httpRequest": {"requestMethod": "GET", "requestUrl": "https://x/y", "status": 503}},
            "GET https://x/y 503",
        ),
    ],
)
def test_a_log_entry_is_one_line(entry: dict[str, Any], shown: str) -> None:
    """Text, a structure's message, the structure, or the request it is about."""
    source = {"resource": {"labels": {"service_name": "web"}}, "timestamp": "T"}

    assert commands._line({**source, **entry}) == f"T DEFAULT  web: {shown}"


def test_a_damaged_store_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No trace of the program."""
    (tmp_path / "settings.json").write_text("{}")
    (tmp_path / "store.sqlite").write_text("not a database, and long enough to be looked at")

    assert main(["logs", "--state", str(tmp_path)]) == 1

    assert "file is not a database" in capsys.readouterr().err


def test_the_default_folder_need_not_be_typed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A remedy is as short as it can be."""
    monkeypatch.chdir(tmp_path)

    assert main(["env"]) == 1

    assert " -m localcloud up` starts it" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("path", "here", "typed"),
    [
        ("{bin}", "{tmp}", "python"),
        ("/nowhere", "{bin}/..", "bin/python"),
        ("/nowhere", "{tmp}/elsewhere", "{bin}/python"),
    ],
)
def test_a_remedy_can_be_pasted(
    path: str, here: str, typed: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It names the Python that has the libraries: by its bare name only where a shell finds it."""
    folder = tmp_path / "venv" / "bin"
    folder.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    python = folder / "python"
    python.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(python))
    names = {"bin": folder, "tmp": tmp_path}
    monkeypatch.setenv("PATH", path.format_map(names))
    monkeypatch.chdir(here.format_map(names))

    shown = commands._typed("up", arguments.state_folder(arguments.STATE))

    assert shown == f"{typed.format_map(names)} -m localcloud up"


def test_what_takes_long_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """And what does not, is not."""
    waited = threading.Event()
    said = ""
    with progress.told("starting", first=0.0, then=0.01):
        for _ in range(3000):
            said += capsys.readouterr().err
            if "starting (0 s)" in said:
                break
            waited.wait(0.01)
    assert "localcloud: starting (" in said
    capsys.readouterr()
    with progress.told("stopping"):
        pass

    assert capsys.readouterr().err == ""


def test_remarks_stay_out_of_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    """So that `eval` and pipes see the result only."""
    commands.remark("something")

    assert capsys.readouterr() == ("", "localcloud: something\n")
