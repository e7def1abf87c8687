"""Claim: what the workflow is about to make, written down before it makes it."""

from typing import Annotated, Literal

from pydantic import Field

from schemas.deployment import Part
from schemas.model import Flag, Generation, Model, Name
from schemas.plan import Address, Check, Grant, Operations, PartPlan, Request, Resource


class ClaimedResource(Model):
    """A resource as far as removing it needs to know it."""

    kind: Literal["resource"] = Field(
        default="resource", description="Tells it from a grant.", examples=["resource"]
    )
    name: str = Field(description="What it is called among the steps.", examples=["database"])
    title: str = Field(
        description="What it is, for people.",
        examples=["Cloud SQL database fraud on berth-pool-1"],
    )
    url: str = Field(
        description="GET answers 200 when it is there and 404 when it is not.",
        examples=["https://secretmanager.googleapis.com/v1/projects/p/secrets/s"],
    )
    exists: Check | None = Field(
        default=None, description="It is there only if GET shows this.", examples=[None]
    )
    mark: Check | None = Field(
        default=None,
        description="The mark it must show; without it nothing is removed. null: it can carry "
        "none, and this claim is the proof.",
        examples=[{"path": ["labels", "berth-deployment"], "value": "fraud"}],
    )
    operation: Operations | None = Field(
        default=None, description="How to poll what remove answers.", examples=[None]
    )
    remove: tuple[Request, ...] = Field(
        default=(),
        description="Takes it away, in order.",
        examples=[[{"method": "DELETE", "url": "https://storage.googleapis.com/storage/v1/b/x"}]],
    )
    within: str | None = Field(
        default=None,
        description="The step whose removal takes this one along.",
        examples=["db_password_secret"],
    )
    contents: str | None = Field(
        default=None,
        description="For a bucket: lists the objects to be deleted first.",
        examples=["https://storage.googleapis.com/storage/v1/b/x/o?versions=true"],
    )


class ClaimedGrant(Model):
    """A grant as far as taking it back needs to know it."""

    kind: Literal["grant"] = Field(
        default="grant", description="Tells it from a resource.", examples=["grant"]
    )
    name: str = Field(
        description="What it is called among the steps.", examples=["server_may_connect"]
    )
    title: str = Field(
        description="What it allows, for people.", examples=["the server may connect"]
    )
    role: str = Field(description="The role.", examples=["roles/cloudsql.client"])
    member: str = Field(
        description="Who holds it.",
        examples=["serviceAccount:mlflow-fraud@acme.iam.gserviceaccount.com"],
    )
    condition: dict[str, str] | None = Field(
        default=None, description="The IAM condition: title, expression.", examples=[None]
    )
    read: Request = Field(
        description="Reads the policy, version 3.",
        examples=[{"method": "GET", "url": "https://storage.googleapis.com/storage/v1/b/x/iam"}],
    )
    write: Address = Field(
        description="Writes the policy.",
        examples=[{"method": "PUT", "url": "https://storage.googleapis.com/storage/v1/b/x/iam"}],
    )
    wrap: Flag = Field(description='Whether the body is {"policy": …}.', examples=[True])
    drop: Flag = Field(
        default=False, description="Whether teardown takes it back.", examples=[False]
    )


ClaimedStep = Annotated[ClaimedResource | ClaimedGrant, Field(discriminator="kind")]


class Claim(Model):
    """deployments/NAME/claims/PART.json: written before the part's first create."""

    deployment: Name = Field(description="The deployment's name.", examples=["fraud"])
    generation: Generation = Field(description="The generation that claimed it.", examples=[1])
    part: Part = Field(description="The part.", examples=["backend_store"])
    steps: tuple[ClaimedStep, ...] = Field(
        description="The steps, in the order of making them.", examples=[[]]
    )

    @classmethod
    def of(cls, plan: PartPlan, *, deployment: str, generation: int) -> "Claim":
        """Return the claim on everything that `plan` makes for this deployment alone."""
        return cls(
            deployment=deployment,
            generation=generation,
            part=plan.part,
            steps=tuple(
                _claimed(step) for step in plan.steps if isinstance(step, Grant) or not step.keep
            ),
        )


def _claimed(step: Resource | Grant) -> ClaimedResource | ClaimedGrant:
    model = ClaimedGrant if isinstance(step, Grant) else ClaimedResource
    return model.model_validate(
        {key: value for key, value in step.document().items() if key in model.model_fields}
    )
