"""Compute: how Compute Engine's resources are named, made and waited for."""

from collections.abc import Mapping
from typing import Any

from planner.target import Target
from schemas.plan import Check, Operations, Request, Resource

COMPUTE = "https://compute.googleapis.com/compute/v1"
LINKS = "https://www.googleapis.com/compute/v1"
"""What the links in bodies and answers begin with, whichever host is asked."""


def scope(target: Target, *, regional: bool = False) -> str:
    """Return where a resource lies: in the whole project or in one region."""
    return f"projects/{target.project}/" + (f"regions/{target.region}" if regional else "global")


def link(target: Target, collection: str, name: str, *, regional: bool = False) -> str:
    """Return a resource as others refer to it."""
    return f"{LINKS}/{scope(target, regional=regional)}/{collection}/{name}"


def url(target: Target, collection: str, name: str, *, regional: bool = False) -> str:
    """Return where a resource is asked for."""
    return f"{COMPUTE}/{scope(target, regional=regional)}/{collection}/{name}"


def operations(target: Target, *, regional: bool = False) -> Operations:
    """Return how the operations of that scope are polled."""
    return Operations(
        base=f"{COMPUTE}/{scope(target, regional=regional)}/operations/",
        dialect="status",
        shown_late=True,
    )


def owned(target: Target) -> Check:
    """Return the mark: labels come only after the insert, so the description says whose it is."""
    return Check(path=("description",), value=target.description)


def resource(
    target: Target,
    name: str,
    *,
    title: str,
    collection: str,
    body: Mapping[str, Any],
    called: str | None = None,
    regional: bool = False,
    outputs: Mapping[str, tuple[str, ...]] | None = None,
) -> Resource:
    """Return the step that makes one resource.

    No requestId goes with the insert. It would make a repeat harmless, but a plan is static: after an
    operation that failed, the next attempt would be answered with that same operation, for ever. A
    repeat finds the name taken instead, looks whose it is, and uses it.

    Nothing is patched, since that wants the fingerprint of the moment: what may differ from one
    attempt to the next is in the name (see armor.py).
    """
    called = called or target.service
    where = url(target, collection, called, regional=regional)
    return Resource(
        name=name,
        title=title,
        url=where,
        mark=owned(target),
        create=Request(
            method="POST",
            url=where.rsplit("/", 1)[0],
            body={"name": called, "description": target.description, **body},
        ),
        operation=operations(target, regional=regional),
        remove=(Request(method="DELETE", url=where),),
        outputs=dict(outputs or {}),
    )
