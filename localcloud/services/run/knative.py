"""Cloud Run v1, as far as ``gcloud run services list`` and ``describe`` need it: reading services.

v1 shows the same services in Knative's words, in the manner of Kubernetes. Whatever changes a
service goes through v2; the other methods of v1 answer 501.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from localcloud.errors import ApiError, invalid
from localcloud.service import Needs, Service
from localcloud.services.run import conditions, services

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource

_AT = "run.namespaces.services"
_STATUS = {conditions.SUCCEEDED: "True", conditions.FAILED: "False"}
_HOST_SUFFIX = "-run.googleapis.com"


def listed(call: Call) -> Resource:
    """List the services of a region, which the host name says, or of all regions."""
    for unknown in ("labelSelector", "fieldSelector", "watch", "continue"):
        if call.get(unknown):
            raise ApiError(501, f"{unknown} has no local counterpart.", status="UNIMPLEMENTED")
    prefix = f"projects/{_project(call)}/locations/"
    region = _region(call)
    found = [
        _shown(call, one)
        for name, one in call.store.under(prefix)
        if services.is_service(name) and region in (None, name.split("/")[3])
    ]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "ServiceList",
        "metadata": {},
        "items": found,
    }


def get(call: Call) -> Resource:
    """Give one service."""
    name = _name(call)
    found = call.store.find(name)
    if found is None:
        raise ApiError(
            404, f"Resource '{name.rpartition('/')[2]}' of kind 'SERVICE' does not exist."
        )
    return _shown(call, found)


def _project(call: Call) -> str:
    given = (call.get("parent") or call.get("name")).split("/")[1]
    return str(call.cloud.by_id(f"projects/{given}").partition("/")[2])


def _region(call: Call) -> str | None:
    host = urlsplit(call.url).hostname or ""
    return host.removesuffix(_HOST_SUFFIX) if host.endswith(_HOST_SUFFIX) else None


def _name(call: Call) -> str:
    region = _region(call)
    if region is None:
        raise invalid("Services are read from a region's own host, REGION-run.googleapis.com.")
    short = call["name"].rpartition("/")[2]
    return f"projects/{_project(call)}/locations/{region}/services/{short}"


def _shown(call: Call, service: Resource) -> Resource:
    """Say in Knative's words what a service is."""
    short, region = service["name"].rpartition("/")[2], service["name"].split("/")[3]
    template = service["template"]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {
            "name": short,
            "namespace": call.cloud.number,
            "uid": service["uid"],
            "generation": int(service["generation"]),
            "creationTimestamp": service["createTime"],
            "labels": {**service.get("labels", {}), "cloud.googleapis.com/location": region},
            "annotations": {
                **service.get("annotations", {}),
                "serving.knative.dev/creator": service["creator"],
                "serving.knative.dev/lastModifier": service["lastModifier"],
            },
        },
        "spec": {
            "template": {"metadata": {}, "spec": _revision(template)},
            "traffic": [_target(one) for one in service["traffic"]],
        },
        "status": {
            "observedGeneration": int(service.get("observedGeneration", 0)),
            "conditions": _conditions(service),
            "url": service["urls"][0],
            "address": {"url": service["uri"]},
            "traffic": [_target(one) for one in service.get("trafficStatuses", [])],
            **_latest(service),
        },
    }


def _revision(template: Resource) -> Resource:
    made: dict[str, Any] = {
        "containers": [
            {
                "image": one["image"],
                "env": [
                    {"name": item["name"], "value": item["value"]}
                    for item in one.get("env", [])
                    if "value" in item
                ],
                **{key: one[key] for key in ("name", "args", "command") if key in one},
                "resources": {"limits": one.get("resources", {}).get("limits", {})},
            }
            for one in template["containers"]
        ],
        "serviceAccountName": template["serviceAccount"],
    }
    if "maxInstanceRequestConcurrency" in template:
        made["containerConcurrency"] = template["maxInstanceRequestConcurrency"]
    return made


def _target(target: Resource) -> Resource:
    made: Resource = {key: target[key] for key in ("percent", "tag") if key in target}
    if target.get("revision"):
        made["revisionName"] = target["revision"].rpartition("/")[2]
    if str(target.get("type", "")).endswith("LATEST"):
        made["latestRevision"] = True
    return made


def _conditions(service: Resource) -> list[Resource]:
    both = [service.get("terminalCondition"), *service.get("conditions", [])]
    return [
        {
            "type": one["type"],
            "status": _STATUS.get(one["state"], "Unknown"),
            "lastTransitionTime": one["lastTransitionTime"],
            **({"message": one["message"]} if "message" in one else {}),
        }
        for one in both
        if one
    ]


def _latest(service: Resource) -> Resource:
    return {
        f"{key}Name": service[key].rpartition("/")[2]
        for key in ("latestCreatedRevision", "latestReadyRevision")
        if key in service
    }


SERVICE = Service(
    "run",
    "v1",
    {f"{_AT}.list": listed, f"{_AT}.get": get},
    permissions={
        f"{_AT}.list": Needs(
            "run.services.list", resource=lambda call: f"projects/{_project(call)}"
        ),
        f"{_AT}.get": Needs("run.services.get", resource=_name),
    },
    hosts=("*-run.googleapis.com",),
)
