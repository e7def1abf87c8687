"""MLflow as the image has it: its locked packages and ours, kept between test runs."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

IMAGE = Path(__file__).parents[2] / "images" / "tracking-server"


def uv(*words: str) -> None:
    """Run uv; show what it says when it fails."""
    program = Path(sys.executable).parent / "uv"
    ended = subprocess.run([program, *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr


def interpreter(version: str, kept: Path) -> Path:
    """Return the Python of an environment below *kept* with the packages locked for a version."""
    lock = IMAGE / "requirements" / f"{version}.txt"
    digest = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    place = kept / f"{version}-{digest}"
    if not place.exists():
        # Under another name until it is whole: somebody may interrupt the tests.
        begun = kept / f"{version}-{digest}.{os.getpid()}"
        uv("venv", "-q", "--relocatable", "--python", sys.executable, str(begun))
        options = ("--no-deps", "--require-hashes", "-r", str(lock))
        uv("pip", "install", "-q", "--python", str(begun / "bin" / "python"), *options)
        begun.rename(place)
    return place / "bin" / "python"


def our_package(folder: Path) -> Path:
    """Install what MLflow finds our repository by, as the image does, and return where it is."""
    target = folder / "artifacts"
    uv("pip", "install", "-q", "--no-deps", "--target", str(target), str(IMAGE / "artifacts"))
    return target
