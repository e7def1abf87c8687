"""Where a tracking server runs: one model per platform, told apart by `platform`."""

from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

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

    @model_validator(mode="after")
    def no_more_instances_stay_warm_than_may_run(self) -> "CloudRun":
        """Refuse a floor above the ceiling."""
        if self.max_instances is not None and self.min_instances > self.max_instances:
            raise PydanticCustomError(
                "contradiction",
                "min_instances {low} and max_instances {high} contradict each other; "
                "min_instances must be at most {high}, or max_instances at least {low}",
                {
                    "low": self.min_instances,
                    "high": self.max_instances,
                    "pointers": ["/serving/min_instances", "/serving/max_instances"],
                },
            )
        return self


Serving = CloudRun
"""The platforms offered; a second one makes this a union discriminated by `platform`."""
