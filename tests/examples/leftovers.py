"""What may stay in a project when the last deployment is gone, and what a removal may change."""

import json
from collections.abc import Mapping
from typing import Any

STAYS = {
    "App Engine's application": ("appengine", ""),
    "its default service": ("appengine.", ""),
    "images": ("artifactregistry", ""),
    "the peering": ("servicenetworking", ""),
    "the range of the peering": ("compute", "google-managed-services-"),
    "the network, which shows the peering": ("compute", "/networks/"),
    "final backups": ("sqladmin", "/backups/"),
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


def unrelated(changes: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return the changes that are not explained by one deployment's removal.

    Explained is what carries its name, and what is otherwise the same once every entry that
    speaks of it is left out: a member of a policy's binding, a record of a zone.
    """
    word = f"mlflow-{name}"
    return {
        where: (before, after)
        for where, (before, after) in changes.items()
        if word not in where
        and f" {name}" not in where
        and f"/{name}" not in where
        and "/backups/" not in where
        and (word in json.dumps(after) or _without(before, word) != _without(after, word))
    }


def _without(body: Any, word: str) -> Any:
    """Leave out the entries of lists that contain a word, and what is empty then."""
    if isinstance(body, dict):
        members = body.get("members")
        if members and all(word in member for member in members):
            return {}
        kept = {key: _without(value, word) for key, value in body.items()}
        return {key: value for key, value in kept.items() if value not in ({}, [], "", None)}
    if isinstance(body, list | tuple):
        return [found for one in body if (found := _without(one, word)) not in ({}, [], "")]
    if isinstance(body, str) and word in body:
        return ""
    return body
