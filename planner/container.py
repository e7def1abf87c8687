"""Container: what the migration and the server have in common: image, settings, mounts."""

from typing import Any

from planner import access, image, sizes
from planner.observed import Observed, last_segment
from planner.target import Target

READ_ONLY = 0o444

MOUNTS = {
    "db-password": "DB_PASSWORD_FILE",
    "admin-password": "MLFLOW_AUTH_ADMIN_PASSWORD_FILE",
    "flask-secret": "MLFLOW_FLASK_SERVER_SECRET_KEY_FILE",
}
"""Each secret's mount, by the variable that tells the entrypoint where it is."""


def secrets(target: Target) -> tuple[str, ...]:
    """Return the secrets that the containers read."""
    return ("db-password", *access.of(target).secrets)


def container(target: Target, observed: Observed) -> dict[str, Any]:
    """Return the container, image by digest, secrets as files and never as variables."""
    return {
        "name": "mlflow",
        "image": image.by_digest(target, observed),
        "env": [
            {"name": name, "value": value} for name, value in sorted(_settings(target).items())
        ],
        "volumeMounts": [
            {"name": "cloudsql", "mountPath": "/cloudsql"},
            # A mount hides whatever else is in its directory, so each secret has its own.
            *({"name": name, "mountPath": f"/secrets/{name}"} for name in secrets(target)),
        ],
    }


def volumes(target: Target, observed: Observed) -> list[dict[str, Any]]:
    """Return the database's socket and the secrets, by pinned version.

    With "latest" a rotated secret would reach each instance at its next cold start, one by one.
    """
    return [
        {"name": "cloudsql", "cloudSqlInstance": {"instances": [target.connection_name]}},
        *(
            {
                "name": name,
                "secret": {
                    "secret": target.secret(name),
                    "items": [
                        {
                            "version": last_segment(observed, f"{name.replace('-', '_')}_version"),
                            "path": "value",
                            "mode": READ_ONLY,
                        }
                    ],
                },
            }
            for name in secrets(target)
        ),
    ]


def _settings(target: Target) -> dict[str, str]:
    size = sizes.shape(target.request)
    settings = {
        "AUTH_MODE": "none",
        "CLOUD_SQL_INSTANCE": target.connection_name,
        "DB_ENGINE": target.request.database.engine,
        "DB_NAME": target.database,
        "DB_USER": target.database_user,
        "MLFLOW_ARTIFACTS_DESTINATION": target.artifact_root,
        # Setting the lists replaces MLflow's own; the probes' /health is exempt, so localhost
        # need not be on them. Exact names: "*.run.app" would let any Cloud Run host through.
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(target.hosts),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"https://{host}" for host in target.hosts),
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": str(sizes.MAX_OVERFLOW),
        "MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE": str(sizes.POOL_RECYCLE_SECONDS),
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(sizes.POOL_SIZE),
        "MLFLOW_WORKERS": str(size.workers),
        "UPLOAD_ROOM_MIB": str(size.upload_room_mib),
        **access.of(target).settings(target),
    }
    for name in secrets(target):
        settings[MOUNTS[name]] = f"/secrets/{name}/value"
    return settings
