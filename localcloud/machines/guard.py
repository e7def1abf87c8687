"""Ends what a process that was killed leaves behind, whatever it has become meanwhile.

Run as a program it is the guard (see ``spawner``): it outlives who started it just long enough.
It imports nothing outside the standard library and starts without ``site``, as ``box`` does.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

MARK = "LOCALCLOUD_PROCESS"
"""The environment variable by which the descendants of one child are told."""

_GLANCE_SECONDS = 0.01


def argv() -> list[str]:
    """Return the command line of a guard; it reads its standard input."""
    return [sys.executable, "-I", "-S", str(Path(__file__).resolve())]


def end_family(group: int, mark: str) -> None:
    """Kill a process group, and all who left it for a session of their own.

    An init such as dumb-init gives its child one. What still tells them is their environment.
    """
    with suppress(OSError):  # nobody of it is left
        os.killpg(group, signal.SIGKILL)
    wanted = f"{MARK}={mark}".encode()
    # More than once: one that was being forked while we looked is found the next time.
    while strays := [number for number in _processes() if wanted in _environment(number)]:
        for number in strays:
            with suppress(OSError):  # it has ended by itself
                os.kill(number, signal.SIGKILL)
        time.sleep(_GLANCE_SECONDS)


def _processes() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]


def _environment(number: int) -> list[bytes]:
    """Return what a process was started with; nothing once it is dead or if it is another's."""
    try:
        return Path(f"/proc/{number}/environ").read_bytes().split(b"\0")
    except OSError:
        return []


def main() -> NoReturn:
    """Read process groups and marks, one pair a line, until the pipe breaks; then end the rest."""
    groups: dict[int, str] = {}
    for line in sys.stdin:
        group, _, mark = line[1:].strip().partition(" ")
        if line.startswith("+"):
            groups[int(group)] = mark
        else:
            groups.pop(int(group), None)
    for number, mark in groups.items():
        end_family(number, mark)
    sys.exit(0)


if __name__ == "__main__":
    main()
