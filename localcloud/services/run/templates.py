"""Revision and task templates: what is refused, and what Cloud Run fills in."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.store import Resource

_RESERVED_NAMESPACES = (
    "run.googleapis.com",
    "cloud.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
)
_RESERVED_ENV = frozenset({"PORT", "K_SERVICE", "K_REVISION", "K_CONFIGURATION"})
_DURATION = re.compile(r"(\d+)(\.\d+)?s")
_SQL_NAME = re.compile(r"([a-z0-9.:-]+):([a-z0-9-]+):([a-z0-9-]+)")
_CPU = frozenset({"1", "2", "4", "6", "8", "1000m", "2000m", "4000m", "6000m", "8000m"})
_FRACTION = re.compile(r"0?\.\d+|\d{2,3}m")
_MEMORY = re.compile(r"(\d+)(Ki|Mi|Gi|k|M|G)?")
_UNITS = {None: 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_LARGEST_TIMEOUT = 3600
_LARGEST_TASK_TIMEOUT = 7 * 86400
_STARTUP_MOST, _LIVENESS_MOST = 240, 3600
_LONGEST_NAME = 120
_UNMET = (
    "ambientNetworking",
    "encryptionKey",
    "nodeSelector",
    "sandboxes",
    "serviceMesh",
    "workloadIdentityConfig",
)
_UNMET_VOLUMES = ("gcs", "nfs", "filestore")
_UNMET_OF_CONTAINERS = ("baseImageUri", "readinessProbe", "sandboxLauncher", "sourceCode")
_LEAST_MEMORY_OF_FOUR_CPUS = 2 * 2**30
_LEAST_MEMORY = 128 * 10**6
_MOST_GIBIBYTES = {"1": 4, "2": 8, "4": 16, "6": 24, "8": 32}
"""How much memory so many CPUs may have: cloud.google.com/run/docs/configuring/memory-limits."""
_MOST_CONCURRENCY = 1000


def check_marks(resource: Mapping[str, Any], where: str) -> None:
    """Refuse labels and annotations in the namespaces that belong to Google."""
    for kind in ("labels", "annotations"):
        for key in resource.get(kind, {}):
            namespace = key.partition("/")[0]
            reserved = any(
                namespace == name or namespace.endswith(f".{name}") for name in _RESERVED_NAMESPACES
            )
            if "/" in key and reserved:
                raise invalid(
                    f"Violation in {where}.{kind}: {key!r} is a system {kind[:-1]}; {kind} in the "
                    f"namespace {namespace} are not supported by the v2 API"
                )


def seconds(duration: str) -> float:
    """Return a duration of the API in seconds."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise invalid(f"Illegal duration format; duration must end with 's': {duration!r}")
    return float(duration[:-1])


def complete_revision(template: Resource, default_account: str) -> Resource:
    """Return the template with Cloud Run's defaults, or refuse it."""
    made = _complete(template, default_account, "template")
    made.setdefault("timeout", "300s")
    if not 0 < seconds(made["timeout"]) <= _LARGEST_TIMEOUT:
        raise invalid("template.timeout: must be more than 0 and at most 3600 seconds")
    _fill_ports(made["containers"])
    serving = next(item for item in made["containers"] if item.get("ports"))
    serving.setdefault(
        "startupProbe",
        {
            "timeoutSeconds": 240,
            "periodSeconds": 240,
            "failureThreshold": 1,
            "tcpSocket": {"port": serving["ports"][0]["containerPort"]},
        },
    )
    cpus = [item["resources"]["limits"].get("cpu", "1000m") for item in made["containers"]]
    small = any(_FRACTION.fullmatch(cpu) for cpu in cpus)
    made.setdefault("maxInstanceRequestConcurrency", 1 if small else 80)
    if not 0 <= made["maxInstanceRequestConcurrency"] <= _MOST_CONCURRENCY:
        raise invalid(
            "template.max_instance_request_concurrency: must be between 0 and "
            f"{_MOST_CONCURRENCY}; 0 is the default"
        )
    if small and made["maxInstanceRequestConcurrency"] > 1:
        raise invalid("template: with less than 1 CPU, concurrency must be 1")
    made["scaling"] = {"maxInstanceCount": 100} | made.get("scaling", {})
    return made


def complete_task(template: Resource, default_account: str) -> Resource:
    """Return the task template with Cloud Run's defaults, or refuse it."""
    made = _complete(template, default_account, "template.template")
    if len(made["containers"]) != 1:
        raise invalid("template.template.containers: a job has exactly one container here")
    made.setdefault("timeout", "600s")
    if not 0 < seconds(made["timeout"]) <= _LARGEST_TASK_TIMEOUT:
        raise invalid("template.template.timeout: must be more than 0 and at most 7 days")
    made.setdefault("maxRetries", 3)
    return made


