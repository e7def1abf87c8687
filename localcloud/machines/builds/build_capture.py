"""Runs one command of a Dockerfile inside its box and brings home what it made in shared places.

The box (localcloud.machines.box) shows the host's directories with the image's laid over them. This program,
which starts as the box's first process, does what a build needs beyond that. It locks what is the
host's, so that no RUN can change the machine it runs on. And where host and image meet, such as in
``/`` and ``/opt``, a directory is put together in memory, and what a command creates there would
vanish with the box: it looks at these directories before and after the command and copies the new
entries into the image's tree.

It is executed as a file, without the package and without site: the standard library is all it has.
"""

import argparse
import ctypes
import os
import struct
import subprocess
import sys
from pathlib import Path

HOME = "/.image"

SYS_MOUNT_SETATTR = 442  # the same number on every architecture
AT_FDCWD, AT_RECURSIVE = -100, 0x8000
MOUNT_ATTR_RDONLY = 1
MS_BIND, MS_REC = 0x1000, 0x4000


def main(arguments: list[str]) -> int:
    """Run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="build", allow_abbrev=False)
    parser.add_argument("--user", type=int)
    parser.add_argument("--lock", action="append", default=[], help="must not be written")
    parser.add_argument("--watch", action="append", default=[], help="new entries are kept")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    for path in options.lock:
        _lock(path)
    before = {place: set(Path(place).iterdir()) for place in options.watch}
    code = _run(options.command, options.user)
    for place in options.watch:
        for path in sorted(set(Path(place).iterdir()) - before[place]):
            _bring_home(str(path))
    return code


def _lock(path: str) -> None:
    """Make a tree read-only, with everything mounted in it."""
    system = ctypes.CDLL(None, use_errno=True)
    place = path.encode()
    if not os.path.ismount(path) and system.mount(place, place, None, MS_BIND | MS_REC, None):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), path)
    wish = struct.pack("=QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    if system.syscall(SYS_MOUNT_SETATTR, AT_FDCWD, place, AT_RECURSIVE, wish, len(wish)):
        number = ctypes.get_errno()
        raise OSError(number, f"cannot make it read-only: {os.strerror(number)}", path)


def _run(command: list[str], user: int | None) -> int:
    child = os.fork()
    if child == 0:
        if user is not None:
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
        try:
            os.execvp(command[0], command)  # noqa: S606 - the argument list is the command
        except OSError as error:
            sys.stderr.write(f"{command[0]}: {error.strerror}\n")
            os._exit(127)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _bring_home(path: str) -> None:
    target = Path(HOME + path)
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--", path, str(target)], check=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
