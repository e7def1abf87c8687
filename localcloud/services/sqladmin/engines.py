"""What differs between Cloud SQL's engines: names, users, character sets, as data."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.service import Resource

ACCOUNT_SUFFIX = ".gserviceaccount.com"


@dataclass(frozen=True)
class Engine:
    """One engine as the API sees it.

    Attributes:
        product: Its name in sentences.
        versions: The databaseVersions that can be had of it.
        superuser: The user every new instance has.
        any_host: The host of a user who may come from anywhere; empty where users have no hosts.
        charset: The character set of a database for which none was sent.
        collation: Likewise its collation.
        longest_user: Bytes of a user's name.
        longest_database: Bytes of a database's name.
        reserved: Names no user can have.
        system: Databases nobody made and nobody can drop.
        iam_flag: The flag that allows IAM users.

    """

    product: str
    versions: tuple[str, ...]
    superuser: str
    any_host: str
    charset: str
    collation: str
    longest_user: int
    longest_database: int
    reserved: re.Pattern[str]
    system: tuple[str, ...]
    iam_flag: str

    def login_name(self, email: str) -> str:
        """Return the name an identity has in the database."""
        return email.partition("@")[0] if self.any_host else email.removesuffix(ACCOUNT_SUFFIX)

    def host(self, sent: str | None) -> str:
        """Return the host of a user for whom this one was sent."""
        return sent or self.any_host


ENGINES = {
    "POSTGRES": Engine(
        product="PostgreSQL",
        versions=("POSTGRES_16", "POSTGRES_17", "POSTGRES_18"),
        superuser="postgres",
        any_host="",
        charset="UTF8",
        collation="en_US.UTF8",
        longest_user=63,
        longest_database=63,
        reserved=re.compile(r"cloudsql.*|pg_.*"),
        system=(),
        iam_flag="cloudsql.iam_authentication",
    ),
    "MYSQL": Engine(
        product="MySQL",
        versions=("MYSQL_8_0", "MYSQL_8_4"),
        superuser="root",
        any_host="%",
        charset="utf8mb4",
        collation="utf8mb4_0900_ai_ci",
        longest_user=32,
        longest_database=64,
        reserved=re.compile(r"cloudsql.*|mysql\..*|mariadb\..*"),
        system=("information_schema", "mysql", "performance_schema", "sys"),
        iam_flag="cloudsql_iam_authentication",
    ),
}
# What gcloud sends when nobody chooses, and what the API makes of a body without a version.
DEFAULT_VERSION = "MYSQL_8_0"
# The end of a maintenanceVersion, which has this form; there is never a newer one.
MAINTENANCE = "R20261101.00_00"


def kind(version: str) -> str:
    """Return the part of a databaseVersion that names the engine."""
    return version.partition("_")[0]


def engine(found: Resource) -> Engine:
    """Return the engine of an instance."""
    return ENGINES[kind(found["databaseVersion"])]
