"""cloud_run: the tracking server as a Cloud Run service."""

from typing import Any

from planner import access, container, marks, private_access, sizes
from planner.observed import Observed
from planner.target import Target
from schemas.plan import Check, Operations, PartPlan, Request, Resource
from schemas.serving import CloudRun

RUN = "https://run.googleapis.com/v2"
PORT = 8080
PORT_NAMES = {"http2": "h2c", "signed_parts": "http1"}
"""HTTP/2 up to the container lifts the limit of 32 MiB for a request. Probes come over HTTP/1 all
the same, and the image's server speaks both."""

INGRESS = {"all": "INGRESS_TRAFFIC_ALL", "internal": "INGRESS_TRAFFIC_INTERNAL_ONLY"}

PROBE_SECONDS = 2
PROBE_FAILURES = 120
"""Every 2 s, so that nobody waits for the probe itself; 120 times 2 s = 240 s, the most Cloud Run
allows. /health opens after 4 to 10 s, but MLflow tries an unreachable database for 106 s, and the
role to connect may take minutes to spread."""


def plan(target: Target, observed: Observed) -> PartPlan:
    """Return the service."""
    return PartPlan(
        part="tracking_server",
        summary=f"MLflow {target.request.mlflow_version} on Cloud Run service {target.service}",
        steps=(_service(target, observed),),
    )


def _service(target: Target, observed: Observed) -> Resource:
    services = f"{RUN}/{target.location}/services"
    url = f"{services}/{target.service}"
    body = _body(target, observed)
    labels = marks.labels(target, body)
    return Resource(
        name="service",
        title=f"Cloud Run service {target.service}",
        url=url,
        mark=marks.owned(target, "labels"),
        digest=marks.unchanged(labels, "labels"),
        create=Request(
            method="POST",
            url=f"{services}?serviceId={target.service}",
            body={**body, "labels": labels},
        ),
        # A revision that failed stays failed; the same content needs a new one to be tried again.
        update=Request(
            method="PATCH",
            url=f"{url}?allowMissing=true&forceNewRevision=true",
            body={**body, "labels": labels},
        ),
        operation=Operations(base=f"{RUN}/", dialect="done"),
        ready=Check(path=("terminalCondition", "state"), value="CONDITION_SUCCEEDED"),
        failed=(Check(path=("terminalCondition", "state"), value="CONDITION_FAILED"),),
        remove=(Request(method="DELETE", url=url),),
        # Without its own host it shows no address; the part load_balancer knows the domain.
        outputs={} if target.request.load_balancer else {"url": ("uri",), "urls": ("urls",)},
    )


def _door(target: Target, serving: CloudRun) -> dict[str, Any]:
    """Return how callers come in: by Google's own hosts, or through the load balancer alone."""
    balancer = target.request.load_balancer
    if balancer is None:
        return {"ingress": INGRESS[serving.ingress]}
    door: dict[str, Any] = {
        "ingress": "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER",
        "defaultUriDisabled": True,
    }
    if target.request.access.mode == "iam":
        # ID tokens are made out for the address that people know; Cloud Run knows only its own.
        door["customAudiences"] = [f"https://{balancer.domain}"]
    return door


def _body(target: Target, observed: Observed) -> dict[str, Any]:
    size = sizes.shape(target.request)
    serving = target.request.serving
    assert isinstance(serving, CloudRun)
    mode = access.of(target)
    front = mode.front(target, observed)
    # Requests go to the one container that has a port.
    ports = (
        {} if front else {"ports": [{"name": PORT_NAMES[target.uploads], "containerPort": PORT}]}
    )
    return {
        "description": f"MLflow tracking server of {target.name}",
        **_door(target, serving),
        **mode.service(target),
        "template": {
            "labels": target.labels,
            "serviceAccount": target.service_account,
            "executionEnvironment": "EXECUTION_ENVIRONMENT_GEN2",
            "timeout": f"{serving.timeout_seconds}s",
            "maxInstanceRequestConcurrency": serving.concurrency or size.concurrency,
            "scaling": {
                "minInstanceCount": serving.min_instances,
                "maxInstanceCount": sizes.max_instances(target.request),
            },
            "containers": [
                *front,
                {
                    **container.container(target, observed),
                    "args": ["serve"],
                    **ports,
                    "resources": {
                        "limits": {"cpu": size.cpu, "memory": size.memory},
                        # MLflow idles at 0 to 1 % with its job runner off: pay per request.
                        "cpuIdle": not serving.cpu_always_allocated,
                        "startupCpuBoost": True,
                    },
                    "startupProbe": {
                        "httpGet": {"path": "/health", "port": PORT},
                        "initialDelaySeconds": 0,
                        "periodSeconds": PROBE_SECONDS,
                        "timeoutSeconds": PROBE_SECONDS - 1,
                        "failureThreshold": PROBE_FAILURES,
                    },
                    "livenessProbe": {
                        "httpGet": {"path": "/health", "port": PORT},
                        "periodSeconds": 30,
                        "timeoutSeconds": 5,
                        "failureThreshold": 3,
                    },
                },
            ],
            "volumes": [*container.volumes(target, observed), *mode.volumes(target, observed)],
            **private_access.vpc_access(target),
        },
        "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
    }
