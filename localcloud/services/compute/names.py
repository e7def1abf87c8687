"""Who is who in Compute Engine: keys, links in all their spellings, and the refusals naming them.

The words of the refusals are Google's as Terraform's and gcloud's users quote them.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.run.names import REGION_CODES

if TYPE_CHECKING:
    from collections.abc import Collection

    from localcloud.cloud import Cloud
    from localcloud.service import Call

ROOT = "https://www.googleapis.com/compute/v1/"
"""What every link of Compute Engine begins with, whichever host was asked."""

REGIONS = tuple(REGION_CODES)
NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")

_SHOWN_NAME = "(?:[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?)"
_ROOTS = re.compile(
    r"https?://(?:(?:www|compute)\.googleapis\.com/)?(?:compute\.googleapis\.com/)?"
    r"compute/(?:v1|beta|alpha)/|//compute\.googleapis\.com/"
)
_KEY = re.compile(
    r"projects/(?P<project>[^/]+)/(?P<scope>global|regions/[^/]+)/(?P<collection>[A-Za-z]+)/"
    r"(?P<name>[^/]+)"
)
_PARTIAL = re.compile(r"(?:global|regions/[^/]+)/[A-Za-z]+/[^/]+")
_WORDS = re.compile(r"(?<=[a-z])(?=[A-Z])")


def project(call: Call) -> str:
    """Return the project's resource name, whether its ID or its number was given."""
    return call.cloud.by_id(f"projects/{call['project']}")


def place(call: Call) -> str:
    """Return where a call acts: ``projects/p/global`` or ``projects/p/regions/r``."""
    region = call.get("region")
    if region is None:
        return f"{project(call)}/global"
    if region not in REGIONS:
        raise wrong("region", region, "Unknown region.")
    return f"{project(call)}/regions/{region}"


def link(key: str) -> str:
    """Return the full URL of a resource."""
    return ROOT + key


def key_of(url: str) -> str:
    """Return the key behind a full URL that was made by ``link``."""
    return url.removeprefix(ROOT)


def number(*parts: str) -> str:
    """Return the numeric id of something, the same for the same parts."""
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return str(10**18 + int.from_bytes(digest[:8], "big") % (8 * 10**18))


def reference(cloud: Cloud, text: str, field: str, collections: Collection[str]) -> str:
    """Return the key that a full or partial URL means; 400 for what is none of the collections."""
    rest = _ROOTS.sub("", text, count=1)
    if _PARTIAL.fullmatch(rest):
        rest = f"projects/{cloud.project}/{rest}"
    key = cloud.by_id(rest)
    found = _KEY.fullmatch(key)
    if found is None:
        raise wrong(f"resource.{field}", text, "The URL is malformed.")
    if found["collection"] not in collections:
        raise wrong(
            f"resource.{field}",
            text,
            f"Unexpected resource collection '{found['collection']}'; wanted: "
            f"{', '.join(sorted(collections))}.",
        )
    return key


def wrong(field: str, value: object, why: str) -> ApiError:
    """Refuse a field's value."""
    return ApiError(400, f"Invalid value for field '{field}': '{value}'. {why}", reason="invalid")


def required(field: str) -> ApiError:
    """Refuse a body that lacks a field."""
    return ApiError(400, f"Required field '{field}' not specified", reason="required")


def unknown(key: str) -> ApiError:
    """Say that a resource is not there."""
    return ApiError(404, f"The resource '{key}' was not found", reason="notFound")


def taken(key: str) -> ApiError:
    """Say that a name is taken."""
    return ApiError(
        409, f"The resource '{key}' already exists", status="ALREADY_EXISTS", reason="alreadyExists"
    )


def not_ready(key: str) -> ApiError:
    """Say that an operation on a resource has not ended."""
    return ApiError(400, f"The resource '{key}' is not ready", reason="resourceNotReady")


def in_use(key: str, by: str) -> ApiError:
    """Say that something still needs a resource."""
    kind = key.split("/")[-2].removesuffix("s")
    kind = {"addresse": "address", "targetHttpProxie": "targetHttpProxy"}.get(kind, kind)
    kind = kind.removesuffix("ie") + "y" if kind.endswith("ie") else kind
    words = _WORDS.sub("_", kind).lower()
    return ApiError(
        400,
        f"The {words} resource '{key}' is already being used by '{by}'",
        reason="resourceInUseByAnotherResource",
    )


def not_here(field: str, value: object) -> ApiError:
    """Refuse what Google has and the local cloud has not."""
    return ApiError(501, f"The local cloud's load balancer has no {field} {value!r}.")


def check_name(body: dict[str, object]) -> str:
    """Return the name of a new resource, if it is one."""
    name = body.get("name")
    if not name:
        raise required("resource.name")
    if not NAME.fullmatch(str(name)):
        raise wrong("resource.name", name, f"Must be a match of regex '{_SHOWN_NAME}'")
    return str(name)
