"""run.namespaces.services: services in Knative's words, read and written, as gcloud does it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError
from localcloud.services.run import names, services, traffic
from localcloud.services.run.knative import containers, objects
from localcloud.services.run.knative.containers import RUN

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource

_INGRESS = {
    "all": "INGRESS_TRAFFIC_ALL",
    "internal": "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "internal-and-cloud-load-balancing": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
}
# Annotations of a service that are fields in v2: the field, and how their text is read.
_FIELDS: dict[str, tuple[str, Any, Any]] = {
    f"{RUN}/ingress": ("ingress", lambda text: _INGRESS.get(text, text), None),
    f"{RUN}/launch-stage": ("launchStage", str, str),
    f"{RUN}/description": ("description", str, str),
    f"{RUN}/client-name": ("client", str, str),
    f"{RUN}/client-version": ("clientVersion", str, str),
    f"{RUN}/custom-audiences": ("customAudiences", json.loads, json.dumps),
    f"{RUN}/invoker-iam-disabled": ("invokerIamDisabled", lambda text: text == "true", None),
    f"{RUN}/iap-enabled": ("iapEnabled", lambda text: text == "true", None),
    f"{RUN}/default-url-disabled": ("defaultUriDisabled", lambda text: text == "true", None),
}
_SCALING: dict[str, tuple[str, Any]] = {
    f"{RUN}/scalingMode": ("scalingMode", lambda text: text.upper()),
    f"{RUN}/minScale": ("minInstanceCount", int),
    f"{RUN}/maxScale": ("maxInstanceCount", int),
    f"{RUN}/manualInstanceCount": ("manualInstanceCount", int),
}
# Annotations that are fields of buildConfig in v2: how the image was built from source.
_BUILD: dict[str, tuple[str, Any, Any]] = {
    f"{RUN}/build-base-image": ("baseImage", str, str),
    f"{RUN}/build-enable-automatic-updates": ("enableAutomaticUpdates", json.loads, json.dumps),
    f"{RUN}/build-environment-variables": ("environmentVariables", json.loads, json.dumps),
    f"{RUN}/build-function-target": ("functionTarget", str, str),
    f"{RUN}/build-image-uri": ("imageUri", str, str),
    f"{RUN}/build-name": ("name", str, str),
    f"{RUN}/build-service-account": ("serviceAccount", str, str),
    f"{RUN}/build-source-location": ("sourceLocation", str, str),
    f"{RUN}/build-worker-pool": ("workerPool", str, str),
}
# What Cloud Run itself writes; clients send it back and it means nothing.
_OWN = frozenset(
    {
        f"{RUN}/ingress-status",
        f"{RUN}/operation-id",
        f"{RUN}/urls",
        f"{RUN}/build-id",
        "serving.knative.dev/creator",
        "serving.knative.dev/lastModifier",
    }
)


def listed(call: Call) -> Resource:
    """List the services of a region, which the host name says, or of all regions."""
    objects.refuse_selectors(call, "labelSelector", "fieldSelector", "watch", "continue")
    prefix = f"projects/{objects.project(call)}/locations/"
    region = objects.region(call)
    found = [
        _shown(call, one)
        for name, one in call.store.under(prefix)
        if services.is_service(name) and region in (None, name.split("/")[3])
    ]
    return objects.listing("ServiceList", found)


def get(call: Call) -> Resource:
    """Give one service."""
    return _shown(call, _found(call))


def create(call: Call) -> Resource:
    """Create a service; it becomes ready, or not, while the caller looks on."""
    short = call.body.get("metadata", {}).get("name", "")
    name = objects.full_name(call, "services", short)
    call.params["parent"], call.params["serviceId"] = name.rpartition("/services/")[0], short
    _as_v2(call)
    services.create(call)
    return _after(call, name)


def replace(call: Call) -> Resource:
    """Replace a service by what was sent."""
    current = _found(call)
    seen = call.body.get("metadata", {}).get("resourceVersion")
    names.check_etag({**current, "etag": objects.version(current)}, seen)
    call.params["name"] = current["name"]
    _as_v2(call)
    services.patch(call)
    return _after(call, current["name"])


def delete(call: Call) -> Resource:
    """Delete a service."""
    current = _found(call)
    call.params["name"] = current["name"]
    services.delete(call)
    return {"status": "Success", "metadata": {}}


def _found(call: Call) -> Resource:
    name = objects.full_name(call, "services", call["name"].rpartition("/")[2])
    found = call.store.find(name)
    if found is None:
        raise ApiError(
            404, f"Resource '{name.rpartition('/')[2]}' of kind 'SERVICE' does not exist."
        )
    return found


def _after(call: Call, name: str) -> Resource:
    found = call.store.find(name)
    # a dry run leaves nothing behind; it shows what was asked for
    return _shown(call, found) if found is not None else call.params["sent"]


def _as_v2(call: Call) -> None:
    """Put the body of the call into v2's words."""
    sent = call.body
    call.params["sent"] = sent
    call.params["validateOnly"] = call.get("dryRun") == "all"
    meta, spec = sent.get("metadata", {}), sent.get("spec", {})
    outer = spec.get("template", {})
    inner, marks = outer.get("spec", {}), outer.get("metadata", {})
    template = containers.to_v2(inner, marks.get("annotations", {}))
    if marks.get("name"):
        template["revision"] = marks["name"]
    template["labels"] = objects.plain(marks.get("labels", {}))
    if "timeoutSeconds" in inner:
        template["timeout"] = f"{inner['timeoutSeconds']}s"
    if inner.get("containerConcurrency"):
        template["maxInstanceRequestConcurrency"] = inner["containerConcurrency"]
    made: Resource = {"template": template, "labels": objects.plain(meta.get("labels", {}))}
    _read_marks(made, meta.get("annotations", {}))
    if spec.get("traffic"):
        made["traffic"] = [_sent_target(one) for one in spec["traffic"]]
    call.body = made


