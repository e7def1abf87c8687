"""The workspace of a build: archives are unpacked into it and nowhere else."""

import io
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from localcloud.machines.builds import workspace
from localcloud.machines.builds.contract import StepFailed


def packed(target: Path, *members: tarfile.TarInfo) -> Path:
    """Write an archive with these members."""
    with tarfile.open(target, "w:gz") as archive:
        for member in members:
            archive.addfile(member, io.BytesIO(b"x" * member.size))
    return target


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    """Describe a member of an archive."""
    found = tarfile.TarInfo(name)
    found.type, found.linkname = kind, link
    found.size = 1 if kind == tarfile.REGTYPE else 0
    return found


@pytest.mark.parametrize(
    "bad",
    [
        member("../out"),
        member("/out"),
        member("a/../../out"),
        member("link", tarfile.SYMTYPE, "../out"),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.LNKTYPE, "../out"),
        member("device", tarfile.CHRTYPE),
    ],
)
def test_an_archive_writes_nowhere_else(tmp_path: Path, bad: tarfile.TarInfo) -> None:
    """Whatever an archive is called to do outside is refused, and nothing is unpacked."""
    target = tmp_path / "in" / "workspace"
    target.mkdir(parents=True)
    archive = packed(tmp_path / "a.tgz", member("good"), bad)
    with pytest.raises(tarfile.TarError):
        workspace.unpack(archive, target)
    assert list(target.iterdir()) == []


def test_both_kinds_of_archive(tmp_path: Path) -> None:
    """A zip keeps what can be executed executable."""
    target = tmp_path / "workspace"
    target.mkdir()
    workspace.unpack(packed(tmp_path / "a.tgz", member("d/one")), target)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("two.sh")
        info.external_attr = 0o755 << 16
        archive.writestr(info, "x")
    workspace.unpack(tmp_path / "a.zip", target)
    assert (target / "d" / "one").read_text() == "x"
    assert (target / "two.sh").stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize("path", ["..", "a/../../b", "/etc", "/workspace/../etc"])
def test_paths_of_steps_stay_inside(tmp_path: Path, path: str) -> None:
    """A build context outside is refused."""
    with pytest.raises(StepFailed, match="is outside of /workspace"):
        workspace.within(tmp_path, path, tmp_path)


def test_absolute_paths_are_the_workspaces(tmp_path: Path) -> None:
    """Steps know the workspace by its name."""
    assert workspace.within(tmp_path, "/workspace/a", tmp_path) == tmp_path / "a"
    assert workspace.directory(tmp_path, "sub") == tmp_path / "workspace" / "sub"
