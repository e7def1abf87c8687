"""What the image is built from reaches Cloud Build whole."""

from install.images import sources
from tests.images.mlflow_of import IMAGE

BY_HAND = {"cloudbuild.yaml"}
"""For people who build without Berth."""


def test_every_file_of_the_image_is_in_its_archive() -> None:
    """A file that is added beside the others must not be missing first in somebody's project."""
    files = {
        str(path.relative_to(IMAGE))
        for path in IMAGE.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.parts[-2] != "requirements"
    }

    for source in sources(IMAGE.parents[1]):
        assert set(source.files) == files - BY_HAND | {f"requirements/{source.version}.txt"}
