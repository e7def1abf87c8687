"""The users and databases of one MySQL instance, as SQL over its administrator's connection.

cloudsqladmin@localhost is the real administrator and stays internal; cloudsqlsuperuser is the role
that Cloud SQL gives to its users: everything but SUPER, FILE and SHUTDOWN. No role counts unless it
is active, so every user's first role is also his default role; and in MariaDB roles never count for
what runs by its definer's rights, such as a view, so members of cloudsqlsuperuser have its rights
themselves, too.
"""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

import pymysql
from pymysql.constants import ER

from localcloud.machines.databases.contract import SUPERUSER_ROLE, DatabaseError, Login
from localcloud.machines.databases.places import ADMIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

SYSTEM_DATABASES = ("information_schema", "mysql", "performance_schema", "sys")
INTERNAL_USERS = (ADMIN, "mariadb.sys")
ANY_HOST = "%"

# MySQL's collations that MariaDB does not have, and what comes nearest
NEAREST = {
    "utf8mb4_0900_ai_ci": "utf8mb4_unicode_520_ci",
    "utf8mb4_0900_as_cs": "utf8mb4_bin",
    "utf8mb4_0900_bin": "utf8mb4_nopad_bin",
}

Admin: TypeAlias = "Connection[Cursor]"


def first_sql(password: str) -> str:
    """Return what an empty data directory is given before its server ever listens."""
    return (
        "FLUSH PRIVILEGES;\n"
        "DELETE FROM mysql.proxies_priv;\n"
        "DELETE FROM mysql.global_priv WHERE User IN ('root', '');\n"
        "FLUSH PRIVILEGES;\n"
        f"CREATE USER {ADMIN}@localhost IDENTIFIED BY PASSWORD '{hashed(password)}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO {ADMIN}@localhost WITH GRANT OPTION;\n"
    )


def hashed(password: str) -> str:
    """Return a password as the server keeps it, so that none is in a statement that is logged."""
    inner = hashlib.sha1(password.encode(), usedforsecurity=False).digest()
    return "*" + hashlib.sha1(inner, usedforsecurity=False).hexdigest().upper()


def lay_out(admin: Admin) -> None:
    """Give a new server the role and the user a new Cloud SQL instance has."""
    _ask(admin, f"CREATE ROLE {SUPERUSER_ROLE}")
    _give_rights(admin, SUPERUSER_ROLE)
    set_user(admin, Login("root", host=ANY_HOST, roles=(SUPERUSER_ROLE,)), revoke=False)


def databases(admin: Admin) -> dict[str, tuple[str, str]]:
    """Return each database's character set and collation; Cloud SQL shows the system's, too."""
    rows = _ask(
        admin,
        "SELECT schema_name, default_character_set_name, default_collation_name"
        " FROM information_schema.schemata ORDER BY schema_name",
    )
    return {name: (charset, collation) for name, charset, collation in rows}


def create_database(admin: Admin, name: str, charset: str, collation: str) -> None:
    """Create a database."""
    _ask(admin, f"CREATE DATABASE {_name(name)} {_sorted(charset, collation)}")


def alter_database(admin: Admin, name: str, charset: str, collation: str) -> None:
    """Change what tables made from now on are."""
    _ask(admin, f"ALTER DATABASE {_name(name)} {_sorted(charset, collation)}")


def drop_database(admin: Admin, name: str) -> None:
    """Drop a database, whoever is using it."""
    _ask(admin, f"DROP DATABASE {_name(name)}")


def users(admin: Admin) -> list[tuple[str, str]]:
    """Name everybody who may log in, with the hosts he may come from."""
    rows = _ask(admin, "SELECT User, Host FROM mysql.user WHERE is_role = 'N' ORDER BY 1, 2")
    return [(user, host) for user, host in rows if user not in INTERNAL_USERS]


def memberships(admin: Admin, user: str, host: str) -> list[str]:
    """Name the roles the user was given."""
    rows = _ask(
        admin,
        "SELECT Role FROM mysql.roles_mapping WHERE User = %s AND Host = %s ORDER BY 1",
        user,
        host,
    )
    return [row[0] for row in rows]


