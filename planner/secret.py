"""Secret: the container, who may fill it, who may read it, and the version that fills it."""

from planner import grants, marks
from planner.target import Target, account
from schemas.plan import Check, Request, Resource, Step

ACCESSOR = "roles/secretmanager.secretAccessor"
ADDER = "roles/secretmanager.secretVersionAdder"


def steps(target: Target, purpose: str) -> tuple[Step, ...]:
    """Return the steps that put a fresh secret value where only the server can read it.

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
        _version(target, purpose, key),
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


def _version(target: Target, purpose: str, key: str) -> Resource:
    name = target.secret(purpose)
    return Resource(
        name=key,
        title=f"a value in secret {name}",
        url=f"https://secretmanager.googleapis.com/v1/projects/{target.project}"
        f"/secrets/{name}/versions/latest",
        create=credentials(target, key),
        ready=Check(path=("state",), value="ENABLED"),
        failed=(Check(path=("state",), value="DESTROYED"),),
        within=f"{key}_secret",
        # GET on "latest" answers with the number: servers mount that, so nothing changes under them.
        outputs={f"{key}_version": ("name",)},
    )


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
