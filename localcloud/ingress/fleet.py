"""The instances of every revision: started when requests come, stopped when none do."""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from localcloud.ingress.platforms import every, platform_of
from localcloud.ingress.pool import ClosedError, NoInstanceError, Pool
from localcloud.machines.containers.workload import ContainerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.machines.containers.workload import Instance

log = logging.getLogger(__name__)

IDLE_SECONDS = 300.0
"""How long an instance without requests is kept; Google says up to 15 minutes."""


@dataclass(frozen=True)
class Lease:
    """A place for one request at an instance, until ``end`` is called."""

    instance: Instance
    end: Callable[[], None]


class Fleet:
    """One pool of instances per revision."""

    def __init__(self, cloud: Cloud, *, idle_seconds: float = IDLE_SECONDS) -> None:
        """Start nothing yet."""
        self._cloud = cloud
        self.idle_seconds = idle_seconds
        self._lock = threading.Lock()
        self._pools: dict[str, Pool] = {}

    def pool(self, revision: str) -> Pool:
        """Return the revision's pool, made when it is first asked for."""
        with self._lock:
            found = self._pools.get(revision)
            if found is None:
                found = Pool(self._cloud, revision, self)
                self._pools[revision] = found
            return found

    def prove(self, revision: str) -> None:
        """Start a first instance of a new revision; ContainerError when it does not get ready."""
        self.pool(revision).start_one()

    def acquire(self, revision: str, *, timeout: float) -> Lease:
        """Return an instance with room for one more request, starting it if need be."""
        deadline = time.monotonic() + timeout
        while True:
            pool = self.pool(revision)
            try:
                instance = pool.acquire(deadline)
            except ClosedError:
                continue  # retired between the two lines above; NoInstanceError if it is gone
            # To the very pool: a revision that is retired meanwhile waits for this.
            return Lease(instance, partial(pool.release, instance))

    def settle(self, service: str) -> None:
        """After a change: stop what requests no longer reach, keep minimum instances warm."""
        platform = platform_of(service)
        kept = platform.kept(self._cloud, service)
        if kept is None:
            return
        with self._lock:
            known = [name for name in self._pools if name.startswith(f"{service}/")]
        for revision in known:
            if revision not in kept:
                self.retire(revision)
        for revision in platform.warm(self._cloud, service):
            try:
                self.pool(revision).keep_minimum()
            except (ContainerError, NoInstanceError) as error:
                # It was proved with one instance; a further one is tried with the next request.
                log.warning("%s has too few instances: %s", revision, error)

    def retire(self, revision: str) -> None:
        """Stop a revision's instances once their requests have ended; nobody waits for it."""
        pool = self._take(revision)
        if pool is not None and self._cloud.machines.kind == "paper":
            pool.close()
        elif pool is not None:
            threading.Thread(target=pool.close, args=(pool.longest,), daemon=True).start()

    def remove(self, service: str) -> None:
        """Stop every instance of a service that is gone."""
        with self._lock:
            gone = [name for name in self._pools if name.startswith(f"{service}/")]
        for revision in gone:
            pool = self._take(revision)
            if pool is not None:
                pool.close()

    def _take(self, revision: str) -> Pool | None:
        with self._lock:
            return self._pools.pop(revision, None)

    def resume(self) -> None:
        """Bring minimum instances back after a restart, without holding anybody up."""
        if self._cloud.machines.kind == "paper":
            return
        services = [name for one in every() for name in one.services(self._cloud)]
        threading.Thread(target=self._resume, args=(services,), daemon=True).start()

    def _resume(self, services: list[str]) -> None:
        for service in services:
            self.settle(service)

    def close(self) -> None:
        """Stop every instance."""
        with self._lock:
            pools = list(self._pools.values())
            self._pools.clear()
        if pools:
            with ThreadPoolExecutor(len(pools)) as threads:
                list(threads.map(Pool.close, pools))
