"""Container: what the migration and the server have in common: image, settings, mounts."""

from typing import Any

from planner import access, hosts, image, sizes
from planner.observed import Observed, last_segment
from planner.target import Target

READ_ONLY = 0o444

SECRETS = {
    "db-password": "DB_PASSWORD",
    "admin-password": "MLFLOW_AUTH_ADMIN_PASSWORD",
    "flask-secret": "MLFLOW_FLASK_SERVER_SECRET_KEY",
}
"""What each secret is called in the container. With _FILE behind it, it is where the secret is mounted;
with _SECRET behind it, it is the version that the entrypoint reads itself."""


def secrets(target: Target) -> tuple[str, ...]:
    """Return the secrets that the containers read."""
    return ("db-password", *access.of(target).secrets)


def container(target: Target, observed: Observed) -> dict[str, Any]:
    """Return the container, image by digest, secrets as files and never as variables."""
    variables = {**settings(target, observed), **_mounted_secrets(target)}
    return {
        "name": "mlflow",
        "image": image.by_digest(target, observed),
        "env": [{"name": name, "value": value} for name, value in sorted(variables.items())],
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


def _mounted_secrets(target: Target) -> dict[str, str]:
    return {f"{SECRETS[name]}_FILE": f"/secrets/{name}/value" for name in secrets(target)}


def stored_secrets(target: Target, observed: Observed) -> dict[str, str]:
    """Return the variables that name each secret's version, for a platform that mounts none."""
    return {f"{SECRETS[name]}_SECRET": _version(observed, name) for name in secrets(target)}


def _version(observed: Observed, name: str) -> str:
    key = f"{name.replace('-', '_')}_version"
    last_segment(observed, key)
    return str(observed[key])


def settings(target: Target, observed: Observed) -> dict[str, str]:
    """Return everything that the server is told, but for its secrets."""
    size = sizes.shape(target.request)
    names = hosts.of(target, observed)
    return {
        "AUTH_MODE": "none",
        "CLOUD_SQL_INSTANCE": target.connection_name,
        "DB_ENGINE": target.request.database.engine,
        "DB_NAME": target.database,
        "DB_USER": target.database_user,
        "MLFLOW_ARTIFACTS_DESTINATION": target.artifact_root,
        # Setting the lists replaces MLflow's own; the probes' /health is exempt, so localhost
        # need not be on them. Exact names: "*.run.app" would let any Cloud Run host through.
        "MLFLOW_SERVER_ALLOWED_HOSTS": ",".join(names),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": ",".join(f"https://{name}" for name in names),
        "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": str(sizes.MAX_OVERFLOW),
        "MLFLOW_SQLALCHEMYSTORE_POOL_RECYCLE": str(sizes.POOL_RECYCLE_SECONDS),
        "MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": str(sizes.POOL_SIZE),
        "MLFLOW_WORKERS": str(size.workers),
        "UPLOAD_ROOM_MIB": str(size.upload_room_mib),
        **access.of(target).settings(target),
    }
