"""One gcloud process that runs many commands against a served local cloud."""

from __future__ import annotations

import functools
import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Self

from localcloud.cloud import OWNER
from localcloud.command_line.gcloud_settings import credentials_file, gcloud_settings

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

CHILD = Path(__file__).with_name("child.py")


@dataclass(frozen=True)
class Seen:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


class Shell:
    """Types gcloud commands as the project's owner, in a folder."""

    def __init__(self, cloud: Cloud, folder: Path) -> None:
        """Start gcloud's Python with gcloud's library."""
        python, root, packages = _installation()
        self._process = subprocess.Popen(
            [python, *([] if packages else ["-S"]), str(CHILD), f"{root}/lib"],
            cwd=folder,
            env=_environment(cloud, folder)
            | {"CLOUDSDK_ROOT_DIR": root}
            | ({"CLOUDSDK_PYTHON_SITEPACKAGES": "1"} if packages else {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        """Give the shell."""
        return self

    def __exit__(self, *_: object) -> None:
        """End gcloud."""
        self._process.communicate(timeout=30)

    def run(self, words: list[str], *, given: str = "") -> Seen:
        """Run one command, with something on its standard input."""
        streams = self._process.stdin, self._process.stdout
        assert streams[0] is not None
        assert streams[1] is not None
        streams[0].write(json.dumps({"words": words, "given": given}) + "\n")
        streams[0].flush()
        line = streams[1].readline()
        assert line, f"gcloud died of {words}"
        return Seen(**json.loads(line))


@functools.cache
def _installation() -> tuple[str, str, bool]:
    """Ask gcloud for its Python, where it is, and whether it takes that Python's packages."""
    gcloud = shutil.which("gcloud")
    assert gcloud is not None
    said = subprocess.run(
        [gcloud, "info", "--format=json"], capture_output=True, text=True, check=True
    )
    info = json.loads(said.stdout)
    basic = info["basic"]
    return basic["python_location"], info["config"]["paths"]["sdk_root"], basic["site_packages"]


def _environment(cloud: Cloud, folder: Path) -> dict[str, str]:
    """Give gcloud what ``python -m localcloud env`` exports for it."""
    assert cloud.serving is not None
    file = folder / ".credentials"
    file.write_text(credentials_file(cloud.tokens.refresh_token(OWNER)))
    running = SimpleNamespace(project=cloud.project, region=cloud.region, port=cloud.serving.port)
    settings = gcloud_settings(
        running,
        folder / ".gcloud",
        account=OWNER,
        credentials=file,
        bundle=cloud.serving.bundle,
    )
    machine = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    # one process: starting more of them takes longer than a small file does
    return {
        **machine,
        **cloud.environment(OWNER),
        **settings,
        "CLOUDSDK_STORAGE_PROCESS_COUNT": "1",
    }
