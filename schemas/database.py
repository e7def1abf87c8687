"""What the runs are kept in: one model per database engine, told apart by `engine`."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.model import Model

POOL_ENGINE = "postgresql"
POOL_VERSION = "18"
"""What the shared instance runs."""


class PostgreSql(Model):
    """PostgreSQL: an interrupted migration is rolled back whole and can be tried again."""

    engine: Literal["postgresql"] = Field(
        default="postgresql", description="The database engine.", examples=["postgresql"]
    )
    version: Literal["16", "17", "18"] = Field(
        default="18",
        description="The engine's major version. Other than 18 needs placement dedicated.",
        examples=["18"],
    )


class MySql(Model):
    """MySQL: for those who run it anyway. An interrupted migration needs a person."""

    engine: Literal["mysql"] = Field(description="The database engine.", examples=["mysql"])
    version: Literal["8.4"] = Field(
        default="8.4",
        description="The engine's version. 8.0 has no updates since April 2026.",
        examples=["8.4"],
    )


Database = Annotated[PostgreSql | MySql, Field(discriminator="engine")]
"""The engines offered."""
