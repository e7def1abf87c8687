"""identity: the account the server runs as, and the secrets it starts with."""

from planner import access, grants
from planner.observed import Observed
from planner.target import Target, account, escaped
from schemas.plan import Check, PartPlan, Request, Resource, Step


def plan(target: Target, _observed: Observed) -> PartPlan:
    """Return the service account, and what the access mode must have before a server starts."""
    return PartPlan(
        part="identity",
        summary=f"service account {target.account_id}",
        steps=(
            _account(target),
            _workflow_may_deploy_as_it(target),
            *access.of(target).prepare(target),
        ),
    )


def _account(target: Target) -> Resource:
    accounts = f"https://iam.googleapis.com/v1/projects/{target.project}/serviceAccounts"
    url = f"{accounts}/{escaped(target.service_account)}"
    return Resource(
        name="service_account",
        title=f"service account {target.service_account}",
        url=url,
        mark=Check(path=("description",), value=target.description),
        create=Request(
            method="POST",
            url=accounts,
            body={
                "accountId": target.account_id,
                "serviceAccount": {
                    "displayName": f"MLflow server of {target.name}",
                    "description": target.description,
                },
            },
        ),
        # Never deleted and made again as a repair: bindings stick to the old unique id.
        remove=(Request(method="DELETE", url=url),),
    )


def _workflow_may_deploy_as_it(target: Target) -> Step:
    return grants.grant(
        grants.of_account(target),
        "workflow_may_deploy_as_server",
        role="roles/iam.serviceAccountUser",
        member=account(target.platform.accounts.workflow),
        title=f"the workflow may deploy as {target.account_id}",
    )
