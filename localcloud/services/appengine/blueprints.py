"""What a version may consist of: the table of its fields, Google's defaults, and refusals.

Limits and defaults as cloud.google.com/appengine/docs/flexible/reference/app-yaml has them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError, invalid
from localcloud.services.run.templates import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.store import Resource

FLEXIBLE, STANDARD = "flexible", "standard"
_ALIKE = {"flex": FLEXIBLE, "": STANDARD}

_FIELDS: dict[str, frozenset[str]] = {
    FLEXIBLE: frozenset(
        {
            "automaticScaling",
            "betaSettings",
            "deployment",
            "env",
            "envVariables",
            "id",
            "livenessCheck",
            "manualScaling",
            "network",
            "readinessCheck",
            "resources",
            "runtime",
            "serviceAccount",
            "servingStatus",
        }
    ),
    STANDARD: frozenset(
        {
            "deployment",
            "env",
            "envVariables",
            "handlers",
            "id",
            "instanceClass",
            "runtime",
            "serviceAccount",
            "servingStatus",
        }
    ),
}
_WITHOUT_EFFECT = {
    # gcloud sends them with every version; the flexible environment hands all paths to the program
    FLEXIBLE: frozenset({"handlers"}),
    STANDARD: frozenset({"inboundServices", "threadsafe"}),
}
_RUNTIMES = frozenset({"custom", "vm"})
"""One runtime under two names; the second is gcloud's."""
_SQL_SETTING = "cloud_sql_instances"
_OF_GCLOUD = frozenset({"module_yaml_path", "vm_runtime"})
"""Settings that say nothing about what is to run."""
_SQL_NAME = re.compile(r"[a-z0-9.:-]+:[a-z0-9-]+:[a-z0-9-]+")
_IMAGE = re.compile(r"[a-z0-9.-]+/.+(:[\w.-]+|@sha256:[0-9a-f]{64})")
_ENV_NAME = re.compile(r"[A-Za-z_]\w*")
_OWN_ENV = frozenset({"GAE_INSTANCE", "GAE_SERVICE", "GAE_VERSION", "GOOGLE_CLOUD_PROJECT", "PORT"})
_CHECKS: dict[str, dict[str, tuple[float, float, float]]] = {
    # field: least, most, default
    "livenessCheck": {
        "checkInterval": (1, 300, 30),
        "timeout": (1, 300, 4),
        "failureThreshold": (1, 10, 4),
        "successThreshold": (1, 10, 2),
        "initialDelay": (0, 3600, 300),
    },
    "readinessCheck": {
        "checkInterval": (1, 300, 5),
        "timeout": (1, 300, 4),
        "failureThreshold": (1, 10, 2),
        "successThreshold": (1, 10, 2),
        "appStartTimeout": (1, 1800, 300),
    },
}
_COUNTS = frozenset({"failureThreshold", "successThreshold"})
_UNMET_SCALING = frozenset(
    {
        "diskUtilization",
        "networkUtilization",
        "requestUtilization",
        "standardSchedulerSettings",
        "maxConcurrentRequests",
        "maxIdleInstances",
        "maxPendingLatency",
        "minIdleInstances",
        "minPendingLatency",
    }
)
_UNMET_NETWORK = frozenset({"forwardedPorts", "instanceTag", "sessionAffinity"})
_MOST_CPUS, _MOST_INSTANCES = 80, 1000
_OVERHEAD_GB = 0.4
_MEMORY_PER_CPU = (0.9, 6.5)
_DISK = (10, 10000)


def complete(body: Resource) -> Resource:
    """Return a version with Google's defaults, or refuse it."""
    env = _ALIKE.get(body.get("env", ""), body.get("env", ""))
    if env not in _FIELDS:
        raise invalid(f"env: must be 'standard' or 'flexible', is '{env}'")
    known = _FIELDS[env] | _WITHOUT_EFFECT[env]
    unmet = sorted(key for key, value in body.items() if _says(value) and key not in known)
    if unmet:
        raise ApiError(
            501,
            f"{', '.join(unmet)} of versions in env '{env}' have no local counterpart.",
            status="UNIMPLEMENTED",
        )
    made = {**body, "env": env, "servingStatus": body.get("servingStatus") or "SERVING"}
    if made["servingStatus"] not in {"SERVING", "STOPPED"}:
        raise invalid("servingStatus: must be SERVING or STOPPED")
    _check_env(made.get("envVariables", {}))
    (_flexible if env == FLEXIBLE else _standard)(made)
    return made


