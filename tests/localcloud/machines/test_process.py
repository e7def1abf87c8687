"""A child process is started, waited for, listened to and stopped; and never left behind."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.machines.process import Process, ProcessError
from tests.localcloud.patience import eventually, gone

ENV = {"PATH": os.environ["PATH"]}


@pytest.fixture
def processes() -> Iterator[list[Process]]:
    """Return a list; what a test puts there is stopped at its end."""
    started: list[Process] = []
    yield started
    for process in started:
        process.stop(grace=0)


def shell(script: str, tmp_path: Path, processes: list[Process], **more: object) -> Process:
    """Return a process running a shell script, which the fixture stops."""
    process = Process(["sh", "-c", script], env=ENV, log=tmp_path / "log", **more)  # type: ignore[arg-type]
    processes.append(process)
    return process


def test_start_returns_when_ready(tmp_path: Path, processes: list[Process]) -> None:
    """Start waits for the readiness check, not for a guess."""
    mark = tmp_path / "ready"
    process = shell(f"touch {mark}; sleep 30", tmp_path, processes, ready=mark.exists)

    process.start(timeout=30)

    assert process.alive
    assert mark.exists()


def test_early_end_is_an_error_with_the_last_words(
    tmp_path: Path, processes: list[Process]
) -> None:
    """A program that ends before it is ready is reported with its code and output."""
    process = shell("echo no database; exit 3", tmp_path, processes, ready=lambda: False)

    with pytest.raises(ProcessError, match=r"ended with 3:\nno database"):
        process.start(timeout=30)


def test_never_ready_is_an_error_and_is_stopped(tmp_path: Path, processes: list[Process]) -> None:
    """A program that never gets ready does not keep running behind the error."""
    process = shell("sleep 30", tmp_path, processes, ready=lambda: False)

    with pytest.raises(ProcessError, match=r"not ready in 0\.1 s"):
        process.start(timeout=0.1)

    assert not process.alive


def test_stop_asks_first(tmp_path: Path, processes: list[Process]) -> None:
    """A program that handles SIGTERM ends in its own way."""
    mark = tmp_path / "ready"
    script = f"trap 'echo bye; exit 5' TERM; touch {mark}; while :; do sleep 0.05; done"
    process = shell(script, tmp_path, processes, ready=mark.exists)
    process.start(timeout=30)

    code = process.stop(grace=5)

    assert code == 5
    assert process.tail(1) == "bye"


def test_stop_insists(tmp_path: Path, processes: list[Process]) -> None:
    """A program that ignores SIGTERM is killed after the grace period."""
    mark = tmp_path / "ready"
    script = f"trap '' TERM; touch {mark}; while :; do sleep 0.05; done"
    process = shell(script, tmp_path, processes, ready=mark.exists)
    process.start(timeout=30)

    assert process.stop(grace=0.2) == -9


def test_stop_takes_the_family(tmp_path: Path, processes: list[Process]) -> None:
    """What the program started and left running goes too."""
    mark = tmp_path / "child"
    process = shell(
        f"sleep 60 & echo $! > {mark}.new; mv {mark}.new {mark}; wait",
        tmp_path,
        processes,
        ready=mark.exists,
    )
    process.start(timeout=30)
    child = int(mark.read_text())

    process.stop(grace=5)

    eventually(lambda: gone(child))


def test_lines_arrive_by_stream(tmp_path: Path, processes: list[Process]) -> None:
    """Every line is handed on with its stream, and is in the log file as well."""
    heard: list[tuple[str, str]] = []
    process = shell(
        "echo out; echo err >&2; printf half",
        tmp_path,
        processes,
        on_line=lambda stream, line: heard.append((stream, line)),
    )

    process.spawn()
    process.wait(timeout=30)

    assert sorted(heard) == [("stderr", "err"), ("stdout", "half"), ("stdout", "out")]
    assert set(process.tail().splitlines()) >= {"out", "err"}


def test_child_survives_the_thread_that_started_it(
    tmp_path: Path, processes: list[Process]
) -> None:
    """Dying with the parent means the process, not the worker thread that called start."""
    process = shell("sleep 30", tmp_path, processes)
    starter = threading.Thread(target=process.spawn)
    starter.start()
    starter.join()

    assert process.wait(timeout=0.3) is None
    assert process.alive


def test_a_child_in_a_session_of_its_own_goes_too(tmp_path: Path, processes: list[Process]) -> None:
    """Such as what dumb-init starts: it must not survive a dumb-init that was killed."""
    mark = tmp_path / "pid"
    script = f"setsid sleep 60 & echo $! > {mark}.new; mv {mark}.new {mark}; wait"
    process = shell(script, tmp_path, processes, ready=mark.exists)
    process.start(timeout=30)

    process.stop(grace=0)

    stat = Path(f"/proc/{mark.read_text().strip()}/stat")
    assert not stat.exists() or stat.read_text().split()[2] in "ZX"


def test_stop_before_start_is_nothing(tmp_path: Path, processes: list[Process]) -> None:
    """Stopping what never ran is no error."""
    assert shell("true", tmp_path, processes).stop() is None


@pytest.mark.parametrize("apart", ["", "setsid "])
def test_grandchildren_die_with_the_daemon(tmp_path: Path, apart: str) -> None:
    """When the daemon is killed, the server behind an entrypoint goes, in whatever session."""
    mark = tmp_path / "pid"
    script = f"{apart}sleep 60 & echo $! > {mark}.new; mv {mark}.new {mark}; wait"
    daemon = (
        "import os, signal, sys, pathlib\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from localcloud.machines.process import Process\n"
        "mark = pathlib.Path(sys.argv[3])\n"
        "process = Process(['sh', '-c', sys.argv[2]], env={'PATH': os.environ['PATH']},\n"
        "                  log=mark.with_suffix('.log'), ready=mark.exists)\n"
        "process.start(timeout=30)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    project = str(Path(__file__).parents[3])

    command = [sys.executable, "-c", daemon, project, script, str(mark)]
    subprocess.run(command, timeout=60, check=False)

    child = int(mark.read_text())
    eventually(lambda: gone(child))
