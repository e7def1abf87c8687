"""How the entrypoint gets its secrets where the platform cannot mount them as files."""

import importlib
import itertools
import os
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from localcloud.cloud import Cloud

READ = "secretmanager.projects.secrets.versions.access"
AWKWARD = "p@ss:w/o%rd#1?&+ x$y\"z'=\\`é"
READER = "roles/secretmanager.secretAccessor"

NUMBERS = itertools.count(1)

Kept = Callable[[str, bytes], str]


@pytest.fixture
def pauses() -> list[float]:
    """How long was waited between tries."""
    return []


@pytest.fixture
def entrypoint(
    cloud: Cloud, account: str, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> Iterator[ModuleType]:
    """The entrypoint, where the platform says who it is; nobody waits for real."""
    for name in [name for name in os.environ if "PROXY" in name.upper()]:
        monkeypatch.delenv(name)
    for name, value in cloud.environment(account).items():
        monkeypatch.setenv(name, value)
    # urllib looks at the variables once, when it is first used.
    monkeypatch.setattr(urllib.request, "_opener", None)
    stored = importlib.reload(importlib.import_module("stored_secrets"))
    monkeypatch.setattr(stored.time, "sleep", pauses.append)
    yield importlib.reload(importlib.import_module("entrypoint"))
    assert cloud.unused_faults() == {}


@pytest.fixture
def version(cloud: Cloud, account: str, kept: Kept) -> str:
    """A secret that the server's account may read."""
    name = kept(f"secret-{next(NUMBERS)}", AWKWARD.encode() + b"\n")
    cloud.grant(f"serviceAccount:{account}", READER)
    return name


def test_any_secret_arrives_as_it_is(
    entrypoint: ModuleType, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever characters it has; as from a file, the last line's end is none of it."""
    monkeypatch.setenv("DB_PASSWORD_SECRET", version)

    assert entrypoint.secret("DB_PASSWORD") == AWKWARD


@pytest.mark.parametrize("status", [403, 404, 503])
def test_a_right_given_a_moment_ago_is_waited_for(
    cloud: Cloud,
    entrypoint: ModuleType,
    version: str,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
    capsys: pytest.CaptureFixture[str],
    kept: Kept,
    status: int,
) -> None:
    """Google's permissions take a while to be known; the log says what is waited for."""
    del version  # the right to read
    name = kept(f"late-{status}", b"value")
    cloud.fail(READ, status, message="not yet", times=2)
    monkeypatch.setenv("DB_PASSWORD_SECRET", name)

    assert entrypoint.secret("DB_PASSWORD") == "value"
    assert pauses == [1, 2]
    assert f"{name}: secretmanager.googleapis.com answered {status}: not yet" in (
        capsys.readouterr().err
    )


def test_what_was_read_is_not_asked_for_again(
    entrypoint: ModuleType, version: str, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    """The database's password is needed for more than one URL."""
    monkeypatch.setenv("DB_PASSWORD_SECRET", version)
    entrypoint.secret("DB_PASSWORD")
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:9")

    assert entrypoint.secret("DB_PASSWORD") == AWKWARD
    assert pauses == []


def test_without_the_right_the_secret_is_named(
    cloud: Cloud, entrypoint: ModuleType, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a minute of tries it stops, with the name, Google's reason and no value."""
    cloud.fail(READ, 403, message="denied to you", times=7)
    monkeypatch.setenv("DB_PASSWORD_SECRET", version)

    with pytest.raises(SystemExit) as stopped:
        entrypoint.secret("DB_PASSWORD")

    assert f"DB_PASSWORD_SECRET={version}: secretmanager.googleapis.com answered 403: denied" in (
        str(stopped.value)
    )
    assert AWKWARD not in str(stopped.value)


def test_a_secret_that_is_missing_is_named(
    entrypoint: ModuleType,
    version: str,
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
) -> None:
    """With Google's words, after trying for a minute."""
    absent = version.replace("/versions/1", "-none/versions/1")
    monkeypatch.setenv("DB_PASSWORD_SECRET", absent)

    with pytest.raises(SystemExit, match=r"-none/versions/1: .* answered 404: .*not found"):
        entrypoint.secret("DB_PASSWORD")

    assert pauses == [1, 2, 4, 8, 15, 30]


def test_a_version_that_is_destroyed_is_not_waited_for(
    entrypoint: ModuleType,
    version: str,
    ask: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    pauses: list[float],
) -> None:
    """Nothing brings it back."""
    ask("POST", f"secretmanager.googleapis.com/v1/{version}:destroy", {})
    monkeypatch.setenv("DB_PASSWORD_SECRET", version)

    with pytest.raises(SystemExit, match=r"answered 400: .*DESTROYED"):
        entrypoint.secret("DB_PASSWORD")

    assert pauses == []


def test_a_secret_that_is_no_text_is_not_quoted(
    entrypoint: ModuleType, version: str, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error of the decoder would show what was read."""
    del version
    monkeypatch.setenv("DB_PASSWORD_SECRET", kept("no-text", b"hush\xff"))

    with pytest.raises(SystemExit, match="not text in the expected form") as stopped:
        entrypoint.secret("DB_PASSWORD")

    assert "hush" not in str(stopped.value)


def test_where_there_is_no_metadata_server_it_says_so(
    entrypoint: ModuleType, version: str, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    """A container elsewhere than on Google Cloud has no account to read with."""
    monkeypatch.setenv("GCE_METADATA_HOST", "127.0.0.1:9")
    monkeypatch.setenv("DB_PASSWORD_SECRET", version)

    with pytest.raises(SystemExit, match=r"127\.0\.0\.1:9 cannot be reached: .*Connection refused"):
        entrypoint.secret("DB_PASSWORD")

    assert len(pauses) == 6


@pytest.mark.parametrize(
    "name",
    [
        "hunter2",
        "projects/p/secrets/s",
        "projects/p/secrets/s/versions/latest",
        "projects/p/secrets/s/versions/1:access",
        "//x/projects/p/secrets/s/versions/1",
    ],
)
def test_only_a_pinned_version_is_a_secret(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Two instances of a service must not read different values; nothing else is asked for."""
    monkeypatch.setenv("DB_PASSWORD_SECRET", name)

    with pytest.raises(SystemExit, match="projects/PROJECT/secrets/SECRET/versions/NUMBER"):
        entrypoint.secret("DB_PASSWORD")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({}, "neither is set"),
        ({"X_FILE": "/x", "X_SECRET": "projects/p/secrets/s/versions/1"}, "not both"),
        ({"X_FILE": "", "X_SECRET": ""}, "neither is set"),
    ],
)
def test_a_secret_comes_from_exactly_one_place(
    entrypoint: ModuleType, monkeypatch: pytest.MonkeyPatch, given: dict[str, str], problem: str
) -> None:
    """Both would leave open which one counts."""
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    with pytest.raises(SystemExit, match=rf"X_FILE.* or from X_SECRET.*\({problem}\)"):
        entrypoint.secret("X")


def test_every_secret_may_come_from_there(
    entrypoint: ModuleType,
    version: str,
    kept: Kept,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Also MLflow's own password and session key."""
    del version
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    for name, value in {
        "DB_ENGINE": "postgresql",
        "DB_USER": "demo",
        "DB_NAME": "demo",
        "CLOUD_SQL_INSTANCE": "p:r:i",
        "MLFLOW_AUTH_ADMIN_USERNAME": "admin",
        "DB_PASSWORD_SECRET": kept("every-db", b"one"),
        "MLFLOW_AUTH_ADMIN_PASSWORD_SECRET": kept("every-admin", b"two"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY_SECRET": kept("every-key", b"three"),
        "MLFLOW_FLASK_SERVER_SECRET_KEY": "",
        "MLFLOW_AUTH_CONFIG_PATH": "",
    }.items():
        monkeypatch.setenv(name, value)

    entrypoint.write_auth_config()

    config = (tmp_path / "basic_auth.ini").read_text()
    assert "demo:one@" in config
    assert "admin_password = two" in config
    assert os.environ["MLFLOW_FLASK_SERVER_SECRET_KEY"] == "three"
