"""What lies in a repository: packages, their versions (images by digest) and tags."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.errors import already_exists, invalid, not_found, precondition
from localcloud.listing import filtered
from localcloud.service import page
from localcloud.services.artifactregistry.repositories import (
    existing,
    find,
    forget_images,
    name_of,
    operation,
    repository_of,
)

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.machines.builds.contract import Built
    from localcloud.machines.images import Image, Reference
    from localcloud.service import Call, Resource

TAG = re.compile(r"\w[\w.-]{0,127}")
MEDIA_TYPE = "application/vnd.docker.distribution.manifest.v2+json"


class PushRefused(Exception):  # noqa: N818 - the registry's answer, not an error of ours
    """The registry does not take the image; the message is what docker would print."""

    def __init__(self, message: str, *, unauthorized: bool = False) -> None:
        super().__init__(message)
        self.unauthorized = unauthorized


def push(cloud: Cloud, reference: Reference, built: Built, member: str) -> Image:
    """Take an image in, on behalf of ``member``, and return it under its digest."""
    store = cloud.store.of("artifactregistry")
    name, package = reference.repository_name, reference.package_name
    permission = "artifactregistry.repositories.uploadArtifacts"
    if not cloud.iam.allowed(member, permission, "artifactregistry", name):
        raise PushRefused(
            f'denied: Permission "{permission}" denied on resource "{name}" (or it may not exist)',
            unauthorized=True,
        )
    repository = store.find(name)
    if repository is None:
        raise PushRefused(f'name unknown: Repository "{reference.repository}" not found')
    image: Image = cloud.images.add(built.root, built.config)
    now, tag = cloud.clock.rfc3339(), reference.tag or "latest"
    version = f"{package}/versions/{image.digest}"
    with store.lock():
        held = store.find(f"{package}/tags/{tag}")
        immutable = repository.get("dockerConfig", {}).get("immutableTags", False)
        if held is not None and held["version"] != version and immutable:
            raise PushRefused(
                f"denied: cannot update tag {tag}: the repository's tags are immutable"
            )
        made = store.find(package) or {"name": package, "createTime": now}
        store.put(package, {**made, "updateTime": now})
        known = store.find(version) or {"name": version, "createTime": now}
        metadata = {
            "imageSizeBytes": str(image.size),
            "mediaType": MEDIA_TYPE,
            "buildTime": now,
            "name": _docker_name(version),
        }
        store.put(version, {**known, "updateTime": now, "metadata": metadata})
        store.put(f"{package}/tags/{tag}", {"name": f"{package}/tags/{tag}", "version": version})
    return image


def get(call: Call) -> Resource:
    """Show a package, version or tag."""
    existing(call)
    name = name_of(call)
    found = call.store.find(name)
    if found is None:
        kind = name.split("/")[-2].removesuffix("s").capitalize()
        raise not_found(f'{kind} "{name}" not found')
    return found


def list_packages(call: Call) -> Resource:
    """List the packages of a repository."""
    existing(call)
    found = call.store.children(f"{name_of(call)}/packages/")
    return page(call, filtered(found, call.get("filter")), "packages")


def list_versions(call: Call) -> Resource:
    """List the versions of a package, with their tags when asked for all."""
    _package(call)
    found = call.store.children(f"{name_of(call)}/versions/")
    if call.get("view") == "FULL":
        found = [{**one, "relatedTags": _tags(call, one["name"])} for one in found]
    return page(call, filtered(found, call.get("filter")), "versions")


def list_tags(call: Call) -> Resource:
    """List the tags of a package."""
    _package(call)
    found = call.store.children(f"{name_of(call)}/tags/")
    return page(call, filtered(found, call.get("filter")), "tags")


def create_tag(call: Call) -> Resource:
    """Give a version another tag."""
    _package(call)
    tag = call.get("tagId") or ""
    if not TAG.fullmatch(tag):
        raise invalid(f'invalid tag "{tag}"')
    name = f"{name_of(call)}/tags/{tag}"
    if call.store.find(name) is not None:
        raise already_exists("the tag already exists.")
    return call.store.create(name, {"name": name, "version": _version(call)})


def patch_tag(call: Call) -> Resource:
    """Point a tag at another version."""
    tag = get(call)
    if find(call, repository_of(call)).get("dockerConfig", {}).get("immutableTags"):
        raise precondition("the repository's tags are immutable")
    return call.store.put(tag["name"], {**tag, "version": _version(call)})


def delete_tag(call: Call) -> None:
    """Remove a tag; the version stays."""
    call.store.delete(get(call)["name"])


def delete_version(call: Call) -> Resource:
    """Delete an image; one that has tags only by force."""
    name = get(call)["name"]
    tags = _tags(call, name)
    if tags and not call.get("force"):
        raise precondition(f'version "{name}" is tagged: delete its tags first, or use force')

    def work() -> None:
        with call.store.lock():
            for tag in tags:
                call.store.delete(tag["name"])
            call.store.delete(name)
        call.cloud.images.forget_unused(name.rpartition("/")[2])

    return operation(call, name.partition("/repositories/")[0], work, None)


def delete_package(call: Call) -> Resource:
    """Delete a package with its versions and tags."""
    name = get(call)["name"]

    def work() -> None:
        forget_images(call, call.store.delete_tree(name))

    return operation(call, name.partition("/repositories/")[0], work, None)


def list_docker_images(call: Call) -> Resource:
    """List all images of a repository."""
    existing(call)
    found = call.store.under(f"{name_of(call)}/packages/")
    images = [_docker_image(call, one) for name, one in found if "/versions/" in name]
    return page(call, images, "dockerImages")


def get_docker_image(call: Call) -> Resource:
    """Show one image; its name is PACKAGE@DIGEST."""
    existing(call)
    repository, _, image = name_of(call).partition("/dockerImages/")
    package, _, digest = image.partition("@")
    found = call.store.find(f"{repository}/packages/{package}/versions/{digest}")
    if found is None:
        raise not_found(f'Docker image "{name_of(call)}" not found')
    return _docker_image(call, found)


def _docker_name(version: str) -> str:
    package, _, digest = version.partition("/versions/")
    repository, _, image = package.partition("/packages/")
    return f"{repository}/dockerImages/{image}@{digest}"


def _docker_image(call: Call, version: Resource) -> Resource:
    name = _docker_name(version["name"])
    parts = name.split("/")
    return {
        "name": name,
        "uri": f"{parts[3]}-docker.pkg.dev/{parts[1]}/{parts[5]}/{parts[7].replace('%2F', '/')}",
        "tags": [tag["name"].rpartition("/")[2] for tag in _tags(call, version["name"])],
        "imageSizeBytes": version["metadata"]["imageSizeBytes"],
        "mediaType": version["metadata"]["mediaType"],
        "uploadTime": version["createTime"],
        "buildTime": version["metadata"]["buildTime"],
        "updateTime": version["updateTime"],
    }


def _package(call: Call) -> None:
    existing(call)
    if call.store.find(name_of(call)) is None:
        raise not_found(f'Package "{name_of(call)}" not found')


def _tags(call: Call, version: str) -> list[Resource]:
    package = version.partition("/versions/")[0]
    return [one for one in call.store.children(f"{package}/tags/") if one["version"] == version]


def _version(call: Call) -> str:
    version = call.cloud.by_id(call.body.get("version", ""))
    if call.store.find(version) is None:
        raise not_found(f'Version "{version}" not found')
    return version
