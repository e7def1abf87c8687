"""Grants: one table says how each kind of resource shows and takes its IAM policy."""

from dataclasses import dataclass

from planner import build
from planner.target import Target, account, escaped
from schemas.plan import Address, Grant, Request

VERSION = "options.requestedPolicyVersion=3"
"""Without it a policy comes back without its conditions, and writing it back destroys them."""


@dataclass(frozen=True)
class Policy:
    """Where the policy of one resource is read and written."""

    read: Request
    write: Address
    wrap: bool = True


def _asked_by_post(url: str) -> Policy:
    """Return a policy that is read by POST, with the version in the body."""
    return Policy(
        Request(
            method="POST",
            url=f"{url}:getIamPolicy",
            body={"options": {"requestedPolicyVersion": 3}},
        ),
        Address(method="POST", url=f"{url}:setIamPolicy"),
    )


def _asked_by_get(url: str) -> Policy:
    """Return a policy that is read by GET, with the version in the query."""
    return Policy(
        Request(method="GET", url=f"{url}:getIamPolicy?{VERSION}"),
        Address(method="POST", url=f"{url}:setIamPolicy"),
    )


def of_project(target: Target) -> Policy:
    """Return the policy of the project. Only what no resource of ours can carry belongs here."""
    url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{target.project}"
    return _asked_by_post(url)


def of_account(target: Target, email: str) -> Policy:
    """Return the policy of a service account: who may act as it."""
    url = (
        f"https://iam.googleapis.com/v1/projects/{target.project}/serviceAccounts/{escaped(email)}"
    )
    return Policy(
        Request(method="POST", url=f"{url}:getIamPolicy?{VERSION}"),
        Address(method="POST", url=f"{url}:setIamPolicy"),
    )


def of_image_repository(target: Target) -> Policy:
    """Return the policy of the repository that the images lie in."""
    return _asked_by_get(build.repository(target))


def of_secret(target: Target, purpose: str) -> Policy:
    """Return the policy of one secret."""
    return _asked_by_get(
        f"https://secretmanager.googleapis.com/v1/projects/{target.project}"
        f"/secrets/{target.secret(purpose)}"
    )


def of_bucket(target: Target) -> Policy:
    """Return the policy of the bucket, which Cloud Storage takes bare and by PUT."""
    url = f"https://storage.googleapis.com/storage/v1/b/{target.bucket}/iam"
    return Policy(
        Request(method="GET", url=f"{url}?optionsRequestedPolicyVersion=3"),
        Address(method="PUT", url=url),
        wrap=False,
    )


def of_service(target: Target) -> Policy:
    """Return the policy of the Cloud Run service: who may call it."""
    return _asked_by_get(
        f"https://run.googleapis.com/v2/{target.location}/services/{target.service}"
    )


def of_iap(resource: str) -> Policy:
    """Return the policy of what Identity-Aware Proxy guards: whom it lets pass."""
    url = f"https://iap.googleapis.com/v1/{resource}"
    return _asked_by_post(url)


def grant(
    policy: Policy,
    name: str,
    *,
    role: str,
    member: str,
    title: str,
    condition: dict[str, str] | None = None,
    drop: bool = False,
) -> Grant:
    """Return the step that gives `role` to `member` in `policy`."""
    return Grant(
        name=name,
        title=title,
        role=role,
        member=member,
        condition=condition,
        read=policy.read,
        write=policy.write,
        wrap=policy.wrap,
        drop=drop,
    )


def to_server(target: Target, policy: Policy, name: str, *, role: str, title: str) -> Grant:
    """Return the step that gives `role` to the account the server runs as."""
    return grant(policy, name, role=role, member=account(target.service_account), title=title)
