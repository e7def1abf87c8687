"""What small, medium and large mean. Every number comes from a measurement of MLflow 3.17/3.18."""

from dataclasses import dataclass

from schemas.deployment import DeploymentRequest, Size

POOL_SIZE = 5
MAX_OVERFLOW = 5
"""SQLAlchemy connections per worker. Measured: 80 heavy searches at once use 12 with one worker
and 16 with two, so 5 + 5 for each never starves."""

POOL_RECYCLE_SECONDS = 1800

SPARE_CONNECTIONS = 5
"""MLflow's parent process and its basic-auth hold a few connections besides the workers' pools."""

MIGRATION_CONNECTIONS = 5
"""The migrate job holds one for its lock and a few for its work while an old revision serves."""

RESERVED_CONNECTIONS = 20
"""What Cloud SQL keeps for itself and for the credentials account on an instance of one's own."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What one size gives to the server and to its database."""

    cpu: str
    memory: str
    workers: int
    """One per vCPU. Measured: more workers on one vCPU cost 200 MiB each and gain nothing."""
    upload_room_mib: int
    """What the uploads of one worker may take of /tmp at once, which is also the largest artifact.
    Half of the memory that the server leaves; the other half is for what goes out."""
    concurrency: int
    max_instances: int
    tier: str
    """For an instance of one's own. Never below one core: those are the slowest to create
    (25 min) and have no SLA."""
    tier_connections: int
    """max_connections that Cloud SQL sets by the tier's memory."""
    disk_gb: int
    disk_limit_gb: int


# One worker takes 484 MiB under light load, two 725, four 1070 (measured with a parent process of
# 200 MiB that is gone since). What is left is /tmp, where artifacts lie on their way through.
SHAPES: dict[Size, Shape] = {
    "small": Shape(
        cpu="1",
        memory="2Gi",
        workers=1,
        upload_room_mib=782,
        concurrency=40,
        max_instances=3,
        tier="db-custom-1-3840",
        tier_connections=100,
        disk_gb=10,
        disk_limit_gb=100,
    ),
    "medium": Shape(
        cpu="2",
        memory="4Gi",
        workers=2,
        upload_room_mib=842,
        concurrency=60,
        max_instances=4,
        tier="db-custom-2-7680",
        tier_connections=200,
        disk_gb=20,
        disk_limit_gb=250,
    ),
    "large": Shape(
        cpu="4",
        memory="8Gi",
        workers=4,
        upload_room_mib=890,
        concurrency=80,
        max_instances=5,
        tier="db-custom-4-15360",
        tier_connections=500,
        disk_gb=50,
        disk_limit_gb=500,
    ),
}


def shape(request: DeploymentRequest) -> Shape:
    """Return what the size that `request` asks for gives."""
    return SHAPES[request.size]


def min_instances(request: DeploymentRequest) -> int:
    """Return the least instances at once; App Engine flexible has no fewer than one."""
    serving = request.serving
    if serving.platform == "app_engine":
        return serving.instances or serving.min_instances or 1
    return serving.min_instances


def max_instances(request: DeploymentRequest) -> int:
    """Return the most instances at once: what was asked for, else what the size gives."""
    serving = request.serving
    if serving.platform == "app_engine" and serving.instances is not None:
        return serving.instances
    if serving.max_instances is not None:
        return serving.max_instances
    # A warm floor above the size's ceiling is a wish for more, not a mistake.
    return max(shape(request).max_instances, min_instances(request))


def connections_per_instance(request: DeploymentRequest) -> int:
    """Return how many database connections one instance may hold."""
    return shape(request).workers * (POOL_SIZE + MAX_OVERFLOW) + SPARE_CONNECTIONS


def connection_limit(request: DeploymentRequest) -> int:
    """Return how many connections the deployment's database allows in all."""
    return max_instances(request) * connections_per_instance(request) + MIGRATION_CONNECTIONS


def most_instances(request: DeploymentRequest) -> int:
    """Return how many instances the tier of the size has connections for."""
    free = shape(request).tier_connections - RESERVED_CONNECTIONS - MIGRATION_CONNECTIONS
    return free // connections_per_instance(request)
