"""Who is who in Cloud DNS: keys, names of the domain name system, and the refusals naming them.

The words of the refusals are Google's as users of Terraform and gcloud quote them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.errors import ApiError

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

_LABEL = r"[A-Za-z0-9_]([-A-Za-z0-9_]{0,61}[A-Za-z0-9_])?"
DOMAIN = re.compile(rf"(?=.{{1,254}}$)(\*\.)?({_LABEL}\.)+")
"""A name that ends with a dot, as all names in Cloud DNS do."""


def project(call: Call) -> str:
    """Return the project's resource name, whether its ID or its number was given."""
    return call.cloud.by_id(f"projects/{call['project']}")


def zone_key(call: Call) -> str:
    """Return the key of the zone a call names, by its name or by its number."""
    given, place = str(call["managedZone"]), f"{project(call)}/managedZones/"
    if given.isdigit():
        for one in call.store.children(place):
            if one["id"] == given:
                return f"{place}{one['name']}"
    return f"{place}{given}"


def zone(call: Call) -> Resource:
    """Return the zone a call is about, or 404."""
    found = call.store.find(zone_key(call))
    if found is None:
        raise absent("parameters.managedZone", str(call["managedZone"]))
    return found


def absent(what: str, name: str) -> ApiError:
    """Say that something is not there."""
    return ApiError(404, f"The '{what}' resource named '{name}' does not exist.", reason="notFound")


def taken(what: str, name: str) -> ApiError:
    """Say that something is there already."""
    return ApiError(
        409,
        f"The resource '{what}' named '{name}' already exists",
        status="ALREADY_EXISTS",
        reason="alreadyExists",
    )


def wrong(what: str, value: object) -> ApiError:
    """Refuse a value."""
    return ApiError(400, f"Invalid value for '{what}': '{value}'", reason="invalid")


def required(what: str) -> ApiError:
    """Refuse a body that lacks a field."""
    return ApiError(400, f"The '{what}' parameter is required but was missing.", reason="required")
