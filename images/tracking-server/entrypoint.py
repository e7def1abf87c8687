"""Start MLflow's tracking server (`serve`), or bring its database up to date (`migrate`).

No shell takes part, so no password is ever quoted wrongly; secrets are read from mounted files or from
Secret Manager, and the database URL goes to MLflow through the environment, since arguments show in
process lists.

Facts about MLflow: every start migrates a schema in which a table is missing, and there is no way
back, so `serve` refuses any schema but the one it was built for, and `migrate` runs once, before.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from stored_secrets import UnreadableError, stored_secret

SCHEMA_HEAD = Path(os.environ.get("SCHEMA_HEAD_FILE", "/app/schema_head"))
LOG_CONFIG = os.environ.get("LOG_CONFIG", "/app/log.json")
MIGRATION_LOCK = 727001
"""Key of the lock in the database: MLflow's own lock is a local file and spans no containers."""

LOCK_SECONDS = 600
"""How long MySQL waits for the lock; PostgreSQL waits until the job is ended."""

AUTH_SCHEMA = "mlflow_auth"
"""MLflow 2 names both version tables `alembic_version`, so users get a schema of their own."""

UPLOADS = {"http2": "false", "signed_parts": "true"}
"""The ways big artifacts come, and whether MLflow's multipart upload belongs to them."""

SHUTDOWN_SECONDS = 7
"""Cloud Run sends SIGKILL ten seconds after SIGTERM; leave time for the parent process."""


def setting(name: str, default: str | None = None) -> str:
    """Return the environment variable *name*, or stop with a sentence that names it."""
    value = os.environ.get(name, default)
    if not value:
        sys.exit(f"entrypoint: environment variable {name} is required")
    return value


def secret(name: str) -> str:
    """Return the secret *name*: from the mounted file that *name*_FILE points to, or from Secret Manager.

    App Engine mounts no secrets, so there *name*_SECRET names the version to read.
    """
    path, version = os.environ.get(f"{name}_FILE"), os.environ.get(f"{name}_SECRET")
    if bool(path) == bool(version):
        problem = "not both" if path else "neither is set"
        sys.exit(
            f"entrypoint: {name} is read from {name}_FILE, a mounted file, or from {name}_SECRET, "
            f"a version in Secret Manager: set one of them ({problem})"
        )
    try:
        if version:
            return stored_secret(version)
        return Path(str(path)).read_text().rstrip("\n")
    except UnreadableError as error:
        sys.exit(f"entrypoint: cannot read {name}_SECRET={version}: {error}")
    except OSError as error:
        sys.exit(f"entrypoint: cannot read {name}_FILE={path}: {error.strerror}")


@dataclass(frozen=True)
class Engine:
    """How one database engine is reached, and how its lock is asked for."""

    url: str
    """With user, password, name of the database and socket to fill in."""
    lock: str


ENGINES = {
    # The drivers are named because SQLAlchemy 2.1 changed what bare postgresql:// means.
    "postgresql": Engine(
        url="postgresql+psycopg2://{user}:{password}@/{name}?host={socket}",
        lock="select true from pg_advisory_lock({key})",
    ),
    "mysql": Engine(
        url="mysql+pymysql://{user}:{password}@/{name}?unix_socket={socket}&charset=utf8mb4",
        lock="select get_lock('{key}', {seconds})",
    ),
}


def database_engine() -> Engine:
    """Return the engine that the database runs."""
    name = setting("DB_ENGINE")
    if name not in ENGINES:
        sys.exit(f"entrypoint: DB_ENGINE is {name!r}; known: {', '.join(ENGINES)}")
    return ENGINES[name]


def database_url(schema: str | None = None) -> str:
    """Return the SQLAlchemy URL of the backend store, through Cloud SQL's unix socket.

    Args:
        schema: PostgreSQL schema to work in; the default one when left out.
    """
    # quote, not quote_plus: SQLAlchemy does not turn "+" back into a space.
    user, password = (quote(part, safe="") for part in (setting("DB_USER"), secret("DB_PASSWORD")))
    url = database_engine().url.format(
        user=user,
        password=password,
        name=quote(setting("DB_NAME"), safe=""),
        socket=quote("/cloudsql/" + setting("CLOUD_SQL_INSTANCE"), safe="/:"),
    )
    return f"{url}&options=-csearch_path%3D{schema}" if schema else url