def _read_marks(made: Resource, marks: Resource) -> None:
    scaling: Resource = {}
    built: Resource = {}
    for key, value in marks.items():
        if key in _FIELDS:
            field, read, _ = _FIELDS[key]
            made[field] = read(value)
        elif key in _BUILD:
            field, read, _ = _BUILD[key]
            built[field] = read(value)
        elif key in _SCALING:
            field, read = _SCALING[key]
            scaling[field] = read(value)
    made["annotations"] = objects.unread(marks, {*_FIELDS, *_BUILD, *_SCALING, *_OWN})
    if scaling:
        made["scaling"] = scaling
    if built:
        made["buildConfig"] = built


def _sent_target(one: Resource) -> Resource:
    made: Resource = {key: one[key] for key in ("percent", "tag") if one.get(key)}
    if one.get("revisionName"):
        return {**made, "type": traffic.REVISION, "revision": one["revisionName"]}
    return {**made, "type": traffic.LATEST}


def _shown(call: Call, service: Resource) -> Resource:
    """Say in Knative's words what a service is."""
    template = service["template"]
    spec, marks = containers.from_v2(template)
    spec["timeoutSeconds"] = int(float(template["timeout"].removesuffix("s")))
    spec["containerConcurrency"] = template["maxInstanceRequestConcurrency"]
    inner: Resource = {"annotations": marks, "labels": template.get("labels", {})}
    if template.get("revision"):
        inner["name"] = template["revision"]
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": objects.metadata(call, service, _marks(service)),
        "spec": {
            "template": {"metadata": inner, "spec": spec},
            "traffic": [_target(one) for one in service["traffic"]],
        },
        "status": {
            "observedGeneration": int(service.get("observedGeneration", 0)),
            "conditions": objects.conditions(
                [service.get("terminalCondition"), *service.get("conditions", [])]
            ),
            **_addresses(service),
            "traffic": [_target(one) for one in service.get("trafficStatuses", [])],
            **_latest(service),
        },
    }


def _addresses(service: Resource) -> Resource:
    """Show where a service answers, unless its default address is switched off."""
    if "urls" not in service:
        return {}
    return {"url": service["urls"][0], "address": {"url": service["uri"]}}


def _marks(service: Resource) -> dict[str, str]:
    made = {
        **service.get("annotations", {}),
        "serving.knative.dev/creator": service["creator"],
        "serving.knative.dev/lastModifier": service["lastModifier"],
    }
    if "urls" in service:
        made[f"{RUN}/urls"] = json.dumps(service["urls"])
    for key, (field, _, write) in _FIELDS.items():
        if field in service and write is not None:
            made[key] = write(service[field])
        elif service.get(field) is True:
            made[key] = "true"
    built = service.get("buildConfig", {})
    made |= {key: write(built[name]) for key, (name, _, write) in _BUILD.items() if name in built}
    short = next((text for text, full in _INGRESS.items() if full == service["ingress"]), "all")
    made[f"{RUN}/ingress"] = made[f"{RUN}/ingress-status"] = short
    for key, (field, _) in _SCALING.items():
        if field in service.get("scaling", {}):
            made[key] = str(service["scaling"][field]).lower()
    return made


def _target(target: Resource) -> Resource:
    made: Resource = {key: target[key] for key in ("percent", "tag") if key in target}
    if target.get("revision"):
        made["revisionName"] = target["revision"].rpartition("/")[2]
    if str(target.get("type", "")).endswith("LATEST"):
        made["latestRevision"] = True
    if target.get("uri"):
        made["url"] = target["uri"]
    return made


def _latest(service: Resource) -> Resource:
    return {
        f"{key}Name": service[key].rpartition("/")[2]
        for key in ("latestCreatedRevision", "latestReadyRevision")
        if key in service
    }