def set_user(admin: Admin, login: Login, *, revoke: bool) -> None:
    """Create or change one user; what could fail is looked at before anything is done."""
    who = _who(login.name, login.host)
    roles = {row[0] for row in _ask(admin, "SELECT User FROM mysql.user WHERE is_role = 'Y'")}
    for role in login.roles:
        if role not in roles:
            raise DatabaseError(f"Invalid role specification `{role}`", number=1959)
    _ask(admin, f"CREATE USER IF NOT EXISTS {who}")
    if login.password is not None:
        _ask(admin, f"ALTER USER {who} IDENTIFIED BY PASSWORD '{hashed(login.password)}'")
    held = memberships(admin, login.name, login.host)
    for role in login.roles:
        with _administering(admin, role):
            _ask(admin, f"GRANT {_name(role)} TO {who}")
        if role == SUPERUSER_ROLE:
            _give_rights(admin, who)
    if revoke:
        for role in set(held) - set(login.roles):
            _ask(admin, f"REVOKE {_name(role)} FROM {who}")
            if role == SUPERUSER_ROLE:
                _ask(admin, f"REVOKE ALL PRIVILEGES, GRANT OPTION ON *.* FROM {who}")
        held = []
    kept = [*held, *login.roles]
    _ask(admin, f"SET DEFAULT ROLE {_name(kept[0]) if kept else 'NONE'} FOR {who}")


@contextmanager
def _administering(admin: Admin, role: str) -> Iterator[None]:
    """Take for a moment the right to give a role away, which in MariaDB only its maker has.

    Not for good: mariadb-dump makes a role as often as somebody administers it.
    """
    ours = ("User = %s AND Host = 'localhost' AND Role = %s", ADMIN, role)
    if _ask(admin, f"SELECT 1 FROM mysql.roles_mapping WHERE {ours[0]}", *ours[1:]):  # noqa: S608 - ours
        yield
        return
    _ask(admin, "INSERT INTO mysql.roles_mapping VALUES ('localhost', %s, %s, 'Y')", ADMIN, role)
    _ask(admin, "FLUSH PRIVILEGES")
    yield
    _ask(admin, f"DELETE FROM mysql.roles_mapping WHERE {ours[0]}", *ours[1:])  # noqa: S608 - ours
    _ask(admin, "FLUSH PRIVILEGES")


def check_drop_user(admin: Admin, name: str, host: str) -> None:
    """Raise what DROP USER says of a user who does not exist; nothing else stops it."""
    if (name, host) not in users(admin):
        raise DatabaseError(f"Operation DROP USER failed for '{name}'@'{host}'", number=1396)


def drop_user(admin: Admin, name: str, host: str) -> None:
    """Drop a user; as MySQL has it, connections he has go on until he ends them."""
    _ask(admin, f"DROP USER {_who(name, host)}")


def clear(admin: Admin) -> None:
    """Cut every connection; drop every database, user and role but the system's own."""
    for (number,) in _ask(
        admin,
        "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
        " AND user NOT IN ('system user', 'event_scheduler')",
    ):
        try:
            _ask(admin, f"KILL CONNECTION {int(number)}")
        except pymysql.MySQLError as error:
            if error.args[0] != ER.NO_SUCH_THREAD:  # it has ended by itself
                raise
    for name in databases(admin):
        if name not in SYSTEM_DATABASES:
            drop_database(admin, name)
    for user, host in users(admin):
        drop_user(admin, user, host)
    for (role,) in _ask(admin, "SELECT User FROM mysql.user WHERE is_role = 'Y'"):
        _ask(admin, f"DROP ROLE {_name(role)}")


def _give_rights(admin: Admin, who: str) -> None:
    _ask(admin, f"GRANT ALL PRIVILEGES ON *.* TO {who} WITH GRANT OPTION")
    _ask(admin, f"REVOKE SUPER, FILE, SHUTDOWN ON *.* FROM {who}")


def _ask(admin: Admin, statement: str, *values: str) -> list[tuple[Any, ...]]:
    with admin.cursor() as cursor:
        cursor.execute(statement, values or None)
        return list(cursor.fetchall())


def _name(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"


def _who(name: str, host: str) -> str:
    return f"{_name(name)}@{_name(host)}"


def _sorted(charset: str, collation: str) -> str:
    nearest = NEAREST.get(collation, collation)
    words = f"CHARACTER SET {_name(charset)}" if charset else ""
    return f"{words} COLLATE {_name(nearest)}" if nearest else words
