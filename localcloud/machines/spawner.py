"""Starts child processes so that none of them, nor what they start, outlives this one."""

import os
import queue
import subprocess
import threading
from collections.abc import Callable
from concurrent.futures import Future

from localcloud.machines import guard

Start = Callable[[], subprocess.Popen[bytes]]


class Spawner:
    """One thread that starts all children and never ends.

    The kernel's "die with the parent" means the parent *thread*; children started from a pool's
    worker would die when the pool lets that worker go.
    """

    def __init__(self) -> None:
        self._wanted: queue.Queue[tuple[Start, str, Future[subprocess.Popen[bytes]]]] = (
            queue.Queue()
        )
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def spawn(self, start: Start, mark: str) -> subprocess.Popen[bytes]:
        """Call *start* on the one thread; returns what it started, which carries *mark*."""
        with self._lock:
            # After a fork (a test runner's, say) the thread exists in name only.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._work, name="spawner", daemon=True)
                self._thread.start()
        answer: Future[subprocess.Popen[bytes]] = Future()
        self._wanted.put((start, mark, answer))
        return answer.result()

    def _work(self) -> None:
        while True:
            start, mark, answer = self._wanted.get()
            try:
                child = start()
            except BaseException as error:  # noqa: BLE001 - handed to the caller, who raises it
                answer.set_exception(error)
            else:
                GUARD.watch(child.pid, mark)
                answer.set_result(child)


class Guard:
    """A small process that outlives this one just long enough to end what it leaves behind.

    The kernel ends the children of a process that is killed, but not their children: the server
    behind an entrypoint would go on, holding its port and its database connections. The guard
    is told every child's process group and mark, and when the pipe to it breaks, it kills them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pipe: int | None = None
        self._owner = 0

    def watch(self, group: int, mark: str) -> None:
        """Take a process group, and whoever carries its mark, into care."""
        self._tell(f"+{group} {mark}\n")

    def forget(self, group: int) -> None:
        """Leave a process group alone: it has ended, and its number may be given again."""
        self._tell(f"-{group}\n")

    def _tell(self, line: str) -> None:
        with self._lock:
            if self._pipe is None or self._owner != os.getpid():
                self._start()
            assert self._pipe is not None
            os.write(self._pipe, line.encode())

    def _start(self) -> None:
        reading, writing = os.pipe()
        command = guard.argv()
        os.posix_spawn(
            command[0],
            command,
            {},
            file_actions=[(os.POSIX_SPAWN_DUP2, reading, 0)],
            setsid=True,
        )
        os.close(reading)
        self._pipe, self._owner = writing, os.getpid()


GUARD = Guard()
SPAWNER = Spawner()
