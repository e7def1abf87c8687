"""What is uploaded: the functions' zip and the images' sources."""

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from install.errors import InstallError
from install.functions import archive
from install.images import FILES, Source, sources

ROOT = Path(__file__).parents[2]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with a rule file, something to ship and something to keep at home."""
    for name in ("main.py", "functions/api.py", "notes/secret.txt", "functions/__pycache__/x.pyc"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# {name}\n", encoding="utf-8")
    (tmp_path / ".gcloudignore").write_text("/*\n!/main.py\n!/functions/\n__pycache__/\n")
    return tmp_path


def names(packed: bytes) -> list[str]:
    """Return what is in a zip."""
    return zipfile.ZipFile(io.BytesIO(packed)).namelist()


def test_the_zip_holds_what_the_rules_let_through(project: Path) -> None:
    """Anything not named in .gcloudignore stays at home."""
    assert names(archive(project)) == ["functions/api.py", "main.py"]


def test_the_zip_is_the_same_when_nothing_has_changed(project: Path) -> None:
    """Times and owners of files do not count, only names and contents."""
    before = archive(project)
    (project / "main.py").touch()
    (project / "notes" / "secret.txt").write_text("changed", encoding="utf-8")

    assert archive(project) == before


def test_the_zip_changes_with_a_file_in_it(project: Path) -> None:
    """One byte is enough."""
    before = archive(project)
    (project / "main.py").write_text("# other\n", encoding="utf-8")

    assert archive(project) != before


def test_without_rules_nothing_is_packed(project: Path) -> None:
    """Without .gcloudignore everything on the disk would be uploaded."""
    (project / ".gcloudignore").unlink()

    with pytest.raises(InstallError, match="gcloudignore"):
        archive(project)


def test_rules_that_let_no_program_through_are_refused(project: Path) -> None:
    """A zip without main.py would only fail minutes later, in the build."""
    (project / ".gcloudignore").write_text("/*\n")

    with pytest.raises(InstallError, match=r"main\.py"):
        archive(project)


def test_the_real_zip_is_small_and_holds_only_what_is_deployed() -> None:
    """No test, no document and no tool is shipped."""
    packed = archive(ROOT)
    folders = {name.split("/")[0] for name in names(packed)}

    assert folders == {"main.py", "requirements.txt", "schemas", "planner", "functions"}
    assert len(packed) < 1_000_000


def test_every_offered_version_has_a_source_of_its_own() -> None:
    """At least the newest 3.x and the last 2.x are offered, each with its own requirements."""
    found = sources(ROOT)

    assert [source.version.split(".")[0] for source in found] == ["2", "3"]
    for source in found:
        assert set(source.files) == {*FILES, f"requirements/{source.version}.txt"}


def test_a_source_is_named_by_its_content() -> None:
    """Same files, same name and same bytes; any change gives another name."""
    one = Source("1.0.0", {"Dockerfile": b"FROM a"})
    same = Source("1.0.0", {"Dockerfile": b"FROM a"})
    others = [
        Source("1.0.1", {"Dockerfile": b"FROM a"}),
        Source("1.0.0", {"Dockerfile": b"FROM b"}),
        Source("1.0.0", {"Dockerfil": b"eFROM a"}),
    ]

    assert one.digest == same.digest
    assert one.archive() == same.archive()
    assert one.digest not in {other.digest for other in others}


def test_a_source_can_be_unpacked() -> None:
    """It is a tar.gz with the files at its root, as Cloud Build expects."""
    source = sources(ROOT)[-1]

    with tarfile.open(fileobj=io.BytesIO(source.archive()), mode="r:gz") as unpacked:
        assert sorted(unpacked.getnames()) == sorted(source.files)


def test_without_a_version_there_is_nothing_to_offer(tmp_path: Path) -> None:
    """An installation that offers nothing is a mistake, and said to be one."""
    with pytest.raises(InstallError, match="no MLflow version"):
        sources(tmp_path)
