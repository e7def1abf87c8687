"""Takes up what was going on when the local cloud was stopped."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.run import executions, jobs, rollout, services

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.store import Resource

log = logging.getLogger(__name__)


def resume(cloud: Cloud) -> None:
    """Bring back links and minimum instances, and finish or conclude what was interrupted.

    The operations of before have ended with an error already. Their resources must not look as
    if they were still being worked on for ever: a service or job is brought to its desired
    state after all, as Google would have done; an execution has lost its process and failed.
    """
    for name, _ in cloud.store.of(services.DELETING).under("projects/"):
        services.wind_up(cloud, name)
    for name, resource in cloud.store.of("run").under("projects/"):
        take_up = _TAKE_UP.get(name.split("/")[-2])
        if take_up is not None and resource.get("reconciling"):
            work = partial(take_up, cloud, resource)
            cloud.clock.call_later(0, partial(_quietly, name, work))
    cloud.ingress.resume()


def _quietly(name: str, work: Callable[[], object]) -> None:
    try:
        work()
    except ApiError as error:
        # The resource's own condition says it too; there is no operation left to say it.
        log.warning("%s: %s", name, error.message)


def _service(cloud: Cloud, resource: Resource) -> None:
    rollout.finish(cloud, resource["name"], resource["generation"])


def _job(cloud: Cloud, resource: Resource) -> None:
    jobs.settle(cloud, resource["name"], resource["generation"])


def _execution(cloud: Cloud, resource: Resource) -> None:
    executions.interrupt(cloud, resource["name"])


_TAKE_UP: dict[str, Callable[[Cloud, Resource], None]] = {
    "services": _service,
    "jobs": _job,
    "executions": _execution,
}
