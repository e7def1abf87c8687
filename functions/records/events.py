"""Status events: publishing the ones that the api causes, and reading the history of one deployment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from functions.cloud import clients
from functions.door import logs
from functions.records import registry
from schemas.event import StatusEvent

if TYPE_CHECKING:
    from schemas.deployment import Spec, State
    from schemas.platform import Platform

EVENT_TYPE = "berth.deployment.state"
# A caller waits for this at most; the registry is the record, Pub/Sub only tells of it.
_PATIENCE = 5.0

_MESSAGES: dict[str, str] = {
    "PENDING": "asked for",
    "PROVISIONING": "being made",
    "READY": "works",
    "FAILED": "failed",
    "DELETING": "to be removed",
    "DELETED": "removed",
}

_CONCLUDED = frozenset({"READY", "FAILED"})


def announce(spec: Spec, state: State, platform: Platform, *, by: str) -> None:
    """Publish that a deployment was asked for, or its removal; never fail because of it."""
    event = StatusEvent(
        id=event_id(spec.name, spec.generation, state),
        deployment=spec.name,
        team=spec.request.team,
        generation=spec.generation,
        state=state,
        message=f"{state}: {_MESSAGES[state]} by {by}",
        time=spec.updated,
    )
    try:
        _publish(event, platform)
    except Exception as error:  # noqa: BLE001 - whatever it is, a request must not fail on it
        logs.write("WARNING", "the event was not published", event=event.id, cause=str(error)[:500])


def event_id(name: str, generation: int, state: str, about: str = "") -> str:
    """Name an event so that a repeat of it has the same name; `about` what the state leaves open."""
    return f"{name}/{generation}/{state}{about}"


def history(name: str, *, team: str) -> list[StatusEvent]:
    """Return every change of state that the registry remembers, oldest first.

    The versions of spec.json and status.json are the history; there is no second record that
    could disagree. Of a failure the content is read as well, since it says why. What the name
    was to another team, before that removed it, is that team's own.
    """
    found: dict[str, StatusEvent] = {}
    before: registry.Entry | None = None
    for entry in registry.history(name):
        if entry.team != team:
            continue
        if before is None or _said(before) != _said(entry):
            event = _event(entry, _about(before, entry))
            found.setdefault(event.id, event)
        before = entry
    return list(found.values())


def _said(entry: registry.Entry) -> tuple[int, str, str | None]:
    """Return what an event tells of; while it is being made nothing is told of its domain."""
    concluded = entry.state in _CONCLUDED
    return entry.generation, entry.state, entry.certificate if concluded else None


def _about(before: registry.Entry | None, entry: registry.Entry) -> str:
    """Return what tells an event about the domain from the one that said how it was made."""
    if before is None or before.generation != entry.generation:
        return ""
    if before.state not in _CONCLUDED or entry.certificate is None:
        return ""
    return f"/certificate-{entry.certificate}"


def _event(entry: registry.Entry, about: str) -> StatusEvent:
    status = None
    if entry.kind == "status" and "FAILED" in {entry.state, entry.certificate}:
        stored = registry.read_status(entry.name, version=entry.object_generation)
        status = None if stored is None else stored.document
    problem = None if status is None else status.problem
    words = _MESSAGES.get(entry.state, "") if problem is None else problem.detail
    certificate = entry.certificate if entry.state in _CONCLUDED else None
    if certificate == "PROVISIONING":
        words = "made; its domain is not proved yet"
    if certificate is not None:
        words = f"certificate {certificate} - {words}"
    return StatusEvent.model_validate(
        {
            "id": event_id(entry.name, entry.generation, entry.state, about),
            "deployment": entry.name,
            "team": entry.team,
            "generation": entry.generation,
            "state": entry.state,
            "message": f"{entry.state}: {words}",
            "url": entry.url,
            "certificate": certificate,
            "problem": problem,
            "execution": None if status is None else status.execution,
            "time": entry.written,
        }
    )


def _publish(event: StatusEvent, platform: Platform) -> None:
    client = clients.publisher()
    future = client.publish(
        platform.topic,
        event.model_dump_json().encode(),
        ordering_key=event.deployment,
        **{
            "ce-specversion": "1.0",
            "ce-id": event.id,
            "ce-source": f"//berth/deployments/{event.deployment}",
            "ce-type": EVENT_TYPE,
            "ce-time": event.time.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            "ce-datacontenttype": "application/json",
            "team": event.team,
            "deployment": event.deployment,
            "state": event.state,
        },
    )
    try:
        future.result(timeout=_PATIENCE)
    except Exception:  # whatever it was, and it is raised again
        # After a failure the client holds back this key until it is told to go on.
        client.resume_publish(platform.topic, event.deployment)
        raise


def now() -> datetime:
    """Return the time, to the microsecond, in UTC."""
    return datetime.now(tz=UTC)
