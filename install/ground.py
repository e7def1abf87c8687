"""The ground: buckets, topic, image repository and the pool."""

from collections.abc import Iterator

from install.names import MARK, POOL, REPOSITORY, Names
from install.rows import Resource

SQL = "https://sqladmin.googleapis.com/v1/projects"

DAY = 24 * 3600


def ground(names: Names) -> Iterator[Resource]:
    """Yield the two buckets, the topic and the repository."""
    yield _bucket(names, names.registry)
    yield _bucket(names, names.source)
    yield _topic(names)
    yield _repository(names)


def _bucket(names: Names, name: str) -> Resource:
    base = "https://storage.googleapis.com/storage/v1/b"
    wanted = {
        "location": names.region.upper(),
        # Every version of a spec and a status stays: that is the history.
        "versioning": {"enabled": True},
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "enforced",
        },
        "labels": dict(MARK),
    }
    changeable = {key: value for key, value in wanted.items() if key != "location"}
    return Resource(
        title=f"bucket {name}",
        url=f"{base}/{name}",
        wanted=wanted,
        mark={"labels": MARK},
        create_url=f"{base}?project={names.project}",
        create_body={"name": name, **wanted},
        update_url=f"{base}/{name}",
        update_body=changeable,
    )


def _topic(names: Names) -> Resource:
    url = f"https://pubsub.googleapis.com/v1/{names.topic}"
    topic = {"labels": dict(MARK), "messageRetentionDuration": f"{7 * DAY}s"}
    return Resource(
        title=f"topic {names.topic.rsplit('/', 1)[-1]}",
        url=url,
        wanted=topic,
        mark={"labels": MARK},
        create_method="PUT",
        create_url=url,
        update_url=url,
        update_body={
            "topic": {"name": names.topic, **topic},
            "updateMask": "labels,messageRetentionDuration",
        },
    )


def _repository(names: Names) -> Resource:
    base = f"https://artifactregistry.googleapis.com/v1/{names.location}/repositories"
    wanted = {
        "format": "DOCKER",
        "mode": "STANDARD_REPOSITORY",
        "description": "MLflow tracking servers made by Berth",
        "labels": dict(MARK),
    }
    return Resource(
        title=f"image repository {REPOSITORY}",
        url=f"{base}/{REPOSITORY}",
        wanted=wanted,
        mark={"labels": MARK},
        create_url=f"{base}?repositoryId={REPOSITORY}",
        update_url=f"{base}/{REPOSITORY}?updateMask=description,labels",
        update_body={"description": wanted["description"], "labels": wanted["labels"]},
        operations="https://artifactregistry.googleapis.com/v1/",
    )


def pool(names: Names) -> Iterator[Resource]:
    """Yield the instance that pooled deployments share, and who sets up databases on it."""
    instances = f"{SQL}/{names.project}/instances"
    operations = f"{SQL}/{names.project}/operations/"
    settings = {
        # Without it the API takes ENTERPRISE_PLUS for PostgreSQL 16 and later, and refuses the tier.
        "edition": "ENTERPRISE",
        "connectorEnforcement": "REQUIRED",
        "dataApiAccess": "ALLOW_DATA_API",
        "deletionProtectionEnabled": True,
        "userLabels": dict(MARK),
    }
    # Set once and then the operator's own: a second apply must not undo a bigger tier.
    at_first = {
        "tier": "db-custom-2-7680",
        "availabilityType": "ZONAL",
        "activationPolicy": "ALWAYS",
        "dataDiskType": "PD_SSD",
        "dataDiskSizeGb": "20",
        "storageAutoResize": True,
        "storageAutoResizeLimit": "500",
        "ipConfiguration": {
            "ipv4Enabled": True,
            "sslMode": "ENCRYPTED_ONLY",
            "authorizedNetworks": [],
        },
        "databaseFlags": [
            {"name": "cloudsql.iam_authentication", "value": "on"},
            {"name": "max_connections", "value": "500"},
        ],
        "backupConfiguration": {
            "enabled": True,
            "startTime": "02:00",
            "pointInTimeRecoveryEnabled": True,
            "transactionLogRetentionDays": 7,
            "backupRetentionSettings": {"retentionUnit": "COUNT", "retainedBackups": 7},
        },
        "maintenanceWindow": {"day": 7, "hour": 3, "updateTrack": "stable"},
        "insightsConfig": {"queryInsightsEnabled": True},
        "retainBackupsOnDelete": True,
        "finalBackupConfig": {"enabled": True, "retentionDays": 30},
    }
    yield Resource(
        title=f"Cloud SQL instance {POOL}",
        url=f"{instances}/{POOL}",
        wanted={"region": names.region, "state": "RUNNABLE", "settings": settings},
        mark={"settings": {"userLabels": MARK}},
        create_url=instances,
        create_body={
            "name": POOL,
            "region": names.region,
            "databaseVersion": "POSTGRES_18",
            "settings": {**at_first, **settings},
        },
        update_url=f"{instances}/{POOL}",
        update_body={"settings": settings},
        operations=operations,
    )
    user = names.account("credentials").removesuffix(".gserviceaccount.com")
    yield Resource(
        title="database user of berth-credentials",
        url=f"{instances}/{POOL}/users/{user.replace('@', '%40')}",
        wanted={"type": "CLOUD_IAM_SERVICE_ACCOUNT"},
        create_url=f"{instances}/{POOL}/users",
        create_body={
            "name": user,
            "type": "CLOUD_IAM_SERVICE_ACCOUNT",
            "databaseRoles": ["cloudsqlsuperuser"],
        },
        operations=operations,
    )
