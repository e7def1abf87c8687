"""image: what the server is made of, and what stands before it, where something does."""

from planner import access, build
from planner.observed import Observed
from planner.target import PACKAGE, NotOfferedError, Target
from schemas.plan import PartPlan

NAME = "image"


def plan(target: Target, _observed: Observed) -> PartPlan:
    """Return the image of the MLflow version, and those of the access mode."""
    version = target.request.mlflow_version
    source = target.platform.images.get(version)
    if source is None:
        offered = ", ".join(sorted(target.platform.images))
        raise NotOfferedError(f"mlflow_version {version} is not offered; {offered} are")
    mlflow = build.Recipe(
        name=NAME,
        package=PACKAGE,
        source=source,
        of=f"MLflow {version}",
        arguments=(f"MLFLOW_VERSION={version}",),
    )
    recipes = (mlflow, *access.of(target).images(target))
    return PartPlan(
        part="image",
        summary=", ".join(f"{one.of}, image {one.source.digest}" for one in recipes),
        steps=tuple(build.image(target, one) for one in recipes),
    )


def by_digest(target: Target, observed: Observed) -> str:
    """Return the tracking server's image to deploy."""
    return build.by_digest(target, observed, name=NAME, package=PACKAGE)
