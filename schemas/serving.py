"""Where a tracking server runs: one model per platform, told apart by `platform`."""

from typing import Literal

from pydantic import Field

from schemas.model import Count, Model


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


Serving = CloudRun
"""The platforms offered; a second one makes this a union discriminated by `platform`."""
