"""The workspace of a build: what is unpacked into it, and that no path leads out of it."""

import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

from localcloud.machines.builds.contract import StepFailed

WORKSPACE = "/workspace"


def directory(work: Path, folder: str) -> Path:
    """Return where the ``dir`` of a step lies."""
    return within(
        work / "workspace", folder.removeprefix(WORKSPACE).lstrip("/"), work / "workspace"
    )


def within(place: Path, path: str, workspace: Path) -> Path:
    """Resolve a path of a step; it may be absolute as /workspace/x, and may not leave that."""
    if path.startswith(WORKSPACE):
        place, path = workspace, path.removeprefix(WORKSPACE).lstrip("/")
    found = Path(os.path.normpath(place / path))
    if not found.is_relative_to(workspace):
        raise StepFailed(f"{path} is outside of {WORKSPACE}")
    return found


def unpack(archive: Path, target: Path) -> None:
    """Unpack a .zip or .tar.gz; neither may write outside of the workspace."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for entry in zipped.infolist():
                made = Path(zipped.extract(entry, target))
                if mode := entry.external_attr >> 16 & 0o777:
                    made.chmod(mode)
        return
    with tarfile.open(archive, "r:*") as packed:
        for member in packed.getmembers():
            aim = Path(member.name).parent / member.linkname if member.issym() else member.linkname
            for path in (member.name, str(aim)):
                if not _stays_inside(path):
                    raise tarfile.TarError(
                        f"{member.name} would be written outside of the workspace"
                    )
            if member.isdev():
                raise tarfile.TarError(f"{member.name} is a device")
        # the filter says the same and more, but Python has it only since 3.11.4
        safe: dict[str, Any] = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
        packed.extractall(target, **safe)  # noqa: S202 - checked above


def _stays_inside(path: str) -> bool:
    normal = os.path.normpath(path)
    return not normal.startswith("/") and normal.split("/")[0] != ".."
