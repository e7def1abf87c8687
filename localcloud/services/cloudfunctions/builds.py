"""Builds a function: unpacks its source, installs its requirements and nothing else."""

from __future__ import annotations

import compileall
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, invalid
from localcloud.machines.containers.container_images import PLAIN_USER
from localcloud.services.cloudfunctions import sources

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.store import Resource

RUNTIMES = ("python310", "python311", "python312", "python313", "python314")
"""What can be asked for; everything runs on this machine's own Python."""

_SOURCE_FILE = "GOOGLE_FUNCTION_SOURCE"
_KNOWN_VARIABLES = frozenset({_SOURCE_FILE, "GOOGLE_FUNCTION_TARGET"})
_LOCK = threading.Lock()
_INSTALL_SECONDS = 900
_SHOWN_LINES = 25
_ENV, _SOURCE = "/layers/venv", "/workspace"


class BuildError(ApiError):
    """The build failed; the message is what the function's state says."""

    def __init__(self, message: str) -> None:
        super().__init__(400, f"Build failed with status: FAILURE and message: {message}")


def check_runtime(runtime: str | None) -> None:
    """Refuse a runtime that does not exist, or that only exists on Google's side."""
    if not runtime:
        raise invalid("Invalid value for build_config.runtime: must be set")
    if runtime not in RUNTIMES:
        raise invalid(f"Runtime {runtime} is not supported here; these are: {', '.join(RUNTIMES)}")


def check_variables(variables: Resource) -> None:
    """Refuse build variables that mean something to Google's builder and nothing here."""
    for name in variables:
        if name.startswith("GOOGLE_") and name not in _KNOWN_VARIABLES:
            raise ApiError(
                501, f"build_config.environment_variables: {name} has no local counterpart."
            )


def check_account(cloud: Cloud, function: Resource, account: str) -> None:
    """Raise unless the build's account may read the source, push the image and write its log."""
    _, project, _, region, _, short = function["name"].split("/")
    source = f"gcf-v2-sources-{cloud.number}-{region}/objects/{short}/function-source.zip"
    needs = (
        ("storage", "objects.get", f"projects/_/buckets/{source}"),
        (
            "artifactregistry",
            "repositories.uploadArtifacts",
            f"projects/{project}/locations/{region}/repositories/gcf-artifacts",
        ),
        ("logging", "logEntries.create", f"projects/{project}"),
    )
    for api, what, resource in needs:
        permission = f"{api}.{what}"
        if not cloud.iam.allowed(f"serviceAccount:{account}", permission, api, resource):
            raise BuildError(
                "Could not build the function due to a missing permission on the build service "
                f"account. If you didn't revoke that permission explicitly, this could be caused by "
                f"a change in the organization policies. {account} lacks {permission} on {resource}."
            )


def build(cloud: Cloud, function: Resource, account: str, reference: str) -> str:
    """Build the function's image under *reference*; returns its digest."""
    check_account(cloud, function, account)
    config = function["buildConfig"]
    folder = cloud.state / "functions"
    source, digest = _unpack(cloud, config["source"]["storageSource"], account, folder / "sources")
    variables = config.get("environmentVariables", {})
    main = variables.get(_SOURCE_FILE, "main.py")
    if main != "main.py" and not (source / main).is_file():
        raise BuildError(f"{_SOURCE_FILE} specified file {main!r} but it does not exist")
    if not (source / main).exists():
        raise BuildError(
            "missing main.py and GOOGLE_FUNCTION_SOURCE not specified. Either create the function "
            "in main.py or specify GOOGLE_FUNCTION_SOURCE to point to the file that contains the "
            "function"
        )
    # On paper nothing runs, so nothing needs to be installed.
    paper = cloud.machines.kind == "paper"
    environment = folder if paper else _environment(source, folder / "environments", variables)
    whole = f"{digest} {environment.name} {config['entryPoint']} {main}"
    image = f"sha256:{hashlib.sha256(whole.encode()).hexdigest()}"
    record = {
        "digest": image,
        "binds": {_SOURCE: str(source), _ENV: str(environment)},
        "config": {
            "Entrypoint": [f"{_ENV}/bin/python", "-m", "functions_framework"],
            "WorkingDir": _SOURCE,
            "Env": [
                f"PATH={_ENV}/bin:/usr/local/bin:/usr/bin:/bin",
                "PYTHONUNBUFFERED=1",
                f"FUNCTION_SOURCE={main}",
                "HOME=/tmp",  # gunicorn writes there, and there only can be written
            ],
            "User": str(PLAIN_USER),
        },
    }
    store = cloud.store.of("cloudfunctions")
    repository = reference.rpartition(":")[0]
    for name in (reference, f"{repository}@{image}"):
        store.put(f"images/{name}", record)
    return image


