"""oauth2_proxy: a proxy beside MLflow asks people to sign in with Google, and programs for a token."""

from typing import Any

from planner import build, secret
from planner.access.entrants import entrants
from planner.access.mode import Mode
from planner.observed import Observed
from planner.target import Target
from schemas.access import OAuth2Proxy
from schemas.plan import PartPlan, Step
from schemas.serving import CloudRun

IMAGE = "proxy_image"
PACKAGE = "oauth2-proxy"
SECRETS = ("proxy-config", "proxy-members")
PORT = 4180
CALLBACK = "/oauth2/callback"
GOOGLE = "https://accounts.google.com"

CPU = "1"
MEMORY = "512Mi"
"""The least that both readings of Cloud Run's rules take: less CPU means one request at a time, and
the second generation begins at 512 MiB. The proxy itself needs 30."""

PROBE_SECONDS = 2
PROBE_FAILURES = 30


def redirect_uris(target: Target) -> tuple[str, ...]:
    """Return what has to be entered in the OAuth client: where Google sends people back to."""
    return tuple(f"https://{host}{CALLBACK}" for host in target.hosts)


def issuers(target: Target) -> tuple[str, ...]:
    """Return whose bearer tokens programs may bring, each as ISSUER=AUDIENCE."""
    ours = (f"{GOOGLE}=https://{host}" for host in target.hosts)
    return (*ours, *_of(target).extra_issuers)


def addresses(target: Target) -> tuple[str, ...]:
    """Return who may enter whatever the domain, by address."""
    everybody = entrants(target, _of(target).members)
    return tuple(sorted({member.partition(":")[2].lower() for _, member in everybody}))


def options(target: Target) -> dict[str, Any]:
    """Return the proxy's options, those left out that are secret."""
    proxy = _of(target)
    uris = redirect_uris(target)
    # Sign-in that begins at one address and comes back at another has lost its cookie. With
    # two addresses each sends people back to itself.
    home = {"redirect_url": uris[0]} if len(uris) == 1 else {}
    return {
        **home,
        # Programs are told 401 in a word, not 403 and a page to sign in at.
        "api_routes": [r"^/api/", r"^/ajax-api/", r"^/graphql"],
        "authenticated_emails_file": secret.file("proxy-members"),
        "cookie_samesite": "lax",
        "cookie_secure": True,
        "email_domains": list(proxy.email_domains),
        "extra_jwt_issuers": list(issuers(target)),
        "http_address": f"0.0.0.0:{PORT}",
        "pass_basic_auth": False,
        # MLflow knows the hosts it answers to.
        "pass_host_header": True,
        "provider": "google",
        # Cloud Run ends TLS, and says so in X-Forwarded-Proto.
        "reverse_proxy": True,
        "skip_jwt_bearer_tokens": True,
        "upstream_timeout": f"{_serving(target).timeout_seconds}s",
        "upstreams": ["http://localhost:8080"],
    }


def _plan(target: Target, _observed: Observed) -> PartPlan:
    # Who may enter is in the proxy's own files: there is no policy to write.
    return PartPlan(part="access", summary=_summary(target), steps=())


def _summary(target: Target) -> str:
    proxy = _of(target)
    everybody = [*(f"@{domain}" for domain in proxy.email_domains), *addresses(target)]
    return f"sign-in with Google: {', '.join(everybody[:3])}{' …' if len(everybody) > 3 else ''}"  # noqa: PLR2004 - as many as fit in a line


def _prepare(target: Target) -> tuple[Step, ...]:
    return tuple(
        step for purpose in SECRETS for step in secret.steps(target, purpose, renewed=True)
    )


def _front(target: Target, observed: Observed) -> tuple[dict[str, Any], ...]:
    return (
        {
            "name": "proxy",
            "image": build.by_digest(target, observed, name=IMAGE, package=PACKAGE),
            "args": [f"--config={secret.file('proxy-config')}"],
            "ports": [{"name": "http1", "containerPort": PORT}],
            # MLflow's startup probe decides when it counts as started.
            "dependsOn": ["mlflow"],
            "resources": {
                "limits": {"cpu": CPU, "memory": MEMORY},
                "cpuIdle": not _serving(target).cpu_always_allocated,
            },
            "volumeMounts": [secret.mount(purpose) for purpose in SECRETS],
            "startupProbe": {
                "httpGet": {"path": "/ping", "port": PORT},
                "periodSeconds": PROBE_SECONDS,
                "timeoutSeconds": PROBE_SECONDS - 1,
                "failureThreshold": PROBE_FAILURES,
            },
        },
    )


def _volumes(target: Target, observed: Observed) -> tuple[dict[str, Any], ...]:
    return tuple(secret.volume(target, observed, purpose) for purpose in SECRETS)


def _images(target: Target) -> tuple[build.Recipe, ...]:
    source = target.platform.proxy_image
    return (build.Recipe(name=IMAGE, package=PACKAGE, source=source, of="oauth2-proxy"),)


def _serving(target: Target) -> CloudRun:
    serving = target.request.serving
    assert isinstance(serving, CloudRun)
    return serving


def _of(target: Target) -> OAuth2Proxy:
    access = target.request.access
    assert isinstance(access, OAuth2Proxy)
    return access


MODE = Mode(
    plan=_plan,
    # The proxy asks; Google's check would ask for a second token.
    service=lambda _target: {"invokerIamDisabled": True},
    prepare=_prepare,
    front=_front,
    volumes=_volumes,
    images=_images,
)
