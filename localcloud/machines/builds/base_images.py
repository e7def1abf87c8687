"""What a Dockerfile can start from: a tree and its configuration, of this machine's Python or empty."""

import importlib.util
import re
import shutil
import subprocess
import sys
import uuid
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path

from localcloud.machines import box
from localcloud.machines.builds.contract import StepFailed
from localcloud.machines.stand_in_images import ENTRYPOINT, OAUTH2_PROXY, lay_out

PYTHON = "/opt/python"
PYTHON_IMAGE = re.compile(
    r"(?:docker\.io/)?(?:library/)?python"
    r"(?::(?:\d+(?:\.\d+){0,2}(?:-slim)?(?:-(?:trixie|bookworm|bullseye))?|slim|latest))?"
)
SYSTEM_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
VERSION = ".".join(str(part) for part in sys.version_info[:3])


@dataclass
class Image:
    """A stage being built, and in the end the image."""

    root: Path
    env: dict[str, str] = field(default_factory=lambda: {"PATH": SYSTEM_PATH})
    entrypoint: list[str] | None = None
    command: list[str] | None = None
    workdir: str = "/"
    user: str = ""
    ports: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)

    def config(self) -> dict[str, object]:
        """Return the configuration as a container runtime reads it."""
        return {
            "Entrypoint": self.entrypoint,
            "Cmd": self.command,
            "Env": [f"{key}={value}" for key, value in self.env.items()],
            "WorkingDir": self.workdir,
            "User": self.user,
            "ExposedPorts": {port: {} for port in self.ports},
            "Labels": self.labels,
        }

    def copy(self, root: Path) -> "Image":
        """Return the same image with a tree of its own at ``root``."""
        copy_tree(self.root, root)
        return replace(
            self, root=root, env=dict(self.env), ports=list(self.ports), labels=dict(self.labels)
        )


def interpreter() -> Path:
    """Return this machine's Python itself, not the virtual environment that may run us."""
    return Path(getattr(sys, "_base_executable", sys.executable)).resolve()


def base(name: str, bases: Path, root: Path) -> Image | None:
    """Return the base image ``name`` with its tree at ``root``, or None when there is none."""
    if name == "scratch":
        root.mkdir(parents=True)
        return Image(root)
    if OAUTH2_PROXY.fullmatch(name):
        root.mkdir(parents=True)
        lay_out(root, interpreter())
        return Image(root, entrypoint=[ENTRYPOINT], user="65532")
    if not PYTHON_IMAGE.fullmatch(name):
        return None
    copy_tree(python_base(bases), root)
    env = {"PATH": f"{PYTHON}/bin:{SYSTEM_PATH}", "LANG": "C.UTF-8", "PYTHON_VERSION": VERSION}
    return Image(root, env, command=["python3"])


def python_base(bases: Path) -> Path:
    """Return the tree of python:X-slim, made once: a virtual environment that lives at /opt/python."""
    tree = bases / f"python-{VERSION}"
    if tree.exists():
        return tree
    fresh = bases / f"new-{uuid.uuid4().hex}"
    place = fresh / PYTHON.lstrip("/")
    place.mkdir(parents=True)
    try:
        made = subprocess.run(
            box.argv(
                [str(interpreter()), "-m", "venv", "--without-pip", PYTHON], binds={PYTHON: place}
            ),
            env={"PATH": SYSTEM_PATH, "HOME": "/"},
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            raise StepFailed(f"cannot make the base image: {made.stdout}{made.stderr}")
        _add_pip(place)
        try:
            fresh.rename(tree)
        except OSError:
            if not tree.exists():  # another build was first, which is as good
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
    return tree


def _add_pip(place: Path) -> None:
    """Install pip by unpacking it: the wheel that comes with Python, or the pip of our own."""
    libraries = next(place.glob("lib/python*/site-packages"))
    if (wheel := _bundled_pip()) is not None:
        with zipfile.ZipFile(wheel) as packed:
            packed.extractall(libraries)
    elif (own := _folder("pip")) is not None:
        for found in (own, *own.parent.glob("pip-*.dist-info")):
            shutil.copytree(found, libraries / found.name)
    else:
        raise StepFailed("cannot make the base image: this machine's Python has no pip to give it")
    call = "import sys\nfrom pip._internal.cli.main import main\n\nsys.exit(main())\n"
    for name in ("pip", "pip3"):
        script = place / "bin" / name
        script.write_text(f"#!{PYTHON}/bin/python\n{call}")
        script.chmod(0o755)


def _bundled_pip() -> Path | None:
    ensurepip = _folder("ensurepip")
    return None if ensurepip is None else next(ensurepip.glob("_bundled/pip-*.whl"), None)


def _folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent


def copy_tree(source: Path, target: Path) -> None:
    """Copy a tree with its owners, modes and links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)
