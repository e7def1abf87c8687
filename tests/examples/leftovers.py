"""What may stay in a project when the last deployment is gone, and what a removal may change."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

STAYS = {
    "App Engine's application": ("appengine", ""),
    "its default service": ("appengine.", ""),
    "images": ("artifactregistry", ""),
    "the peering": ("servicenetworking", ""),
    "the range of the peering": ("compute", "google-managed-services-"),
    "the network, which shows the peering": ("compute", "/networks/"),
    "final backups": ("sqladmin", "/backups/"),
    "who had a domain last, until another asks for it": ("object domains/", ""),
    "the serial number of a zone": ("dns", "/SOA"),
    "what tenants of the shared instance have in common": ("role", "berth_tenant"),
    "the administrators' membership in it": ("role", "cloudsqlsuperuser"),
}
"""By kind and part of the name. All of it is shared, or asked for by whoever removes."""


def more_than_may_stay(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the changes that no line of STAYS explains."""
    return {
        name: change
        for name, change in changes.items()
        if not any(
            name.startswith(kind) and part in name and _is_no_deployments(name)
            for kind, part in STAYS.values()
        )
    }


def _is_no_deployments(name: str) -> bool:
    return "mlflow-" not in name or "/backups/" in name


def unrelated(changes: Mapping[str, Any], name: str, others: Iterable[str] = ()) -> dict[str, Any]:
    """Return the changes that are not explained by one deployment's removal.

    Explained is what carries its name, and what is otherwise the same once every entry that
    speaks of it is left out: a member of a policy's binding, a record of a zone. What carries
    the name of another one does not, also where that begins with this one's.
    """
    its = _Named(name, tuple(one for one in others if one != name and one.startswith(name)))
    return {
        where: (before, after)
        for where, (before, after) in changes.items()
        if not its.is_in(where)
        and "/backups/" not in where
        and (its.is_in(json.dumps(after)) or _without(before, its) != _without(after, its))
    }


@dataclass(frozen=True)
class _Named:
    """Finds a deployment's name, and not those that begin with it."""

    name: str
    longer: tuple[str, ...]

    def is_in(self, text: str) -> bool:
        for one in self.longer:
            text = re.sub(rf"(mlflow-|[ /]){one}(?![a-z0-9])", "", text)
        return (
            re.search(rf"mlflow-{self.name}(?![a-z0-9])|[ /]{self.name}(?![-a-z0-9])", text)
            is not None
        )


def _without(body: Any, its: _Named) -> Any:
    """Leave out the entries of lists that speak of it, and what is empty then."""
    if isinstance(body, dict):
        members = body.get("members")
        if members and all(its.is_in(member) for member in members):
            return {}
        kept = {key: _without(value, its) for key, value in body.items()}
        return {key: value for key, value in kept.items() if value not in ({}, [], "", None)}
    if isinstance(body, list | tuple):
        return [found for one in body if (found := _without(one, its)) not in ({}, [], "")]
    if isinstance(body, str) and its.is_in(body):
        return ""
    return body
