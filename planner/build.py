"""Build: an image made once per content by Cloud Build, shared by all deployments, and its digest."""

from dataclasses import dataclass
from urllib.parse import quote

from planner.observed import Observed, last_segment
from planner.target import Target
from schemas.plan import Operations, Request, Resource, Underway
from schemas.platform import ImageSource

BUILD_TIMEOUT = "1200s"
QUEUE_TIMEOUT = "600s"


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What one image is made of.

    Args:
        name: What the step is called; `NAME_version` is where its digest is observed.
        package: What the image is called in the repository.
        source: The files that it is built from.
        of: What is in it, for people.
        arguments: What the Dockerfile wants to be told.
    """

    name: str
    package: str
    source: ImageSource
    of: str
    arguments: tuple[str, ...] = ()


def image(target: Target, recipe: Recipe) -> Resource:
    """Return the image, made only if none of that content is there."""
    source = recipe.source
    tag = f"berth-image-{source.digest}"
    building = f'tags="{tag}"'
    return Resource(
        name=recipe.name,
        title=f"image {recipe.package}:{source.digest} of {recipe.of}",
        url=f"{repository(target)}/packages/{recipe.package}/tags/{source.digest}",
        create=_build(target, recipe, tag),
        # Each builds.create is a new build, also when only the reply to the last was lost.
        underway=Underway(
            url=f"https://cloudbuild.googleapis.com/v1/{target.location}/builds"
            f"?pageSize=10&filter={quote(building, safe='')}",
            items="builds",
            path=("status",),
            values=("PENDING", "QUEUED", "WORKING"),
        ),
        operation=Operations(base="https://cloudbuild.googleapis.com/v1/", dialect="done"),
        outputs={f"{recipe.name}_version": ("version",)},
        keep=True,
    )


def repository(target: Target) -> str:
    """Return where Artifact Registry shows the repository that the images lie in."""
    host, project, name = target.offer.image_repository.split("/")
    location = host.removesuffix("-docker.pkg.dev")
    return (
        f"https://artifactregistry.googleapis.com/v1/projects/{project}"
        f"/locations/{location}/repositories/{name}"
    )


def _build(target: Target, recipe: Recipe, tag: str) -> Request:
    source = recipe.source
    tagged = f"{target.offer.image_repository}/{recipe.package}:{source.digest}"
    arguments = [word for one in recipe.arguments for word in ("--build-arg", one)]
    return Request(
        method="POST",
        url=f"https://cloudbuild.googleapis.com/v1/{target.location}/builds",
        body={
            "source": {
                "storageSource": {
                    "bucket": source.bucket,
                    "object": source.object,
                    "generation": source.generation,
                }
            },
            "steps": [
                {
                    "id": "build",
                    "name": "gcr.io/cloud-builders/docker",
                    "args": ["build", *arguments, "-t", tagged, "."],
                }
            ],
            "images": [tagged],
            # Never the default account: new projects give it too little or too much.
            "serviceAccount": f"projects/{target.project}/serviceAccounts/"
            f"{target.platform.accounts.build}",
            # A build with an account of its own must say where its log goes.
            "options": {"logging": "CLOUD_LOGGING_ONLY"},
            "timeout": BUILD_TIMEOUT,
            "queueTtl": QUEUE_TIMEOUT,
            # By the first one finds the builds of a content, by the second
            # those that deleting a deployment cancels.
            "tags": [tag, f"berth-deployment-{target.name}"],
        },
    )


def by_digest(target: Target, observed: Observed, *, name: str, package: str) -> str:
    """Return an image to deploy: by digest, since a tag can be moved."""
    version = last_segment(observed, f"{name}_version")
    return f"{target.offer.image_repository}/{package}@{version}"
