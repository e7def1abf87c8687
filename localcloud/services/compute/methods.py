"""Insert, get, list, change and delete: the same for every kind of resource."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from localcloud.merge import patched
from localcloud.services.compute import names, progress
from localcloud.services.compute.kinds import check_fingerprint, check_labels, fingerprint
from localcloud.services.compute.listing import aggregated, listed

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from localcloud.cloud import Cloud
    from localcloud.service import Call, Needs, Resource
    from localcloud.services.compute.kinds import Kind

    Method = tuple[Callable[[Call], Any], str | Needs]

KINDS: dict[str, Kind] = {}
"""The kinds by collection; each service table adds its own."""


def basic(kind: Kind) -> dict[str, Method]:
    """Return the methods every kind has."""
    KINDS.setdefault(kind.collection, kind)
    return {
        f"{kind.methods}.insert": (partial(insert, kind), f"{kind.permissions}.create"),
        f"{kind.methods}.get": (partial(get, kind), f"{kind.permissions}.get"),
        f"{kind.methods}.list": (partial(list_all, kind), f"{kind.permissions}.list"),
        f"{kind.methods}.delete": (partial(delete, kind), f"{kind.permissions}.delete"),
    }


def over_scopes(kind: Kind) -> dict[str, Method]:
    """Return the method that lists the resources of all scopes."""
    name = f"compute.{kind.collection}.aggregatedList"
    return {name: (partial(list_scopes, kind), f"compute.{kind.collection}.list")}


def changing(kind: Kind, *verbs: str, needs: frozenset[str] = frozenset()) -> dict[str, Method]:
    """Return ``patch`` and ``update``; those in ``needs`` must carry the fingerprint."""
    handlers = {"patch": _patch, "update": _update}
    return {
        f"{kind.methods}.{verb}": (
            partial(handlers[verb], kind, needed=verb in needs),
            f"{kind.permissions}.update",
        )
        for verb in verbs
    }


def insert(kind: Kind, call: Call) -> Resource:
    """Make a resource; it is there once the operation is done."""
    before = progress.repeated(call)
    if before is not None:
        return before
    body = kind.writable(call.body)
    name = names.check_name(body)
    place = names.place(call)
    key = f"{place}/{kind.collection}/{name}"
    if call.store.find(key) is not None or progress.under_way(call, key):
        raise names.taken(key)
    base: Resource = {
        "kind": kind.word,
        "id": names.number(key, call.now),
        "selfLink": names.link(key),
        "creationTimestamp": call.now,
    }
    if call.get("region") is not None:
        base["region"] = names.link(place)
    fresh = kind.finished({**base, **kind.prepared(call, body, None)})
    _check_links(kind, call, fresh, set())

    def work() -> None:
        with call.store.lock():
            _check_there(kind, call, fresh)
            call.store.create(key, fresh)
            for other, resource in kind.own(call.cloud, fresh):
                call.store.put(other, resource)
        _tell(kind, call.cloud)

    return progress.begin(call, "insert", key, work)


def get(kind: Kind, call: Call) -> Resource:
    """Show a resource."""
    return kind.shown(call.cloud, existing(kind, call))


def list_all(kind: Kind, call: Call) -> Resource:
    """List the resources of a scope."""
    key = f"{names.place(call)}/{kind.collection}"
    found = [kind.shown(call.cloud, one) for one in call.store.children(f"{key}/")]
    return listed(call, found, f"{kind.word}List", key)


def list_scopes(kind: Kind, call: Call) -> Resource:
    """List the resources of every scope."""
    place = names.project(call)
    found = [
        kind.shown(call.cloud, one)
        for key, one in call.store.under(f"{place}/")
        if key.split("/")[-2] == kind.collection
    ]
    return aggregated(call, found, f"{kind.word}AggregatedList", kind.collection)


def delete(kind: Kind, call: Call) -> Resource:
    """Delete a resource that nothing uses any more."""
    before = progress.repeated(call)
    if before is not None:
        return before
    key = key_of(kind, call)
    present = existing(kind, call)
    progress.check_ready(call, key)
    own = [other for other, _ in kind.own(call.cloud, present)]
    _check_unused(kind, call.cloud, key, own)

    def work() -> None:
        with call.store.lock():
            _check_unused(kind, call.cloud, key, own)
            for one in (*own, key):
                if call.store.find(one) is not None:
                    call.store.delete(one)
        _tell(kind, call.cloud)

    return progress.begin(call, "delete", key, work)


def change(kind: Kind, call: Call, verb: str, changed: Callable[[Resource], Resource]) -> Resource:
    """Begin to change a resource as ``changed`` says; what it refuses is refused at once."""
    before = progress.repeated(call)
    if before is not None:
        return before
    key = key_of(kind, call)
    present = existing(kind, call)
    progress.check_ready(call, key)
    after = kind.finished(changed(present))
    _check_links(kind, call, after, kind.links_of(present) | kind.means(call.cloud, present))

    def work() -> None:
        with call.store.lock():
            _check_there(kind, call, after)
            call.store.put(key, after)
        _tell(kind, call.cloud)

    return progress.begin(call, verb, key, work)


def labelled(kind: Kind) -> dict[str, Method]:
    """Return the method that sets labels."""
    return {
        f"{kind.methods}.setLabels": (
            partial(_set_labels, kind),
            f"{kind.permissions}.setLabels",
        )
    }


def key_of(kind: Kind, call: Call) -> str:
    """Return the key of the resource a call is about."""
    name = call.get(kind.parameter) or call["resource"]
    return f"{names.place(call)}/{kind.collection}/{name}"


def existing(kind: Kind, call: Call) -> Resource:
    """Return the resource a call is about, or 404."""
    key = key_of(kind, call)
    found = call.store.find(key)
    if found is None:
        raise names.unknown(key)
    return found


def users(cloud: Cloud, key: str) -> list[str]:
    """Return the keys of the resources that use one."""
    project = "/".join(key.split("/")[:2])
    return [
        other
        for other, resource in cloud.store.of("compute").under(f"{project}/")
        if (kind := KINDS.get(other.split("/")[-2])) is not None
        and (key in kind.links_of(resource) or key in kind.means(cloud, resource))
    ]


def _patch(kind: Kind, call: Call, *, needed: bool) -> Resource:
    def changed(present: Resource) -> Resource:
        check_fingerprint_of(kind, call, present, needed=needed)
        wanted = patched(kind.writable(present), kind.writable(call.body))
        return _kept(kind, present, kind.prepared(call, wanted, present))

    return change(kind, call, "patch", changed)


def _update(kind: Kind, call: Call, *, needed: bool) -> Resource:
    def changed(present: Resource) -> Resource:
        check_fingerprint_of(kind, call, present, needed=needed)
        wanted = {"name": present["name"], **kind.writable(call.body)}
        return _kept(kind, present, kind.prepared(call, wanted, present))

    return change(kind, call, "update", changed)


def _kept(kind: Kind, present: Resource, prepared: Resource) -> Resource:
    """Return a change with what no change can touch."""
    if prepared.get("name") != present["name"]:
        raise names.wrong("resource.name", prepared.get("name"), "The name cannot be changed.")
    ours = kind.writable(present)
    return {**{name: value for name, value in present.items() if name not in ours}, **prepared}


def check_fingerprint_of(kind: Kind, call: Call, present: Resource, *, needed: bool) -> None:
    """Refuse a change that does not know the present state of a resource."""
    if kind.fingerprint:
        check_fingerprint(call.body.get("fingerprint"), present["fingerprint"], needed=needed)


def _set_labels(kind: Kind, call: Call) -> Resource:
    def changed(present: Resource) -> Resource:
        sent = call.body.get("labelFingerprint")
        check_fingerprint(sent, present["labelFingerprint"], needed=True)
        labels = call.body.get("labels", {})
        check_labels(labels)
        return with_labels({**present, "labels": labels})

    return change(kind, call, "setLabels", changed)


def with_labels(resource: Resource) -> Resource:
    """Return a resource with the fingerprint of its labels."""
    labels = resource.get("labels", {})
    kept = {name: value for name, value in resource.items() if name != "labels"}
    stamped = {**kept, "labelFingerprint": fingerprint(labels)}
    return {**stamped, "labels": labels} if labels else stamped


def _check_links(kind: Kind, call: Call, resource: Resource, before: set[str]) -> None:
    """Refuse links to what is not there, and new ones to what the caller may not use."""
    for key in sorted(kind.links_of(resource) | kind.means(call.cloud, resource)):
        if call.store.find(key) is None:
            raise names.not_ready(key) if progress.under_way(call, key) else names.unknown(key)
        if key not in before:
            used = KINDS[key.split("/")[-2]]
            place = names.project(call)
            call.require(f"{used.permissions_in(key)}.{used.use}", place)


def _check_there(kind: Kind, call: Call, resource: Resource) -> None:
    """Refuse, at the end of an operation, what lost its footing meanwhile."""
    for key in sorted(kind.links_of(resource)):
        if call.store.find(key) is None:
            raise names.unknown(key)


def _check_unused(kind: Kind, cloud: Cloud, key: str, own: list[str]) -> None:
    by = [one for one in users(cloud, key) if one not in own]
    found = cloud.store.of("compute").find(key)
    by += sorted(kind.holders(cloud, found)) if found is not None else []
    if by:
        raise names.in_use(key, by[0])


def _tell(kind: Kind, cloud: Cloud) -> None:
    if kind.changed is not None:
        kind.changed(cloud)
