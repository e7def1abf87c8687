"""Runs gcloud commands one after another in one process; gcloud's own Python starts it.

gcloud takes one to two seconds to start, and the tables have hundreds of commands. What is executed
is gcloud's own, unmodified: ``googlecloudsdk.gcloud_main.main``, which ``gcloud`` calls once. Around
it two things differ. Sleeps are short: gcloud waits seconds between two looks at an operation, and
before it repeats a call that failed. And the standard streams outlive a command.

A request is a line of JSON on standard input, the answer one on standard output. Nothing of ours
is imported, and Python may be 3.9: this is not our environment.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from functools import partial
from importlib import import_module
from typing import IO, Any, Callable  # noqa: UP035 - as above

LONGEST_SLEEP_SECONDS = 0.05
LAST_STANDARD_STREAM = 2

Main = Callable[[Any], None]


class Streams:
    """The standard streams of a command: files, and what the command made of them."""

    def __init__(self) -> None:
        """Have ``os.fdopen`` leave standard streams open."""
        self._opened: list[IO[Any]] = []
        self._fdopen: Callable[..., IO[Any]] = os.fdopen
        os.fdopen = self._open  # type: ignore[assignment]

    def run(self, given: str, command: Callable[[], int]) -> dict[str, Any]:
        """Run a command with something to read; return its exit code and what it wrote."""
        with ExitStack() as stack:
            files = [stack.enter_context(tempfile.TemporaryFile()) for _ in range(3)]
            files[0].write(given.encode())
            files[0].seek(0)
            for number, file in enumerate(files):
                os.dup2(file.fileno(), number)
            sys.stdin = self._fdopen(0, closefd=False)
            code = command()
            for stream in (*self._opened, sys.stdout, sys.stderr):
                if not stream.closed:
                    stream.flush()
            self._opened.clear()
            return {"code": code, "out": _text(files[1]), "err": _text(files[2])}

    def _open(self, number: int, *words: Any, **more: Any) -> IO[Any]:
        if number > LAST_STANDARD_STREAM:
            return self._fdopen(number, *words, **more)
        # a command closes them, because its process ends there
        stream = self._fdopen(number, *words, **more, closefd=False)
        self._opened.append(stream)
        return stream


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def execute(main: Main, command: Any, words: list[str]) -> int:
    """Run one command; return its exit code."""
    sys.argv[1:] = words
    try:
        main(command)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def serve(library: str) -> None:
    """Answer requests until there are no more."""
    sys.path.insert(0, library)
    gcloud = import_module("gcloud")

    # what its own main does before it calls the other one
    sys.path = gcloud.reorder_sys_path(sys.path)
    gcloud._fix_google_module()
    gcloud_main = gcloud._import_gcloud_main()

    sleep = time.sleep
    time.sleep = lambda seconds: sleep(min(float(seconds), LONGEST_SLEEP_SECONDS))
    requests, answers = os.fdopen(os.dup(0)), os.fdopen(os.dup(1), "w")
    streams = Streams()
    command = gcloud_main.CreateCLI([])
    for line in requests:
        asked = json.loads(line)
        run = partial(execute, gcloud_main.main, command, asked["words"])
        answers.write(json.dumps(streams.run(asked["given"], run)) + "\n")
        answers.flush()


if __name__ == "__main__":
    serve(sys.argv[1])
