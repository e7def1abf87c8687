"""A build's /tmp in memory: only where there is plenty, and given back."""

from pathlib import Path

import pytest

from localcloud.machines.builds import build_memory


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a directory stand for shared memory: the machine's own is not ours to fill."""
    place = tmp_path / "shm"
    place.mkdir()
    monkeypatch.setattr(build_memory, "SHARED_MEMORY", place)
    return place


def test_memory_is_used_where_there_is_plenty(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two builds have a directory each; the last one to go takes the common one along."""
    monkeypatch.setattr(build_memory, "ENOUGH", 0)
    first = build_memory.temporary(tmp_path, "a")
    second = build_memory.temporary(tmp_path, "b")
    assert first is not None
    assert second is not None
    assert first.is_relative_to(shared)

    build_memory.discard(tmp_path, "a")
    assert (first.exists(), second.exists()) == (False, True)
    build_memory.discard(tmp_path, "b")
    assert list(shared.iterdir()) == []


def test_scarce_memory_is_left_alone(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where it could run out, the disk is used."""
    monkeypatch.setattr(build_memory, "ENOUGH", 1 << 60)
    assert build_memory.temporary(tmp_path, "a") is None
    assert list(shared.iterdir()) == []


def test_a_machine_without_shared_memory(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such directory is not an error."""
    monkeypatch.setattr(build_memory, "SHARED_MEMORY", shared / "none")
    assert build_memory.temporary(tmp_path, "a") is None


def test_another_clouds_builds_are_not_touched(
    shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two state directories have nothing in common."""
    del shared
    monkeypatch.setattr(build_memory, "ENOUGH", 0)
    other = build_memory.temporary(tmp_path / "other", "a")
    assert other is not None
    build_memory.discard(tmp_path)
    assert other.exists()
