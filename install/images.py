"""What the tracking server's images are built from: one archive per offered MLflow version."""

import gzip
import hashlib
import io
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

from install.errors import InstallError
from install.names import Names
from install.rows import Upload

VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")
FILES = (
    "Dockerfile",
    "entrypoint.py",
    "stored_secrets.py",
    "server.py",
    "json_log.py",
    "log.json",
    "artifacts/pyproject.toml",
    "artifacts/berth_artifacts/__init__.py",
    "artifacts/berth_artifacts/google_api.py",
    "artifacts/berth_artifacts/multipart.py",
    "artifacts/berth_artifacts/repository.py",
    "artifacts/berth_artifacts/signing.py",
)


@dataclass(frozen=True)
class Source:
    """The files of one version's image, by their names in the archive."""

    version: str
    files: dict[str, bytes]

    @property
    def digest(self) -> str:
        """Return the name of the image: it changes whenever anything in it does."""
        total = hashlib.sha256(self.version.encode())
        for name, content in sorted(self.files.items()):
            total.update(f"\0{name}\0{len(content)}\0".encode())
            total.update(content)
        return total.hexdigest()[:12]

    @property
    def object(self) -> str:
        """Return the name of the archive in the source bucket."""
        return f"images/tracking-server-{self.digest}.tar.gz"

    def archive(self) -> bytes:
        """Return the .tar.gz, the same bytes for the same files."""
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, content in sorted(self.files.items()):
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                entry.mode = 0o644
                archive.addfile(entry, io.BytesIO(content))
        return gzip.compress(tar.getvalue(), mtime=0)

    def upload(self, names: Names) -> Upload:
        """Return the row that puts the archive into the source bucket."""
        return Upload(
            bucket=names.source,
            name=self.object,
            content=self.archive(),
            content_type="application/gzip",
            named_by_content=True,
        )


def sources(root: Path) -> list[Source]:
    """Return the sources under `root`, the project's folder, newest version last.

    Raises:
        InstallError: There is no version to offer.
    """
    folder = root / "images" / "tracking-server"
    versions = sorted(
        (
            path.stem
            for path in (folder / "requirements").glob("*.txt")
            if VERSION.fullmatch(path.stem)
        ),
        key=lambda version: tuple(map(int, version.split("."))),
    )
    if not versions:
        raise InstallError(f"no MLflow version to offer in {folder / 'requirements'}")
    common = {name: (folder / name).read_bytes() for name in FILES}
    return [
        Source(
            version,
            {
                **common,
                f"requirements/{version}.txt": (
                    folder / "requirements" / f"{version}.txt"
                ).read_bytes(),
            },
        )
        for version in versions
    ]
