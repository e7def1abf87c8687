"""A deployment as callers see it: what is wanted and what is, put together."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from functions.records import login, registry
from schemas.deployment import Deployment
from schemas.listing import DeploymentSummary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from schemas.deployment import DnsRecord, Spec, State, Status
    from schemas.platform import Platform

NOT_PROVED: frozenset[str] = frozenset({"PROVISIONING", "FAILED"})
AT_WORK: frozenset[str] = frozenset({"PENDING", "PROVISIONING", "DELETING"})


@dataclass(frozen=True)
class Known:
    """Everything the registry knows about one deployment."""

    spec: Spec
    spec_generation: int
    status: Status | None

    @property
    def is_begun(self) -> bool:
        """Whether an execution has taken the lease for what is wanted now."""
        return self.status is not None and self.status.generation >= self.spec.generation

    @property
    def state(self) -> State:
        """The state; until an execution has begun it follows from what is wanted."""
        if self.status is not None and self.is_begun:
            return self.status.state
        return "PENDING" if self.spec.desired == "present" else "DELETING"

    @property
    def is_watched(self) -> bool:
        """Whether an execution ought to be watching the domain of what is made already."""
        status = self.status
        return (
            status is not None
            and self.is_begun
            and self.spec.desired == "present"
            and status.execution is not None
            and (
                (status.state == "READY" and status.certificate in NOT_PROVED)
                or (status.state == "FAILED" and status.certificate is not None)
            )
        )


def find(name: str) -> Known | None:
    """Return what is known of a deployment, None when there never was one."""
    stored = registry.read_spec(name)
    if stored is None:
        return None
    status = registry.read_status(name)
    return Known(stored.document, stored.generation, None if status is None else status.document)


def shown(known: Known, platform: Platform) -> Deployment:
    """Put a deployment together as GET answers it."""
    spec = known.spec
    # While a deployment is being removed its old status still says where it is; a new
    # attempt at making one has nothing to do with the status of the previous attempt.
    current = known.is_begun or spec.desired == "absent"
    status = known.status if current else None
    gone = known.state == "DELETED"
    return Deployment(
        name=spec.name,
        team=spec.request.team,
        state=known.state,
        generation=spec.generation,
        url=None if status is None or gone else status.url,
        urls=() if status is None or gone else status.urls,
        certificate=None if status is None or gone else status.certificate,
        dns_records=() if status is None or gone else _records(spec, status),
        request=spec.request,
        parts={} if status is None else status.parts,
        problem=None if status is None else status.problem,
        execution=None if status is None else status.execution,
        login=login.lines(spec, status, platform) if known.state == "READY" else (),
        notes=_notes(known, platform),
        created_by=spec.created_by,
        created=spec.created,
        updated=spec.updated if status is None else max(spec.updated, status.updated),
    )


def _notes(known: Known, platform: Platform) -> tuple[str, ...]:
    from planner import notes
    from planner.target import Target

    if known.spec.desired == "absent":
        return ()
    return notes.of(Target(known.spec, platform), ready=known.state == "READY")


def _records(spec: Spec, status: Status) -> tuple[DnsRecord, ...]:
    """Return the records that are for the team to make, once it is known what they are."""
    from planner.load_balancer import records
    from planner.observed import NotObservedError

    balancer = spec.request.load_balancer
    if balancer is None or balancer.dns_zone is not None:
        return ()
    try:
        return records.wanted(balancer.domain, status.observed)
    except NotObservedError:
        return ()


def summaries(*, after: str = "") -> Iterator[DeploymentSummary]:
    """Walk over all deployments by name, from the metadata of their objects alone."""
    walk = registry.entries(after=after)
    for _name, group in itertools.groupby(walk, key=lambda entry: entry.name):
        found = {entry.kind: entry for entry in group}
        spec, status = found.get("spec"), found.get("status")
        if spec is None:
            # A status alone is what is left when someone deleted objects by hand.
            continue
        current = spec if status is None or status.generation < spec.generation else status
        yield DeploymentSummary.model_validate(
            {
                "name": spec.name,
                "team": spec.team,
                "state": current.state,
                "generation": spec.generation,
                "url": current.url,
                "certificate": current.certificate,
                "updated": max(entry.written for entry in found.values()),
            }
        )


def count_of_team(team: str, *, besides: str) -> int:
    """Count what a team has, besides one deployment; what was removed does not count."""
    return sum(
        1
        for entry in summaries()
        if entry.team == team and entry.state != "DELETED" and entry.name != besides
    )
