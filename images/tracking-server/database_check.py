"""/health/database: whether the database answers, which MLflow's own /health does not look at.

Platforms ask it before they send requests here. It says yes or no and nothing else, so nobody has to
log in for it; and it asks the database at most every other second, whoever asks how often.
"""

import asyncio
import functools
import os
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

PATH = "/health/database"
SECONDS = 2
"""How long the database has, and how long its answer counts."""

YES = ("200 OK", b"OK")
NO = ("503 Service Unavailable", b"the database does not answer")
HEADERS = [("Content-Type", "text/plain"), ("Cache-Control", "no-store")]

DRIVERS: dict[str, dict[str, Any]] = {
    "postgresql": {"connect_timeout": SECONDS, "options": f"-c statement_timeout={SECONDS * 1000}"},
    "mysql": {"connect_timeout": SECONDS, "read_timeout": SECONDS, "write_timeout": SECONDS},
}
"""How each engine's driver is told to be quick."""


class DatabaseCheck:
    """Asks, and remembers the answer for a moment."""

    def __init__(
        self, ask: Callable[[], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._ask = ask
        self._clock = clock
        self._lock = threading.Lock()
        self._asked: float | None = None
        self._answer = NO

    def answer(self) -> tuple[str, bytes]:
        """Return the status and the body; those who ask at once share one question."""
        with self._lock:
            if self._asked is None or self._clock() - self._asked >= SECONDS:
                self._answer = self._found_out()
                self._asked = self._clock()
            return self._answer

    def _found_out(self) -> tuple[str, bytes]:
        try:
            self._ask()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is no answer
            # The kind of error only: the words may name the user and the address.
            print(f"database check: {type(error).__name__}", flush=True)  # noqa: T201 - the log
            return NO
        return YES


def of_backend_store() -> DatabaseCheck:
    """Return the check of the database that MLflow works with."""

    @functools.cache
    def engine() -> Any:
        import sqlalchemy

        url = os.environ["MLFLOW_BACKEND_STORE_URI"]
        # A connection of its own each time: one that was kept might be the only one that still works.
        return sqlalchemy.create_engine(
            url,
            poolclass=sqlalchemy.pool.NullPool,
            # Others than the entrypoint's engines answer in no time, or were never asked for.
            connect_args=DRIVERS.get(sqlalchemy.make_url(url).get_backend_name(), {}),
        )

    def ask() -> None:
        import sqlalchemy

        with engine().connect() as connection:
            connection.execute(sqlalchemy.text("select 1"))

    return DatabaseCheck(ask)


def checked_asgi(application: Callable[..., Any], check: DatabaseCheck) -> Callable[..., Any]:
    """Return an ASGI application that answers this one path before the other sees it."""

    async def checked(scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["path"] != PATH:
            await application(scope, receive, send)
            return
        # The drivers block, and everybody else's requests go on meanwhile.
        status, body = await asyncio.to_thread(check.answer)
        headers = [(name.lower().encode(), value.encode()) for name, value in HEADERS]
        await send({"type": "http.response.start", "status": int(status[:3]), "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return checked


def checked_wsgi(application: Callable[..., Any], check: DatabaseCheck) -> Callable[..., Any]:
    """Return the same for WSGI."""

    def checked(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH:
            answer: Iterable[bytes] = application(environ, start_response)
            return answer
        status, body = check.answer()
        start_response(status, HEADERS)
        return [body]

    return checked
