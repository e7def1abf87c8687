"""StatusEvent: what is published at every change of state, and shown by GET …/events."""

from datetime import datetime

from pydantic import Field

from schemas.deployment import CertificateState, Part, PartState, State
from schemas.model import Generation, Model, Name, Team
from schemas.problem import Problem


class StatusEvent(Model):
    """One change of a deployment's state; the data of the CloudEvent on Pub/Sub."""

    id: str = Field(
        description="The same change always has the same id, so a repeat can be told.",
        examples=["fraud/1/READY", "fraud/1/READY/certificate-ACTIVE"],
    )
    deployment: Name = Field(description="The deployment's name.", examples=["fraud"])
    team: Team = Field(description="The team it belongs to.", examples=["risk"])
    generation: Generation = Field(
        description="The generation of the spec it was made from.", examples=[1]
    )
    state: State = Field(description="The state it is in now.", examples=["READY"])
    part: Part | None = Field(
        default=None,
        description="The part that is spoken of; null when it is the whole deployment.",
        examples=["backend_store"],
    )
    part_state: PartState | None = Field(
        default=None, description="How far that part is.", examples=["DONE"]
    )
    message: str = Field(
        description="What happened, in one line for people.",
        examples=["READY: stranger refused · run logged · artifact came back"],
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
    problem: Problem | None = Field(
        default=None,
        description="Why it failed, or what keeps its domain from working; null otherwise.",
        examples=[None],
    )
    execution: str | None = Field(
        default=None,
        description="The workflow execution that says so.",
        examples=["projects/1/locations/europe-west1/workflows/berth-provision/executions/x"],
    )
    time: datetime = Field(description="When it happened.", examples=["2026-11-20T07:26:00Z"])
