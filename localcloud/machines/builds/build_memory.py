"""A build's /tmp in memory, where there is plenty.

Installers unpack everything there once more and delete it again: on a busy disk that takes longer
than the installation itself.
"""

import hashlib
import os
import shutil
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - checked for its owner below
ENOUGH = 6 * 1024**3


def temporary(state: Path, build: str) -> Path | None:
    """Make a directory in memory for one build, or return None where memory is scarce."""
    if min(_free(), _available()) < ENOUGH:
        return None
    place = _folder(state)
    place.mkdir(mode=0o700, exist_ok=True)
    if place.is_symlink() or place.stat().st_uid != os.geteuid():
        return None
    mine = place / build
    mine.mkdir(parents=True)  # a build that ended this moment may have removed the common one
    return mine


def discard(state: Path, build: str | None = None) -> None:
    """Give back the memory of one build, or of all that were interrupted."""
    place = _folder(state)
    shutil.rmtree(place / build if build else place, ignore_errors=True)
    try:
        place.rmdir()
    except OSError:
        return  # another build is there, or nothing is


def _folder(state: Path) -> Path:
    digest = hashlib.sha256(str(state.absolute()).encode()).hexdigest()[:16]
    return SHARED_MEMORY / f"localcloud-build-{os.geteuid()}-{digest}"


def _free() -> int:
    """Return the room left in shared memory; containers often have very little."""
    if not SHARED_MEMORY.is_dir():
        return 0
    found = os.statvfs(SHARED_MEMORY)
    return found.f_bavail * found.f_frsize


def _available() -> int:
    """Return the memory that can be used without swapping."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except FileNotFoundError:
        return 0
    found = [int(line.split()[1]) for line in lines if line.startswith("MemAvailable:")]
    return found[0] * 1024 if found else 0
