"""Dialects: how each database engine is told to make the tenants' role and a user's rights."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# A role without rights and without a login: a user that has it is not made a superuser.
ROLE = "berth_tenant"
_NAME = re.compile(r"[a-z][-a-z0-9]{0,62}")


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """The statements of one engine; `{database}`, `{user}` and `{limit}` are filled in."""

    first_database: str | None
    """Where the role is made; None: in the deployment's own database."""
    make_role: str
    make_rights: str
    quote: Callable[[str], str]
    address: Mapping[str, str] = field(default_factory=dict)
    """What tells a user from another of the same name."""

    def rights(self, *, database: str, user: str, limit: int) -> str:
        """Return the statements that give a user its rights on its database."""
        return self.make_rights.format(
            database=self._quoted(database), user=self._quoted(user), limit=int(limit)
        )

    def _quoted(self, name: str) -> str:
        """Quote an identifier; names are checked at the door, and once more here."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"not a name for a database or a user: {name!r}")
        return self.quote(name)


# The right to make roles belongs to this role itself; who has the role does not inherit that.
_BEGIN = "SET ROLE cloudsqlsuperuser;"

_POSTGRESQL = Dialect(
    first_database="postgres",
    make_role=f"""{_BEGIN}
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{ROLE}') THEN
    CREATE ROLE {ROLE} NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- somebody else made it between the question and the answer
END $$""",
    make_rights=f"""{_BEGIN}
REVOKE ALL ON DATABASE {{database}} FROM PUBLIC;
GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {{database}} TO {{user}};
GRANT ALL ON SCHEMA public TO {{user}};
ALTER DATABASE {{database}} CONNECTION LIMIT {{limit}}""",
    quote=lambda name: f'"{name}"',
)

# Cloud SQL makes root without a password, and nobody needs it.
_MYSQL = Dialect(
    first_database=None,
    make_role=f"""DROP USER IF EXISTS 'root'@'%';
CREATE ROLE IF NOT EXISTS '{ROLE}'""",
    make_rights="""GRANT ALL PRIVILEGES ON {database}.* TO {user}@'%';
ALTER USER {user}@'%' WITH MAX_USER_CONNECTIONS {limit}""",
    quote=lambda name: f"`{name}`",
    address={"host": "%"},
)

DIALECTS = {"postgresql": _POSTGRESQL, "mysql": _MYSQL}
