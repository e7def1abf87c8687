"""Policy: who belongs to which team and what each team may have, read from policy.yaml."""

from typing import Annotated

from pydantic import Field

from schemas.deployment import Placement, Size
from schemas.model import ADDRESS, HOST, Count, Model, Region, Team

# No groups: a function sees the caller's e-mail address and cannot look into groups.
PRINCIPAL_PATTERN = rf"^((user|serviceAccount):{ADDRESS}|domain:{HOST})$"
Principal = Annotated[str, Field(pattern=PRINCIPAL_PATTERN)]


class Limits(Model):
    """What a team may have."""

    deployments: Count = Field(
        default=10, ge=0, description="How many deployments at once.", examples=[10]
    )
    sizes: tuple[Size, ...] = Field(
        default=("small", "medium", "large"),
        description="The sizes it may ask for.",
        examples=[["small", "medium"]],
    )
    regions: tuple[Region, ...] | None = Field(
        default=None,
        description="The regions it may use; null means all that the platform offers.",
        examples=[["europe-west1"], None],
    )
    placements: tuple[Placement, ...] = Field(
        default=("pooled", "dedicated"),
        description="The placements it may ask for.",
        examples=[["pooled"]],
    )


class TeamPolicy(Model):
    """One team: its members and its limits."""

    members: tuple[Principal, ...] = Field(
        default=(),
        description="Who belongs to it: user:, serviceAccount: or domain:.",
        examples=[["user:ana@example.com", "domain:risk.example.com"]],
    )
    limits: Limits | None = Field(
        default=None,
        description="What it may have; null takes the limits given for all.",
        examples=[{"deployments": 3, "placements": ["pooled"]}],
    )


class Policy(Model):
    """policy.yaml in the registry bucket: the rules the api goes by."""

    admins: tuple[Principal, ...] = Field(
        default=(),
        description="Who may do everything for every team.",
        examples=[["user:owner@example.com"]],
    )
    teams: dict[Team, TeamPolicy] = Field(
        default={},
        description="The teams.",
        examples=[{"risk": {"members": ["user:ana@example.com"]}}],
    )
    limits: Limits = Field(
        default=Limits(),
        description="What a team may have that has no limits of its own.",
        examples=[{"deployments": 10}],
    )