def _complete(template: Resource, default_account: str, where: str) -> Resource:
    check_marks(template, where)
    refuse_unmet(template, _UNMET, where)
    check_vpc_access(template.get("vpcAccess", {}), f"{where}.vpc_access")
    made = dict(template)
    made["serviceAccount"] = made.get("serviceAccount") or default_account
    containers = [dict(item) for item in made.get("containers", [])]
    if not containers:
        raise invalid(f"{where}.containers: must contain at least one container")
    made["containers"] = containers
    volumes = made.get("volumes", [])
    _check_volumes(volumes, where)
    names = [item.get("name", "") for item in containers]
    if len(containers) > 1 and (len(set(names)) < len(names) or "" in names):
        raise invalid(f"{where}.containers: each of several containers needs a name of its own")
    for index, item in enumerate(containers):
        at = f"{where}.containers[{index}]"
        _check_container(item, at, names, {volume["name"] for volume in volumes})
        _fill_resources(item)
    _check_order(containers, where)
    return made


def check_vpc_access(access: Resource, at: str) -> None:
    """Refuse VPC access that contradicts itself."""
    interfaces = access.get("networkInterfaces", [])
    if access.get("connector") and interfaces:
        raise invalid(f"{at}: connector and network_interfaces exclude each other")
    if len(interfaces) > 1:
        raise invalid(f"{at}.network_interfaces: only a single one is supported")
    for one in interfaces:
        if not (one.get("network") or one.get("subnetwork")):
            raise invalid(f"{at}.network_interfaces[0]: needs a network or a subnetwork")


def _check_volumes(volumes: list[Resource], where: str) -> None:
    seen: set[str] = set()
    for index, volume in enumerate(volumes):
        at = f"{where}.volumes[{index}]"
        name = volume.get("name")
        if not name or name in seen:
            raise invalid(f"{at}.name: must be set, and only once: {name!r}")
        seen.add(name)
        kinds = [kind for kind in volume if kind != "name"]
        if len(kinds) != 1:
            raise invalid(f"{at}: must have exactly one source, has {', '.join(kinds) or 'none'}")
        for connection in volume.get("cloudSqlInstance", {}).get("instances", []):
            if _SQL_NAME.fullmatch(connection) is None:
                raise invalid(
                    f"{at}.cloud_sql_instance.instances: {connection!r} is no connection name "
                    "(project:region:instance)"
                )
        refuse_unmet(volume, _UNMET_VOLUMES, at)
        if "secret" in volume:
            _check_secret_volume(volume["secret"], at)


def _check_secret_volume(source: Resource, at: str) -> None:
    if not source.get("secret"):
        raise invalid(f"{at}.secret.secret: must be set")
    for item in source.get("items", []):
        path = item.get("path", "")
        if not path or path.startswith("/") or ".." in path.split("/"):
            raise invalid(f"{at}.secret.items.path: must be a relative path, not {path!r}")
        _check_version(item.get("version", "latest"), f"{at}.secret.items.version")


def _check_version(version: str, at: str) -> None:
    if version != "latest" and not version.isdigit():
        raise invalid(f"{at}: must be a version number or 'latest', not {version!r}")


def _check_container(item: Resource, at: str, names: list[str], volumes: set[str]) -> None:
    if not item.get("image"):
        raise invalid(f"{at}.image: must be set")
    refuse_unmet(item, _UNMET_OF_CONTAINERS, at)
    refuse_unmet(item.get("resources", {}).get("limits", {}), ("nvidia.com/gpu",), at)
    # a sidecar is given no PORT, and may be told one
    own = _RESERVED_ENV if item.get("ports") or len(names) == 1 else _RESERVED_ENV - {"PORT"}
    _check_env(item.get("env", []), at, own)
    taken: set[str] = set()
    for mount in item.get("volumeMounts", []):
        if mount.get("name") not in volumes:
            raise invalid(
                f"{at}.volume_mounts: no volume is called {mount.get('name')!r}; there are "
                f"{', '.join(sorted(volumes)) or 'none'}"
            )
        path = mount.get("mountPath", "")
        if not path.startswith("/") or path == "/" or path in taken:
            raise invalid(f"{at}.volume_mounts.mount_path: must be an absolute path, once: {path}")
        taken.add(path)
    for name in item.get("dependsOn", []):
        if name not in names or name == item.get("name"):
            raise invalid(f"{at}.depends_on: there is no other container {name!r}")
    for kind, most in (("startupProbe", _STARTUP_MOST), ("livenessProbe", _LIVENESS_MOST)):
        if kind in item:
            _check_probe(item[kind], f"{at}.{kind}", most)


def _check_env(env: list[Resource], at: str, own: frozenset[str]) -> None:
    seen: set[str] = set()
    for index, variable in enumerate(env):
        name = variable.get("name", "")
        place = f"{at}.env[{index}]"
        if not name or "=" in name or name in seen:
            raise invalid(f"{place}.name: must be set, without '=', and only once: {name!r}")
        seen.add(name)
        if name in own:
            raise invalid(
                f"The following reserved env names were provided: {name}. These values are "
                "automatically set by the system."
            )
        reference = variable.get("valueSource", {}).get("secretKeyRef")
        if reference is not None:
            if not reference.get("secret"):
                raise invalid(f"{place}.value_source.secret_key_ref.secret: must be set")
            version = reference.get("version", "latest")
            _check_version(version, f"{place}.value_source.secret_key_ref.version")


