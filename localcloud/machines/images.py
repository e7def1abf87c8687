"""Container images on disk: a directory tree and a configuration, under the digest of both.

Artifact Registry's resources say which repository holds which digest under which tag; here are the
bytes. An image that no repository holds any more is removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localcloud.machines.stand_in_images import ENTRYPOINT, OAUTH2_PROXY, lay_out

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localcloud.cloud import Cloud

REFERENCE = re.compile(
    r"(?P<region>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[a-z0-9-]+)/(?P<repository>[a-z0-9-]+)"
    r"/(?P<package>[a-z0-9._/-]+?)(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?"
)
# What installing the same thing twice writes differently: compiled files carry times.
UNSTABLE = re.compile(r".*\.pyc|.*/uv_cache\.json")


@dataclass(frozen=True)
class Reference:
    """The name of an image, taken apart."""

    region: str
    project: str
    repository: str
    package: str
    tag: str | None
    digest: str | None

    @property
    def repository_name(self) -> str:
        """The repository's resource name."""
        return f"projects/{self.project}/locations/{self.region}/repositories/{self.repository}"

    @property
    def package_name(self) -> str:
        """The package's resource name; slashes in a package are escaped, as the API has it."""
        return f"{self.repository_name}/packages/{self.package.replace('/', '%2F')}"


@dataclass(frozen=True)
class Image:
    """An image that can be run."""

    digest: str
    root: Path
    config: dict[str, Any]
    size: int


def parse(reference: str) -> Reference | None:
    """Take an image's name apart; None when it is none of Artifact Registry's."""
    match = REFERENCE.fullmatch(reference)
    return None if match is None else Reference(**match.groupdict())


def tagged(name: str) -> str:
    """Return an image's name with the tag that is meant where none is said."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


class Images:
    """The images of one cloud."""

    def __init__(self, cloud: Cloud) -> None:
        """Keep them in the cloud's state."""
        self._folder = cloud.state / "images"
        self._registry = cloud.store.of("artifactregistry")
        self._adding = threading.Lock()

    def find(self, reference: str) -> Image | None:
        """Return the image a name with tag or digest means; ``latest`` when it has neither."""
        if OAUTH2_PROXY.fullmatch(reference):
            return self._stand_in()
        found = parse(reference)
        if found is None:
            return None
        digest = found.digest
        if digest is None:
            tag = self._registry.find(f"{found.package_name}/tags/{found.tag or 'latest'}")
            if tag is None:
                return None
            digest = tag["version"].rpartition("/")[2]
        if self._registry.find(f"{found.package_name}/versions/{digest}") is None:
            return None
        return self.by_digest(digest)

    def _stand_in(self) -> Image:
        """Give the image of oauth2-proxy, in which a stand-in runs."""
        root = self._folder / f"new-{secrets.token_hex(8)}"
        lay_out(root, Path(getattr(sys, "_base_executable", sys.executable)).resolve())
        path = "PATH=/usr/local/bin:/usr/bin:/bin"
        return self.add(root, {"Entrypoint": [ENTRYPOINT], "Env": [path], "User": "65532"})

    def by_digest(self, digest: str) -> Image | None:
        """Return the image with this digest."""
        place = self._place(digest)
        try:
            known = json.loads((place / "image.json").read_text())
        except FileNotFoundError:
            return None
        return Image(digest, place / "root", known["config"], known["size"])

    def add(self, root: Path, config: Mapping[str, Any]) -> Image:
        """Take a tree in, by moving it, and return it under its digest."""
        digest, size = measure(root, config)
        with self._adding:
            return self._take(digest, size, root, config)

    def _take(self, digest: str, size: int, root: Path, config: Mapping[str, Any]) -> Image:
        if (known := self.by_digest(digest)) is not None:
            if known.root != root:  # the same image under another tag
                shutil.rmtree(root)
            return known
        place = self._place(digest)
        shutil.rmtree(place, ignore_errors=True)  # what a crash between the two moves left
        place.mkdir(parents=True)
        shutil.move(root, place / "root")  # a rename, unless the tree lies on another disk
        fresh = place / "image.new"
        fresh.write_text(json.dumps({"config": dict(config), "size": size}, indent=1))
        fresh.replace(place / "image.json")
        return Image(digest, place / "root", dict(config), size)

    def forget_unused(self, digest: str) -> None:
        """Remove an image that no repository holds any more."""
        held = any(name.endswith(f"/versions/{digest}") for name, _ in self._registry.under(""))
        if not held:
            shutil.rmtree(self._place(digest), ignore_errors=True)

    def _place(self, digest: str) -> Path:
        return self._folder / digest.removeprefix("sha256:")


def measure(root: Path, config: Mapping[str, Any]) -> tuple[str, int]:
    """Return digest and size of an image: equal content gives an equal digest.

    Times do not count, nor does what is compiled from the rest; owners count for nothing either,
    since only root can set them.
    """
    whole = hashlib.sha256(json.dumps(config, sort_keys=True).encode())
    size = 0
    # hashing lets go of the interpreter's lock, so two threads use two processors
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        for line, length in pool.map(_describe, _files(root), chunksize=64):
            whole.update(line)
            size += length
    return f"sha256:{whole.hexdigest()}", size


def _files(root: Path) -> Iterator[tuple[str, Path]]:
    for folder, folders, files in os.walk(root):
        folders.sort()
        for name in sorted([*files, *folders]):
            path = Path(folder) / name
            inside = str(path.relative_to(root))
            if not UNSTABLE.fullmatch(inside) and name != "__pycache__":
                yield inside, path


def _describe(entry: tuple[str, Path]) -> tuple[bytes, int]:
    inside, path = entry
    info = path.lstat()
    if stat.S_ISLNK(info.st_mode):
        return f"link {inside} {os.readlink(path)}\n".encode(), 0  # noqa: PTH115 - as it is written
    if not stat.S_ISREG(info.st_mode):
        return f"directory {inside}\n".encode(), 0
    with path.open("rb") as file:
        content = hashlib.file_digest(file, "sha256").hexdigest()
    runs = bool(info.st_mode & stat.S_IXUSR)
    return f"file {inside} {runs} {content}\n".encode(), info.st_size
