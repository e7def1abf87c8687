"""The build files that people send to Cloud Build are what Google's own document allows."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.planner import discovery

ROOT = Path(__file__).parents[2]
FILES = ("cloudbuild.yaml", "images/tracking-server/cloudbuild.yaml")
BUILDS = "https://cloudbuild.googleapis.com/v1/projects/p/locations/r/builds"


def build(name: str) -> dict[str, Any]:
    """Return a build file as the request that gcloud makes of it."""
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return found


@pytest.mark.parametrize("name", FILES)
def test_build_files_are_valid(name: str) -> None:
    """A wrong key or value would be refused by Cloud Build only when somebody needs it."""
    assert (
        discovery.check("POST", BUILDS, build(name))
        == "cloudbuild.projects.locations.builds.create"
    )


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("mistake", [{"timeuot": "60s"}, {"options": {"logging": "CLOUD"}}])
def test_a_mistake_is_found(name: str, mistake: dict[str, Any]) -> None:
    """The check can fail: for a key that does not exist, and for a value that is not offered."""
    with pytest.raises(discovery.MismatchError):
        discovery.check("POST", BUILDS, {**build(name), **mistake})
