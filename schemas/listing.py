"""What the lists answer: pages of deployments, and of one deployment's events."""

from datetime import datetime

from pydantic import Field

from schemas.deployment import CertificateState, State
from schemas.event import StatusEvent
from schemas.model import Generation, Model, Name, Team


class DeploymentSummary(Model):
    """A deployment in one line, as a list shows it; GET on its name shows all of it."""

    name: Name = Field(description="The deployment's name.", examples=["fraud"])
    team: Team = Field(description="The team it belongs to.", examples=["risk"])
    state: State = Field(description="The state it is in.", examples=["READY"])
    generation: Generation = Field(
        description="Counts the changes of what is wanted, from 1.", examples=[1]
    )
    url: str | None = Field(
        default=None,
        description="Where the tracking server answers, once it is known.",
        examples=["https://mlflow-fraud-123456789012.europe-west1.run.app"],
    )
    certificate: CertificateState | None = Field(
        default=None,
        description="How far its domain is; null without a load balancer.",
        examples=[None, "ACTIVE"],
    )
    updated: datetime = Field(
        description="When anything about it last changed.", examples=["2026-11-20T07:26:00Z"]
    )


class DeploymentList(Model):
    """A page of the deployments that the caller may see, by name."""

    deployments: tuple[DeploymentSummary, ...] = Field(
        description="The deployments of this page.", examples=[[]]
    )
    next_page_token: str | None = Field(
        default=None,
        description="Send it as page_token for the next page; null on the last one.",
        examples=[None, "ZnJhdWQ"],
    )


class EventList(Model):
    """A page of the changes of one deployment's state, oldest first."""

    events: tuple[StatusEvent, ...] = Field(description="The events of this page.", examples=[[]])
    next_page_token: str | None = Field(
        default=None,
        description="Send it as page_token for the next page; null on the last one.",
        examples=[None, "NTA"],
    )
