"""Event loops in threads of their own: one for what listens beside the doors, one end for all."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine

T = TypeVar("T")

_SECONDS = 30.0


class SideLoop:
    """Runs coroutines for threads that wait for them; the thread starts with the first one."""

    def __init__(self, name: str) -> None:
        """Start nothing yet; the thread will have this name."""
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run something on the loop and give its result."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=_turn, args=[self._loop], name=self._name, daemon=True).start()
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_SECONDS)

    def stop(self) -> None:
        """End the thread; it starts again if something is to run."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._loop = None


def _turn(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
    finally:
        loop.run_until_complete(end_everything())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


async def end_everything() -> None:
    """End every conversation on the running loop, such as those that idle clients keep open."""
    left = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)
    # a conversation that was cancelled before its first step has closed nothing
    for transport in list(getattr(asyncio.get_running_loop(), "_transports", {}).values()):
        transport.abort()
    await asyncio.sleep(0)
