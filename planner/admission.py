"""Admission: does this platform have what the request asks for? The schemas cannot know."""

from planner import artifact_root, sizes
from planner.serving.app_engine import REGIONS_WITHOUT
from schemas.deployment import DeploymentRequest
from schemas.platform import Platform
from schemas.problem import FieldError


def errors(request: DeploymentRequest, platform: Platform) -> tuple[FieldError, ...]:
    """Return what the platform does not have, place by place; nothing when it has it all."""
    return tuple(error for rule in RULES for error in rule(request, platform))


def the_region_is_offered(request: DeploymentRequest, platform: Platform) -> list[FieldError]:
    """Name the regions that are."""
    if request.region is None or request.region in platform.regions:
        return []
    offered = tuple(sorted(platform.regions))
    return [
        FieldError(
            pointer="/region",
            message=f"region {request.region} is not offered here; "
            f"region must be one of {', '.join(offered)}",
            allowed=offered,
        )
    ]


def the_version_is_offered(request: DeploymentRequest, platform: Platform) -> list[FieldError]:
    """Name the versions that are."""
    if request.mlflow_version in platform.images:
        return []
    offered = tuple(sorted(platform.images))
    return [
        FieldError(
            pointer="/mlflow_version",
            message=f"mlflow_version {request.mlflow_version} is not offered here; "
            f"mlflow_version must be one of {', '.join(offered)}",
            allowed=offered,
        )
    ]


def pooled_has_a_pool(request: DeploymentRequest, platform: Platform) -> list[FieldError]:
    """Name the ways out: another placement, or a region that has a pool."""
    region = request.region or platform.default_region
    offer = platform.regions.get(region)
    if request.placement != "pooled" or offer is None or offer.pool is not None:
        return []
    others = tuple(sorted(name for name, other in platform.regions.items() if other.pool))
    way_out = f", or region {' or '.join(others)}" if others else ""
    message = (
        f"placement pooled and region {region} contradict each other: Berth was installed there "
        f"without a shared instance; use placement dedicated{way_out}"
    )
    return [
        FieldError(pointer="/placement", message=message, allowed=("dedicated",)),
        FieldError(pointer="/region", message=message, allowed=others),
    ]


def the_database_has_connections_for_all_instances(
    request: DeploymentRequest, _platform: Platform
) -> list[FieldError]:
    """Say how many instances the size's database can serve."""
    most = sizes.most_instances(request)
    if sizes.max_instances(request) <= most:
        return []
    message = (
        f"{sizes.max_instances(request)} instances and size {request.size} contradict each other: "
        f"the database has connections for {most}; use at most {most} instances"
    )
    if request.size != "large":
        message += ", or a larger size"
    place = "/serving/min_instances"
    if request.serving.max_instances is not None:
        place = "/serving/max_instances"
    elif request.serving.platform == "app_engine" and request.serving.instances is not None:
        place = "/serving/instances"
    return [
        FieldError(pointer=place, message=message),
        FieldError(pointer="/size", message=message),
    ]


def the_region_has_a_multi_region(
    request: DeploymentRequest, platform: Platform
) -> list[FieldError]:
    """Name the two ways out: artifacts in the region, or another region."""
    region = request.region or platform.default_region
    if request.artifact_location == "region" or artifact_root.multi_region(region) is not None:
        return []
    message = (
        f"artifact_location multi_region and region {region} contradict each other: no multi-region "
        "of Cloud Storage holds it; use artifact_location region, or a region in the US, the EU or Asia"
    )
    return [
        FieldError(pointer="/artifact_location", message=message, allowed=("region",)),
        FieldError(pointer="/region", message=message),
    ]


def app_engine_is_in_the_region(request: DeploymentRequest, platform: Platform) -> list[FieldError]:
    """Name the regions that have App Engine."""
    region = request.region or platform.default_region
    if request.serving.platform != "app_engine" or region not in REGIONS_WITHOUT:
        return []
    others = tuple(sorted(set(platform.regions) - REGIONS_WITHOUT))
    message = (
        f"serving.platform app_engine and region {region} contradict each other: App Engine is not "
        "there; use serving.platform cloud_run"
    )
    if others:
        message += f", or region {' or '.join(others)}"
    return [
        FieldError(pointer="/serving/platform", message=message, allowed=("cloud_run",)),
        FieldError(pointer="/region", message=message, allowed=others),
    ]


def internal_servers_can_be_verified(
    request: DeploymentRequest, platform: Platform
) -> list[FieldError]:
    """Say that Berth itself must be inside, or it cannot prove that the server works."""
    serving = request.serving
    if serving.platform != "cloud_run" or serving.ingress != "internal" or platform.network:
        return []
    return [
        FieldError(
            pointer="/serving/ingress",
            message="serving.ingress internal cannot be had here: Berth was installed outside of "
            "every network, and could not reach the server to prove that it works; use ingress "
            "all, or have Berth installed with --network",
            allowed=("all",),
        )
    ]


def a_guarded_door_lets_the_proof_in(
    request: DeploymentRequest, platform: Platform
) -> list[FieldError]:
    """Say how Berth would have to be installed to prove what lies behind allowed ranges."""
    balancer = request.load_balancer
    if balancer is None or not balancer.allowed_ranges or platform.verify_ranges:
        return []
    return [
        FieldError(
            pointer="/load_balancer/allowed_ranges",
            message="load_balancer.allowed_ranges would keep out Berth's own proof, which calls "
            "from addresses that Berth was not told of: have `python -m install apply` run with "
            "--verify-range (the addresses of your Cloud NAT), or leave allowed_ranges out",
        )
    ]


RULES = (
    the_region_has_a_multi_region,
    the_region_is_offered,
    the_version_is_offered,
    pooled_has_a_pool,
    the_database_has_connections_for_all_instances,
    app_engine_is_in_the_region,
    internal_servers_can_be_verified,
    a_guarded_door_lets_the_proof_in,
)
