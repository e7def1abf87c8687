"""run.namespaces.revisions: revisions in Knative's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.run import revisions, traffic
from localcloud.services.run.knative import containers, objects

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource


def listed(call: Call) -> Resource:
    """List a region's revisions, newest first; a label selector may name their service."""
    objects.refuse_selectors(call, "fieldSelector", "watch", "continue")
    wanted = objects.selected(call)
    found = [_shown(call, one) for one in _all(call)]
    kept = [one for one in found if wanted.items() <= one["metadata"]["labels"].items()]
    kept.sort(key=lambda one: str(one["metadata"]["creationTimestamp"]), reverse=True)
    return objects.listing("RevisionList", kept)


def get(call: Call) -> Resource:
    """Give one revision."""
    return _shown(call, _found(call))


def delete(call: Call) -> Resource:
    """Delete a revision that requests cannot reach."""
    call.params["name"] = _found(call)["name"]
    revisions.delete(call)
    return {"status": "Success", "metadata": {}}


def resource(call: Call) -> str:
    """Return the service whose policy counts; the project's when there is no such revision."""
    short = call["name"].rpartition("/")[2]
    for one in _all(call):
        if one["name"].endswith(f"/{short}"):
            return str(one["name"].partition("/revisions/")[0])
    return objects.within(call)


def _all(call: Call) -> list[Resource]:
    region = objects.region(call)
    prefix = f"projects/{objects.project(call)}/locations/{region + '/' if region else ''}"
    return [one for name, one in call.store.under(prefix) if name.split("/")[-2] == "revisions"]


def _found(call: Call) -> Resource:
    short = call["name"].rpartition("/")[2]
    for one in _all(call):
        if one["name"].endswith(f"/{short}"):
            return one
    raise ApiError(404, f"Revision '{short}' was not found.")


def _shown(call: Call, revision: Resource) -> Resource:
    spec, marks = containers.from_v2(revision)
    spec["timeoutSeconds"] = int(float(revision["timeout"].removesuffix("s")))
    spec["containerConcurrency"] = revision["maxInstanceRequestConcurrency"]
    service = call.store.find(revision["name"].partition("/revisions/")[0]) or {}
    marks["serving.knative.dev/creator"] = service.get("lastModifier", "")
    active = revision["name"] in traffic.reachable(service)
    conditions = objects.conditions(revision["conditions"])
    conditions.append(
        {
            "type": "Active",
            "status": "True" if active else "False",
            "lastTransitionTime": revision["updateTime"],
            **({} if active else {"reason": "NoTraffic", "severity": "Info"}),
        }
    )
    status: Resource = {
        "observedGeneration": 1,
        "conditions": conditions,
        "serviceName": revision["service"],
    }
    images = revision.get("containerStatuses", [])
    if images:
        status["imageDigest"] = images[0]["imageDigest"]
        status["containerStatuses"] = images
    labels = {"serving.knative.dev__service": revision["service"]}
    labels["serving.knative.dev__configuration"] = revision["service"]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Revision",
        "metadata": objects.metadata(call, revision, marks, **labels),
        "spec": spec,
        "status": status,
    }