def _says(value: Any) -> bool:
    """Tell whether a field says anything: gcloud sends empty messages for what is not set."""
    return any(map(_says, value.values())) if isinstance(value, dict) else bool(value)


def sql_instances(version: Mapping[str, Any]) -> list[str]:
    """Return the connection names of a version's databases."""
    text = version.get("betaSettings", {}).get(_SQL_SETTING, "")
    return [one.strip() for one in text.split(",") if one.strip()]


def vpc_access(version: Mapping[str, Any]) -> Resource:
    """Return the network of a version's machines in the words of a Cloud Run template."""
    network = version["network"]
    interface = {"network": network["name"]}
    if network.get("subnetworkName"):
        interface["subnetwork"] = network["subnetworkName"]
    return {"networkInterfaces": [interface], "egress": "ALL_TRAFFIC"}


def _flexible(made: Resource) -> None:
    if made.get("runtime") not in _RUNTIMES:
        raise ApiError(
            501,
            f"runtime '{made.get('runtime', '')}' is built from source, which has no local "
            "counterpart in the flexible environment; 'custom' with a container has.",
            status="UNIMPLEMENTED",
        )
    _check_container(made.get("deployment", {}))
    _check_beta_settings(made)
    _fill_scaling(made)
    _fill_resources(made)
    for kind, fields in _CHECKS.items():
        made[kind] = _check(kind, fields, made.get(kind, {}))
    network = made.get("network", {})
    _refuse(network, _UNMET_NETWORK, "network")
    made["network"] = {"name": "default", "instanceIpMode": "EXTERNAL", **network}
    if made["network"]["instanceIpMode"] not in {"EXTERNAL", "INTERNAL"}:
        raise invalid("network.instance_ip_mode: must be EXTERNAL or INTERNAL")


def _standard(made: Resource) -> None:
    """Take static files only: whatever runs a program would have to be built from source."""
    deployment = made.get("deployment", {})
    _refuse(deployment, frozenset({"container", "zip", "cloudBuildOptions"}), "deployment")
    if not deployment.get("files"):
        raise invalid("deployment.files: must be set")
    for name, file in deployment["files"].items():
        if not file.get("sourceUrl"):
            raise invalid(f"deployment.files['{name}'].source_url: must be set")
    if not made.get("runtime"):
        raise invalid("runtime: must be set")
    handlers = made.get("handlers", [])
    if not handlers or any("staticFiles" not in one for one in handlers):
        raise ApiError(
            501,
            "In the standard environment only handlers with static_files have a local counterpart: "
            "scripts would have to be built from source.",
            status="UNIMPLEMENTED",
        )
    for one in handlers:
        try:
            re.compile(one.get("urlRegex", ""))
        except re.error as error:
            raise invalid(f"handlers.url_regex: {one['urlRegex']!r}: {error}") from None
    made.setdefault("instanceClass", "F1")


def _check_container(deployment: Resource) -> None:
    _refuse(deployment, frozenset({"files", "zip", "cloudBuildOptions"}), "deployment")
    image = deployment.get("container", {}).get("image", "")
    if _IMAGE.fullmatch(image) is None:
        raise invalid(
            f"deployment.container.image: '{image}' must be fully qualified and include a tag or "
            "digest"
        )


def _check_beta_settings(made: Resource) -> None:
    settings = made.get("betaSettings", {})
    _refuse(settings, frozenset(settings) - {_SQL_SETTING} - _OF_GCLOUD, "betaSettings")
    for one in sql_instances(made):
        if "=" in one:
            raise ApiError(
                501, f"betaSettings: {one}: TCP has no local counterpart.", status="UNIMPLEMENTED"
            )
        if _SQL_NAME.fullmatch(one) is None:
            raise invalid(
                f"betaSettings.{_SQL_SETTING}: '{one}' is no connection name "
                "(project:region:instance)"
            )


