"""Options that exclude each other: one table, read when a request is read and by the docs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic_core import PydanticCustomError

from schemas import clashes
from schemas.database import POOL_ENGINE, POOL_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.deployment import DeploymentRequest


@dataclass(frozen=True, kw_only=True)
class Contradiction:
    """Two options that cannot both be had."""

    when: Callable[[DeploymentRequest], str | bool]
    """Whether a request asks for both; which of its entries do, where one place holds many."""
    pointers: tuple[str, ...]
    """Where the request says so; `{iap}` is where it speaks of IAP."""
    message: str
    """Names both, and what would work; `{request}` is the request, `{found}` what `when` found."""


TABLE = (
    Contradiction(
        when=lambda request: request.highly_available and request.placement == "pooled",
        pointers=("/highly_available", "/placement"),
        message="highly_available true and placement pooled contradict each other: the shared "
        "instance belongs to all; use placement dedicated with size medium or large, "
        "or highly_available false",
    ),
    Contradiction(
        when=lambda request: request.highly_available and request.size == "small",
        pointers=("/highly_available", "/size"),
        message="highly_available true and size small contradict each other; "
        "use size medium or large, or highly_available false",
    ),
    Contradiction(
        when=lambda request: (
            request.placement == "pooled" and request.database.engine != POOL_ENGINE
        ),
        pointers=("/database/engine", "/placement"),
        message="database.engine {request.database.engine} and placement pooled contradict each "
        f"other: the shared instance runs {POOL_ENGINE} {POOL_VERSION}; use placement dedicated, "
        f"or database.engine {POOL_ENGINE}",
    ),
    Contradiction(
        when=lambda request: (
            request.placement == "pooled"
            and request.database.engine == POOL_ENGINE
            and request.database.version != POOL_VERSION
        ),
        pointers=("/database/version", "/placement"),
        message="database.version {request.database.version} and placement pooled contradict each "
        f"other: the shared instance runs {POOL_ENGINE} {POOL_VERSION}; use placement dedicated, "
        f"or database.version {POOL_VERSION}",
    ),
    Contradiction(
        when=lambda request: request.network is not None and request.placement == "pooled",
        pointers=("/network", "/placement"),
        message="network {request.network.name} and placement pooled contradict each other: the "
        "shared instance is in no network of yours; use placement dedicated, or network null",
    ),
    Contradiction(
        when=lambda request: (
            request.access.mode == "basic_auth" and request.database.engine == "mysql"
        ),
        pointers=("/access/mode", "/database/engine"),
        message="access.mode basic_auth and database.engine mysql contradict each other: MLflow "
        "cannot keep its logins in MySQL; use access.mode iap (on Cloud Run iam, too), "
        "or database.engine postgresql",
    ),
    Contradiction(
        when=clashes.fewest_above_most,
        pointers=("/serving/min_instances", "/serving/max_instances"),
        message="min_instances {request.serving.min_instances} and max_instances "
        "{request.serving.max_instances} contradict each other; min_instances must be at most "
        "{request.serving.max_instances}, or max_instances at least "
        "{request.serving.min_instances}",
    ),
    Contradiction(
        when=lambda request: clashes.fixed(request) and _given(request, "min_instances"),
        pointers=("/serving/instances", "/serving/min_instances"),
        message="instances {request.serving.instances} and min_instances "
        "{request.serving.min_instances} contradict each other: instances is a fixed number, "
        "min_instances the least of a changing one; leave one of them out",
    ),
    Contradiction(
        when=lambda request: clashes.fixed(request) and _given(request, "max_instances"),
        pointers=("/serving/instances", "/serving/max_instances"),
        message="instances {request.serving.instances} and max_instances "
        "{request.serving.max_instances} contradict each other: instances is a fixed number, "
        "max_instances the most of a changing one; leave one of them out",
    ),
    Contradiction(
        when=lambda request: clashes.fixed(request) and _given(request, "target_cpu"),
        pointers=("/serving/instances", "/serving/target_cpu"),
        message="instances {request.serving.instances} and target_cpu "
        "{request.serving.target_cpu} contradict each other: a fixed number of instances does "
        "not follow the load; leave one of them out",
    ),
    Contradiction(
        when=clashes.on_app_engine_with("iam"),
        pointers=("/serving/platform", "/access/mode"),
        message="serving.platform app_engine and access.mode iam contradict each other: only "
        "Cloud Run checks callers by IAM itself; use access.mode iap, "
        "or serving.platform cloud_run",
    ),
    Contradiction(
        when=clashes.login_alone_on_app_engine,
        pointers=("/serving/platform", "/access/mode"),
        message="serving.platform app_engine and access.mode basic_auth alone contradict each "
        "other: IAP guards the whole application there; give access.iap with the members whom it "
        "lets through to MLflow's login, or use access.mode iap, or serving.platform cloud_run",
    ),
    Contradiction(
        when=clashes.on_app_engine_with("oauth2_proxy"),
        pointers=("/serving/platform", "/access/mode"),
        message="serving.platform app_engine and access.mode oauth2_proxy contradict each other: "
        "App Engine runs no second container beside the server; use access.mode iap, "
        "or serving.platform cloud_run",
    ),
    Contradiction(
        when=lambda request: clashes.internal(request) and request.load_balancer is not None,
        pointers=("/serving/ingress", "/load_balancer"),
        message="serving.ingress internal and load_balancer {request.load_balancer.domain} "
        "contradict each other: the load balancer is on the internet, and nothing else leads to "
        "a server behind one; use load_balancer null, or serving.ingress all",
    ),
    Contradiction(
        when=lambda request: (
            clashes.guarded_at_load_balancer(request) and request.load_balancer is None
        ),
        pointers=("{iap}/guard", "/load_balancer"),
        message="guard load_balancer and load_balancer null contradict each other: there is "
        "none to guard; use guard service, or give a load_balancer with its domain",
    ),
    Contradiction(
        when=lambda request: (
            clashes.guarded_at_load_balancer(request) and request.serving.platform == "app_engine"
        ),
        pointers=("{iap}/guard", "/serving/platform"),
        message="guard load_balancer and serving.platform app_engine contradict each other: "
        "IAP guards the application already, and nobody gets through two of them; "
        "use guard service, or serving.platform cloud_run",
    ),
    Contradiction(
        when=lambda request: (
            request.training_account is not None and request.access.mode == "basic_auth"
        ),
        pointers=("/training_account", "/access/mode"),
        message="training_account and access.mode basic_auth contradict each other: MLflow's own "
        "login knows names and passwords, no service accounts; use access.mode iap (on Cloud Run "
        "iam, too), or training_account null and a login for trainings",
    ),
    Contradiction(
        when=clashes.name_too_long_to_train,
        pointers=("/name", "/training_account"),
        message="name {request.name} and training_account contradict each other: the account "
        "would be called mlflow-{request.name}-train, and Google allows 30 characters; use a name "
        f"of at most {clashes.LONGEST_TRAINING_NAME} characters, or training_account null",
    ),
    Contradiction(
        when=clashes.same_secret_twice,
        pointers=("{iap}/oauth_client/id_secret", "{iap}/oauth_client/secret_secret"),
        message="id_secret {found} and secret_secret {found} contradict each other: a client's "
        "id and its secret are two values; keep each in a secret of its own and name both",
    ),
    Contradiction(
        when=clashes.secret_of_berth,
        pointers=("{iap}/oauth_client", "/access/mode"),
        message="oauth_client naming {found} and access.mode {request.access.mode} "
        "contradict each other: that secret is one that Berth made for a deployment, not one of an "
        "OAuth client; make secrets of your own for the client's id and secret, "
        "called otherwise, and name those",
    ),
    Contradiction(
        when=clashes.people_outside_allowed_domains,
        pointers=("{iap}/members", "{iap}/allowed_domains"),
        message="members with {found} and allowed_domains contradict each other: IAP turns away "
        "everybody whose address is of no domain in allowed_domains; add the domain there, "
        "or take the member out",
    ),
    Contradiction(
        when=clashes.domains_outside_allowed_domains,
        pointers=("{iap}/members", "{iap}/allowed_domains"),
        message="members with {found} and allowed_domains contradict each other: IAP would turn "
        "away all of that domain; add it to allowed_domains, or take the member out",
    ),
    Contradiction(
        when=clashes.public_mail_domains,
        pointers=("/access/email_domains", "/access/mode"),
        message="email_domains with {found} and access.mode oauth2_proxy contradict each other: "
        "anybody can get an address there, and no server is public; use a domain that is yours, "
        "and name single people of {found} in members",
    ),
    Contradiction(
        when=clashes.issuers_for_gcloud,
        pointers=("/access/extra_issuers", "/access/mode"),
        message="extra_issuers with {found} and access.mode oauth2_proxy contradict each other: "
        "that audience is gcloud's own, which stands in every token of everybody's gcloud, so "
        "whoever is given one for another service could enter with it; leave it out, since tokens "
        "made out for the server's own address are taken, or use an audience of your own",
    ),
    Contradiction(
        when=clashes.public_mail_members,
        pointers=("{iap}/members", "/access/mode"),
        message="members with {found} and access.mode {request.access.mode} contradict each other: "
        "anybody can get an address there, and no server is public; name people as "
        "user:somebody@…, or a group",
    ),
    Contradiction(
        when=clashes.public_mail_impersonators,
        pointers=("/training_account/impersonated_by", "/access/mode"),
        message="impersonated_by with {found} and access.mode {request.access.mode} contradict "
        "each other: anybody can get an address there and would enter as the training account; "
        "name people as user:somebody@…, or a group",
    ),
    Contradiction(
        when=clashes.domain_of_google,
        pointers=("/load_balancer", "/load_balancer/domain"),
        message="load_balancer and domain {found} contradict each other: that name is Google's, "
        "and nobody else gets a certificate for it; use a domain that is yours, or load_balancer "
        "null, and the server answers at Google's address of it",
    ),
    Contradiction(
        when=clashes.private_ranges,
        pointers=("/load_balancer", "/load_balancer/allowed_ranges"),
        message="load_balancer and allowed_ranges with {found} contradict each other: the load "
        "balancer is on the internet, where private addresses never arrive; use the public "
        "addresses your network is seen with, or serving.ingress internal without load_balancer",
    ),
    Contradiction(
        when=clashes.only_ipv6,
        pointers=("/load_balancer", "/load_balancer/allowed_ranges"),
        message="load_balancer and allowed_ranges with nothing but {found} contradict each other: "
        "the load balancer has an IPv4 address, where callers arrive with IPv4 addresses; "
        "use the IPv4 ranges of your network, too",
    ),
)
"""Everything that one request cannot ask for at once. What a platform lacks is not here but in
planner/admission.py: the schemas cannot know it."""


def _given(request: DeploymentRequest, option: str) -> bool:
    return getattr(request.serving, option) is not None


def refuse(request: DeploymentRequest) -> None:
    """Refuse a request that asks for options that exclude each other, naming all of them.

    Raises:
        PydanticCustomError: Says each contradiction, with the places it is found at.
    """
    iap = clashes.iap_place(request)
    found = [
        {
            "pointers": [where.format(iap=iap) for where in contradiction.pointers],
            "message": contradiction.message.format(request=request, found=culprit),
        }
        for contradiction in TABLE
        if (culprit := contradiction.when(request))
    ]
    if found:
        raise PydanticCustomError(
            "contradiction",
            "{words}",
            {"words": "; ".join(str(one["message"]) for one in found), "found": found},
        )
