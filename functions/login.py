"""How to log in to a tracking server: the lines shown once it is READY."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from schemas.deployment import Spec, Status
    from schemas.platform import Platform


def lines(spec: Spec, status: Status | None, platform: Platform) -> tuple[str, ...]:
    """Return what to type, by access mode; never a password, only where it is."""
    url = "" if status is None else status.url or ""
    return _BY_MODE[spec.request.access.mode](spec, url, platform)


def admin_password_secret(name: str) -> str:
    """Return the name of the secret that holds the first administrator's password."""
    return f"mlflow-{name}-admin-password"


def _iam(spec: Spec, url: str, platform: Platform) -> tuple[str, ...]:
    region = spec.request.region or platform.default_region
    options = f"--region={region} --project={platform.project_id}"
    return (
        f"programs: export MLFLOW_TRACKING_URI={url}",
        "          export MLFLOW_TRACKING_TOKEN=$(gcloud auth print-identity-token)",
        f"browser:  gcloud run services proxy mlflow-{spec.name} {options}",
    )


def _basic_auth(spec: Spec, url: str, platform: Platform) -> tuple[str, ...]:
    access = spec.request.access
    assert access.mode == "basic_auth"
    options = f"--secret={admin_password_secret(spec.name)} --project={platform.project_id}"
    return (
        f"browser:  {url}",
        f"user:     {access.admin_username}",
        f"password: gcloud secrets versions access latest {options}",
    )


_BY_MODE: dict[str, Callable[[Spec, str, Platform], tuple[str, ...]]] = {
    "iam": _iam,
    "basic_auth": _basic_auth,
}