def database_revision(url: str) -> str | None:
    """Return the schema revision the database is at; None when it is empty."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as connection:
        if not sqlalchemy.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(
            sqlalchemy.text("select version_num from alembic_version")
        ).scalar()


def write_auth_config() -> None:
    """Write MLflow's basic-auth settings where only this process can read them."""
    path = Path(os.environ.get("TMPDIR", "/tmp"), "basic_auth.ini")  # noqa: S108 - memory on Cloud Run
    settings = {
        "default_permission": "NO_PERMISSIONS",
        "database_uri": database_url(AUTH_SCHEMA),
        "admin_username": setting("MLFLOW_AUTH_ADMIN_USERNAME"),
        "admin_password": secret("MLFLOW_AUTH_ADMIN_PASSWORD"),
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
        # Without a cache every request pays for a password hash: 14 requests a second, not 166.
        "auth_cache_ttl_seconds": "60",
    }
    for key, value in settings.items():
        # What stands behind a line break would be another setting.
        if len(value.splitlines()) != 1:
            sys.exit(f"entrypoint: {key} must be one line")
    lines = [f"{key} = {value.replace('%', '%%')}" for key, value in settings.items()]
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write("\n".join(["[mlflow]", *lines, ""]))
    os.environ["MLFLOW_AUTH_CONFIG_PATH"] = str(path)
    os.environ["MLFLOW_FLASK_SERVER_SECRET_KEY"] = secret("MLFLOW_FLASK_SERVER_SECRET_KEY")


def with_basic_auth() -> bool:
    """Tell whether MLflow asks for user and password itself."""
    mode = setting("AUTH_MODE", "none")
    if mode not in {"none", "basic"}:
        sys.exit(f"entrypoint: AUTH_MODE is {mode!r}; known: none, basic")
    if mode == "basic" and setting("DB_ENGINE") != "postgresql":
        # Its first migration gives two foreign keys one name, which MySQL refuses.
        sys.exit("entrypoint: AUTH_MODE basic needs DB_ENGINE postgresql")
    return mode == "basic"


def artifact_uploads() -> dict[str, str]:
    """Return the variables that say how artifacts above 32 MiB come: whole, or in signed parts."""
    way = setting("ARTIFACT_UPLOADS", "http2")
    if way not in UPLOADS:
        sys.exit(f"entrypoint: ARTIFACT_UPLOADS is {way!r}; known: {', '.join(UPLOADS)}")
    return {"ARTIFACT_UPLOADS": way, "MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD": UPLOADS[way]}


def migrate() -> None:
    """Bring the schema to the version of this image; two at once wait for each other."""
    import sqlalchemy

    url = database_url()
    engine = sqlalchemy.create_engine(url, poolclass=sqlalchemy.pool.NullPool)
    with engine.connect() as lock:
        wait = database_engine().lock.format(key=MIGRATION_LOCK, seconds=LOCK_SECONDS)
        if not lock.execute(sqlalchemy.text(wait)).scalar():
            sys.exit("entrypoint: another migration did not end in time")
        lock.commit()
        os.environ["MLFLOW_BACKEND_STORE_URI"] = url
        from mlflow.store.db import utils

        # An upgrade of an empty database fails in MLflow 2: the first tables are made otherwise.
        if database_revision(url) is None:
            utils._initialize_tables(engine)  # noqa: SLF001 - MLflow offers no public way
        else:
            utils._upgrade_db(engine)  # noqa: SLF001 - the same
        if with_basic_auth():
            lock.execute(sqlalchemy.text(f"create schema if not exists {AUTH_SCHEMA}"))
            lock.commit()
            write_auth_config()
            from mlflow.server.auth.db.utils import migrate_if_needed

            migrate_if_needed(sqlalchemy.create_engine(database_url(AUTH_SCHEMA)), "head")
    print(f"entrypoint: schema is at {database_revision(url)}", flush=True)  # noqa: T201 - the log


