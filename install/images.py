"""What images are built from: one archive per offered MLflow version, and one of oauth2-proxy."""

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
    "database_check.py",
    "login_scheme.py",
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
PROXY = "oauth2-proxy"
PROXY_VERSION = re.compile(r"^FROM \S+:v([0-9]+\.[0-9]+\.[0-9]+)\b", re.MULTILINE)

FIRST_PAGE = """<!doctype html>
<meta charset="utf-8">
<title>Berth</title>
<p>The MLflow tracking servers of this project have addresses of their own.</p>
"""


@dataclass(frozen=True)
class Source:
    """The files of one version's image, by their names in the archive."""

    version: str
    files: dict[str, bytes]
    package: str = "tracking-server"

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
        return f"images/{self.package}-{self.digest}.tar.gz"

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


def proxy_source(root: Path) -> Source:
    """Return the source of oauth2-proxy's image: every file in its folder under `root`.

    Raises:
        InstallError: There is none, or it does not say of which release it is.
    """
    folder = root / "images" / PROXY
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in {".md", ".pyc"}
    }
    found = PROXY_VERSION.search(files.get("Dockerfile", b"").decode())
    if found is None:
        raise InstallError(f"no Dockerfile in {folder} that names a release: FROM IMAGE:vX.Y.Z")
    return Source(found[1], files, PROXY)


def first_page(names: Names) -> Upload:
    """Return the row that puts the page of the application's first service into the bucket.

    App Engine wants a service `default` before any other; this page is all that it has to show.
    """
    return Upload(
        bucket=names.source,
        name="app-engine/index.html",
        content=FIRST_PAGE.encode(),
        content_type="text/html",
    )
