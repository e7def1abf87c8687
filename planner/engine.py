"""Engine: what PostgreSQL and MySQL differ in, in one table."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from planner.target import Target

LOG_DAYS = 7
"""The edition ENTERPRISE allows 1 to 7 days of transaction logs."""


@dataclass(frozen=True, kw_only=True)
class Engine:
    """What one database engine wants said in its own way."""

    title: str
    versions: Mapping[str, str]
    """What Cloud SQL calls each version that is offered."""
    iam_flag: str
    """The flag that lets IAM users log in."""
    recovery: Mapping[str, Any]
    """What makes recovery to any moment possible."""
    database: Mapping[str, str]
    """Character set and collation of the database."""
    iam_user: Callable[[str], tuple[str, str]]
    """What the IAM user of an account is inserted as, and what it is called from then on."""
    host: str
    """The query that tells its users apart, besides the name."""
    migration_retries: int
    """How often a migration that was interrupted may simply be run again."""

    def version(self, target: Target) -> str:
        """Return the version asked for in Cloud SQL's words."""
        return self.versions[target.request.database.version]


def of(target: Target) -> Engine:
    """Return the engine of the deployment's database."""
    return ENGINES[target.request.database.engine]


def _postgresql_user(email: str) -> tuple[str, str]:
    name = email.removesuffix(".gserviceaccount.com")
    return name, name


def _mysql_user(email: str) -> tuple[str, str]:
    return email, email.split("@", maxsplit=1)[0]


ENGINES: dict[str, Engine] = {
    "postgresql": Engine(
        title="PostgreSQL",
        versions={"16": "POSTGRES_16", "17": "POSTGRES_17", "18": "POSTGRES_18"},
        iam_flag="cloudsql.iam_authentication",
        recovery={"pointInTimeRecoveryEnabled": True, "transactionLogRetentionDays": LOG_DAYS},
        database={"charset": "UTF8", "collation": "en_US.UTF8"},
        iam_user=_postgresql_user,
        host="",
        # It rolls a broken migration back whole, so trying again is safe.
        migration_retries=1,
    ),
    "mysql": Engine(
        title="MySQL",
        versions={"8.4": "MYSQL_8_4"},
        iam_flag="cloudsql_iam_authentication",
        recovery={"binaryLogEnabled": True, "transactionLogRetentionDays": LOG_DAYS},
        # MLflow's migrations fail on any other character set, and leave half a schema.
        database={"charset": "utf8mb4", "collation": "utf8mb4_0900_ai_ci"},
        iam_user=_mysql_user,
        host="host=%25",
        # It keeps the half of a broken migration, and the second run stumbles over the first.
        migration_retries=0,
    ),
}
