"""How an image's directory tree is laid over the host's: which of its entries are bound where.

An image holds only what it adds; the host's files stand in for the base image's system. In the
directories that every base image has, the two are mixed entry by entry; any other directory of the
image is the image's alone, even where the host has one of that name.
"""

import os
from pathlib import Path

_TOP = ("bin", "etc", "home", "lib", "lib64", "media", "mnt", "opt", "root", "run", "sbin", "srv")
_USR = ("bin", "include", "lib", "local", "sbin", "share", "src")
_LOCAL = ("bin", "etc", "include", "lib", "sbin", "share", "src")
_VAR = ("cache", "lib", "log", "opt", "spool")
SHARED = frozenset(
    [
        "/",
        *(f"/{name}" for name in (*_TOP, "usr", "var")),
        *(f"/usr/{name}" for name in _USR),
        *(f"/usr/local/{name}" for name in _LOCAL),
        *(f"/var/{name}" for name in _VAR),
    ]
)
# Neither bound read-only for a build nor looked into: the kernel's, and the box's own /tmp.
SPECIAL = frozenset(["/proc", "/sys", "/dev", "/tmp"])  # noqa: S108 - as seen from inside


def binds(root: Path) -> dict[str, Path]:
    """Map each path inside to the entry of the tree that belongs there."""
    found: dict[str, Path] = {}
    _walk("/", root, found)
    return found


def _walk(inside: str, folder: Path, found: dict[str, Path]) -> None:
    for entry in sorted(os.scandir(folder), key=lambda one: one.name):
        path = str(Path(inside) / entry.name)
        if path in SHARED and entry.is_dir(follow_symlinks=False):
            # /bin is a link to /usr/bin on today's systems
            _walk(os.path.realpath(path), Path(entry.path), found)
        else:
            found[path] = Path(entry.path)


def mixed(bound: dict[str, Path]) -> list[str]:
    """Name the directories in which entries of the image and of the host meet."""
    return sorted({"/"} | {str(parent) for path in bound for parent in Path(path).parents})


def hosts_own(bound: dict[str, Path]) -> list[str]:
    """Name the host's entries in those directories: what a build may only read."""
    found: list[str] = []
    together = set(mixed(bound))
    for place in sorted(together):
        if not Path(place).is_dir():
            continue
        for entry in os.scandir(place):
            path = str(Path(place) / entry.name)
            if path in together or path in bound or path in SPECIAL or entry.is_symlink():
                continue
            if entry.is_dir() or entry.is_file():
                found.append(path)
    return sorted(found)
