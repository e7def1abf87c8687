"""basic_auth: MLflow asks for name and password; IAP before it, or everybody reaches the login."""

from typing import Any

from planner import grants, secret
from planner.access import iap
from planner.access.mode import Mode
from planner.observed import Observed
from planner.target import Target, account
from schemas.access import BasicAuth, member_of
from schemas.plan import PartPlan, Step

SECRETS = ("admin-password", "flask-secret")


def _plan(target: Target, _observed: Observed) -> PartPlan:
    access = target.request.access
    assert isinstance(access, BasicAuth)
    policy = grants.of_secret(target, "admin-password")
    requester = member_of(target.spec.created_by)
    return PartPlan(
        part="access",
        summary=f"login {access.admin_username}, password in {target.secret('admin-password')}",
        steps=(
            *(iap.steps(target) if access.iap is not None else ()),
            # verify needs the password to prove that it opens.
            grants.grant(
                policy,
                "verify_may_read_admin_password",
                role=secret.ACCESSOR,
                member=account(target.platform.accounts.verify),
                title=f"verify may read {target.secret('admin-password')}",
            ),
            # The first login is made with it; whoever asked hands it on as the team sees fit.
            grants.grant(
                policy,
                "requester_may_read_admin_password",
                role=secret.ACCESSOR,
                member=requester,
                title=f"{requester} may read {target.secret('admin-password')}",
            ),
        ),
    )


def _service(target: Target) -> dict[str, Any]:
    if target.iap is not None:
        return iap.service(target)
    # MLflow asks for the password itself; a binding for allUsers would do the same, but
    # organisations with domain-restricted sharing refuse it.
    return {"invokerIamDisabled": True}


def _prepare(target: Target) -> tuple[Step, ...]:
    """Return the secrets that MLflow starts with.

    They come this early because the migration reads them, and because a binding made now has
    minutes to spread before the first server needs it.
    """
    return (
        *(iap.prepare(target) if target.iap is not None else ()),
        *(step for purpose in SECRETS for step in secret.steps(target, purpose)),
    )


def _settings(target: Target) -> dict[str, str]:
    access = target.request.access
    assert isinstance(access, BasicAuth)
    return {"AUTH_MODE": "basic", "MLFLOW_AUTH_ADMIN_USERNAME": access.admin_username}


MODE = Mode(plan=_plan, service=_service, secrets=SECRETS, prepare=_prepare, settings=_settings)
