"""A function as what it is: a Cloud Run service made from its serviceConfig."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError, invalid
from localcloud.machines.containers import private_networks
from localcloud.services.run import rollout, services
from localcloud.services.run.preflight import default_account
from localcloud.services.run.templates import check_vpc_access

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.store import Resource

OBSERVED = ("service", "uri", "revision")
"""What of a serviceConfig is known once the service is there."""

_INGRESS = {
    "ALLOW_ALL": "INGRESS_TRAFFIC_ALL",
    "ALLOW_INTERNAL_ONLY": "INGRESS_TRAFFIC_INTERNAL_ONLY",
    "ALLOW_INTERNAL_AND_GCLB": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
}
_LIMITS = ("vpcConnector", "binaryAuthorizationPolicy")
_EGRESS = {
    "VPC_EGRESS_ALL_TRAFFIC": "ALL_TRAFFIC",
    "VPC_EGRESS_PRIVATE_RANGES_ONLY": "PRIVATE_RANGES_ONLY",
}
_NO_EGRESS = "DIRECT_VPC_EGRESS_UNSPECIFIED"
_MEMORY = re.compile(r"(\d+)(k|M|G|Ki|Mi|Gi)?")
_IN_BYTES = {None: 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
# From how much memory on a function gets how much CPU, when it does not say.
_CPU_BY_MEMORY = (
    (16 * 2**30 + 1, "8"),
    (8 * 2**30 + 1, "4"),
    (4 * 10**9, "2"),
    (2 * 10**9, "1"),
    (10**9, "0.5833"),
    (512 * 10**6, "0.3333"),
    (256 * 10**6, "0.1666"),
    (0, "0.0833"),
)


def complete(cloud: Cloud, config: Resource, region: str) -> Resource:
    """Return a serviceConfig with Cloud Functions' defaults, or refuse it."""
    for field in _LIMITS:
        if config.get(field):
            raise ApiError(501, f"service_config.{field} has no local counterpart.")
    made = {key: value for key, value in config.items() if key not in OBSERVED}
    made["serviceAccountEmail"] = made.get("serviceAccountEmail") or default_account(cloud)
    made.setdefault("availableMemory", "256M")
    made.setdefault("timeoutSeconds", 60)
    made.setdefault("maxInstanceCount", 100)
    made.setdefault("maxInstanceRequestConcurrency", 1)
    made.setdefault("ingressSettings", "ALLOW_ALL")
    made.setdefault("availableCpu", _cpu(made["availableMemory"]))
    made["allTrafficOnLatestRevision"] = True
    _check_network(cloud, made, region)
    return made


def _check_network(cloud: Cloud, config: Resource, region: str) -> None:
    """Refuse a network that is not there; a function with one has an egress setting."""
    if not config.get("directVpcNetworkInterface"):
        if config.get("directVpcEgress", _NO_EGRESS) != _NO_EGRESS:
            raise invalid("service_config.direct_vpc_egress: needs a direct_vpc_network_interface")
        return
    if config.get("directVpcEgress", _NO_EGRESS) == _NO_EGRESS:
        config["directVpcEgress"] = "VPC_EGRESS_PRIVATE_RANGES_ONLY"
    access = _vpc_access(config)
    check_vpc_access(access, "service_config.direct_vpc")
    wrong = private_networks.trouble(cloud, access, region)
    if wrong:
        raise invalid(f"service_config.direct_vpc_network_interface: {wrong}")


def _vpc_access(config: Resource) -> Resource:
    """Return a function's network in the words of a Cloud Run template."""
    return {
        "networkInterfaces": config["directVpcNetworkInterface"],
        "egress": _EGRESS[config["directVpcEgress"]],
    }


def _cpu(memory: str) -> str:
    found = _MEMORY.fullmatch(memory)
    if found is None:
        raise invalid(f"Invalid value for service_config.available_memory: {memory!r}")
    size = int(found[1]) * _IN_BYTES[found[2]]
    return next(cpu for least, cpu in _CPU_BY_MEMORY if size >= least)


def service(cloud: Cloud, function: Resource, image: str) -> Resource:
    """Return the next generation of the function's Cloud Run service, checked."""
    name, current = _current(cloud, function, "")
    del name
    return services.desired(cloud, current, _wanted(function, image, current), "")


