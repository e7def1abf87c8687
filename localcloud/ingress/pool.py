"""The instances of one revision, and who of the waiting requests gets which."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from localcloud.ingress.platforms import platform_of
from localcloud.machines.containers.workload import ContainerError

if TYPE_CHECKING:
    from localcloud.clock import Timer
    from localcloud.cloud import Cloud
    from localcloud.ingress.fleet import Fleet
    from localcloud.machines.containers.workload import Instance

log = logging.getLogger(__name__)

_WAIT_SECONDS = 10.0
"""How long a request waits for room when no further instance may be started."""


class NoInstanceError(Exception):
    """There is no instance for a request; the message is the one Cloud Run logs."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status


class ClosedError(NoInstanceError):
    """The pool was closed meanwhile; the revision, if it is still there, has another by now."""

    def __init__(self) -> None:
        super().__init__("The revision is gone.", status=404)


class Pool:
    """Instances of one revision with the number of requests each has in hand."""

    def __init__(self, cloud: Cloud, revision: str, fleet: Fleet) -> None:
        """Start nothing yet."""
        self._cloud = cloud
        self._revision = revision
        self._fleet = fleet
        self._platform = platform_of(revision)
        self._changed = threading.Condition()
        self._busy: dict[str, int] = {}
        self._instances: dict[str, Instance] = {}
        self._starting = 0
        self._waiting = 0
        self._failures = 0
        self._last_failure = ""
        self._closed = False
        self._used: dict[str, float] = {}
        self._timers: dict[str, Timer] = {}

    def limits(self) -> tuple[int, int, int]:
        """Return (least instances, most instances, requests per instance)."""
        return self._platform.limits(self._cloud, self._revision)

    # -- instances --------------------------------------------------------------------------

    def start_one(self) -> Instance:
        """Start an instance whatever the limits say, and return it when it is ready."""
        instance: Instance = self._cloud.machines.containers.start(
            self._platform.workload(self._cloud, self._revision)
        )
        with self._changed:
            if self._closed:
                instance.stop()
                raise ClosedError
            self._instances[instance.id] = instance
            self._busy[instance.id] = 0
            self._used[instance.id] = time.monotonic()
            self._changed.notify_all()
        self._let_rest(instance)
        return instance

    def keep_minimum(self) -> None:
        """Start what is missing to the minimum, stop what is above the maximum."""
        least, most, _ = self.limits()
        with self._changed:
            self._sweep()
            missing = least - len(self._instances) - self._starting
            spare = [one for name, one in self._instances.items() if not self._busy[name]]
            surplus = spare[: max(0, len(self._instances) - most)]
            for instance in surplus:
                self._drop(instance)
        for instance in surplus:
            instance.stop()
        for _ in range(missing):
            self.start_one()

    def acquire(self, deadline: float) -> Instance:
        """Return an instance with room, counted as having one more request."""
        _, most, concurrency = self.limits()
        if most == 0:
            raise NoInstanceError(
                "The service is scaled to zero manually and takes no requests.", status=503
            )
        patience = time.monotonic() + _WAIT_SECONDS
        with self._changed:
            failures = self._failures
            self._waiting += 1
            try:
                while True:
                    if self._closed:
                        raise ClosedError
                    instance = self._with_room(concurrency)
                    if instance is not None:
                        self._busy[instance.id] += 1
                        return instance
                    if self._failures > failures:
                        raise NoInstanceError(self._last_failure, status=503)
                    self._grow(most, concurrency)
                    now = time.monotonic()
                    if (not self._starting and now > patience) or now > deadline:
                        raise NoInstanceError(
                            "The request was aborted because there was no available instance.",
                            status=429,
                        )
                    self._changed.wait(0.5)
            finally:
                self._waiting -= 1

    def release(self, instance: Instance) -> None:
        """Say that a request has ended."""
        with self._changed:
            if instance.id in self._busy:
                self._busy[instance.id] -= 1
                self._used[instance.id] = time.monotonic()
            self._changed.notify_all()

    @property
    def longest(self) -> float:
        """How long a request of this revision may take, in seconds."""
        return self._platform.longest(self._cloud, self._revision)

    def close(self, patience: float = _WAIT_SECONDS) -> None:
        """Let requests end for so many seconds, then stop every instance."""
        with self._changed:
            self._closed = True
            until = time.monotonic() + patience
            while any(self._busy.values()) and time.monotonic() < until:
                self._changed.wait(0.2)
            instances = list(self._instances.values())
            self._instances.clear()
            self._busy.clear()
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()
            self._changed.notify_all()
        if instances:
            with ThreadPoolExecutor(len(instances)) as threads:
                list(threads.map(lambda one: one.stop(), instances))

    def count(self) -> int:
        """Count the instances that run."""
        with self._changed:
            self._sweep()
            return len(self._instances)

    def running(self) -> list[Instance]:
        """List the instances that run."""
        with self._changed:
            self._sweep()
            return list(self._instances.values())

    def _with_room(self, concurrency: int) -> Instance | None:
        self._sweep()
        free = [name for name in self._instances if self._busy[name] < concurrency]
        if not free:
            return None
        return self._instances[min(free, key=lambda name: self._busy[name])]

    def _sweep(self) -> None:
        for instance in [one for one in self._instances.values() if not one.alive]:
            self._drop(instance)
            # A dead one may have left sidecars and files.
            threading.Thread(target=instance.stop, args=(0.0,), daemon=True).start()

    def _drop(self, instance: Instance) -> None:
        self._instances.pop(instance.id, None)
        self._busy.pop(instance.id, None)
        self._used.pop(instance.id, None)
        timer = self._timers.pop(instance.id, None)
        if timer is not None:
            timer.cancel()

    def _grow(self, most: int, concurrency: int) -> None:
        room_coming = self._starting * concurrency
        if room_coming >= self._waiting or len(self._instances) + self._starting >= most:
            return
        self._starting += 1
        threading.Thread(target=self._start, daemon=True).start()

    def _start(self) -> None:
        try:
            self.start_one()
        except (ContainerError, NoInstanceError) as error:
            self._failed(str(error))
        except Exception:  # requests wait for this thread; without a word from it they try for ever
            log.exception("an instance of %s could not be started", self._revision)
            self._failed("The instance could not be started.")
        finally:
            with self._changed:
                self._starting -= 1
                self._changed.notify_all()

    def _failed(self, message: str) -> None:
        with self._changed:
            self._failures += 1
            self._last_failure = message

    def _let_rest(self, instance: Instance, after: float | None = None) -> None:
        """Look again after the idle time; an instance still idle then is stopped."""
        if instance.port is None:
            return  # on paper nothing runs that would have to end
        seconds = self._fleet.idle_seconds if after is None else after
        timer = self._cloud.clock.call_later(seconds, lambda: self._stop_idle(instance))
        with self._changed:
            self._timers[instance.id] = timer

    def _stop_idle(self, instance: Instance) -> None:
        try:
            least, _, _ = self.limits()
        except NoInstanceError:
            return  # the revision is gone, and its instances with it
        with self._changed:
            if instance.id not in self._instances:
                return
            rested = time.monotonic() - self._used.get(instance.id, 0.0)
            left = self._fleet.idle_seconds - rested
            kept = self._busy[instance.id] or left > 0 or len(self._instances) <= least
            if not kept:
                self._drop(instance)
        if kept:
            self._let_rest(instance, max(left, 1.0))
        else:
            instance.stop()
