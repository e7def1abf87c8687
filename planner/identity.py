"""identity: the accounts of the server and its trainings, and the secrets it starts with."""

from planner import access, grants
from planner.observed import Observed
from planner.target import Target, account, escaped
from schemas.access import member_of
from schemas.plan import Check, PartPlan, Request, Resource, Step

TOKEN_CREATOR = "roles/iam.serviceAccountTokenCreator"  # noqa: S105 - a role's name


def plan(target: Target, _observed: Observed) -> PartPlan:
    """Return the accounts, and what the access mode must have before a server starts."""
    return PartPlan(
        part="identity",
        summary=f"service account {target.account_id}",
        steps=(
            _account(
                target,
                "service_account",
                email=target.service_account,
                purpose=f"MLflow server of {target.name}",
            ),
            _workflow_may_deploy_as_it(target),
            *_it_may_sign_as_itself(target),
            *_training(target),
            *access.of(target).prepare(target),
        ),
    )


def _account(target: Target, name: str, *, email: str, purpose: str) -> Resource:
    accounts = f"https://iam.googleapis.com/v1/projects/{target.project}/serviceAccounts"
    url = f"{accounts}/{escaped(email)}"
    return Resource(
        name=name,
        title=f"service account {email}",
        url=url,
        mark=Check(path=("description",), value=target.description),
        create=Request(
            method="POST",
            url=accounts,
            body={
                "accountId": email.partition("@")[0],
                "serviceAccount": {"displayName": purpose, "description": target.description},
            },
        ),
        # Never deleted and made again as a repair: bindings stick to the old unique id.
        remove=(Request(method="DELETE", url=url),),
    )


def _workflow_may_deploy_as_it(target: Target) -> Step:
    return grants.grant(
        grants.of_account(target, target.service_account),
        "workflow_may_deploy_as_server",
        role="roles/iam.serviceAccountUser",
        member=account(target.platform.accounts.workflow),
        title=f"the workflow may deploy as {target.account_id}",
    )


def _it_may_sign_as_itself(target: Target) -> tuple[Step, ...]:
    """Return the right to sign the URLs that large artifacts take to the bucket, if they do."""
    if target.uploads != "signed_parts":
        return ()
    return (
        grants.to_server(
            target,
            grants.of_account(target, target.service_account),
            "server_may_sign_as_itself",
            role=TOKEN_CREATOR,
            title=f"{target.account_id} may sign as itself",
        ),
    )


def _training(target: Target) -> tuple[Step, ...]:
    """Return the account of the trainings, and who may make tokens for it; nobody gets a key."""
    training = target.request.training_account
    if training is None:
        return ()
    email = target.training_account
    named = dict.fromkeys((member_of(target.spec.created_by), *training.impersonated_by))
    return (
        _account(target, "training_account", email=email, purpose=f"trainings of {target.name}"),
        *(
            grants.grant(
                grants.of_account(target, email),
                f"impersonator_{number}_may_make_tokens",
                role=TOKEN_CREATOR,
                member=member,
                title=f"{member} may make tokens for {email}",
            )
            for number, member in enumerate(named, start=1)
        ),
    )
