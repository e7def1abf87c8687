"""image: what the server is made of, built once per content and shared by all deployments."""

from urllib.parse import quote

from planner.observed import Observed, last_segment
from planner.target import PACKAGE, NotOfferedError, Target
from schemas.plan import Operations, PartPlan, Request, Resource, Underway

BUILD_TIMEOUT = "1200s"
QUEUE_TIMEOUT = "600s"


def plan(target: Target, _observed: Observed) -> PartPlan:
    """Return the image of the MLflow version, made only if no image of that content is there."""
    version = target.request.mlflow_version
    source = target.platform.images.get(version)
    if source is None:
        offered = ", ".join(sorted(target.platform.images))
        raise NotOfferedError(f"mlflow_version {version} is not offered; {offered} are")
    host, project, repository = target.offer.image_repository.split("/")
    location = host.removesuffix("-docker.pkg.dev")
    tagged = f"{target.image}:{source.digest}"
    tag = f"berth-image-{source.digest}"
    building = f'tags="{tag}"'
    return PartPlan(
        part="image",
        summary=f"MLflow {version}, image {source.digest}",
        steps=(
            Resource(
                name="image",
                title=f"image {PACKAGE}:{source.digest} of MLflow {version}",
                url=f"https://artifactregistry.googleapis.com/v1/projects/{project}"
                f"/locations/{location}/repositories/{repository}"
                f"/packages/{PACKAGE}/tags/{source.digest}",
                create=Request(
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
                                "args": [
                                    "build",
                                    "--build-arg",
                                    f"MLFLOW_VERSION={version}",
                                    "-t",
                                    tagged,
                                    ".",
                                ],
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
                        "tags": [f"berth-image-{source.digest}", f"berth-deployment-{target.name}"],
                    },
                ),
                # Each builds.create is a new build, also when only the reply to the last was lost.
                underway=Underway(
                    url=f"https://cloudbuild.googleapis.com/v1/{target.location}/builds"
                    f"?pageSize=10&filter={quote(building, safe='')}",
                    items="builds",
                    path=("status",),
                    values=("PENDING", "QUEUED", "WORKING"),
                ),
                operation=Operations(base="https://cloudbuild.googleapis.com/v1/", dialect="done"),
                outputs={"image_version": ("version",)},
                keep=True,
            ),
        ),
    )


def by_digest(target: Target, observed: Observed) -> str:
    """Return the image to deploy: by digest, since a tag can be moved."""
    return f"{target.image}@{last_segment(observed, 'image_version')}"
