"""iap: Identity-Aware Proxy asks who the caller is, alone or before MLflow's own login."""

from typing import Any

from planner import grants, secret
from planner.access.entrants import entrants, named
from planner.access.mode import Mode
from planner.observed import Observed
from planner.target import Target, account
from schemas.access import Iap
from schemas.plan import Check, PartPlan, Request, Resource, Step

ACCESSOR = "roles/iap.httpsResourceAccessor"
INVOKER = "roles/run.invoker"
ACCOUNT_DOMAIN = "gserviceaccount.com"
RETURNS_TO = "https://iap.googleapis.com/v1/oauth/clientIds/{}:handleRedirect"
"""Where people are sent back to from signing in with a client of the team's own; its id is in it."""


def resource(target: Target) -> str:
    """Return what IAP calls the thing that it guards; its names are of the project's number."""
    iap = _of(target)
    if iap.guard == "load_balancer":
        place = f"compute/services/{target.service}"
    elif target.request.serving.platform == "app_engine":
        place = f"appengine-{target.project}/services/{target.service}"
    else:
        place = f"cloud_run-{target.region}/services/{target.service}"
    return f"projects/{target.platform.project_number}/iap_web/{place}"


def service(target: Target) -> dict[str, Any]:
    """Return what the Cloud Run service says: IAP guards it, or the load balancer before it."""
    # IAP's own account calls the service, so Google's check stays on wherever IAP stands.
    closed = {"invokerIamDisabled": False}
    return {"iapEnabled": True, **closed} if _of(target).guard == "service" else closed


def steps(target: Target) -> tuple[Step, ...]:
    """Return what lets IAP through to the server and the members through IAP."""
    iap = _of(target)
    policy = grants.of_iap(resource(target))
    return (
        *_agent_may_call(target),
        # Before anybody is let in: the domains bound who that can be.
        *_settings(target),
        *(
            grants.grant(
                policy,
                name,
                role=ACCESSOR,
                member=member,
                title=f"{member} may pass Identity-Aware Proxy to {target.service}",
                # A policy may outlive what it is about, and a later deployment of the same
                # name would let in the members of this one.
                drop=True,
            )
            for name, member in entrants(target, iap.members)
        ),
    )


def prepare(target: Target) -> tuple[Step, ...]:
    """Return the look at a client that was brought, before anything costs time.

    The settings need the service that they are of, minutes later; whether the two secrets can be
    read, and hold a client, is known now.
    """
    client = _of(target).oauth_client
    if client is None:
        return ()
    version = target.spec.brought.get(client.id_secret, "latest")
    look = secret.credentials(target, "oauth_client")
    return (
        Resource(
            name="oauth_client",
            title=f"OAuth client in the secrets {client.id_secret} and {client.secret_secret}",
            url=f"https://secretmanager.googleapis.com/v1/projects/{target.project}"
            f"/secrets/{client.id_secret}/versions/{version}",
            # Makes nothing: it says whether it can read both, and what helps if it cannot.
            create=look,
            update=look,
            keep=True,
        ),
    )


def allowed_domains(target: Target) -> tuple[str, ...]:
    """Return the domains IAP is told; none: no such limit.

    The limit is meant for people. Whether Google holds it against service accounts is not
    documented, so the domains of those that are let in stand beside the people's.
    """
    iap = _of(target)
    if not iap.allowed_domains:
        return ()
    accounts = {
        member.partition("@")[2]
        for _, member in entrants(target, iap.members)
        if member.startswith("serviceAccount:")
    }
    return tuple(sorted({*iap.allowed_domains, *accounts}))


def settings_url(target: Target) -> str:
    """Return where the settings are read and written."""
    return f"https://iap.googleapis.com/v1/{resource(target)}:iapSettings"


def _agent_may_call(target: Target) -> tuple[Step, ...]:
    if target.request.serving.platform != "cloud_run":
        return ()
    agent = f"service-{target.platform.project_number}@gcp-sa-iap.iam.{ACCOUNT_DOMAIN}"
    return (
        grants.grant(
            grants.of_service(target),
            "iap_may_call",
            role=INVOKER,
            member=account(agent),
            title=f"Identity-Aware Proxy may call {target.service}",
        ),
    )


def _settings(target: Target) -> tuple[Step, ...]:
    """Return the settings: a client of the team's own, and the domains; nothing without either."""
    iap = _of(target)
    if iap.oauth_client is None and not iap.allowed_domains:
        return ()
    url = settings_url(target)
    access = "accessSettings"
    shown = (
        Check(path=(access, "oauthSettings", "clientId"), value=None)
        if iap.oauth_client is not None
        else Check(path=(access, "allowedDomainsSettings", "enable"), value=True)
    )
    make = secret.credentials(target, "iap_settings")
    return (
        Resource(
            name="iap_settings",
            title=f"settings of Identity-Aware Proxy for {target.service}",
            url=url,
            # GET always answers; without these settings there is nothing of ours.
            exists=shown,
            create=make,
            # Compared each time by the function that may read the client's secret.
            update=make,
            # There is no DELETE: what is not set is as Google has it.
            remove=(Request(method="PATCH", url=f"{url}?updateMask={access}", body={}),),
        ),
    )


def _of(target: Target) -> Iap:
    iap = target.iap
    assert iap is not None
    return iap


def _plan(target: Target, _observed: Observed) -> PartPlan:
    return PartPlan(part="access", summary=named(_of(target).members), steps=steps(target))


MODE = Mode(plan=_plan, service=service, prepare=prepare)
