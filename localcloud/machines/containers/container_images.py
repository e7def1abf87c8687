"""Finds the image of a container and lays its files out for a box."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.machines import image_tree
from localcloud.machines.containers.workload import ContainerError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.cloud import Cloud

# An image that names no user would run as root, on the host's own files; it runs as this one.
PLAIN_USER = 65532
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Files:
    """An image ready to run."""

    binds: Mapping[str, Path]
    config: Mapping[str, Any] = field(default_factory=dict)

    @property
    def env(self) -> dict[str, str]:
        """The environment the image sets."""
        pairs = (text.partition("=") for text in self.config.get("Env") or [])
        return {"PATH": _PATH} | {name: value for name, _, value in pairs}

    @property
    def user(self) -> int:
        """The number of the user its programs run as."""
        name = str(self.config.get("User") or PLAIN_USER).partition(":")[0]
        if not name.isdigit():
            raise ContainerError(
                f"the image's user {name!r} has a name; the local cloud knows users by number",
                reason="HEALTH_CHECK_CONTAINER_ERROR",
            )
        return int(name)

    def command(self, container: Mapping[str, Any]) -> list[str]:
        """Return what is executed: the container's command and args over the image's."""
        if container.get("command"):
            return [*container["command"], *container.get("args", [])]
        entrypoint = list(self.config.get("Entrypoint") or [])
        arguments = container.get("args") or self.config.get("Cmd") or []
        whole = [*entrypoint, *arguments]
        if not whole:
            raise ContainerError(
                "the image has neither an entrypoint nor a command",
                reason="HEALTH_CHECK_CONTAINER_ERROR",
            )
        return whole


def find(cloud: Cloud, reference: str) -> Files | None:
    """Return the image *reference* means: a function's build, or one of Artifact Registry."""
    built = cloud.store.of("cloudfunctions").find(f"images/{reference}")
    if built is not None:
        binds = {inside: Path(outside) for inside, outside in built["binds"].items()}
        return Files(binds, built["config"])
    image = cloud.images.find(reference)
    return None if image is None else Files(image_tree.binds(image.root), image.config)


def discard(folder: Path) -> None:
    """Remove an instance's own files."""
    shutil.rmtree(folder, ignore_errors=True)
