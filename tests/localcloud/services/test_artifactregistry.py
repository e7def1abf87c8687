"""Artifact Registry's API: repositories, what lies in them, and who may see it (on paper)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from googleapiclient.errors import HttpError

from localcloud.machines.builds.contract import Built
from localcloud.machines.images import parse
from localcloud.services.artifactregistry.artifacts import PushRefused, push
from tests.localcloud.wire import OWNER, client

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud

P, R = "berth-local", "europe-west1"
PARENT = f"projects/{P}/locations/{R}"
NAME = f"{PARENT}/repositories/berth"
IMAGE = f"{R}-docker.pkg.dev/{P}/berth/server"


@pytest.fixture
def repositories(cloud: Cloud, clock: VirtualClock) -> Any:
    """Return Google's client with one repository."""
    cloud.enable("artifactregistry.googleapis.com")
    found = client(cloud, "artifactregistry", "v1").projects().locations().repositories()
    body = {"format": "DOCKER", "labels": {"managed-by": "berth"}}
    found.create(parent=PARENT, repositoryId="berth", body=body).execute()
    clock.run_until_idle()
    return found


def pushed(cloud: Cloud, folder: Path, tag: str, content: str, **config: Any) -> str:
    """Push an image with one file as the owner; return its digest."""
    root = folder / tag
    root.mkdir()
    (root / "file").write_text(content)
    reference = parse(f"{IMAGE}:{tag}")
    assert reference is not None
    return push(cloud, reference, Built(root, config), f"user:{OWNER}").digest


def code_of(call: Any) -> int:
    """Return the status of a refused call."""
    with pytest.raises(HttpError) as error:
        call.execute()
    return int(error.value.status_code)


def test_a_repository_is_made_by_an_operation(repositories: Any) -> None:
    """It says where images are pushed to."""
    found = repositories.get(name=NAME).execute()
    assert found["registryUri"] == f"{R}-docker.pkg.dev/{P}/berth"
    assert (found["format"], found["mode"]) == ("DOCKER", "STANDARD_REPOSITORY")
    assert repositories.list(parent=PARENT).execute()["repositories"] == [found]


@pytest.mark.parametrize(
    ("chosen", "body", "code"),
    [
        ("berth", {"format": "DOCKER"}, 409),
        ("Bad", {"format": "DOCKER"}, 400),
        ("", {"format": "DOCKER"}, 400),
        ("maven", {"format": "MAVEN"}, 501),
        ("remote", {"format": "DOCKER", "mode": "REMOTE_REPOSITORY"}, 501),
        ("labels", {"format": "DOCKER", "labels": {"Bad": "x"}}, 400),
        ("policy", {"format": "DOCKER", "cleanupPolicies": {"a": {"id": "b"}}}, 400),
    ],
)
def test_bad_repositories_are_refused(  # noqa: D103
    repositories: Any,
    chosen: str,
    body: dict[str, Any],
    code: int,
) -> None:
    assert code_of(repositories.create(parent=PARENT, repositoryId=chosen, body=body)) == code


def test_labels_can_be_changed_and_formats_not(repositories: Any) -> None:
    """A patch takes what its mask names."""
    body = {"labels": {"a": "b"}, "description": "x"}
    found = repositories.patch(name=NAME, updateMask="labels", body=body).execute()
    assert (found["labels"], "description" in found) == ({"a": "b"}, False)
    assert code_of(repositories.patch(name=NAME, updateMask="format", body=body)) == 400


def test_an_image_is_found_by_tag_and_digest(  # noqa: D103
    cloud: Cloud,
    repositories: Any,
    tmp_path: Path,
) -> None:
    one = pushed(cloud, tmp_path, "one", "1")
    two = pushed(cloud, tmp_path, "two", "2")
    packages = repositories.packages()
    tags = packages.tags().list(parent=f"{NAME}/packages/server").execute()["tags"]
    assert [tag["version"].rpartition("/")[2] for tag in tags] == [one, two]
    for reference in (f"{IMAGE}:one", f"{IMAGE}@{one}", f"{IMAGE}:x@{one}"):
        found = cloud.images.find(reference)
        assert (found.root / "file").read_text() == "1"
    for reference in (f"{IMAGE}:none", IMAGE, f"{IMAGE}@sha256:{'0' * 64}", "python:3.12"):
        assert cloud.images.find(reference) is None
    assert repositories.get(name=NAME).execute()["sizeBytes"] == "2"


