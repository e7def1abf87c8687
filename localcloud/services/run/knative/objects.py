"""What all objects of Knative have in common: where they are, their metadata and conditions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from localcloud.errors import ApiError, invalid
from localcloud.services.run import conditions as states

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from localcloud.service import Call
    from localcloud.store import Resource

_STATUS = {states.SUCCEEDED: "True", states.FAILED: "False"}
_PLACE = re.compile(r"projects/[^/]+/locations/([^/]+)$")
_HOST_SUFFIX = "-run.googleapis.com"
_OURS = ("run.googleapis.com", "cloud.googleapis.com", "knative.dev")


def project(call: Call) -> str:
    """Return the ID of the project that is a call's namespace."""
    given = (call.get("parent") or call.get("name")).split("/")[1]
    return str(call.cloud.by_id(f"projects/{given}").partition("/")[2])


def region(call: Call) -> str | None:
    """Return the region a call names, or its host stands for; None for all of them."""
    found = _PLACE.match(call.get("parent") or "")
    if found is not None:
        return None if found[1] == "-" else found[1]
    host = urlsplit(call.url).hostname or ""
    return host.removesuffix(_HOST_SUFFIX) if host.endswith(_HOST_SUFFIX) else None


def full_name(call: Call, kind: str, short: str) -> str:
    """Return the v2 name of an object."""
    place = region(call)
    if place is None:
        raise invalid("Objects are named by a region's own host, REGION-run.googleapis.com.")
    return f"projects/{project(call)}/locations/{place}/{kind}/{short}"


def within(call: Call) -> str:
    """Return the resource that rights to a call's namespace hang on."""
    return f"projects/{project(call)}"


def refuse_selectors(call: Call, *names: str) -> None:
    """Refuse what would narrow a list and is not understood."""
    for name in names:
        if call.get(name):
            raise ApiError(501, f"{name} has no local counterpart.", status="UNIMPLEMENTED")


def selected(call: Call) -> dict[str, str]:
    """Read a label selector of equalities."""
    found: dict[str, str] = {}
    for part in (call.get("labelSelector") or "").split(","):
        key, equals, value = part.replace("==", "=").partition("=")
        if part.strip() and not equals:
            raise invalid(f"labelSelector: {part!r} is no equality")
        if part.strip():
            found[key.strip()] = value.strip()
    return found


def plain(marks: Resource) -> Resource:
    """Return labels or annotations without those in the namespaces of Google and Knative."""
    return {key: value for key, value in marks.items() if not _is_ours(key)}


def unread(marks: Resource, read: Container[str]) -> Resource:
    """Return the annotations that mean nothing to Cloud Run; refuse what would, were it read."""
    for key in marks:
        if _is_ours(key) and key not in read:
            raise invalid(f"annotation {key!r} has no local counterpart")
    return plain(marks)


def _is_ours(key: str) -> bool:
    return "/" in key and key.partition("/")[0].endswith(_OURS)


def version(resource: Resource) -> str:
    """Return what an object's resourceVersion is."""
    return str(resource["etag"]).strip('"')


def listing(
    kind: str, items: Iterable[Resource], version: str = "serving.knative.dev/v1"
) -> Resource:
    """Return a list as Kubernetes writes it."""
    return {"apiVersion": version, "kind": kind, "metadata": {}, "items": list(items)}


def metadata(call: Call, resource: Resource, annotations: Resource, **labels: str) -> Resource:
    """Return an object's metadata."""
    place = resource["name"].split("/")[3]
    made = {
        "name": resource["name"].rpartition("/")[2],
        "namespace": call.cloud.number,
        "uid": resource["uid"],
        "resourceVersion": version(resource),
        "generation": int(resource["generation"]),
        "creationTimestamp": resource["createTime"],
        "labels": {
            **resource.get("labels", {}),
            **{key.replace("__", "/"): value for key, value in labels.items()},
            "cloud.googleapis.com/location": place,
        },
        "annotations": annotations,
    }
    if resource.get("deleteTime"):
        made["deletionTimestamp"] = resource["deleteTime"]
    return made


def conditions(given: Iterable[Resource | None]) -> list[Resource]:
    """Return conditions in Knative's words."""
    return [
        {
            "type": one["type"],
            "status": _STATUS.get(one["state"], "Unknown"),
            "lastTransitionTime": one["lastTransitionTime"],
            **({"message": one["message"]} if "message" in one else {}),
            **_reason(one),
        }
        for one in given
        if one
    ]


def _reason(one: Resource) -> Resource:
    for field in ("reason", "revisionReason", "executionReason"):
        if one.get(field):
            words = str(one[field]).split("_")
            return {"reason": "".join(word.capitalize() for word in words)}
    return {}
