"""Who may enter a tracking server: one model per access mode, told apart by `mode`."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from schemas.model import ADDRESS, DOMAIN_PATTERN, HOST, MEMBER_PATTERN, Model

MOST_MEMBERS = 50
GCLOUD = "32555940559.apps.googleusercontent.com"
"""Whom the ID tokens of everybody's gcloud are made out for, whatever service they are meant for."""

ADDRESS_PATTERN = rf"^(user|serviceAccount):{ADDRESS}$"
ISSUER_PATTERN = rf"^https://{HOST}(/[A-Za-z0-9._~/-]*)?=[!-+\--<>-~]{{1,200}}$"
"""The audience is printable ASCII without space, comma and "=": the proxy reads it from TOML."""

SECRET_PATTERN = r"^[a-zA-Z0-9_-]{1,255}$"  # noqa: S105 - how secrets are named
LOGIN_PATTERN = r"^[a-z][-_.a-z0-9]{1,39}$"


def _named_once(entries: tuple[str, ...]) -> tuple[str, ...]:
    twice = sorted({entry for entry in entries if entries.count(entry) > 1})
    if twice:
        raise PydanticCustomError(
            "named_twice", "named more than once: {twice}", {"twice": ", ".join(twice)}
        )
    return entries


Member = Annotated[str, Field(pattern=MEMBER_PATTERN, max_length=300)]
"""A principal as IAM writes it. allUsers and allAuthenticatedUsers do not match: nothing is public."""

Members = Annotated[tuple[Member, ...], Field(max_length=MOST_MEMBERS), AfterValidator(_named_once)]
Domain = Annotated[str, Field(pattern=DOMAIN_PATTERN, max_length=253)]
SecretName = Annotated[str, Field(pattern=SECRET_PATTERN)]


class OAuthClient(Model):
    """An OAuth client of the team's own; Google has no API that makes one.

    Only names are given here. Berth's credentials account must be allowed to read both secrets.
    """

    id_secret: SecretName = Field(
        description="The secret of this project that holds the client's id.",
        examples=["mlflow-oauth-client-id"],
    )
    secret_secret: SecretName = Field(
        description="The secret of this project that holds the client's secret.",
        examples=["mlflow-oauth-client-secret"],
    )


class IamAccess(Model):
    """Google checks the caller: only the members named may reach the server."""

    mode: Literal["iam"] = Field(
        default="iam", description="How callers prove who they are.", examples=["iam"]
    )
    members: Members = Field(
        default=(),
        description="Who may enter besides the one who asked. Name a group when they are many.",
        examples=[["group:risk@example.com", "user:ana@example.com"]],
    )


class Iap(Model):
    """Whom Identity-Aware Proxy lets in, and where it stands."""

    members: Members = Field(
        default=(),
        description="Who may enter besides the one who asked: people and service accounts.",
        examples=[["group:risk@example.com", "domain:example.com"]],
    )
    oauth_client: OAuthClient | None = Field(
        default=None,
        description="A client of the team's own, needed for people outside the organisation; "
        "null: Google's, which admits the organisation's people.",
        examples=[None],
    )
    allowed_domains: Annotated[
        tuple[Domain, ...], Field(max_length=10), AfterValidator(_named_once)
    ] = Field(
        default=(),
        description="Only people with addresses of these domains, whoever the members are; "
        "none given: no such limit.",
        examples=[["example.com"]],
    )
    guard: Literal["service", "load_balancer"] = Field(
        default="service",
        description="Where it asks: before the service, or before the load balancer's backend.",
        examples=["service"],
    )


class IapAccess(Iap):
    """Identity-Aware Proxy asks: people sign in with Google in the browser, nothing to install."""

    mode: Literal["iap"] = Field(description="How callers prove who they are.", examples=["iap"])


class BasicAuth(Model):
    """MLflow checks the caller: a login with name and password, which opens in a browser."""

    mode: Literal["basic_auth"] = Field(
        description="How callers prove who they are.", examples=["basic_auth"]
    )
    admin_username: str = Field(
        default="admin",
        pattern=LOGIN_PATTERN,
        description="The login of the first administrator. The password is made by Berth "
        "and kept in Secret Manager.",
        examples=["admin"],
    )
    iap: Iap | None = Field(
        default=None,
        description="Identity-Aware Proxy before MLflow's login; null: the login alone.",
        examples=[None, {"members": ["domain:example.com"], "guard": "load_balancer"}],
    )


class OAuth2Proxy(Model):
    """oauth2-proxy asks, beside the server: sign-in with Google where IAP cannot be had."""

    mode: Literal["oauth2_proxy"] = Field(
        description="How callers prove who they are.", examples=["oauth2_proxy"]
    )
    oauth_client: OAuthClient = Field(
        description="The client people sign in with; Berth prints the redirect URI to enter in it.",
        examples=[{"id_secret": "mlflow-client-id", "secret_secret": "mlflow-client-secret"}],
    )
    email_domains: Annotated[
        tuple[Domain, ...], Field(max_length=20), AfterValidator(_named_once)
    ] = Field(
        default=(),
        description="Everybody with an address of these domains may enter.",
        examples=[["example.com"]],
    )
    members: Annotated[
        tuple[Annotated[str, Field(pattern=ADDRESS_PATTERN, max_length=300)], ...],
        Field(max_length=MOST_MEMBERS),
        AfterValidator(_named_once),
    ] = Field(
        default=(),
        description="Who may enter besides: user: and serviceAccount: addresses. The proxy "
        "cannot look into groups.",
        examples=[["user:ana@partner.example.org"]],
    )
    extra_issuers: Annotated[
        tuple[Annotated[str, Field(pattern=ISSUER_PATTERN)], ...],
        Field(max_length=10),
        AfterValidator(_named_once),
    ] = Field(
        default=(),
        description="ISSUER=AUDIENCE: whose bearer tokens programs may bring, besides Google's "
        "made out for the server's own address.",
        examples=[["https://token.example.com=mlflow"]],
    )


Access = Annotated[IamAccess | BasicAuth | IapAccess | OAuth2Proxy, Field(discriminator="mode")]
"""The access modes offered."""


class TrainingAccount(Model):
    """A service account for trainings that run elsewhere; nobody gets a key of it."""

    impersonated_by: Members = Field(
        default=(),
        description="Who may make tokens for it, besides the one who asked.",
        examples=[["group:risk@example.com"]],
    )


def member_of(email: str) -> str:
    """Return an address as IAM names its owner; service accounts are told by their domain."""
    kind = "serviceAccount" if email.endswith(".gserviceaccount.com") else "user"
    return f"{kind}:{email}"