def _unpack(cloud: Cloud, source: Resource, account: str, folder: Path) -> tuple[Path, str]:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as new:
        archive = Path(new) / "source.zip"
        sources.fetch(cloud, source, account, archive)
        with archive.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        target = folder / digest
        if target.exists():
            return target, digest
        try:
            with zipfile.ZipFile(archive) as packed:
                packed.extractall(Path(new) / "tree")
        except zipfile.BadZipFile:
            raise BuildError("the source is not a zip archive") from None
        tree = Path(new) / "tree"
        # A function starts cold: what can be compiled now need not be then.
        compileall.compile_dir(tree, quiet=2, stripdir=str(tree), prependdir=_SOURCE, workers=1)
        try:
            tree.rename(target)
        except OSError:
            # Another function is deployed from the same source at the same moment.
            if not target.exists():
                raise
    target.chmod(0o755)
    return target, digest


def _environment(source: Path, folder: Path, variables: Resource) -> Path:
    """Return the Python environment for the source's requirements, made if it is new."""
    requirements = source / "requirements.txt"
    text = requirements.read_text() if requirements.exists() else ""
    # what is installed may depend on the build's variables: a setup.py can read them
    whole = [
        sys.version,
        sys.base_prefix,
        text,
        *(f"{k}={v}" for k, v in sorted(variables.items())),
    ]
    key = hashlib.sha256("\n".join(whole).encode()).hexdigest()[:24]
    target = folder / key
    # One at a time: several functions of one source share the environment.
    with _LOCK:
        if not (target / "made").exists():
            shutil.rmtree(target, ignore_errors=True)
            folder.mkdir(parents=True, exist_ok=True)
            _uv("venv", "--quiet", "--python", _base_python(), str(target))
            if text.strip():
                python = str(target / "bin" / "python")
                # From within the source: a requirement may be a path relative to it.
                install = ("pip", "install", "--quiet", "--python", python, "--compile-bytecode")
                _uv(*install, "-r", str(requirements), cwd=source, variables=variables)
            if not _has_framework(target):
                shutil.rmtree(target)
                raise BuildError(
                    "functions-framework is not among the installed packages; add it to "
                    "requirements.txt"
                )
            (target / "made").touch()
    return target


def _has_framework(environment: Path) -> bool:
    return any(environment.glob("lib/python3*/site-packages/functions_framework/__init__.py"))


def _base_python() -> str:
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    return str(Path(sys.base_prefix) / "bin" / version)


def _uv(*arguments: str, cwd: Path | None = None, variables: Resource | None = None) -> None:
    beside = Path(sys.executable).parent / "uv"
    program = str(beside) if beside.exists() else shutil.which("uv")
    if program is None:
        raise BuildError("uv, which installs requirements, is not on this machine (pip install uv)")
    env = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    env |= variables or {}
    done = subprocess.run(
        [program, *arguments],
        env=env,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=_INSTALL_SECONDS,
        check=False,
    )
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines()[-_SHOWN_LINES:]
        raise BuildError("\n".join(["the requirements could not be installed:", *lines]))