def deploy(cloud: Cloud, function: Resource, image: str, actor: str) -> Resource:
    """Bring the service about; returns what is now observed of it."""
    name, current = _current(cloud, function, actor)
    changed = services.desired(cloud, current, _wanted(function, image, current), actor)
    began = rollout.begin(cloud, current, changed)
    try:
        done = rollout.finish(cloud, name, began["generation"])
    except ApiError as error:
        raise ApiError(
            400,
            f"Could not create or update Cloud Run service {name.rpartition('/')[2]}, Container "
            f"Healthcheck failed. {error.message}",
        ) from error
    revision = done["latestReadyRevision"].rpartition("/")[2]
    made = {"service": name, "revision": revision}
    return {**made, "uri": done["uri"]} if "uri" in done else made


def remove(cloud: Cloud, function: Resource) -> None:
    """Delete the service and forget the images."""
    name = _service_name(function)
    if cloud.store.of("run").find(name) is not None:
        services.withdraw(cloud, name)
        services.wind_up(cloud, name)
    store = cloud.store.of("cloudfunctions")
    kept = store.find(f"{function['name']}/image")
    if kept is not None:
        repository = kept["reference"].rpartition(":")[0]
        for image, _ in store.under(f"images/{repository}"):
            store.delete(image)
        store.delete(f"{function['name']}/image")


def _service_name(function: Resource) -> str:
    return str(function["name"]).replace("/functions/", "/services/")


def _current(cloud: Cloud, function: Resource, actor: str) -> tuple[str, Resource]:
    name = _service_name(function)
    found = cloud.store.of("run").find(name)
    return name, found or services.fresh(cloud, name, actor)


def _wanted(function: Resource, image: str, current: Resource) -> Resource:
    config = function["serviceConfig"]
    scaling = {"maxInstanceCount": config["maxInstanceCount"]}
    if config.get("minInstanceCount"):
        scaling["minInstanceCount"] = config["minInstanceCount"]
    volumes, mounts = _volumes(config.get("secretVolumes", []))
    container: dict[str, Any] = {
        "name": "worker",
        "image": image,
        "env": [*_plain(function), *_secret(config.get("secretEnvironmentVariables", []))],
        "resources": {
            "limits": {"cpu": config["availableCpu"], "memory": config["availableMemory"]},
            "cpuIdle": True,
        },
        "volumeMounts": mounts,
    }
    template = {
        "containers": [container],
        "volumes": volumes,
        "serviceAccount": config["serviceAccountEmail"],
        "timeout": f"{config['timeoutSeconds']}s",
        "maxInstanceRequestConcurrency": config["maxInstanceRequestConcurrency"],
        "scaling": scaling,
    }
    if config.get("directVpcNetworkInterface"):
        template["vpcAccess"] = _vpc_access(config)
    made: Resource = {
        "labels": {**function.get("labels", {}), "goog-managed-by": "cloudfunctions"},
        "ingress": _INGRESS[config["ingressSettings"]],
        "template": template,
    }
    if current.get("invokerIamDisabled"):
        made["invokerIamDisabled"] = True  # set on the service; a new build does not take it back
    return made


def _plain(function: Resource) -> list[Resource]:
    given = function["serviceConfig"].get("environmentVariables", {})
    own = {
        "FUNCTION_TARGET": function["buildConfig"]["entryPoint"],
        "FUNCTION_SIGNATURE_TYPE": "cloudevent" if function.get("eventTrigger") else "http",
        "LOG_EXECUTION_ID": "true",
    }
    return [{"name": name, "value": value} for name, value in (own | given).items()]


def _secret(variables: list[Resource]) -> list[Resource]:
    return [
        {
            "name": one["key"],
            "valueSource": {
                "secretKeyRef": {
                    "secret": _secret_name(one),
                    "version": one.get("version", "latest"),
                }
            },
        }
        for one in variables
    ]


def _secret_name(one: Resource) -> str:
    project = one.get("projectId")
    return f"projects/{project}/secrets/{one['secret']}" if project else str(one["secret"])


def _volumes(wanted: list[Resource]) -> tuple[list[Resource], list[Resource]]:
    volumes, mounts = [], []
    for index, one in enumerate(wanted):
        source: Resource = {"secret": _secret_name(one)}
        if one.get("versions"):
            source["items"] = [
                {"version": item.get("version", "latest"), "path": item["path"].lstrip("/")}
                for item in one["versions"]
            ]
        volumes.append({"name": f"secret-{index}", "secret": source})
        mounts.append({"name": f"secret-{index}", "mountPath": one["mountPath"]})
    return volumes, mounts
