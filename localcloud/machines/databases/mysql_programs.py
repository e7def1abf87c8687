"""MariaDB's programs, which stand behind Cloud SQL for MySQL: Debian's packages, not a wheel.

Nobody packages MySQL itself for Python or for Debian. MariaDB is close, and says what it is: it
answers SELECT VERSION() with its own version, by which clients choose what they may ask of it.
"""

import os
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

from localcloud.machines.databases.contract import DatabaseError

VERSIONS = ("MYSQL_8_0", "MYSQL_8_4")
# program -> the package of Debian and Ubuntu it is in
PACKAGES = {
    "mariadbd": "mariadb-server-core",
    "mariadb-install-db": "mariadb-server-core",
    "mariadb": "mariadb-client-core",
    "mariadb-dump": "mariadb-client",
}
SERVER = ("mariadbd", "mariadb-install-db")
# an ordinary user's PATH lacks the directories that servers are in
SYSTEM = "/usr/sbin:/usr/local/sbin"


class Programs:
    """The MariaDB of this machine, if there is one."""

    def refusal(self, version: str) -> str | None:
        """Say why there is no such version here, and what would bring it; None when it is here."""
        words = f"the local cloud has no server for {version}"
        if version not in VERSIONS:
            return f"{words}; of MySQL it has {', '.join(VERSIONS)}, through MariaDB"
        missing = [name for name in SERVER if self._find(name) is None]
        if missing:
            packages = " ".join(dict.fromkeys(PACKAGES[name] for name in SERVER))
            return (
                f"{words}: {' and '.join(missing)} not found; install MariaDB "
                f"(Debian and Ubuntu: apt-get install {packages} mariadb-client)"
            )
        return None

    def place(self, name: str) -> Path:
        """Return the file of a program; DatabaseError names the package that would bring it."""
        found = self._find(name)
        if found is None:
            raise DatabaseError(f"{name} not found; install the package {PACKAGES[name]}")
        return found

    @cached_property
    def exact(self) -> str:
        """Return MariaDB's exact version."""
        line = [str(self.place("mariadbd")), "--no-defaults", "--version"]
        answer = subprocess.run(line, capture_output=True, text=True, check=True)
        # mariadbd  Ver 10.11.18-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)
        version: str = answer.stdout.split("Ver", 1)[1].split()[0]
        return version.partition("-")[0]

    def _find(self, name: str) -> Path | None:
        found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:{SYSTEM}")
        return Path(found) if found else None
