"""A child process of the local cloud: started, waited for, its last words kept, stopped.

Children die with the process that started them, however it ends (see ``box``), and their
output goes to a file, and line by line to whoever wants it.
"""

import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from localcloud.machines import box, guard
from localcloud.machines.spawner import GUARD, SPAWNER

OnLine = Callable[[str, str], None]

_TAIL_BYTES = 64 * 1024
_POLL_SECONDS = 0.03


class ProcessError(Exception):
    """The process ended or was not ready in time; the message carries its last words."""


class Process:
    """One program with its log.

    Args:
        argv: The command line; ``box.argv`` makes one with its own root.
        env: The whole environment, nothing is inherited.
        log: File its output is appended to.
        ready: Tells whether it can be used; asked repeatedly by ``start``.
        cwd: Where it starts; of no meaning for a box, which has its own.
        on_line: Gets every finished line as ``(stream, text)`` with stream ``stdout``/``stderr``.
        stop_signal: How ``stop`` asks it to end; PostgreSQL wants another one than most.

    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        log: Path,
        ready: Callable[[], bool] | None = None,
        cwd: Path | str | None = None,
        on_line: OnLine | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> None:
        self.argv = list(argv) if box.is_launched(argv) else box.argv(argv)
        self.env = dict(env)
        self.log = Path(log)
        self.ready = ready
        self.cwd = cwd
        self.on_line = on_line
        self.stop_signal = stop_signal
        self._mark = secrets.token_hex(8)
        self._child: subprocess.Popen[bytes] | None = None
        self._over = False
        self._readers: list[threading.Thread] = []
        self._log_lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """Its process identifier, once spawned."""
        return self._child.pid if self._child else None

    @property
    def alive(self) -> bool:
        """Whether it was spawned and has not ended."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended: its code, or minus the signal's number."""
        return self._child.poll() if self._child else None

    def spawn(self) -> None:
        """Start it without waiting for it to be ready."""
        if self.alive:
            return
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._child = SPAWNER.spawn(self._popen, self._mark)
        self._over = False
        if self.on_line is not None:
            for name, stream in (("stdout", self._child.stdout), ("stderr", self._child.stderr)):
                assert stream is not None
                reader = threading.Thread(target=self._read, args=(name, stream), daemon=True)
                reader.start()
                self._readers.append(reader)

    def start(self, *, timeout: float = 60.0) -> None:
        """Start it and return when it is ready; ``ProcessError`` when that does not happen."""
        self.spawn()
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float) -> None:
        """Wait until ``ready`` says yes; a process that ends or takes longer is an error."""
        deadline = time.monotonic() + timeout
        while self.ready is not None and not self.ready():
            if not self.alive:
                raise ProcessError(f"{self._name()} ended with {self.exit_code}:\n{self.tail()}")
            if time.monotonic() > deadline:
                self.stop(grace=0)
                raise ProcessError(f"{self._name()} not ready in {timeout:g} s:\n{self.tail()}")
            time.sleep(_POLL_SECONDS)

    def wait(self, timeout: float | None = None) -> int | None:
        """Wait for its end; returns its exit code, or ``None`` when *timeout* came first."""
        if self._child is None:
            return None
        try:
            code = self._child.wait(timeout)
        except subprocess.TimeoutExpired:
            return None
        self._finish()
        return code

    def stop(self, grace: float = 10.0, *, ask: signal.Signals | None = None) -> int | None:
        """Ask it to end, insist after *grace* seconds; whatever it left behind goes too."""
        if self._child is None or self._over:
            return self.exit_code  # its number may belong to somebody else by now
        if self.alive and grace > 0:
            self._child.send_signal(ask or self.stop_signal)
            self.wait(grace)
        self._kill_group()
        self._child.wait()
        self._finish()
        return self._child.returncode

    def tail(self, lines: int = 20) -> str:
        """Return its last lines of output."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
                text = file.read().decode("utf-8", "replace")
        except FileNotFoundError:
            return ""
        return "\n".join(text.splitlines()[-lines:])

    def _name(self) -> str:
        command = self.argv[self.argv.index("--") + 1 :]
        return Path(command[0]).name

    def _popen(self) -> subprocess.Popen[bytes]:
        # A session of its own: a Ctrl-C at the terminal is the daemon's business, and stop()
        # can reach the whole family; the mark is for those who leave it.
        environment = {**self.env, guard.MARK: self._mark}
        if self.on_line is not None:
            return subprocess.Popen(
                self.argv,
                env=environment,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        with self.log.open("ab") as file:
            return subprocess.Popen(
                self.argv,
                env=environment,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _read(self, name: str, stream: IO[bytes]) -> None:
        with stream, self.log.open("ab", buffering=0) as file:
            for raw in stream:
                with self._log_lock:
                    # Two streams share the file: half a line would run into the other's next.
                    file.write(raw if raw.endswith(b"\n") else raw + b"\n")
                if self.on_line is not None:
                    self.on_line(name, raw.decode("utf-8", "replace").rstrip("\r\n"))

    def _kill_group(self) -> None:
        if self._child is None:
            return
        guard.end_family(self._child.pid, self._mark)

    def _finish(self) -> None:
        if self._over:
            return
        self._over = True
        self._kill_group()
        if self._child is not None:
            GUARD.forget(self._child.pid)
        for reader in self._readers:
            reader.join(timeout=2)
        self._readers.clear()
