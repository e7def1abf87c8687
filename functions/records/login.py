"""How to log in to a tracking server: the lines shown once it is READY."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from planner.target import Target
    from schemas.deployment import Spec, Status
    from schemas.platform import Platform

_SOMEBODY = "SERVICE_ACCOUNT"
"""Stands for a service account, where the request neither asks for one nor names one as a member."""

_WHO = " # a service account that is a member"

_PARTS = (
    "export MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD=true",
    "export MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE=10485760",
)
"""What MLflow's client needs for artifacts above 32 MiB where they go in signed parts."""

_CONTINUED = " " * 10

_CONSOLE = "console:  in the OAuth client, enter as authorized redirect URI (no API can):"


@dataclass(frozen=True)
class _Door:
    """A deployment that is READY, and where it is entered."""

    target: Target
    url: str

    @property
    def account(self) -> str:
        """Who trainings come as: the account made for them, or the first one that is a member."""
        request = self.target.request
        if request.training_account is not None:
            return self.target.training_account
        access = None if request.access.mode == "basic_auth" else request.access
        guard = self.target.iap or access
        members = () if guard is None else guard.members
        accounts = (one.partition(":")[2] for one in members if one.startswith("serviceAccount:"))
        return next(accounts, _SOMEBODY)


def lines(spec: Spec, status: Status | None, platform: Platform) -> tuple[str, ...]:
    """Return what to type, by access mode; never a password, only where it is."""
    from planner.target import Target

    target = Target(spec, platform)
    url = "" if status is None else status.url or ""
    if spec.request.load_balancer is not None:
        # Nothing else leads in.
        url = f"https://{spec.request.load_balancer.domain}"
    return (*_from_where(target), *_BY_MODE[spec.request.access.mode](_Door(target, url)))


def _from_where(target: Target) -> Iterator[str]:
    """Yield what else a caller needs: to everybody outside an internal server is not found."""
    serving = target.request.serving
    if serving.platform == "cloud_run" and serving.ingress == "internal":
        yield "from:     machines in the project's VPC networks; everybody else gets 404"
    balancer = target.request.load_balancer
    if balancer is not None and balancer.allowed_ranges:
        yield "from:     addresses in load_balancer.allowed_ranges; everybody else gets 403"


def _iam(door: _Door) -> Iterator[str]:
    target = door.target
    if target.request.training_account is None:
        token = "$(gcloud auth print-identity-token)"  # noqa: S105 - a command
        yield f"programs: export MLFLOW_TRACKING_URI={door.url}"
        yield f"{_CONTINUED}export MLFLOW_TRACKING_TOKEN={token}"
    else:
        yield from _programs(door, token=_id_token(door))
    if target.request.load_balancer is None:
        options = f"--region={target.region} --project={target.project}"
        yield f"browser:  gcloud run services proxy {target.service} {options}"


def _basic_auth(door: _Door) -> Iterator[str]:
    access = door.target.request.access
    assert access.mode == "basic_auth"
    options = f"--secret={door.target.secret('admin-password')} --project={door.target.project}"
    password = f"gcloud secrets versions access latest {options}"
    yield f"browser:  {door.url}{'' if access.iap is None else ' (Google asks first, then MLflow)'}"
    yield from _console_for_iap(door.target)
    if access.iap is not None:
        # Two credentials in one request: MLflow's client alone sends only one.
        yield from _plugin(door)
    else:
        yield f"programs: export MLFLOW_TRACKING_URI={door.url}"
    yield f"{_CONTINUED}export MLFLOW_TRACKING_USERNAME={access.admin_username}"
    yield f"{_CONTINUED}export MLFLOW_TRACKING_PASSWORD=$({password})"
    yield f"user:     {access.admin_username}"
    yield f"password: {password}"


def _iap(door: _Door) -> Iterator[str]:
    yield f"browser:  {door.url}"
    yield from _console_for_iap(door.target)
    yield from _programs(door, token=_signed_jwt(door))


def _console_for_iap(target: Target) -> Iterator[str]:
    """Yield the address that IAP has people sent back to, where the client is the team's own.

    The client's id is in it, which only the secret knows; so it is a command that prints it.
    """
    from planner.access import iap

    client = None if target.iap is None else target.iap.oauth_client
    if client is not None:
        yield _CONSOLE
        secret = f"--secret={client.id_secret} --project={target.project}"
        asked = f"$(gcloud secrets versions access latest {secret})"
        yield f'{_CONTINUED}echo "{iap.RETURNS_TO.format(asked)}"'


def _oauth2_proxy(door: _Door) -> Iterator[str]:
    from planner.access import oauth2_proxy

    yield f"browser:  {door.url}"
    yield _CONSOLE
    for uri in oauth2_proxy.redirect_uris(door.target):
        yield f"{_CONTINUED}{uri}"
    yield from _programs(door, token=_id_token(door, "--include-email"))


def _programs(door: _Door, *, token: str) -> Iterator[str]:
    """Yield the two ways of programs: Berth's plugin, or a token for an hour."""
    yield from _plugin(door)
    yield "or:       # without the plugin, for an hour"
    yield f"{_CONTINUED}export MLFLOW_TRACKING_URI={door.url}"
    yield f"{_CONTINUED}export MLFLOW_TRACKING_TOKEN={token}"
    if door.target.uploads == "signed_parts":
        yield from (f"{_CONTINUED}{line}" for line in _PARTS)


def _plugin(door: _Door) -> Iterator[str]:
    yield "programs: pip install ./berth # in a checkout of Berth: renews tokens by itself"
    yield f"{_CONTINUED}export MLFLOW_TRACKING_URI={door.url}"
    yield f"{_CONTINUED}export MLFLOW_TRACKING_AUTH=berth"
    who = _WHO if door.account == _SOMEBODY else ""
    yield f"{_CONTINUED}export BERTH_IMPERSONATE={door.account}{who}"


def _id_token(door: _Door, *options: str) -> str:
    """Return the command for a token that Google makes out for this server and no other."""
    words = (
        "gcloud auth print-identity-token",
        f"--impersonate-service-account={door.account}",
        f"--audiences={door.url}",
        *options,
    )
    return f"$({' '.join(words)})"


def _signed_jwt(door: _Door) -> str:
    """Return the command for a token that the account signs itself, all that IAP takes."""
    who = f'"iss":"{door.account}","sub":"{door.account}","aud":"{door.url}/*"'
    claims = f'{{{who},"iat":%d,"exp":%d}}'
    begin = "$(date +%s)"
    return (
        f"$(printf '{claims}' {begin} $(({begin} + 3600)) | "
        f"gcloud iam service-accounts sign-jwt --iam-account={door.account} /dev/stdin -)"
    )


_BY_MODE: dict[str, Callable[[_Door], Iterator[str]]] = {
    "iam": _iam,
    "basic_auth": _basic_auth,
    "iap": _iap,
    "oauth2_proxy": _oauth2_proxy,
}