def _check_env(variables: Mapping[str, str]) -> None:
    for name in variables:
        if _ENV_NAME.fullmatch(name) is None:
            raise invalid(f"env_variables: '{name}' is no name of an environment variable")
        if name in _OWN_ENV:
            raise invalid(f"env_variables: '{name}' is set by App Engine itself")


def _fill_scaling(made: Resource) -> None:
    if "automaticScaling" in made and "manualScaling" in made:
        raise invalid("Only one of automatic_scaling and manual_scaling can be set.")
    if "manualScaling" in made:
        check_count(made["manualScaling"].get("instances", 0), "manual_scaling.instances")
        return
    given = made.get("automaticScaling", {})
    _refuse(given, _UNMET_SCALING, "automaticScaling")
    made["automaticScaling"] = check_automatic(
        {
            "minTotalInstances": 2,
            "maxTotalInstances": 20,
            "coolDownPeriod": "120s",
            "cpuUtilization": {"targetUtilization": 0.5},
            **given,
        }
    )


def check_automatic(scaling: Resource) -> Resource:
    """Refuse automatic scaling that contradicts itself."""
    least, most = scaling["minTotalInstances"], scaling["maxTotalInstances"]
    check_count(least, "automatic_scaling.min_total_instances")
    check_count(most, "automatic_scaling.max_total_instances")
    if least > most:
        raise invalid(
            "automatic_scaling: min_total_instances must not be more than max_total_instances"
        )
    target = scaling["cpuUtilization"].get("targetUtilization", 0.5)
    if not 0 < target <= 1:
        raise invalid(
            "automatic_scaling.cpu_utilization.target_utilization: must be more than 0, at most 1"
        )
    if seconds(scaling["coolDownPeriod"]) < 60:  # noqa: PLR2004 - as the reference says
        raise invalid("automatic_scaling.cool_down_period: must be at least 60s")
    return scaling


def check_count(count: int, where: str) -> None:
    """Refuse a number of instances that cannot be."""
    if not 1 <= count <= _MOST_INSTANCES:
        raise invalid(f"{where}: must be between 1 and {_MOST_INSTANCES}, is {count}")


def _fill_resources(made: Resource) -> None:
    given = made.get("resources", {})
    _refuse(given, frozenset({"volumes", "kmsKeyReference"}), "resources")
    filled = {"cpu": 1, "memoryGb": 0.6, "diskGb": 10, **given}
    cpu, memory, disk = filled["cpu"], filled["memoryGb"], filled["diskGb"]
    whole = float(cpu).is_integer() and (cpu == 1 or cpu % 2 == 0)
    if not whole or not 1 <= cpu <= _MOST_CPUS:
        raise invalid(f"resources.cpu: must be 1 or an even number up to {_MOST_CPUS}, is {cpu:g}")
    least, most = (cpu * part - _OVERHEAD_GB for part in _MEMORY_PER_CPU)
    if not least <= memory <= most:
        raise invalid(
            f"resources.memory_gb: with {cpu:g} CPUs must be between {least:.1f} and {most:.1f}, "
            f"is {memory:g}"
        )
    if not _DISK[0] <= disk <= _DISK[1]:
        raise invalid(f"resources.disk_gb: must be between {_DISK[0]} and {_DISK[1]}, is {disk:g}")
    made["resources"] = filled


def _check(
    kind: str, fields: Mapping[str, tuple[float, float, float]], given: Resource
) -> Resource:
    made = dict(given)
    _refuse(given, frozenset({"host"}), kind)
    for field, (least, most, default) in fields.items():
        raw = given.get(field)
        value = default if raw is None else float(raw) if field in _COUNTS else seconds(raw)
        if not least <= value <= most:
            raise invalid(f"{kind}.{field}: must be between {least:g} and {most:g}, is {value:g}")
        made[field] = int(value) if field in _COUNTS else f"{value:g}s"
    if not made.get("path", "/").startswith("/"):
        raise invalid(f"{kind}.path: must start with '/', is '{made['path']}'")
    return made


def _refuse(given: Mapping[str, Any], unmet: frozenset[str], where: str) -> None:
    found = sorted(name for name in unmet if given.get(name))
    if found:
        raise ApiError(
            501,
            f"{where}: {', '.join(found)} have no local counterpart.",
            status="UNIMPLEMENTED",
        )
