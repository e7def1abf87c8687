"""DeploymentRequest, what a team asks for; Spec and Status, what the registry keeps."""

from datetime import datetime
from typing import Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas import contradictions
from schemas.access import Access, IamAccess, TrainingAccount
from schemas.database import Database, PostgreSql
from schemas.model import (
    Email,
    Flag,
    Generation,
    LabelKey,
    LabelValue,
    Model,
    Name,
    Region,
    Team,
    Version,
)
from schemas.network import LoadBalancer, Network
from schemas.problem import Problem
from schemas.serving import CloudRun, Serving

Size = Literal["small", "medium", "large"]
Placement = Literal["pooled", "dedicated"]
ArtifactLocation = Literal["region", "multi_region"]
OnFailure = Literal["ROLLBACK", "KEEP"]
State = Literal["PENDING", "PROVISIONING", "READY", "FAILED", "DELETING", "DELETED"]
CertificateState = Literal["PROVISIONING", "ACTIVE", "FAILED"]
PartState = Literal["PENDING", "RUNNING", "DONE", "FAILED", "REMOVED"]
Part = Literal[
    "identity",
    "network",
    "domain",
    "image",
    "backend_store",
    "artifact_root",
    "schema",
    "tracking_server",
    "load_balancer",
    "access",
    "verify",
]

OUR_LABELS = ("managed-by", "berth-")
"""Labels that begin so prove that a resource is ours; nobody else may set them."""


class DeploymentRequest(Model):
    """What a team asks for. The smallest one is a name and a team."""

    name: Name = Field(
        description="What the deployment is called: 1 to 20 small letters, digits and hyphens, "
        "beginning with a letter. Every resource is named after it.",
        examples=["fraud"],
    )
    team: Team = Field(
        description="The team it belongs to; the caller must be a member.", examples=["risk"]
    )
    region: Region | None = Field(
        default=None,
        description="The Google Cloud region; null takes the platform's default.",
        examples=["europe-west1", None],
    )
    size: Size = Field(
        default="small",
        description="How much the server can carry: decides CPU, memory, workers and database.",
        examples=["small"],
    )
    placement: Placement = Field(
        default="pooled",
        description="pooled: an own database on a shared instance, there in seconds. "
        "dedicated: an own instance, which takes Cloud SQL 4 to 20 minutes.",
        examples=["pooled"],
    )
    highly_available: Flag = Field(
        default=False,
        description="Whether the database has a standby in another zone. "
        "Needs placement dedicated and size medium or large.",
        examples=[False],
    )
    database: Database = Field(
        default=PostgreSql(),
        description="The engine of the backend store, and its version. "
        "The shared instance runs PostgreSQL 18; anything else needs placement dedicated.",
        examples=[{"engine": "postgresql", "version": "18"}, {"engine": "mysql"}],
    )
    artifact_location: ArtifactLocation = Field(
        default="region",
        description="Where artifacts lie. region: beside the server, cheapest. multi_region: spread "
        "over the continent (US, EU or ASIA), there also when a region is not.",
        examples=["region"],
    )
    mlflow_version: Version = Field(
        default="3.17.2",
        description="The MLflow version; it must be one that the platform offers.",
        examples=["3.17.2"],
    )
    serving: Serving = Field(
        default=CloudRun(platform="cloud_run"),
        description="Where the server runs.",
        examples=[{"platform": "cloud_run", "min_instances": 0, "max_instances": None}],
    )
    access: Access = Field(
        default=IamAccess(),
        description="Who may enter, and how they prove it.",
        examples=[
            {"mode": "iam", "members": ["group:risk@example.com"]},
            {"mode": "basic_auth", "admin_username": "admin"},
            {"mode": "iap", "members": ["domain:example.com"]},
        ],
    )
    training_account: TrainingAccount | None = Field(
        default=None,
        description="A service account for trainings, let in like a member; "
        "null: trainings come as one of the members.",
        examples=[None, {"impersonated_by": ["group:risk@example.com"]}],
    )
    network: Network | None = Field(
        default=None,
        description="The VPC network that the database is reachable in; null: it has a public "
        "address that only Google's connectors get through to.",
        examples=[None, {"name": "default"}],
    )
    load_balancer: LoadBalancer | None = Field(
        default=None,
        description="A load balancer with a domain, a certificate and ranges of addresses; "
        "null: the server answers at Google's own address of it.",
        examples=[None, {"domain": "mlflow.risk.example.com"}],
    )
    on_failure: OnFailure = Field(
        default="ROLLBACK",
        description="When a step fails: ROLLBACK removes what was made, KEEP leaves it "
        "so that sending the request again goes on from there.",
        examples=["ROLLBACK"],
    )
    labels: dict[LabelKey, LabelValue] = Field(
        default={},
        max_length=8,
        description="Labels that every resource carries besides Berth's own, at most 8.",
        examples=[{"cost-center": "4711"}],
    )

    @model_validator(mode="after")
    def no_two_options_exclude_each_other(self) -> "DeploymentRequest":
        """Refuse what cannot be had together."""
        contradictions.refuse(self)
        return self

    @model_validator(mode="after")
    def labels_leave_our_marks_alone(self) -> "DeploymentRequest":
        """Refuse labels that would pass for Berth's marks of ownership."""
        for key in self.labels:
            if key.startswith(OUR_LABELS):
                raise PydanticCustomError(
                    "reserved_label",
                    "the label {key} is Berth's own mark; labels may not begin with {ours}",
                    {
                        "key": key,
                        "ours": " or ".join(OUR_LABELS),
                        "pointers": [f"/labels/{key}"],
                    },
                )
        return self


