"""Container: what the migration and the server have in common: image, settings, mounts."""

from typing import Any

from planner import access, hosts, image, secret, sizes
from planner.observed import Observed, last_segment
from planner.target import Target

SECRETS = {
    "db-password": "DB_PASSWORD",
    "admin-password": "MLFLOW_AUTH_ADMIN_PASSWORD",
    "flask-secret": "MLFLOW_FLASK_SERVER_SECRET_KEY",
}
"""What the entrypoint calls each secret. With _FILE behind it, the variable says where it is mounted;
with _SECRET behind it, which version of it to read."""


def secrets(target: Target) -> tuple[str, ...]:
    """Return the secrets that the tracking server reads, by purpose."""
    return ("db-password", *access.of(target).secrets)


def container(target: Target, observed: Observed) -> dict[str, Any]:
    """Return the container, image by digest, secrets as files and never as variables."""
    variables = settings(target, observed)
    for purpose in secrets(target):
        variables[f"{SECRETS[purpose]}_FILE"] = secret.file(purpose)
    return {
        "name": "mlflow",
        "image": image.by_digest(target, observed),
        "env": [{"name": name, "value": value} for name, value in sorted(variables.items())],
        "volumeMounts": [
            {"name": "cloudsql", "mountPath": "/cloudsql"},
            *(secret.mount(purpose) for purpose in secrets(target)),
        ],
    }


def volumes(target: Target, observed: Observed) -> list[dict[str, Any]]:
    """Return the database's socket and the secrets."""
    return [
        {"name": "cloudsql", "cloudSqlInstance": {"instances": [target.connection_name]}},
        *(secret.volume(target, observed, purpose) for purpose in secrets(target)),
    ]


def stored_secrets(target: Target, observed: Observed) -> dict[str, str]:
    """Return the variables that name each secret's version, for a platform that mounts none."""
    return {
        f"{SECRETS[purpose]}_SECRET": _version(observed, purpose) for purpose in secrets(target)
    }


def _version(observed: Observed, purpose: str) -> str:
    name = f"{purpose.replace('-', '_')}_version"
    last_segment(observed, name)
    return str(observed[name])


def settings(target: Target, observed: Observed) -> dict[str, str]:
    """Return the variables that the tracking server goes by, its secrets left out."""
    size = sizes.shape(target.request)
    names = hosts.of(target, observed)
    return {
        "ARTIFACT_UPLOADS": target.uploads,
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
