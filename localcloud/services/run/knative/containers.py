"""Containers, volumes and annotations of a template, in Knative's words and in v2's."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from localcloud.errors import invalid
from localcloud.services.run.knative import objects

if TYPE_CHECKING:
    from localcloud.store import Resource

RUN = "run.googleapis.com"
SCALE = "autoscaling.knative.dev"
_SAME = ("name", "image", "command", "args", "workingDir", "ports", "startupProbe", "livenessProbe")
_SOCKETS = "cloudsql"
_MEDIA = {"Memory": "MEMORY"}
_ENVIRONMENTS = {
    "gen1": "EXECUTION_ENVIRONMENT_GEN1",
    "gen2": "EXECUTION_ENVIRONMENT_GEN2",
}
# What clients write into templates and nobody needs to keep.
_NOTED = frozenset(
    {
        f"{RUN}/client-name",
        f"{RUN}/client-version",
        f"{RUN}/secrets",
        f"{RUN}/startupProbeType",
        f"{RUN}/base-images",
        "client.knative.dev/nonce",
        "client.knative.dev/user-image",
    }
)


def to_v2(spec: Resource, annotations: Resource) -> Resource:
    """Return the parts of a v2 template that are in a Knative spec and its annotations."""
    marks = dict(annotations)
    made: Resource = {"containers": [_container(one) for one in spec.get("containers", [])]}
    volumes = [_volume(one, marks) for one in spec.get("volumes", [])]
    for key in sorted(_READ.keys() & marks.keys()):
        _READ[key](made, marks[key])
    made["annotations"] = objects.unread(marks, {*_READ, *_NOTED})
    made["volumes"] = [*volumes, *made.pop("sockets", [])]
    if spec.get("serviceAccountName"):
        made["serviceAccount"] = spec["serviceAccountName"]
    return {key: value for key, value in made.items() if value not in ({}, [])}


def _container(one: Resource) -> Resource:
    made = {key: one[key] for key in _SAME if key in one}
    made["env"] = [variable(item) for item in one.get("env", [])]
    limits = one.get("resources", {}).get("limits", {})
    made["resources"] = {"limits": dict(limits), "cpuIdle": True}
    made["volumeMounts"] = [
        {key: mount[key] for key in ("name", "mountPath", "subPath") if key in mount}
        for mount in one.get("volumeMounts", [])
    ]
    return {key: value for key, value in made.items() if value != []}


def variable(item: Resource) -> Resource:
    """Return a variable in v2's words."""
    reference = item.get("valueFrom", {}).get("secretKeyRef")
    if reference is None:
        return {"name": item.get("name", ""), "value": item.get("value", "")}
    source = {"secret": reference.get("name", ""), "version": reference.get("key", "latest")}
    return {"name": item.get("name", ""), "valueSource": {"secretKeyRef": source}}


def _volume(one: Resource, marks: Resource) -> Resource:
    name = one.get("name", "")
    if "secret" in one:
        source = one["secret"]
        aliases = dict(
            pair.split(":", 1) for pair in marks.get(f"{RUN}/secrets", "").split(",") if ":" in pair
        )
        secret = source.get("secretName", "")
        items = [
            {
                "path": item.get("path", ""),
                "version": item.get("key", "latest"),
                **({"mode": item["mode"]} if "mode" in item else {}),
            }
            for item in source.get("items", [])
        ]
        made: Resource = {"secret": aliases.get(secret, secret), "items": items}
        if "defaultMode" in source:
            made["defaultMode"] = source["defaultMode"]
        return {"name": name, "secret": made}
    if "emptyDir" in one:
        source = one["emptyDir"]
        limit = {"sizeLimit": source["sizeLimit"]} if "sizeLimit" in source else {}
        return {
            "name": name,
            "emptyDir": {"medium": _MEDIA.get(source.get("medium", ""), "MEMORY"), **limit},
        }
    kinds = ", ".join(key for key in one if key != "name") or "no source"
    raise invalid(f"volume {name!r}: {kinds} has no local counterpart")


def _sockets(made: Resource, value: str) -> None:
    instances = [name for name in value.split(",") if name]
    if instances:
        made["sockets"] = [{"name": _SOCKETS, "cloudSqlInstance": {"instances": instances}}]
        for one in made["containers"]:
            mounts = [item for item in one.get("volumeMounts", []) if item["name"] != _SOCKETS]
            one["volumeMounts"] = [*mounts, {"name": _SOCKETS, "mountPath": "/cloudsql"}]


def _order(made: Resource, value: str) -> None:
    for name, others in json.loads(value).items():
        for one in made["containers"]:
            if one.get("name") == name:
                one["dependsOn"] = others