class Spec(Model):
    """deployments/NAME/spec.json: what is wanted. Only the functions write it."""

    name: Name = Field(description="The deployment's name.", examples=["fraud"])
    generation: Generation = Field(
        description="Counts the changes of what is wanted, from 1.", examples=[1]
    )
    uid: str = Field(
        pattern=r"^[a-z0-9]{8,32}$",
        description="Tells this deployment from an earlier one of the same name.",
        examples=["3f9c2b7a41d0"],
    )
    desired: Literal["present", "absent"] = Field(
        description="Whether it shall be there.", examples=["present"]
    )
    request: DeploymentRequest = Field(
        description="What was asked for, with every default filled in.",
        examples=[{"name": "fraud", "team": "risk"}],
    )
    brought: dict[str, str] = Field(
        default={},
        description="Of each secret that the team brought, the version that was the newest when "
        "this was asked for: the one that is used. Without an entry it is the newest one there is.",
        examples=[{"mlflow-client-id": "1", "mlflow-client-secret": "3"}],
    )
    kept: Flag = Field(
        default=False,
        description="Whether it was READY in an earlier generation. Then it holds a team's work, "
        "and nothing of it is taken back when a step fails, whatever on_failure says.",
        examples=[False],
    )
    created_by: Email = Field(description="Who asked for it.", examples=["ana@example.com"])
    created: datetime = Field(description="When.", examples=["2026-11-20T07:25:00Z"])
    updated: datetime = Field(
        description="When what is wanted last changed.", examples=["2026-11-20T07:25:00Z"]
    )


class PartStatus(Model):
    """How far one part of a deployment is."""

    state: PartState = Field(description="How far it is.", examples=["DONE"])
    started: datetime | None = Field(
        default=None, description="When it began.", examples=["2026-11-20T07:25:01Z"]
    )
    finished: datetime | None = Field(
        default=None, description="When it ended, well or not.", examples=["2026-11-20T07:25:02Z"]
    )
    summary: str | None = Field(
        default=None,
        description="What was made, in a few words.",
        examples=["database fraud on berth-pool-1"],
    )


class DnsRecord(Model):
    """A record for whoever looks after the domain to make."""

    name: str = Field(
        description="The name, which ends with a dot.", examples=["mlflow.risk.example.com."]
    )
    type: Literal["A", "CNAME"] = Field(description="The type.", examples=["A"])
    data: str = Field(description="What it leads to.", examples=["203.0.113.10"])


