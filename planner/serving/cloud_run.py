"""cloud_run: the tracking server as a Cloud Run service."""

from typing import Any

from planner import access, container, marks, sizes
from planner.observed import Observed
from planner.target import Target
from schemas.plan import Check, Operations, PartPlan, Request, Resource
from schemas.serving import CloudRun

RUN = "https://run.googleapis.com/v2"
PORT = 8080
PORT_NAMES = {"http2": "h2c", "signed_parts": "http1"}
"""HTTP/2 up to the container lifts the limit of 32 MiB for a request. Probes come over HTTP/1 all
the same, and the image's server speaks both."""

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
        outputs={"url": ("uri",), "urls": ("urls",)},
    )


def _body(target: Target, observed: Observed) -> dict[str, Any]:
    size = sizes.shape(target.request)
    serving = target.request.serving
    assert isinstance(serving, CloudRun)
    return {
        "description": f"MLflow tracking server of {target.name}",
        "ingress": "INGRESS_TRAFFIC_ALL",
        **access.of(target).service,
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
                {
                    **container.container(target, observed),
                    "args": ["serve"],
                    "ports": [{"name": PORT_NAMES[target.uploads], "containerPort": PORT}],
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
                }
            ],
            "volumes": container.volumes(target, observed),
        },
        "traffic": [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}],
    }
