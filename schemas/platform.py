"""Platform: what the installation made in a project, read from platform.json there."""

from pydantic import Field, model_validator

from schemas.model import Email, Model, Region, Version
from schemas.network import Network


class Pool(Model):
    """The Cloud SQL instance that pooled deployments share."""

    instance: str = Field(
        pattern=r"^[a-z]([-a-z0-9]{0,96}[a-z0-9])?$",
        description="The instance's name.",
        examples=["berth-pool-1"],
    )
    connection_name: str = Field(
        pattern=r"^[^:]+(:[^:]+)?:[^:]+:[^:]+$",
        description="PROJECT:REGION:INSTANCE, as GET on the instance shows it.",
        examples=["acme:europe-west1:berth-pool-1"],
    )


class RegionOffer(Model):
    """What the platform has in one region."""

    host_suffixes: tuple[str, ...] = Field(
        min_length=1,
        description="A Cloud Run service answers at its name followed by each of these.",
        examples=[["-123456789012.europe-west1.run.app", "-x7k2abcdeq-ew.a.run.app"]],
    )
    pool: Pool | None = Field(
        default=None,
        description="The shared instance; null when there is none, and pooled is refused.",
        examples=[{"instance": "berth-pool-1", "connection_name": "p:europe-west1:berth-pool-1"}],
    )
    image_repository: str = Field(
        pattern=r"^[a-z0-9-]+-docker\.pkg\.dev/[a-z0-9.:-]+/[a-z][a-z0-9-]*$",
        description="The Artifact Registry repository of the images.",
        examples=["europe-west1-docker.pkg.dev/acme/berth"],
    )


class Accounts(Model):
    """The service accounts that Berth itself runs as."""

    api: Email = Field(
        description="Runs the api.", examples=["berth-api@acme.iam.gserviceaccount.com"]
    )
    plan: Email = Field(
        description="Runs plan.", examples=["berth-plan@acme.iam.gserviceaccount.com"]
    )
    credentials: Email = Field(
        description="Runs credentials: makes passwords and database users.",
        examples=["berth-credentials@acme.iam.gserviceaccount.com"],
    )
    verify: Email = Field(
        description="Runs verify: a member of every deployment, for the proof.",
        examples=["berth-verify@acme.iam.gserviceaccount.com"],
    )
    stranger: Email = Field(
        description="Member of nothing: verify proves with it that a valid token is not enough.",
        examples=["berth-stranger@acme.iam.gserviceaccount.com"],
    )
    workflow: Email = Field(
        description="Runs the workflows: makes and removes the resources.",
        examples=["berth-workflow@acme.iam.gserviceaccount.com"],
    )
    build: Email = Field(
        description="Builds the images.", examples=["berth-build@acme.iam.gserviceaccount.com"]
    )


class Functions(Model):
    """Where the functions answer that the workflow calls."""

    plan: str = Field(
        pattern=r"^https://",
        description="Compiles a part.",
        examples=["https://plan-x.run.app"],
    )
    credentials: str = Field(
        pattern=r"^https://",
        description="Makes passwords and database users.",
        examples=["https://credentials-x.run.app"],
    )
    verify: str = Field(
        pattern=r"^https://",
        description="Proves that a deployment works.",
        examples=["https://verify-x.run.app"],
    )


class Workflows(Model):
    """The workflows, by their full names."""

    provision: str = Field(
        description="Makes a deployment.",
        examples=["projects/acme/locations/europe-west1/workflows/berth-provision"],
    )
    teardown: str = Field(
        description="Removes one.",
        examples=["projects/acme/locations/europe-west1/workflows/berth-teardown"],
    )


class ImageSource(Model):
    """What the image of one MLflow version is built from."""

    digest: str = Field(
        pattern=r"^[0-9a-f]{12}$",
        description="The first 12 hex digits of the source's SHA-256; the image's tag.",
        examples=["0a1b2c3d4e5f"],
    )
    bucket: str = Field(description="The bucket of the source.", examples=["acme-berth-source"])
    object: str = Field(
        description="The source, a .tar.gz.",
        examples=["images/tracking-server-0a1b2c3d4e5f.tar.gz"],
    )
    generation: str = Field(
        pattern=r"^[0-9]+$",
        description="The object's generation, so that nobody can swap it.",
        examples=["1731400000000000"],
    )


class Platform(Model):
    """What the installation made, and therefore what can be offered."""

    project_id: str = Field(
        pattern=r"^[a-z][-a-z0-9]{4,28}[a-z0-9]$",
        description="The project's id.",
        examples=["acme-mlflow"],
    )
    project_number: str = Field(
        pattern=r"^[0-9]{4,20}$", description="The project's number.", examples=["123456789012"]
    )
    regions: dict[Region, RegionOffer] = Field(
        min_length=1,
        description="What is offered where.",
        examples=[{"europe-west1": {"host_suffixes": ["-123456789012.europe-west1.run.app"]}}],
    )
    default_region: Region = Field(
        description="Where a deployment goes that names no region.", examples=["europe-west1"]
    )
    registry_bucket: str = Field(
        description="The bucket of specs, statuses and claims.", examples=["acme-berth-registry"]
    )
    topic: str = Field(
        description="The Pub/Sub topic of the status events.",
        examples=["projects/acme/topics/berth-events"],
    )
    accounts: Accounts = Field(
        description="The service accounts of Berth itself.",
        examples=[{"api": "berth-api@acme.iam.gserviceaccount.com"}],
    )
    functions: Functions = Field(
        description="Where the workflow's functions answer.",
        examples=[{"plan": "https://plan-x.run.app"}],
    )
    workflows: Workflows = Field(
        description="The workflows.",
        examples=[{"provision": "projects/acme/locations/europe-west1/workflows/berth-provision"}],
    )
    images: dict[Version, ImageSource] = Field(
        min_length=1,
        description="What is offered to run, by MLflow version.",
        examples=[{"3.17.2": {"digest": "0a1b2c3d4e5f"}}],
    )
    proxy_image: ImageSource = Field(
        description="What the image of oauth2-proxy is built from.",
        examples=[{"digest": "0a1b2c3d4e5f"}],
    )
    network: Network | None = Field(
        default=None,
        description="The VPC network that verify is in, for servers that only insiders find; "
        "null: verify is outside of every network.",
        examples=[None, {"name": "default"}],
    )
    verify_ranges: tuple[str, ...] = Field(
        default=(),
        description="From where verify calls, so that load balancers let it come to the door.",
        examples=[["203.0.113.7/32"]],
    )

    @model_validator(mode="after")
    def the_default_region_is_one_of_the_regions(self) -> "Platform":
        """Refuse a default that is not offered."""
        if self.default_region not in self.regions:
            message = (
                f"default_region {self.default_region} is not among the regions "
                f"{', '.join(sorted(self.regions))}"
            )
            raise ValueError(message)
        return self