class Status(Model):
    """deployments/NAME/status.json: what is. Only the workflow writes it."""

    generation: Generation = Field(
        description="The generation of the spec it was made from.", examples=[1]
    )
    state: State = Field(description="The state of the deployment.", examples=["READY"])
    execution: str | None = Field(
        default=None,
        description="The workflow execution that holds the lease, or held it last.",
        examples=["projects/1/locations/europe-west1/workflows/berth-provision/executions/x"],
    )
    url: str | None = Field(
        default=None,
        description="Where the tracking server answers.",
        examples=["https://mlflow-fraud-123456789012.europe-west1.run.app"],
    )
    urls: tuple[str, ...] = Field(
        default=(),
        description="Every address it answers at.",
        examples=[["https://mlflow-fraud-123456789012.europe-west1.run.app"]],
    )
    parts: dict[Part, PartStatus] = Field(
        default={},
        description="How far each part is.",
        examples=[{"identity": {"state": "DONE"}}],
    )
    certificate: CertificateState | None = Field(
        default=None,
        description="How far the domain is; null without a load balancer. PROVISIONING: not proved "
        "to work yet. ACTIVE: the certificate is issued and the way through the domain was proved. "
        "FAILED: somebody has to do what `problem` says.",
        examples=[None, "PROVISIONING"],
    )
    observed: dict[str, str | list[str] | None] = Field(
        default={},
        description="What earlier parts learned and later parts need.",
        examples=[{"url": "https://mlflow-fraud-123456789012.europe-west1.run.app"}],
    )
    problem: Problem | None = Field(
        default=None,
        description="Why it failed, or what keeps its domain from working; null otherwise.",
        examples=[None],
    )
    updated: datetime = Field(
        description="When this was written.", examples=["2026-11-20T07:26:00Z"]
    )


class Deployment(Model):
    """What GET answers: what was wanted and what is, in one document."""

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
    urls: tuple[str, ...] = Field(
        default=(),
        description="Every address it answers at.",
        examples=[["https://mlflow-fraud-123456789012.europe-west1.run.app"]],
    )
    certificate: CertificateState | None = Field(
        default=None,
        description="How far the domain is; null without a load balancer. PROVISIONING: not proved "
        "to work yet. ACTIVE: the certificate is issued and the way through the domain was proved. "
        "FAILED: somebody has to do what `problem` says.",
        examples=[None, "PROVISIONING"],
    )
    dns_records: tuple[DnsRecord, ...] = Field(
        default=(),
        description="The records that the domain needs and that are not in a zone of this "
        "project: make them where the domain is kept.",
        examples=[[{"name": "mlflow.risk.example.com.", "type": "A", "data": "203.0.113.10"}]],
    )
    request: DeploymentRequest = Field(
        description="What was asked for, with every default filled in.",
        examples=[{"name": "fraud", "team": "risk"}],
    )
    parts: dict[Part, PartStatus] = Field(
        default={}, description="How far each part is.", examples=[{"identity": {"state": "DONE"}}]
    )
    problem: Problem | None = Field(
        default=None,
        description="Why it failed, or what keeps its domain from working; null otherwise.",
        examples=[None],
    )
    execution: str | None = Field(
        default=None,
        description="The workflow execution at work, or the last one.",
        examples=["projects/1/locations/europe-west1/workflows/berth-provision/executions/x"],
    )
    login: tuple[str, ...] = Field(
        default=(),
        description="How to log in, line by line, once it is READY. Says where a password is, "
        "never what it is.",
        examples=[["browser:  https://mlflow-fraud-123456789012.europe-west1.run.app"]],
    )
    notes: tuple[str, ...] = Field(
        default=(),
        description="What is worth knowing about what was asked for; none of it is an error.",
        examples=[["two DNS records of mlflow.risk.example.com are for you to make"]],
    )
    created_by: Email = Field(description="Who asked for it.", examples=["ana@example.com"])
    created: datetime = Field(description="When.", examples=["2026-11-20T07:25:00Z"])
    updated: datetime = Field(
        description="When anything about it last changed.", examples=["2026-11-20T07:26:00Z"]
    )
