"""What the tracking server's entrypoint refuses, and how it builds what it hands to MLflow."""

import configparser
import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

ENTRYPOINT = Path(__file__).parents[2] / "images" / "tracking-server" / "entrypoint.py"
AWKWARD = "p@ss:w/o%rd#1?&+ x$y\"z'=\\`"
"""Every character that has broken a database URL somewhere."""


@pytest.fixture
def entrypoint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[ModuleType]:
    """The entrypoint as a module, in the environment that Cloud Run would give it."""
    before = dict(os.environ)
    for name, value in {
        "db": AWKWARD,
        "admin": "admin-" + AWKWARD,
        "flask": "flask-secret",
    }.items():
        (tmp_path / name).write_text(value + "\n")
    for name, value in {
        "DB_USER": "demo",
        "DB_NAME": "demo",
        "DB_PASSWORD_FILE": str(tmp_path / "db"),
        "CLOUD_SQL_INSTANCE": "p:europe-west1:pool",
        "AUTH_MODE": "basic",
        "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
        "MLFLOW_AUTH_ADMIN_PASSWORD_FILE": str(tmp_path / "admin"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY_FILE": str(tmp_path / "flask"),
        "TMPDIR": str(tmp_path),
    }.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("entrypoint", ENTRYPOINT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    os.environ.clear()
    os.environ.update(before)


def test_any_password_survives_the_url(entrypoint: ModuleType) -> None:
    """A generated password may hold any character and arrives at the driver unchanged."""
    from urllib.parse import unquote, urlsplit

    url = urlsplit(entrypoint.database_url())

    assert unquote(url.password or "") == AWKWARD
    assert url.scheme == "postgresql+psycopg2"
    assert url.query == "host=/cloudsql/p:europe-west1:pool"


def test_auth_config_survives_configparser(entrypoint: ModuleType, tmp_path: Path) -> None:
    """Percent signs are doubled, or MLflow's configparser would refuse the file."""
    entrypoint.write_auth_config()

    config = configparser.ConfigParser()
    config.read(tmp_path / "basic_auth.ini")

    assert config["mlflow"]["admin_password"] == "admin-" + AWKWARD
    assert config["mlflow"]["database_uri"] == entrypoint.database_url(entrypoint.AUTH_SCHEMA)


def test_auth_config_is_for_this_process_only(entrypoint: ModuleType, tmp_path: Path) -> None:
    """The file holds the admin's password, so no other user may read it."""
    entrypoint.write_auth_config()

    assert (tmp_path / "basic_auth.ini").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["DB_USER", "DB_NAME", "CLOUD_SQL_INSTANCE", "DB_PASSWORD_FILE"])
def test_missing_setting_is_named(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A container that cannot start says which variable it lacks."""
    monkeypatch.delenv(name)

    with pytest.raises(SystemExit, match=f"{name} is required"):
        entrypoint.database_url()


def test_unreadable_secret_is_named(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret that is not mounted is named with its path, never with a value."""
    monkeypatch.setenv("DB_PASSWORD_FILE", "/secrets/absent/value")

    with pytest.raises(SystemExit, match="DB_PASSWORD_FILE=/secrets/absent/value"):
        entrypoint.database_url()


def test_unknown_auth_mode_is_refused(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt mode must not leave the door open."""
    monkeypatch.setenv("AUTH_MODE", "basci")

    with pytest.raises(SystemExit, match="'basci'; known: none, basic"):
        entrypoint.with_basic_auth()


def test_unknown_command_is_refused(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt command lists the known ones."""
    monkeypatch.setattr(sys, "argv", ["entrypoint.py", "migrat"])

    with pytest.raises(SystemExit, match="'migrat'; known: serve, migrate"):
        entrypoint.main()
