"""Target: one deployment on one platform, and the name of everything it is made of."""

from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from schemas.access import BasicAuth, Iap, IapAccess, OAuth2Proxy, OAuthClient
from schemas.deployment import DeploymentRequest, Spec
from schemas.platform import Platform, RegionOffer

SECRETS = ("db-password", "admin-password", "flask-secret", "proxy-config", "proxy-members")
PACKAGE = "tracking-server"

Uploads = Literal["http2", "signed_parts"]


class NotOfferedError(ValueError):
    """The spec asks for something that this platform does not have."""


@dataclass(frozen=True)
class Target:
    """Where a deployment goes and what its things are called; names are built, never random."""

    spec: Spec
    platform: Platform

    @property
    def request(self) -> DeploymentRequest:
        """What was asked for."""
        return self.spec.request

    @property
    def name(self) -> str:
        """The deployment's name."""
        return self.spec.name

    @property
    def project(self) -> str:
        """The project's id."""
        return self.platform.project_id

    @property
    def region(self) -> str:
        """The region it goes to."""
        return self.request.region or self.platform.default_region

    @property
    def offer(self) -> RegionOffer:
        """What the platform has in that region."""
        try:
            return self.platform.regions[self.region]
        except KeyError:
            offered = ", ".join(sorted(self.platform.regions))
            raise NotOfferedError(f"region {self.region} is not offered; {offered} are") from None

    @property
    def pooled(self) -> bool:
        """Whether its database lies on the shared instance."""
        return self.request.placement == "pooled"

    @property
    def iap(self) -> Iap | None:
        """Whom Identity-Aware Proxy lets in, alone or before MLflow's login; None without it."""
        access = self.request.access
        if isinstance(access, IapAccess):
            return access
        return access.iap if isinstance(access, BasicAuth) else None

    @property
    def oauth_client(self) -> OAuthClient | None:
        """The OAuth client that the team brings, in two secrets of the project; often none."""
        access = self.request.access
        if isinstance(access, OAuth2Proxy):
            return access.oauth_client
        return None if self.iap is None else self.iap.oauth_client

    @property
    def uploads(self) -> Uploads:
        """How artifacts above 32 MiB get in: MLflow's client as it is, or in signed parts.

        Only Cloud Run speaks HTTP/2 to the server, and not with IAP or a proxy in between.
        """
        request = self.request
        if (
            request.serving.platform == "cloud_run"
            and request.access.mode != "oauth2_proxy"
            and self.iap is None
        ):
            return "http2"
        return "signed_parts"

    @property
    def service(self) -> str:
        """The Cloud Run service; at most 27 characters, so every host label fits."""
        return f"mlflow-{self.name}"

    @property
    def job(self) -> str:
        """The Cloud Run job that migrates the database."""
        return f"mlflow-{self.name}-migrate"

    @property
    def account_id(self) -> str:
        """The server's service account, before the @."""
        return f"mlflow-{self.name}"

    @property
    def service_account(self) -> str:
        """The e-mail address the server runs as."""
        return f"{self.account_id}@{self.project}.iam.gserviceaccount.com"

    @property
    def training_account(self) -> str:
        """The e-mail address of the account that trainings come as, where there is one."""
        return f"mlflow-{self.name}-train@{self.project}.iam.gserviceaccount.com"

    @property
    def app_engine_account(self) -> str:
        """The e-mail address that the App Engine application itself has; install makes it."""
        return f"berth-app-engine@{self.project}.iam.gserviceaccount.com"

    @property
    def bucket(self) -> str:
        """The bucket of the artifacts; bucket names are global, so the project is in it."""
        return f"{self.project}-mlflow-{self.name}"

    @property
    def artifact_root(self) -> str:
        """Where the artifacts lie."""
        return f"gs://{self.bucket}/artifacts"

    @property
    def instance(self) -> str:
        """The Cloud SQL instance: the pool's, or its own.

        Cloud SQL may block the name of a deleted instance for a week, so one's own carries four
        characters of the deployment's uid.
        """
        if not self.pooled:
            return f"mlflow-{self.name}-{self.spec.uid[:4]}"
        if self.offer.pool is None:
            raise NotOfferedError(f"placement pooled is not offered: {self.region} has no pool")
        return self.offer.pool.instance

    @property
    def connection_name(self) -> str:
        """PROJECT:REGION:INSTANCE; /cloudsql/ plus this is the directory of the socket."""
        if self.pooled and self.offer.pool is not None:
            return self.offer.pool.connection_name
        return f"{self.project}:{self.region}:{self.instance}"

    @property
    def database(self) -> str:
        """The database on that instance."""
        return self.name

    @property
    def database_user(self) -> str:
        """The database user that owns the tables."""
        return self.name

    @property
    def hosts(self) -> tuple[str, ...]:
        """Every host name the server answers at, known before it is deployed.

        With a load balancer in front it answers at the domain and nowhere else.
        """
        if self.request.load_balancer is not None:
            return (self.request.load_balancer.domain,)
        return self.own_hosts

    @property
    def own_hosts(self) -> tuple[str, ...]:
        """Every host name that Cloud Run gives the server; of App Engine's see planner/hosts.py."""
        return tuple(self.service + suffix for suffix in self.offer.host_suffixes)

    @property
    def location(self) -> str:
        """projects/P/locations/R."""
        return f"projects/{self.project}/locations/{self.region}"

    def secret(self, purpose: str) -> str:
        """Return the name of the secret that serves `purpose`."""
        if purpose not in SECRETS:
            raise KeyError(f"no secret serves {purpose}; known: {', '.join(SECRETS)}")
        return f"mlflow-{self.name}-{purpose}"

    @property
    def labels(self) -> dict[str, str]:
        """The marks of ownership, and the labels the team asked for."""
        return {
            **self.request.labels,
            "managed-by": "berth",
            "berth-deployment": self.name,
            "berth-team": self.request.team,
        }

    @property
    def description(self) -> str:
        """The mark of things that carry no labels."""
        return f"managed-by=berth;berth-deployment={self.name}"


def account(email: str) -> str:
    """Return a service account as IAM names it in a policy."""
    return f"serviceAccount:{email}"


def escaped(part: str) -> str:
    """Return `part` as one segment of a path."""
    return quote(part, safe="")
