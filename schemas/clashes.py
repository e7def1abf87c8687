"""What schemas/contradictions.py asks of a request: does one option exclude another in it?

Each function answers with what it found, an empty text or False when there is nothing.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING

from schemas.access import GCLOUD

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from schemas.access import Iap, OAuthClient
    from schemas.deployment import DeploymentRequest

LONGEST_TRAINING_NAME = 30 - len("mlflow-") - len("-train")

OUR_SECRETS = re.compile(
    r"mlflow-.+-(db-password|admin-password|flask-secret|proxy-config|proxy-members)"
)
"""Secrets of deployments. Whoever could name one as his client's would have it read for him."""

PUBLIC_MAIL = frozenset(
    {
        "aol.com",
        "gmail.com",
        "gmx.de",
        "gmx.net",
        "googlemail.com",
        "hotmail.com",
        "icloud.com",
        "live.com",
        "mail.ru",
        "me.com",
        "msn.com",
        "outlook.com",
        "proton.me",
        "protonmail.com",
        "qq.com",
        "web.de",
        "yahoo.com",
        "yandex.ru",
    }
)
"""Where anybody gets an address."""

GOOGLES_DOMAINS = (
    "run.app",
    "appspot.com",
    "cloudfunctions.net",
    "firebaseapp.com",
    "web.app",
    "googleapis.com",
    "googleusercontent.com",
    "google.com",
)
PRIVATE = tuple(
    ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10")
)
"""What no caller from the internet comes from."""


def fewest_above_most(request: DeploymentRequest) -> bool:
    """Find a floor above the ceiling."""
    least, most = request.serving.min_instances, request.serving.max_instances
    return least is not None and most is not None and least > most


def fixed(request: DeploymentRequest) -> bool:
    """Tell whether the number of instances is fixed."""
    return request.serving.platform == "app_engine" and request.serving.instances is not None


def internal(request: DeploymentRequest) -> bool:
    """Tell whether only callers in the project's networks find the server."""
    return request.serving.platform == "cloud_run" and request.serving.ingress == "internal"


def on_app_engine_with(mode: str) -> Callable[[DeploymentRequest], bool]:
    """Return the question whether App Engine shall serve with this access mode."""
    return lambda request: request.serving.platform == "app_engine" and request.access.mode == mode


def login_alone_on_app_engine(request: DeploymentRequest) -> bool:
    """Find MLflow's own login without IAP where IAP guards everything."""
    return on_app_engine_with("basic_auth")(request) and _iap(request) is None


def iap_place(request: DeploymentRequest) -> str:
    """Return where a request speaks of IAP: as its access mode, or before MLflow's own login."""
    return "/access/iap" if request.access.mode == "basic_auth" else "/access"


def _iap(request: DeploymentRequest) -> Iap | None:
    access = request.access
    if access.mode == "basic_auth":
        return access.iap
    return access if access.mode == "iap" else None


def guarded_at_load_balancer(request: DeploymentRequest) -> bool:
    """Tell whether IAP is wanted before the load balancer's backend."""
    iap = _iap(request)
    return iap is not None and iap.guard == "load_balancer"


def name_too_long_to_train(request: DeploymentRequest) -> bool:
    """Find a name that makes the training account's longer than Google allows."""
    return request.training_account is not None and len(request.name) > LONGEST_TRAINING_NAME


def same_secret_twice(request: DeploymentRequest) -> str:
    """Find one secret named for both halves of a client."""
    client = _client(request)
    return client.id_secret if client and client.id_secret == client.secret_secret else ""


def secret_of_berth(request: DeploymentRequest) -> str:
    """Find secrets that Berth made itself among those of the client."""
    client = _client(request)
    named = (client.id_secret, client.secret_secret) if client else ()
    return _listed(name for name in named if OUR_SECRETS.fullmatch(name))


def _client(request: DeploymentRequest) -> OAuthClient | None:
    if request.access.mode == "oauth2_proxy":
        return request.access.oauth_client
    iap = _iap(request)
    return None if iap is None else iap.oauth_client


def people_outside_allowed_domains(request: DeploymentRequest) -> str:
    """Find people whom IAP would turn away although they are members."""
    return _outside_allowed_domains(request, "user:")


def domains_outside_allowed_domains(request: DeploymentRequest) -> str:
    """Find domains that IAP would turn away although they are members."""
    return _outside_allowed_domains(request, "domain:")


def _outside_allowed_domains(request: DeploymentRequest, kind: str) -> str:
    iap = _iap(request)
    if iap is None or not iap.allowed_domains:
        return ""
    return _listed(
        member
        for member in iap.members
        if member.startswith(kind) and _domain(member) not in iap.allowed_domains
    )


def public_mail_domains(request: DeploymentRequest) -> str:
    """Find domains in which anybody gets an address."""
    access = request.access
    domains = access.email_domains if access.mode == "oauth2_proxy" else ()
    return _listed(domain for domain in domains if domain in PUBLIC_MAIL)


def issuers_for_gcloud(request: DeploymentRequest) -> str:
    """Find issuers whose tokens were made out for no server in particular."""
    access = request.access
    issuers = access.extra_issuers if access.mode == "oauth2_proxy" else ()
    return _listed(one for one in issuers if one.partition("=")[2] == GCLOUD)


def public_mail_members(request: DeploymentRequest) -> str:
    """Find members that are anybody."""
    guard = _iap(request) if request.access.mode == "basic_auth" else request.access
    return _anybody(guard.members if guard is not None else ())


def public_mail_impersonators(request: DeploymentRequest) -> str:
    """Find anybody among those who may make tokens of the training account."""
    account = request.training_account
    return _anybody(account.impersonated_by if account is not None else ())


def _anybody(members: Iterable[str]) -> str:
    return _listed(
        member
        for member in members
        if member.startswith("domain:") and _domain(member) in PUBLIC_MAIL
    )


def domain_of_google(request: DeploymentRequest) -> str:
    """Find a domain that a load balancer cannot have."""
    balancer = request.load_balancer
    if balancer is None:
        return ""
    labels = f".{balancer.domain}"
    return balancer.domain if labels.endswith(tuple(f".{one}" for one in GOOGLES_DOMAINS)) else ""


def private_ranges(request: DeploymentRequest) -> str:
    """Find ranges that nobody arrives from."""
    return _listed(
        text
        for text in _ranges(request)
        if any(
            one.version == (found := ip_network(text)).version and one.overlaps(found)
            for one in PRIVATE
        )
    )


def only_ipv6(request: DeploymentRequest) -> str:
    """Find ranges of which none is of the load balancer's kind."""
    ranges = _ranges(request)
    return "" if any("." in text for text in ranges) else _listed(ranges)


def _ranges(request: DeploymentRequest) -> tuple[str, ...]:
    return request.load_balancer.allowed_ranges if request.load_balancer is not None else ()


def _domain(member: str) -> str:
    return re.split("[:@]", member)[-1].lower()


def _listed(found: Iterable[str]) -> str:
    return ", ".join(found)
