"""What the tracking server's entrypoint refuses, and how it builds what it hands to MLflow."""

import configparser
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
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
        "DB_ENGINE": "postgresql",
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


def test_any_password_survives_the_url_of_mysql(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The driver is named, the socket is a file there, and text is whole Unicode."""
    from urllib.parse import unquote, urlsplit

    monkeypatch.setenv("DB_ENGINE", "mysql")

    url = urlsplit(entrypoint.database_url())

    assert unquote(url.password or "") == AWKWARD
    assert url.scheme == "mysql+pymysql"
    assert url.query == "unix_socket=/cloudsql/p:europe-west1:pool&charset=utf8mb4"


def test_an_unknown_engine_is_refused(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt engine lists the known ones."""
    monkeypatch.setenv("DB_ENGINE", "mariadb")

    with pytest.raises(SystemExit, match="'mariadb'; known: postgresql, mysql"):
        entrypoint.database_url()


def test_mlflows_login_is_not_kept_in_mysql(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its first migration fails there, half done; so nothing is begun."""
    monkeypatch.setenv("DB_ENGINE", "mysql")

    with pytest.raises(SystemExit, match="basic needs DB_ENGINE postgresql"):
        entrypoint.with_basic_auth()


def test_auth_config_survives_configparser(entrypoint: ModuleType, tmp_path: Path) -> None:
    """Percent signs are doubled, or MLflow's configparser would refuse the file."""
    entrypoint.write_auth_config()

    config = configparser.ConfigParser()
    config.read(tmp_path / "basic_auth.ini")

    assert config["mlflow"]["admin_password"] == "admin-" + AWKWARD
    assert config["mlflow"]["database_uri"] == entrypoint.database_url(entrypoint.AUTH_SCHEMA)


def test_auth_config_takes_no_second_line(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """What stands behind a line break would be another setting of MLflow's."""
    password = tmp_path / "password"
    password.write_text("known\ndefault_permission = MANAGE\n")
    monkeypatch.setenv("MLFLOW_AUTH_ADMIN_PASSWORD_FILE", str(password))

    with pytest.raises(SystemExit, match="admin_password must be one line"):
        entrypoint.write_auth_config()


def test_auth_config_is_for_this_process_only(entrypoint: ModuleType, tmp_path: Path) -> None:
    """The file holds the admin's password, so no other user may read it."""
    entrypoint.write_auth_config()

    assert (tmp_path / "basic_auth.ini").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["DB_ENGINE", "DB_USER", "DB_NAME", "CLOUD_SQL_INSTANCE"])
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


@pytest.fixture
def served(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., list[str]]:
    """Serves from a database that is as the image needs it; returns the command it becomes."""
    became: list[str] = []
    (tmp_path / "head").write_text("abc\n")
    monkeypatch.setattr(entrypoint, "SCHEMA_HEAD", tmp_path / "head")
    monkeypatch.setattr(entrypoint, "database_revision", lambda _url: "abc")
    monkeypatch.setattr(os, "execv", lambda _program, command: became.extend(command))
    monkeypatch.setenv("MLFLOW_ARTIFACTS_DESTINATION", "gs://bucket/artifacts")

    def serve(**settings: str) -> list[str]:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        entrypoint.serve()
        return became

    return serve


@pytest.mark.parametrize(("version", "interface"), [("3.17.2", "asgi"), ("2.22.5", "wsgi")])
def test_the_server_speaks_both_kinds_of_http(
    served: Callable[..., list[str]], version: str, interface: str
) -> None:
    """HTTP/2 lifts the limit of 32 MiB; Cloud Run's probes come over HTTP/1."""
    command = served(MLFLOW_VERSION=version, PORT="8080")

    assert command[command.index("--http") + 1] == "auto"
    assert command[command.index("--interface") + 1] == interface
    assert command[-1] == f"server:{interface}"


@pytest.mark.parametrize(("mode", "factory"), [("basic", True), ("none", False)])
def test_the_login_is_in_front_when_it_was_asked_for(
    served: Callable[..., list[str]], mode: str, factory: bool
) -> None:
    """Which application is served decides whether MLflow asks who calls."""
    served(MLFLOW_VERSION="3.17.2", AUTH_MODE=mode)

    assert (os.environ["MLFLOW_APPLICATION"] == "mlflow.server.auth:create_app") is factory
    assert os.environ["AUTH_MODE"] == mode


def test_no_password_is_among_the_arguments(served: Callable[..., list[str]]) -> None:
    """Arguments show in process lists; the database's address is handed on by variable."""
    command = served(MLFLOW_VERSION="3.17.2")

    assert AWKWARD not in " ".join(command)
    assert not any("postgresql" in word for word in command)
    assert os.environ["_MLFLOW_SERVER_FILE_STORE"].startswith("postgresql+psycopg2://")


@pytest.mark.parametrize(
    ("given", "way", "parts"),
    [
        ({}, "http2", "false"),
        ({"ARTIFACT_UPLOADS": "http2"}, "http2", "false"),
        ({"ARTIFACT_UPLOADS": "signed_parts"}, "signed_parts", "true"),
    ],
)
def test_big_artifacts_come_the_way_that_was_asked_for(
    served: Callable[..., list[str]], given: dict[str, str], way: str, parts: str
) -> None:
    """Whole over HTTP/2 unless the platform speaks HTTP/1; MLflow's own switch agrees."""
    served(MLFLOW_VERSION="3.17.2", **given)

    assert os.environ["ARTIFACT_UPLOADS"] == way
    assert os.environ["MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD"] == parts


def test_an_unknown_way_for_big_artifacts_is_refused(served: Callable[..., list[str]]) -> None:
    """A misspelt one would only show at the end of the first long training."""
    with pytest.raises(SystemExit, match="'signed-parts'; known: http2, signed_parts"):
        served(MLFLOW_VERSION="3.17.2", ARTIFACT_UPLOADS="signed-parts")


def test_an_mlflow_of_another_family_is_refused(served: Callable[..., list[str]]) -> None:
    """What MLflow 4 wants is not known yet."""
    with pytest.raises(SystemExit, match="MLflow 4 is unknown; known: 2, 3"):
        served(MLFLOW_VERSION="4.0.0")


def test_unknown_command_is_refused(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A misspelt command lists the known ones."""
    monkeypatch.setattr(sys, "argv", ["entrypoint.py", "migrat"])

    with pytest.raises(SystemExit, match="'migrat'; known: serve, migrate"):
        entrypoint.main()