def test_equal_content_has_an_equal_digest(cloud: Cloud, repositories: Any, tmp_path: Path) -> None:
    """Times and compiled files do not count; content, modes and configuration do."""
    del repositories
    first = pushed(cloud, tmp_path, "a", "same")
    assert pushed(cloud, tmp_path, "b", "same") == first
    assert pushed(cloud, tmp_path, "c", "other") != first
    assert pushed(cloud, tmp_path, "d", "same", Cmd=["x"]) != first
    found = cloud.images.find(f"{IMAGE}:a")
    assert found == cloud.images.find(f"{IMAGE}:b")
    assert found.root.is_dir()


def test_a_moved_tag_leaves_the_old_version(  # noqa: D103
    cloud: Cloud,
    repositories: Any,
    tmp_path: Path,
) -> None:
    old = pushed(cloud, tmp_path, "latest", "1")
    (tmp_path / "latest").mkdir(exist_ok=True)
    (tmp_path / "latest").rmdir()
    new = pushed(cloud, tmp_path, "latest", "2")
    assert cloud.images.find(IMAGE).digest == new
    assert cloud.images.find(f"{IMAGE}@{old}").digest == old

    body = {"dockerConfig": {"immutableTags": True}}
    repositories.patch(name=NAME, updateMask="dockerConfig", body=body).execute()
    with pytest.raises(PushRefused, match="immutable"):
        pushed(cloud, tmp_path, "latest", "3")


def test_deleting_frees_the_disk(  # noqa: D103
    cloud: Cloud,
    repositories: Any,
    clock: VirtualClock,
    tmp_path: Path,
) -> None:
    digest = pushed(cloud, tmp_path, "one", "1")
    image = cloud.images.find(f"{IMAGE}:one")
    package = f"{NAME}/packages/server"
    versions, tags = repositories.packages().versions(), repositories.packages().tags()
    version = f"{package}/versions/{digest}"
    assert code_of(versions.delete(name=version)) == 400
    tags.delete(name=f"{package}/tags/one").execute()
    assert code_of(tags.get(name=f"{package}/tags/one")) == 404
    assert image.root.exists()
    versions.delete(name=version).execute()
    clock.run_until_idle()
    assert not image.root.exists()


def test_an_image_held_elsewhere_stays(
    cloud: Cloud, repositories: Any, clock: VirtualClock, tmp_path: Path
) -> None:
    """Two packages may hold the same image; the last one to let go frees the disk."""
    digest = pushed(cloud, tmp_path, "one", "1")
    root = tmp_path / "other"
    root.mkdir()
    (root / "file").write_text("1")
    other = parse(f"{IMAGE}-other:one")
    assert other is not None
    assert push(cloud, other, Built(root, {}), f"user:{OWNER}").digest == digest

    repositories.packages().delete(name=f"{NAME}/packages/server").execute()
    clock.run_until_idle()
    assert cloud.images.find(f"{IMAGE}-other:one").root.exists()
    repositories.packages().delete(name=f"{NAME}/packages/server-other").execute()
    clock.run_until_idle()

    assert cloud.images.by_digest(digest) is None


def test_rights_are_the_repositorys(cloud: Cloud, repositories: Any, tmp_path: Path) -> None:
    """A reader reads, cannot push, and sees nothing of other repositories."""
    pushed(cloud, tmp_path, "one", "1")
    policy = {"bindings": [{"role": "roles/artifactregistry.reader", "members": ["user:r@x.com"]}]}
    repositories.setIamPolicy(resource=NAME, body={"policy": policy}).execute()
    reader = (
        client(cloud, "artifactregistry", "v1", "r@x.com").projects().locations().repositories()
    )
    tag = f"{NAME}/packages/server/tags/one"
    assert reader.packages().tags().get(name=tag).execute()["name"] == tag
    assert code_of(reader.list(parent=PARENT)) == 403
    assert code_of(reader.packages().tags().delete(name=tag)) == 403
    reference = parse(f"{IMAGE}:two")
    assert reference is not None
    with pytest.raises(PushRefused) as refusal:
        push(cloud, reference, Built(tmp_path, {}), "user:r@x.com")
    assert refusal.value.unauthorized


def test_a_missing_repository_takes_nothing(cloud: Cloud, tmp_path: Path) -> None:
    """With rights on the project the answer is that the name is unknown."""
    reference = parse(f"{R}-docker.pkg.dev/{P}/none/x:1")
    assert reference is not None
    with pytest.raises(PushRefused, match="name unknown"):
        push(cloud, reference, Built(tmp_path, {}), f"user:{OWNER}")
