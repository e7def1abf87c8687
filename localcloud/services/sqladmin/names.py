"""Who is who in Cloud SQL: keys in the store, connection names, and the errors that name them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud import refusals
from localcloud.errors import ApiError
from localcloud.machines.databases.contract import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.machines.databases.contract import Databases
    from localcloud.service import Call, Resource

ROOT = "https://sqladmin.googleapis.com/sql/v1beta4"


def project(call: Call) -> str:
    """Return the project's resource name, whether its ID or its number was given."""
    return call.cloud.by_id(f"projects/{call['project']}")


def instance_key(call: Call) -> str:
    """Return the instance's resource name."""
    return f"{project(call)}/instances/{call['instance']}"


def named_resource(call: Call) -> str:
    """Return what IAM is asked about: the instance, or the project where none is named."""
    if call.get("project") is None:
        return call.cloud.by_id(str(call.get("name") or call.get("parent") or "projects/-"))
    return instance_key(call) if call.get("instance") else project(call)


def user_key(call: Call, name: str, host: str) -> str:
    """Return the key of a user, whose name may hold anything; only MySQL's have hosts."""
    at = f"%40{quote(host, safe='')}" if host else ""
    return f"{instance_key(call)}/users/{quote(name, safe='@.')}{at}"


def machine(call: Call) -> Databases:
    """Return the servers behind the instances."""
    found: Databases = call.cloud.machines.databases
    return found


def instance(call: Call) -> Resource:
    """Return the instance as it is stored, or 404 in Google's words."""
    found = call.store.find(instance_key(call))
    if found is None:
        raise ApiError(404, "The Cloud SQL instance does not exist.", reason="instanceDoesNotExist")
    return found


def running(call: Call) -> Resource:
    """Return the instance if its server runs: only then are there databases and users."""
    found = instance(call)
    if found["state"] != "RUNNABLE" or found["settings"]["activationPolicy"] == "NEVER":
        raise invalid_request("the operation is not possible since instance is not running.")
    return found


def invalid_request(message: str, reason: str = "invalid") -> ApiError:
    """Make Cloud SQL's usual 400."""
    return ApiError(400, f"Invalid request: {message}", reason=reason)


def not_authorized(call: Call, permission: str) -> ApiError:
    """Refuse a caller as Cloud SQL does, which names the permission but not who lacks it."""
    if call.caller.anonymous:
        return refusals.anonymous(call.service, permission)
    name = "/".join(call.resource.split("/")[2:]) or call.resource
    return ApiError(
        403,
        "boss::NOT_AUTHORIZED: Not authorized to access resource. Possibly missing permission "
        f"{permission} on resource {name}.",
        reason="notAuthorized",
    )


@contextmanager
def server_says(doing: str) -> Iterator[None]:
    """Turn what the server refuses into the 400 that Cloud SQL makes of it."""
    try:
        yield
    except DatabaseError as error:
        details = f" Details: {error.detail}" if error.detail else ""
        raise invalid_request(f"failed to {doing}. Detail: {error.quoted}{details}") from error
