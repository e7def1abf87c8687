"""Artifact Registry: Docker repositories whose images are directory trees on this machine's disk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.documents.protos import Protos
from localcloud.iam import iam_methods
from localcloud.service import PUBLIC, Call, Needs, Service
from localcloud.services.artifactregistry import artifacts, repositories
from localcloud.services.artifactregistry.repositories import name_of, repository_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PREFIX = "artifactregistry.projects.locations."
_REPOSITORY = f"{_PREFIX}repositories"

_POLICY_HANDLERS, _POLICY_PERMISSIONS = iam_methods(
    _REPOSITORY, permission="artifactregistry.repositories", exists=repositories.existing
)


def _in(permission: str) -> Needs:
    """Policies are kept on repositories; whatever lies inside inherits."""
    return Needs(f"artifactregistry.{permission}", resource=repository_of)


def _location(permission: str) -> Needs:
    return Needs(f"artifactregistry.{permission}", resource=name_of)


METHODS: dict[str, tuple[Callable[[Call], Any], Needs]] = {
    "operations.get": (repositories.get_operation, PUBLIC),
    "repositories.create": (repositories.create, _location("repositories.create")),
    "repositories.get": (repositories.get, _in("repositories.get")),
    "repositories.list": (repositories.list_repositories, _location("repositories.list")),
    "repositories.patch": (repositories.patch, _in("repositories.update")),
    "repositories.delete": (repositories.delete, _in("repositories.delete")),
    "repositories.packages.get": (artifacts.get, _in("packages.get")),
    "repositories.packages.list": (artifacts.list_packages, _in("packages.list")),
    "repositories.packages.delete": (artifacts.delete_package, _in("packages.delete")),
    "repositories.packages.versions.get": (artifacts.get, _in("versions.get")),
    "repositories.packages.versions.list": (artifacts.list_versions, _in("versions.list")),
    "repositories.packages.versions.delete": (artifacts.delete_version, _in("versions.delete")),
    "repositories.packages.tags.get": (artifacts.get, _in("tags.get")),
    "repositories.packages.tags.list": (artifacts.list_tags, _in("tags.list")),
    "repositories.packages.tags.create": (artifacts.create_tag, _in("tags.create")),
    "repositories.packages.tags.patch": (artifacts.patch_tag, _in("tags.update")),
    "repositories.packages.tags.delete": (artifacts.delete_tag, _in("tags.delete")),
    "repositories.dockerImages.get": (artifacts.get_docker_image, _in("dockerimages.get")),
    "repositories.dockerImages.list": (artifacts.list_docker_images, _in("dockerimages.list")),
}

SERVICE = Service(
    "artifactregistry",
    "v1",
    {
        **{_PREFIX + name: handler for name, (handler, _) in METHODS.items()},
        **_POLICY_HANDLERS,
    },
    protos=Protos("google.devtools.artifactregistry.v1", "google.cloud.artifactregistry_v1"),
    permissions={
        **{_PREFIX + name: needs for name, (_, needs) in METHODS.items()},
        **_POLICY_PERMISSIONS,
    },
    resource=repository_of,
)
