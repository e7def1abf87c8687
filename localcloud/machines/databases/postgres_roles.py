"""The users and databases of one Cloud SQL instance, as SQL over its superuser's connection.

cloudsqladmin is the real superuser and stays internal; cloudsqlsuperuser is what Cloud SQL gives to
its users: many rights, but no superuser. Databases belong to it.
"""

import time
from typing import Any

from psycopg import Connection, sql

from localcloud.machines.databases.contract import SUPERUSER_ROLE, DatabaseError, Login
from localcloud.machines.databases.places import ADMIN

INTERNAL_DATABASES = ("template0", "template1", "cloudsqladmin")

LAYOUT = f"""
CREATE ROLE {SUPERUSER_ROLE} NOLOGIN CREATEDB CREATEROLE;
GRANT pg_monitor, pg_signal_backend TO {SUPERUSER_ROLE} WITH ADMIN OPTION;
CREATE ROLE postgres LOGIN CREATEDB CREATEROLE IN ROLE {SUPERUSER_ROLE};
CREATE ROLE cloudsqliamserviceaccount NOLOGIN;
"""

Admin = Connection[tuple[Any, ...]]


def lay_out(admin: Admin) -> None:
    """Give a new server the roles and owners a new Cloud SQL instance has."""
    admin.execute(LAYOUT)
    admin.execute(f"ALTER DATABASE postgres OWNER TO {SUPERUSER_ROLE}")


def clear(admin: Admin) -> None:
    """Cut every connection; drop every database and every role but the administrator's own."""
    admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    for name in databases(admin):
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
    found = admin.execute(
        "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_' AND rolname <> %s", [ADMIN]
    )
    names = [sql.Identifier(row[0]) for row in found]
    # in one statement: roles may be members of each other
    admin.execute(sql.SQL("DROP ROLE {}").format(sql.SQL(", ").join(names)))


def iam_users(admin: Admin) -> list[str]:
    """Name the users who log in by IAM."""
    rows = admin.execute(
        """SELECT u.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
           JOIN pg_roles u ON u.oid = m.member WHERE r.rolname = 'cloudsqliamserviceaccount'
           AND u.rolcanlogin"""
    )
    return [row[0] for row in rows]


def databases(admin: Admin) -> list[str]:
    """Name the databases that users see."""
    rows = admin.execute(
        "SELECT datname FROM pg_database WHERE datname <> ALL(%s) ORDER BY oid",
        [list(INTERNAL_DATABASES)],
    )
    return [row[0] for row in rows]


def create_database(admin: Admin, name: str) -> None:
    """Create a database whose owner is cloudsqlsuperuser."""
    admin.execute(
        sql.SQL("CREATE DATABASE {} OWNER {} STRATEGY file_copy").format(
            sql.Identifier(name), sql.Identifier(SUPERUSER_ROLE)
        )
    )


def drop_database(admin: Admin, name: str) -> None:
    """Drop a database; the server itself waits a little for the last connections to go."""
    admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))


def check_drop_database(admin: Admin, name: str, *, patience: float = 5.0) -> None:
    """Raise what DROP DATABASE would say, after the five seconds it waits for connections."""
    deadline = time.monotonic() + patience
    while admin.execute("SELECT 1 FROM pg_stat_activity WHERE datname = %s", [name]).fetchone():
        if time.monotonic() > deadline:
            raise DatabaseError(
                f'database "{name}" is being accessed by other users', sqlstate="55006"
            )
        time.sleep(0.1)


def users(admin: Admin) -> list[str]:
    """Name the roles that may log in."""
    rows = admin.execute(
        "SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname <> %s ORDER BY 1", [ADMIN]
    )
    return [row[0] for row in rows]


def memberships(admin: Admin, user: str) -> list[str]:
    """Name the roles ``user`` is a direct member of."""
    rows = admin.execute(
        """SELECT r.rolname FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.roleid
           JOIN pg_roles u ON u.oid = m.member WHERE u.rolname = %s
           AND r.rolname <> 'cloudsqliamserviceaccount' ORDER BY 1""",
        [user],
    )
    return [row[0] for row in rows]


def set_user(admin: Admin, login: Login, *, revoke: bool) -> None:
    """Create or change one user in a single transaction: all of it or nothing."""
    name = sql.Identifier(login.name)
    with admin.transaction():
        known = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [login.name]).fetchone()
        if known is None:
            admin.execute(sql.SQL("CREATE ROLE {} LOGIN").format(name))
            if login.iam:
                admin.execute(sql.SQL("GRANT cloudsqliamserviceaccount TO {}").format(name))
        if login.attributes:
            admin.execute(sql.SQL("ALTER ROLE {} CREATEDB CREATEROLE").format(name))
        if login.password is not None:
            # hashed here: what the server logs of a statement must not show a password
            hashed = admin.pgconn.encrypt_password(
                login.password.encode(), login.name.encode(), b"scram-sha-256"
            )
            admin.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(hashed.decode()))
            )
        for role in login.roles:
            admin.execute(sql.SQL("GRANT {} TO {}").format(sql.Identifier(role), name))
        if revoke:
            for role in set(memberships(admin, login.name)) - set(login.roles):
                admin.execute(sql.SQL("REVOKE {} FROM {}").format(sql.Identifier(role), name))
            if SUPERUSER_ROLE not in login.roles:
                admin.execute(sql.SQL("ALTER ROLE {} NOCREATEDB NOCREATEROLE").format(name))


def check_drop_user(admin: Admin, name: str) -> None:
    """Raise what DROP ROLE would say."""
    with admin.transaction(force_rollback=True):
        drop_user(admin, name)


def drop_user(admin: Admin, name: str) -> None:
    """Drop a user; PostgreSQL refuses while anything in any database depends on him."""
    if admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone() is None:
        raise DatabaseError(f'role "{name}" does not exist', sqlstate="42704")
    admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))
