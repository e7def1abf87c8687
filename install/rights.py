"""Exactly what each of Berth's service accounts may do, and where that is bound.

Wherever the API has policies on its resources, the role is bound there; what has to be on the
project is narrowed by a condition or by a role of our own. docs/operations.md has the same as a table.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from install.names import REPOSITORY, Names
from install.rows import Binding, Policy

GRANTABLE = ("roles/cloudsql.client", "roles/logging.logWriter")
"""What the workflow may grant on the project, to the accounts of tracking servers: neither can be
bound on anything smaller."""


@dataclass(frozen=True)
class Right:
    """One role of one account; `on` names one of the policies below."""

    account: str
    role: str
    on: str
    condition: tuple[str, str] | None = None


def rights(names: Names) -> tuple[Right, ...]:
    """Return what each account may do."""
    own = f"projects/{names.project}/roles"
    buckets = f"resource.name.startsWith('projects/_/buckets/{names.project}-mlflow-')"
    secrets = f"resource.name.startsWith('projects/{names.number}/secrets/mlflow-')"
    uploads = "resource.name.startsWith('projects/_/buckets/gcf-v2-')"
    # Google makes this repository with the first function, so nothing can be bound on it before.
    pages = f"resource.name.startsWith('{names.location}/repositories/gae-standard')"
    built = f"resource.name.startsWith('{names.location}/repositories/gcf-artifacts')"
    roles_of_servers = ", ".join(f"'{role}'" for role in GRANTABLE)
    grantable = (
        "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', [])"
        f".hasOnly([{roles_of_servers}])"
    )
    return (
        Right("api", "roles/storage.objectUser", "registry"),
        Right("api", "roles/pubsub.publisher", "topic"),
        Right("api", f"{own}/berthExecutions", "project"),
        Right("api", f"{own}/berthBuildCanceller", "project"),
        Right("api", f"{own}/berthGround", "project"),
        Right("plan", "roles/storage.objectViewer", "registry"),
        Right("credentials", "roles/storage.objectViewer", "registry"),
        Right("credentials", f"{own}/berthDatabaseUsers", "project"),
        Right("credentials", f"{own}/berthSignIn", "project"),
        Right("verify", "roles/storage.objectViewer", "registry"),
        # IAP lets in whoever signs for himself; so verify does, once as a member and once as the
        # stranger. Where Google's own tokens are asked for, it needs one of the stranger's.
        Right("verify", f"{own}/berthSigner", "verify"),
        Right("verify", f"{own}/berthSigner", "stranger"),
        Right("verify", "roles/iam.serviceAccountOpenIdTokenCreator", "stranger"),
        Right("workflow", "roles/storage.objectUser", "registry"),
        Right("workflow", "roles/pubsub.publisher", "topic"),
        Right("workflow", "roles/artifactregistry.reader", "images"),
        Right("workflow", f"{own}/berthImagePolicies", "images"),
        Right("workflow", "roles/iam.serviceAccountUser", "build"),
        Right("workflow", "roles/cloudbuild.builds.editor", "project"),
        Right("workflow", "roles/logging.logWriter", "project"),
        Right("workflow", f"{own}/berthSuccession", "project"),
        Right("workflow", f"{own}/berthServers", "project"),
        Right("workflow", f"{own}/berthDatabases", "project"),
        Right("workflow", f"{own}/berthServiceAccounts", "project"),
        Right("workflow", f"{own}/berthCreator", "project"),
        Right("workflow", f"{own}/berthEntrances", "project"),
        Right("workflow", f"{own}/berthApplications", "project"),
        Right("workflow", f"{own}/berthGround", "project"),
        Right("workflow", f"{own}/berthNetworks", "project"),
        Right("workflow", f"{own}/berthLoadBalancers", "project"),
        Right("workflow", f"{own}/berthRecords", "project"),
        Right("workflow", "roles/storage.admin", "project", ("berth-buckets", buckets)),
        Right("workflow", f"{own}/berthSecrets", "project", ("berth-secrets", secrets)),
        Right(
            "workflow",
            "roles/resourcemanager.projectIamAdmin",
            "project",
            ("berth-grants", grantable),
        ),
        Right("build", "roles/artifactregistry.writer", "images"),
        Right("build", "roles/storage.objectViewer", "source"),
        Right("build", "roles/storage.objectViewer", "project", ("berth-uploads", uploads)),
        Right("build", "roles/artifactregistry.writer", "project", ("berth-functions", built)),
        Right("build", "roles/logging.logWriter", "project"),
        # Google builds even a page without a program, as the account it runs as.
        Right("workflow", "roles/iam.serviceAccountUser", "app-engine"),
        Right("app-engine", "roles/storage.objectViewer", "source"),
        Right("app-engine", "roles/logging.logWriter", "project"),
        Right(
            "app-engine",
            "roles/artifactregistry.createOnPushWriter",
            "project",
            ("berth-pages", pages),
        ),
    )


def bindings(names: Names) -> Iterator[Binding]:
    """Yield every right as a binding in the policy it belongs to."""
    places = policies(names)
    for right in rights(names):
        where, policy = places[right.on]
        condition = None
        if right.condition is not None:
            condition = {"title": right.condition[0], "expression": right.condition[1]}
        yield Binding(
            policy=policy,
            where=where,
            role=right.role,
            member=names.member(right.account),
            condition=condition,
        )


def policies(names: Names) -> dict[str, tuple[str, Policy]]:
    """Return the policies that rights are bound in, by short name."""
    projects = f"https://cloudresourcemanager.googleapis.com/v3/projects/{names.project}"
    repository = (
        f"https://artifactregistry.googleapis.com/v1/{names.location}/repositories/{REPOSITORY}"
    )
    accounts = f"https://iam.googleapis.com/v1/projects/{names.project}/serviceAccounts"
    return {
        "project": (
            "the project",
            Policy(
                read_method="POST",
                read_url=f"{projects}:getIamPolicy",
                read_body={"options": {"requestedPolicyVersion": 3}},
                write_method="POST",
                write_url=f"{projects}:setIamPolicy",
            ),
        ),
        "registry": (f"bucket {names.registry}", _bucket(names.registry)),
        "source": (f"bucket {names.source}", _bucket(names.source)),
        "topic": ("the topic", on(f"https://pubsub.googleapis.com/v1/{names.topic}")),
        "images": ("the image repository", on(repository)),
        **{
            name: (
                f"service account berth-{name}",
                on(f"{accounts}/{names.account(name)}", read_method="POST"),
            )
            for name in ("app-engine", "build", "stranger", "verify")
        },
    }


def on(url: str, *, read_method: str = "GET") -> Policy:
    """Return the policy of a resource, as most APIs have it."""
    return Policy(
        read_method=read_method,
        read_url=f"{url}:getIamPolicy?options.requestedPolicyVersion=3",
        write_method="POST",
        write_url=f"{url}:setIamPolicy",
    )


def _bucket(name: str) -> Policy:
    url = f"https://storage.googleapis.com/storage/v1/b/{name}/iam"
    return Policy(
        read_method="GET",
        read_url=f"{url}?optionsRequestedPolicyVersion=3",
        write_method="PUT",
        write_url=url,
        wrap=False,
    )