def _each(field: str, wanted: str) -> Any:
    def put(made: Resource, value: str) -> None:
        for one in made["containers"]:
            one["resources"][field] = value == wanted

    return put


def _scale(field: str) -> Any:
    def put(made: Resource, value: str) -> None:
        made.setdefault("scaling", {})[field] = int(value)

    return put


def _environment(made: Resource, value: str) -> None:
    made["executionEnvironment"] = _ENVIRONMENTS.get(value, value)


def _affinity(made: Resource, value: str) -> None:
    made["sessionAffinity"] = value == "true"


_READ: dict[str, Any] = {
    f"{SCALE}/minScale": _scale("minInstanceCount"),
    f"{SCALE}/maxScale": _scale("maxInstanceCount"),
    f"{RUN}/cloudsql-instances": _sockets,
    f"{RUN}/container-dependencies": _order,
    f"{RUN}/cpu-throttling": _each("cpuIdle", "true"),
    f"{RUN}/startup-cpu-boost": _each("startupCpuBoost", "true"),
    f"{RUN}/execution-environment": _environment,
    f"{RUN}/sessionAffinity": _affinity,
}


def from_v2(template: Resource) -> tuple[Resource, Resource]:
    """Return the Knative spec and the annotations of a v2 template."""
    marks: dict[str, str] = dict(template.get("annotations", {}))
    scaling = template.get("scaling", {})
    for field, key in (("minInstanceCount", "minScale"), ("maxInstanceCount", "maxScale")):
        if scaling.get(field):
            marks[f"{SCALE}/{key}"] = str(scaling[field])
    volumes = []
    for one in template.get("volumes", []):
        if "cloudSqlInstance" in one:
            marks[f"{RUN}/cloudsql-instances"] = ",".join(one["cloudSqlInstance"]["instances"])
        else:
            volumes.append(_shown_volume(one))
    marks |= _shown_marks(template)
    spec: Resource = {
        "containers": [_shown_container(one) for one in template["containers"]],
        "serviceAccountName": template["serviceAccount"],
    }
    if volumes:
        spec["volumes"] = volumes
    return spec, marks


def _shown_marks(template: Resource) -> dict[str, str]:
    marks: dict[str, str] = {}
    waits = {
        one["name"]: one["dependsOn"] for one in template["containers"] if one.get("dependsOn")
    }
    if waits:
        marks[f"{RUN}/container-dependencies"] = json.dumps(waits)
    if any(one.get("resources", {}).get("cpuIdle") is False for one in template["containers"]):
        marks[f"{RUN}/cpu-throttling"] = "false"
    if any(one.get("resources", {}).get("startupCpuBoost") for one in template["containers"]):
        marks[f"{RUN}/startup-cpu-boost"] = "true"
    for short, full in _ENVIRONMENTS.items():
        if template.get("executionEnvironment") == full:
            marks[f"{RUN}/execution-environment"] = short
    if template.get("sessionAffinity"):
        marks[f"{RUN}/sessionAffinity"] = "true"
    return marks


def _shown_container(one: Resource) -> Resource:
    made = {key: one[key] for key in _SAME if key in one}
    env = [_shown_variable(item) for item in one.get("env", [])]
    if env:
        made["env"] = env
    made["resources"] = {"limits": one.get("resources", {}).get("limits", {})}
    mounts = [item for item in one.get("volumeMounts", []) if item["name"] != _SOCKETS]
    return made | ({"volumeMounts": mounts} if mounts else {})


def _shown_variable(item: Resource) -> Resource:
    reference = item.get("valueSource", {}).get("secretKeyRef")
    if reference is None:
        return {"name": item["name"], "value": item.get("value", "")}
    source = {"name": reference["secret"], "key": reference.get("version", "latest")}
    return {"name": item["name"], "valueFrom": {"secretKeyRef": source}}


def _shown_volume(one: Resource) -> Resource:
    if "secret" in one:
        source = one["secret"]
        items = [
            {
                "key": item.get("version", "latest"),
                "path": item["path"],
                **({"mode": item["mode"]} if "mode" in item else {}),
            }
            for item in source.get("items", [])
        ]
        made = {"secretName": source["secret"], **({"items": items} if items else {})}
        if "defaultMode" in source:
            made["defaultMode"] = source["defaultMode"]
        return {"name": one["name"], "secret": made}
    source = one.get("emptyDir", {})
    limit = {"sizeLimit": source["sizeLimit"]} if "sizeLimit" in source else {}
    return {"name": one["name"], "emptyDir": {"medium": "Memory", **limit}}
