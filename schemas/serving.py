"""Where a tracking server runs: one model per platform, told apart by `platform`."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.model import Count, Flag, Model


class CloudRun(Model):
    """The server runs on Cloud Run and costs nothing while nobody uses it."""

    platform: Literal["cloud_run"] = Field(
        description="Where the server runs.", examples=["cloud_run"]
    )
    min_instances: Count = Field(
        default=0,
        ge=0,
        le=10,
        description="How many instances stay warm. 0 saves money; the first call then waits 4 to 10 s.",
        examples=[0, 1],
    )
    max_instances: Count | None = Field(
        default=None,
        ge=1,
        le=20,
        description="The most instances at once; null leaves it to the size. "
        "Each instance holds database connections, so the database's tier limits it.",
        examples=[None, 3],
    )
    concurrency: Count | None = Field(
        default=None,
        ge=1,
        le=250,
        description="How many requests one instance answers at once; null leaves it to the size.",
        examples=[None, 40],
    )
    timeout_seconds: Count = Field(
        default=900,
        ge=60,
        le=3600,
        description="How long one request may take, in seconds. An artifact on its way through "
        "the server needs more than Cloud Run's own 300.",
        examples=[900],
    )
    cpu_always_allocated: Flag = Field(
        default=False,
        description="Whether instances keep their CPU between requests, and are paid for as long "
        "as they are there. MLflow does not need it.",
        examples=[False],
    )
    ingress: Literal["all", "internal"] = Field(
        default="all",
        description="all: callers come from anywhere, and the access mode asks who they are. "
        "internal: only callers in the project's VPC networks find it; Berth must have been "
        "installed with that network.",
        examples=["all"],
    )


class AppEngine(Model):
    """The server runs on App Engine flexible: at least one machine, for ever in one region.

    Its CPU and memory follow the size. An application that is there already is used as it is.
    """

    platform: Literal["app_engine"] = Field(
        description="Where the server runs.", examples=["app_engine"]
    )
    min_instances: Count | None = Field(
        default=None,
        ge=1,
        le=10,
        description="How many instances are always there; null means 1.",
        examples=[None, 1],
    )
    max_instances: Count | None = Field(
        default=None,
        ge=1,
        le=20,
        description="The most instances at once; null leaves it to the size.",
        examples=[None, 2],
    )
    target_cpu: Annotated[float, Field(ge=0.1, le=1.0, strict=True)] | None = Field(
        default=None,
        description="The share of CPU above which an instance is added; null means 0.75.",
        examples=[None, 0.6],
    )
    instances: Count | None = Field(
        default=None,
        ge=1,
        le=20,
        description="A fixed number of instances, which nothing adds to or takes from; "
        "null scales by CPU.",
        examples=[None, 1],
    )


Serving = Annotated[CloudRun | AppEngine, Field(discriminator="platform")]
"""The platforms offered."""
