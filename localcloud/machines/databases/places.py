"""Where the database servers of one engine work, and how an ordinary user runs their programs there.

Servers refuse to run as root, so root hands their directories to ``nobody``; whoever else runs the
local cloud runs them himself. No password is stored: all follow from one key per state directory.
"""

import hashlib
import os
import secrets
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from localcloud.machines import box
from localcloud.machines.databases.contract import DatabaseError

NOBODY = 65534
ADMIN = "cloudsqladmin"

# Where the data is shown to an unprivileged user who could not walk to it on the host.
SHOWN_DATA = "/cloudsql-data"
SHOWN_PROGRAMS = "/cloudsql-programs"


class Places:
    """The directories of one engine below the state directory."""

    def __init__(self, home: Path) -> None:
        self.home = home.absolute()
        self.root = os.geteuid() == 0

    def instance(self, name: str) -> Path:
        """Return the directory in which an instance keeps everything but its socket."""
        digest = hashlib.sha256(name.encode()).hexdigest()[:8]
        return self.home / "instances" / f"{name.rpartition(':')[2]}-{digest}"

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
        base = os.environ.get("XDG_RUNTIME_DIR", "") if not self.root else ""
        folder = Path(base if 0 < len(base) <= 40 else tempfile.gettempdir())  # noqa: PLR2004
        if len(str(folder)) > 60:  # noqa: PLR2004 - leaves room for our part and the socket's name
            folder = Path("/tmp")  # noqa: S108 - checked for its owner below
        return folder / f"localcloud-{os.geteuid()}-{digest}"

    def make_runtime(self, instance: str) -> Path:
        """Make that directory, or refuse one that another user has put there."""
        place = self.runtime(instance)
        place.mkdir(mode=0o755, exist_ok=True)
        owner = NOBODY if self.root else os.geteuid()
        if place.is_symlink() or place.stat().st_uid not in {owner, os.geteuid()}:
            raise DatabaseError(f"{place} belongs to somebody else")
        self.give(place)
        return place

    def give(self, path: Path) -> None:
        """Hand one file or directory to the user that the servers run as."""
        if self.root:
            os.chown(path, NOBODY, NOBODY)

    def secret_file(self, folder: Path, name: str, text: str) -> Path:
        """Write what only the servers' user may read."""
        file = folder / name
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
            out.write(text)
        self.give(file)
        return file

    def argv(
        self,
        program: Path,
        words: Sequence[str],
        data: Path,
        runtime: Path,
        libraries: Path | None = None,
    ) -> list[str]:
        """Return the command line of a program as the servers' user; ``{data}`` in it is *data*.

        Args:
            program: The program's own file.
            words: Its arguments.
            data: The directory it works in.
            runtime: The directory of its socket.
            libraries: What has to be reachable with the program, if it is not the system's own.

        """
        binds: dict[str, Path | str] = {}
        if self.root and not reachable(data):
            binds[SHOWN_DATA] = data
            data = Path(SHOWN_DATA)
        if self.root and libraries is not None and not reachable(program):
            binds[SHOWN_PROGRAMS] = libraries
            program = Path(SHOWN_PROGRAMS) / program.relative_to(libraries)
        if binds:
            binds[str(runtime)] = runtime  # a box has a /tmp of its own
        line = [str(program), *(word.replace("{data}", str(data)) for word in words)]
        return box.argv(line, binds=binds, user=NOBODY if self.root else None)


def reachable(path: Path) -> bool:
    """Tell whether everybody may walk to ``path``."""
    return all(parent.stat().st_mode & 0o001 for parent in path.resolve().parents)