def refuse_unmet(resource: Resource, fields: tuple[str, ...], at: str) -> None:
    """Refuse by name what only Google's side can do, rather than leave it undone."""
    for field in fields:
        if resource.get(field):
            raise ApiError(501, f"{at}.{field} has no local counterpart.", status="UNIMPLEMENTED")


def _check_probe(probe: Resource, at: str, most: int) -> None:
    actions = [kind for kind in ("httpGet", "tcpSocket", "grpc") if kind in probe]
    if len(actions) != 1:
        raise invalid(f"{at}: must have exactly one of http_get, tcp_socket and grpc")
    if len(probe.get("grpc", {}).get("service", "").encode()) > _LONGEST_NAME:
        raise invalid(f"{at}.grpc.service: must be at most {_LONGEST_NAME} bytes")
    path = probe.get("httpGet", {}).get("path", "/")
    if path and not path.startswith("/"):
        raise invalid(f"{at}.http_get.path: must start with '/', is {path!r}")
    period, timeout = probe.get("periodSeconds", 10), probe.get("timeoutSeconds", 1)
    if not 1 <= period <= most:
        raise invalid(f"{at}.period_seconds: must be between 1 and {most}, is {period}")
    if not 0 <= probe.get("initialDelaySeconds", 0) <= most:
        raise invalid(f"{at}.initial_delay_seconds: must be between 0 and {most}")
    if timeout > period:
        raise invalid(f"{at}.timeout_seconds: must not be more than period_seconds")
    if probe.get("failureThreshold", 3) < 1:
        raise invalid(f"{at}.failure_threshold: must be at least 1")
    if most == _STARTUP_MOST and period * probe.get("failureThreshold", 3) > _STARTUP_MOST:
        raise invalid(f"{at}: period_seconds times failure_threshold must be at most 240 seconds")


def _fill_resources(item: Resource) -> None:
    resources = dict(item.get("resources", {}))
    limits = dict(resources.get("limits", {}))
    for name in limits:
        if name not in {"cpu", "memory", "nvidia.com/gpu"}:
            raise invalid(f"resources.limits: only cpu and memory are known, not {name!r}")
    limits.setdefault("cpu", "1000m")
    limits.setdefault("memory", "512Mi")
    cpu, memory = limits["cpu"], in_bytes(limits["memory"])
    if cpu not in _CPU and _FRACTION.fullmatch(cpu) is None:
        raise invalid(f"Invalid value specified for cpu: {cpu}. Must be 1, 2, 4, 6, 8 or below 1")
    if memory < _LEAST_MEMORY:
        raise invalid(
            f"Invalid value specified for memory: {limits['memory']}. It must be at least 128Mi"
        )
    whole = cpu.removesuffix("000m")
    most = _MOST_GIBIBYTES.get(whole)
    if most is not None and memory > most * 1024**3:
        raise invalid(
            f"Invalid value specified for memory. For {whole}.0 CPU, memory must be between 128Mi "
            f"and {most}Gi inclusive."
        )
    if whole in {"4", "6", "8"} and memory < _LEAST_MEMORY_OF_FOUR_CPUS:
        raise invalid(f"Invalid value specified for memory: {cpu} CPUs need at least 2Gi")
    # Without resources the CPU idles between requests; with them that has to be said.
    resources.setdefault("cpuIdle", "resources" not in item)
    resources["limits"] = limits
    item["resources"] = resources


def in_bytes(quantity: str) -> int:
    """Return a quantity of memory, such as ``512Mi``."""
    found = _MEMORY.fullmatch(quantity)
    if found is None:
        raise invalid(f"Invalid value specified for memory: {quantity!r}")
    return int(found[1]) * _UNITS[found[2]]


def _fill_ports(containers: list[Resource]) -> None:
    with_ports = [item for item in containers if item.get("ports")]
    if len(with_ports) > 1 or (not with_ports and len(containers) > 1):
        raise invalid(
            "template.containers: exactly one of several containers must have a port, has "
            f"{len(with_ports)}"
        )
    serving = with_ports[0] if with_ports else containers[0]
    ports = [dict(port) for port in serving.get("ports") or [{}]]
    if len(ports) > 1:
        raise invalid("template.containers.ports: only a single port can be specified")
    ports[0].setdefault("name", "http1")
    ports[0].setdefault("containerPort", 8080)
    if ports[0]["name"] not in {"http1", "h2c"}:
        raise invalid(
            f"template.containers.ports.name: must be http1 or h2c, not {ports[0]['name']!r}"
        )
    serving["ports"] = ports


def _check_order(containers: list[Resource], where: str) -> None:
    waits = {item.get("name", ""): set(item.get("dependsOn", [])) for item in containers}
    while waits:
        free = {name for name, others in waits.items() if not others & set(waits)}
        if not free:
            raise invalid(f"{where}.containers: depends_on goes round in a circle")
        waits = {name: others for name, others in waits.items() if name not in free}