def serve() -> None:
    """Become the tracking server, unless the database has another schema than this image."""
    uploads = artifact_uploads()
    url = database_url()
    found, wanted = database_revision(url), SCHEMA_HEAD.read_text().strip()
    if found != wanted:
        sys.exit(
            f"entrypoint: database schema is {found or 'empty'}, this image needs {wanted}; "
            "run the migrate job first"
        )
    become_server(url, uploads)


def become_server(url: str, uploads: dict[str, str]) -> None:
    """Become the tracking server of this image's MLflow.

    Args:
        url: The backend store, whose schema is as it must be.
        uploads: What says how big artifacts come.
    """
    family = setting("MLFLOW_VERSION").split(".")[0]
    if family not in SERVERS:
        sys.exit(f"entrypoint: MLflow {family} is unknown; known: {', '.join(SERVERS)}")
    served = SERVERS[family]
    basic = with_basic_auth()
    if basic:
        write_auth_config()
    os.environ |= uploads | {
        "AUTH_MODE": "basic" if basic else "none",
        "MLFLOW_APPLICATION": "mlflow.server.auth:create_app" if basic else served.application,
        "MLFLOW_BACKEND_STORE_URI": url,
        # What `mlflow server` tells its workers. They are started directly: the command would
        # stay as a parent of 200 MiB, and knows no server that speaks HTTP/2 in clear.
        "_MLFLOW_SERVER_FILE_STORE": url,
        "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
        "_MLFLOW_SERVER_ARTIFACT_DESTINATION": setting("MLFLOW_ARTIFACTS_DESTINATION"),
        "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
        "_MLFLOW_SGI_NAME": served.kind,
    }
    command = [sys.executable, "-m", "granian", *GRANIAN, *served.options]
    command += ["--host", "0.0.0.0", "--port", setting("PORT", "8080")]  # noqa: S104 - container
    command += ["--workers", setting("MLFLOW_WORKERS", "1"), served.target]
    os.execv(sys.executable, command)  # noqa: S606 - no shell, on purpose


GRANIAN = (
    *("--factory", "--http", "auto", "--no-ws"),
    # With the default window and frames of 16 KiB an upload waits for leave 2500 times in 40 MiB.
    *("--http2-max-frame-size", "1048576"),
    *("--http2-initial-stream-window-size", "8388608"),
    *("--http2-initial-connection-window-size", "16777216"),
    *("--workers-kill-timeout", str(SHUTDOWN_SECONDS)),
    *("--log-config", LOG_CONFIG),
    *("--access-log", "--access-log-fmt", '"%(method)s %(path)s %(protocol)s" %(status)d'),
)
"""HTTP/2 without TLS is what lifts Cloud Run's limit of 32 MiB for a request; its probes come over
HTTP/1, on the same port."""


@dataclass(frozen=True)
class Served:
    """How one family of MLflow is served."""

    target: str
    application: str
    kind: str
    options: tuple[str, ...]


SERVERS = {
    "2": Served(
        target="server:wsgi",
        application="mlflow.server:app",
        kind="gunicorn",
        options=("--interface", "wsgi", "--blocking-threads", "8"),
    ),
    "3": Served(
        target="server:asgi",
        application="mlflow.server.fastapi_app:app",
        kind="uvicorn",
        options=("--interface", "asgi"),
    ),
}
"""MLflow 2 is written for WSGI and MLflow 3 for ASGI; `kind` is what each takes its server for."""

COMMANDS: dict[str, Callable[[], None]] = {"serve": serve, "migrate": migrate}


def main() -> None:
    """Run the command named by the first argument; `serve` when there is none."""
    command = (sys.argv[1:] or ["serve"])[0]
    if command not in COMMANDS:
        sys.exit(f"entrypoint: unknown command {command!r}; known: {', '.join(COMMANDS)}")
    COMMANDS[command]()


if __name__ == "__main__":
    main()
