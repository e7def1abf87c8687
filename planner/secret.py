"""Secret: the container, who may fill it, who may read it, and the version that fills it."""

from typing import Any

from planner import grants, marks
from planner.observed import Observed, last_segment
from planner.target import Target, account
from schemas.plan import Check, Request, Resource, Step

ACCESSOR = "roles/secretmanager.secretAccessor"
ADDER = "roles/secretmanager.secretVersionAdder"
READ_ONLY = 0o444
FILE = "value"


def steps(target: Target, purpose: str, *, renewed: bool = False) -> tuple[Step, ...]:
    """Return the steps that put a fresh secret value where only the server can read it.

    Args:
        target: The deployment.
        purpose: What the secret is for.
        renewed: Whether what it says follows from other things and is compared with them each
            time. Everything else stays as it was made.

    The value itself is made inside the credentials function; no plan and no workflow ever
    sees it. That function's account reads, too: a repeated call must find what the first one
    wrote, not make a second value.
    """
    key = purpose.replace("-", "_")
    policy = grants.of_secret(target, purpose)
    credentials = account(target.platform.accounts.credentials)
    return (
        _container(target, purpose, key),
        grants.grant(
            policy,
            f"{key}_may_be_added",
            role=ADDER,
            member=credentials,
            title=f"credentials may add a version of {target.secret(purpose)}",
        ),
        grants.grant(
            policy,
            f"{key}_may_be_checked",
            role=ACCESSOR,
            member=credentials,
            title=f"credentials may read {target.secret(purpose)}",
        ),
        grants.to_server(
            target,
            policy,
            f"server_may_read_{key}",
            role=ACCESSOR,
            title=f"the server may read {target.secret(purpose)}",
        ),
        _version(target, purpose, key, renewed=renewed),
    )


def _container(target: Target, purpose: str, key: str) -> Resource:
    name = target.secret(purpose)
    secrets = f"https://secretmanager.googleapis.com/v1/projects/{target.project}/secrets"
    # Automatic replication counts as the location "global" and is refused under location policies.
    body = {"replication": {"userManaged": {"replicas": [{"location": target.region}]}}}
    labels = marks.labels(target, body)
    return Resource(
        name=f"{key}_secret",
        title=f"secret {name}",
        url=f"{secrets}/{name}",
        mark=marks.owned(target, "labels"),
        digest=marks.unchanged(labels, "labels"),
        create=Request(
            method="POST", url=f"{secrets}?secretId={name}", body={**body, "labels": labels}
        ),
        # Replication cannot be changed; the labels are all there is to update.
        update=Request(
            method="PATCH", url=f"{secrets}/{name}?updateMask=labels", body={"labels": labels}
        ),
        remove=(Request(method="DELETE", url=f"{secrets}/{name}"),),
    )


def _version(target: Target, purpose: str, key: str, *, renewed: bool) -> Resource:
    name = target.secret(purpose)
    make = credentials(target, key)
    return Resource(
        name=key,
        title=f"a value in secret {name}",
        url=f"https://secretmanager.googleapis.com/v1/projects/{target.project}"
        f"/secrets/{name}/versions/latest",
        create=make,
        update=make if renewed else None,
        ready=Check(path=("state",), value="ENABLED"),
        failed=(Check(path=("state",), value="DESTROYED"),),
        within=f"{key}_secret",
        # GET on "latest" answers with the number: servers mount that, so nothing changes under them.
        outputs={f"{key}_version": ("name",)},
    )


def file(purpose: str) -> str:
    """Return where a container finds the value."""
    return f"{directory(purpose)}/{FILE}"


def directory(purpose: str) -> str:
    """Return where a secret is mounted: a mount hides whatever else is in its directory."""
    return f"/secrets/{purpose}"


def mount(purpose: str) -> dict[str, str]:
    """Return the mount of a secret in a container."""
    return {"name": purpose, "mountPath": directory(purpose)}


def volume(target: Target, observed: Observed, purpose: str) -> dict[str, Any]:
    """Return the volume of a secret, by pinned version.

    With "latest" a rotated secret would reach each instance at its next cold start, one by one.
    """
    return {
        "name": purpose,
        "secret": {
            "secret": target.secret(purpose),
            "items": [
                {
                    "version": last_segment(observed, f"{purpose.replace('-', '_')}_version"),
                    "path": FILE,
                    "mode": READ_ONLY,
                }
            ],
        },
    }


def credentials(target: Target, credential: str) -> Request:
    """Return the call that makes the credentials function see to `credential`."""
    return Request(
        method="POST",
        url=target.platform.functions.credentials,
        body={
            "deployment": target.name,
            "generation": target.spec.generation,
            "credential": credential,
        },
        auth="OIDC",
    )
