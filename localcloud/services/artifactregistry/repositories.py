"""Repositories of Artifact Registry: Docker only, kept per location."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING

from localcloud import labels
from localcloud.errors import ApiError, already_exists, invalid, not_found
from localcloud.iam import full_name
from localcloud.listing import filtered
from localcloud.merge import merged
from localcloud.service import page

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

ID = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
TYPE = "google.devtools.artifactregistry.v1"
STANDARD = ("STANDARD_REPOSITORY", "MODE_UNSPECIFIED")
CHANGEABLE = frozenset(
    ["description", "labels", "cleanupPolicies", "cleanupPolicyDryRun", "dockerConfig"]
)


def name_of(call: Call) -> str:
    """Return the resource a call is about, with the project's ID."""
    return call.cloud.by_id(str(call.get("name") or call.get("resource") or call["parent"]))


def repository_of(call: Call) -> str:
    """Return the repository a call is about, also when it names something inside."""
    return "/".join(name_of(call).split("/")[:6])


def existing(call: Call) -> Resource:
    """Return the repository, or 404."""
    return find(call, repository_of(call))


def find(call: Call, name: str) -> Resource:
    """Return the repository of this name, or 404."""
    found = call.store.find(name)
    if found is None:
        raise not_found(f'Repository "{name}" not found')
    return found


def create(call: Call) -> Resource:
    """Create a repository by an operation."""
    chosen = call.get("repositoryId") or ""
    if not ID.fullmatch(chosen):
        raise invalid(
            f'invalid repository ID "{chosen}": it must start with a letter, contain only lower '
            "case letters, digits and hyphens, not end with a hyphen, and have at most 63 characters"
        )
    if call.body.get("format") != "DOCKER":
        raise ApiError(
            501, f"The local cloud has no repositories of format {call.body.get('format')}."
        )
    if call.body.get("mode", STANDARD[0]) not in STANDARD:
        raise ApiError(501, f"The local cloud has no repositories of mode {call.body['mode']}.")
    _check_labels(call.body)
    _check_policies(call.body)
    parent = call.cloud.by_id(call["parent"])
    name = f"{parent}/repositories/{chosen}"
    fresh = {
        **call.body,
        "name": name,
        "mode": STANDARD[0],
        "createTime": call.now,
        "updateTime": call.now,
        "registryUri": "{3}-docker.pkg.dev/{1}/{5}".format(*name.split("/")),
    }
    if call.store.find(name) is not None:
        raise already_exists("the repository already exists.")

    def work() -> Resource:
        with call.store.lock():
            if call.store.find(name) is not None:
                raise already_exists("the repository already exists.")
            return _seen(call, call.store.create(name, fresh))

    return operation(call, parent, work, f"{TYPE}.Repository")


def get(call: Call) -> Resource:
    """Show a repository."""
    return _seen(call, existing(call))


def list_repositories(call: Call) -> Resource:
    """List the repositories of a location."""
    parent = call.cloud.by_id(call["parent"])
    found = [_seen(call, one) for one in call.store.children(f"{parent}/repositories/")]
    return page(call, filtered(found, call.get("filter")), "repositories")


def patch(call: Call) -> Resource:
    """Change what may change; this is one of the few patches without an operation."""
    existing(call)
    _check_labels(call.body)
    _check_policies(call.body)
    mask = call.mask()
    if refused := [path for path in mask if path.partition(".")[0] not in CHANGEABLE]:
        raise invalid(f"field {refused[0]} cannot be updated")
    body = {key: value for key, value in call.body.items() if key in CHANGEABLE}
    changed = call.store.update(
        name_of(call), lambda found: {**merged(found, body, mask), "updateTime": call.now}
    )
    return _seen(call, changed)


def delete(call: Call) -> Resource:
    """Delete a repository with every image in it."""
    existing(call)
    name = name_of(call)
    full = full_name(call)

    def work() -> None:
        with call.store.lock():
            gone = call.store.delete_tree(name)
            call.cloud.iam.forget(full)
        forget_images(call, gone)

    return operation(call, name.partition("/repositories/")[0], work, None)


def operation(call: Call, parent: str, work: object, response_type: str | None) -> Resource:
    """Start an operation of this API."""
    return call.cloud.operations.start(
        call,
        name=f"{parent}/operations/{uuid.uuid4()}",
        work=work,  # type: ignore[arg-type]  # a function, with or without an answer
        metadata={"@type": f"type.googleapis.com/{TYPE}.OperationMetadata"},
        response_type=response_type,
    )


def get_operation(call: Call) -> Resource:
    """Show an operation."""
    found = call.store.find(name_of(call))
    if found is None:
        raise not_found(f"Operation {call['name']} not found")
    return found


def forget_images(call: Call, gone: list[str]) -> None:
    """Let go of the files of versions that are gone, unless another repository has the image too."""
    for name in gone:
        if "/versions/" in name:
            call.cloud.images.forget_unused(name.rpartition("/")[2])


def _seen(call: Call, stored: Resource) -> Resource:
    inside = call.store.under(f"{stored['name']}/packages/")
    size = sum(int(one["metadata"]["imageSizeBytes"]) for _, one in inside if "metadata" in one)
    return {**stored, "sizeBytes": str(size)}


def _check_labels(body: Resource) -> None:
    sent = body.get("labels", {})
    if len(sent) > labels.MOST:
        raise invalid(f"too many labels: {len(sent)}, at most {labels.MOST} are allowed")
    unfit = labels.unfit(sent)
    if unfit is not None:
        raise invalid(f'invalid label "{unfit[0]}": "{unfit[1]}"')


def _check_policies(body: Resource) -> None:
    for key, policy in body.get("cleanupPolicies", {}).items():
        if policy.get("id", key) != key:
            raise invalid(f'cleanup policy "{key}" has the id "{policy["id"]}"')
        if "action" not in policy:
            raise invalid(f'cleanup policy "{key}" has no action')
        if "mostRecentVersions" in policy and policy["action"] != "KEEP":
            raise invalid(f'cleanup policy "{key}": most recent versions can only be kept')
