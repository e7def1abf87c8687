"""Service Usage: which APIs the project may call, and the service agents of those APIs."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from localcloud.clock import VirtualClock
from localcloud.documents.discovery import exists
from localcloud.documents.protos import Protos
from localcloud.errors import ApiError, error_info, invalid, not_found
from localcloud.iap.guarded import AGENT, IDENTITIES
from localcloud.identity.principals import subject
from localcloud.listing import filtered
from localcloud.service import Call, Needs, Resource, Service, page

if TYPE_CHECKING:
    from collections.abc import Sequence

MOST_AT_ONCE = 20
_PATIENCE, _GLANCE_SECONDS = 5.0, 0.02

WITHOUT_DOCUMENT = frozenset({"appengineflex.googleapis.com"})
"""APIs that can be enabled and have no methods, so no document either."""

AGENTS: dict[str, str] = {
    "run": "service-{}@serverless-robot-prod.iam.gserviceaccount.com",
    "cloudfunctions": "service-{}@gcf-admin-robot.iam.gserviceaccount.com",
    "iap": AGENT,
    "artifactregistry": "service-{}@gcp-sa-artifactregistry.iam.gserviceaccount.com",
    "cloudbuild": "service-{}@gcp-sa-cloudbuild.iam.gserviceaccount.com",
    "sqladmin": "service-{}@gcp-sa-cloud-sql.iam.gserviceaccount.com",
    "secretmanager": "service-{}@gcp-sa-secretmanager.iam.gserviceaccount.com",
    "pubsub": "service-{}@gcp-sa-pubsub.iam.gserviceaccount.com",
    "workflows": "service-{}@gcp-sa-workflows.iam.gserviceaccount.com",
    "appengine": "service-{}@gcp-gae-service.iam.gserviceaccount.com",
    "appengineflex": "service-{}@gae-api-prod.google.com.iam.gserviceaccount.com",
    "eventarc": "service-{}@gcp-sa-eventarc.iam.gserviceaccount.com",
}
"""The service agents that can be asked for, by API."""


def batch_enable(call: Call) -> Resource:
    """Enable up to twenty APIs, all or none."""
    hosts = call.body.get("serviceIds", [])
    if not hosts:
        raise invalid("At least one service must be specified.")
    if len(hosts) > MOST_AT_ONCE:
        raise invalid(f"A batch can enable at most {MOST_AT_ONCE} services, {len(hosts)} given.")
    return _enable(call, hosts, "BatchEnableServicesResponse")


def enable(call: Call) -> Resource:
    """Enable one API."""
    return _enable(call, [_host(call)], "EnableServiceResponse")


def disable(call: Call) -> Resource:
    """Disable one API; what it made stays, but cannot be reached."""
    host = _host(call)
    _must_exist([host])

    def work() -> Resource:
        call.cloud.disable(host)
        return {"service": _shown(call, host)}

    return _operation(call, work, "DisableServiceResponse")


def get(call: Call) -> Resource:
    """Show one API and whether it is enabled."""
    host = _host(call)
    _must_exist([host])
    return _shown(call, host)


def batch_get(call: Call) -> Resource:
    """Show several APIs."""
    hosts = [name.rpartition("/")[2] for name in call.get("names", [])]
    _must_exist(hosts)
    return {"services": [_shown(call, host) for host in hosts]}


def list_services(call: Call) -> Resource:
    """List APIs: those enabled, and with no filter also those we have a fake for."""
    known = {service.host for service in call.cloud.services}
    stored = call.store.children(f"projects/{call.cloud.number}/services/")
    known.update(entry["name"].rpartition("/")[2] for entry in stored)
    shown = [_shown(call, host) for host in sorted(known)]
    return page(call, filtered(shown, call.get("filter")), "services", default=50, most=200)


def get_operation(call: Call) -> Resource:
    """Show an operation."""
    found = call.store.find(call["name"])
    if found is None:
        raise not_found(f"Operation {call['name']} not found.")
    return found


def generate_identity(call: Call) -> Resource:
    """Make an API's service agent; a repeat gives the same one."""
    host = call["parent"].rpartition("/")[2]
    _must_exist([host])
    template = AGENTS.get(host.partition(".")[0])
    if template is None:
        raise ApiError(400, f"Service {host} has no service identity.")
    email = template.format(call.cloud.number)

    def work() -> Resource:
        call.cloud.store.of(IDENTITIES).put(host, {"email": email})
        return {"email": email, "uniqueId": subject(email)}

    made = _operation(call, work, "ServiceIdentity", package="google.api.serviceusage.v1beta1")
    return made if isinstance(call.cloud.clock, VirtualClock) else _soon_done(call, made)


def _soon_done(call: Call, operation: Resource) -> Resource:
    """Give an operation when it is done: gcloud reads the answer out of it and never polls."""
    until = time.monotonic() + _PATIENCE
    while not operation["done"] and time.monotonic() < until:
        time.sleep(_GLANCE_SECONDS)
        operation = call.store.find(operation["name"]) or operation
    return operation


def _enable(call: Call, hosts: Sequence[str], response: str) -> Resource:
    _must_exist(hosts)

    def work() -> Resource:
        call.cloud.enable(*hosts, since=call.cloud.clock.now())
        shown = [_shown(call, host) for host in hosts]
        return {"services": shown} if response.startswith("Batch") else {"service": shown[0]}

    if all(call.cloud.enabled(host) for host in hosts):
        kind = f"type.googleapis.com/google.api.serviceusage.v1.{response}"
        done = {"name": "operations/noop.DONE_OPERATION", "done": True}
        return {**done, "response": {"@type": kind, **work()}}
    return _operation(call, work, response)


def _operation(
    call: Call, work: Any, response: str, *, package: str = "google.api.serviceusage.v1"
) -> Resource:
    number = call.store.next_number("operation")
    meta = {
        "@type": "type.googleapis.com/google.api.serviceusage.v1.OperationMetadata",
        "resourceNames": [f"projects/{call.cloud.number}/services/"],
    }
    return call.cloud.operations.start(
        call,
        name=f"operations/acf.p2-{call.cloud.number}-{number:012x}",
        metadata=meta,
        work=work,
        response_type=f"{package}.{response}",
    )


def _host(call: Call) -> str:
    return str(call["name"]).rpartition("/")[2]


def _must_exist(hosts: Sequence[str]) -> None:
    unknown = [
        host
        for host in hosts
        if host not in WITHOUT_DOCUMENT
        and (not host.endswith(".googleapis.com") or not exists(host.partition(".")[0]))
    ]
    if unknown:
        raise ApiError(
            403,
            f"Not found or permission denied for service(s): {', '.join(unknown)}.",
            details=[
                error_info(
                    "SERVICE_CONFIG_NOT_FOUND_OR_PERMISSION_DENIED",
                    domain="serviceusage.googleapis.com",
                    services=",".join(unknown),
                )
            ],
        )


def _shown(call: Call, host: str) -> Resource:
    return {
        "name": f"projects/{call.cloud.number}/services/{host}",
        "parent": f"projects/{call.cloud.number}",
        "config": {"name": host, "title": _title(call, host)},
        "state": "ENABLED" if call.cloud.enabled(host) else "DISABLED",
    }


def _title(call: Call, host: str) -> str:
    for service in call.cloud.services:
        if service.host == host:
            return call.cloud.router.document(service).title
    return host


def _project(call: Call) -> str:
    return f"projects/{call.cloud.by_id(_name(call)).split('/')[1]}"


def _name(call: Call) -> str:
    name = str(call.get("name") or call.get("parent") or "")
    return name if name.startswith("projects/") else f"projects/{call.cloud.project}"


SERVICE = Service(
    "serviceusage",
    "v1",
    {
        "serviceusage.services.batchEnable": batch_enable,
        "serviceusage.services.enable": enable,
        "serviceusage.services.disable": disable,
        "serviceusage.services.get": get,
        "serviceusage.services.batchGet": batch_get,
        "serviceusage.services.list": list_services,
        "serviceusage.operations.get": get_operation,
    },
    protos=Protos("google.api.serviceusage.v1", "google.cloud.service_usage_v1"),
    permissions={
        "serviceusage.services.batchEnable": "serviceusage.services.enable",
        "serviceusage.services.enable": "serviceusage.services.enable",
        "serviceusage.services.disable": "serviceusage.services.disable",
        "serviceusage.services.get": "serviceusage.services.get",
        "serviceusage.services.batchGet": "serviceusage.services.get",
        "serviceusage.services.list": "serviceusage.services.list",
        # an operation's name is its secret
        "serviceusage.operations.get": Needs(),
    },
    resource=_project,
)

SERVICE_V1BETA1 = Service(
    "serviceusage",
    "v1beta1",
    {
        "serviceusage.services.generateServiceIdentity": generate_identity,
        "serviceusage.operations.get": get_operation,
    },
    permissions={
        "serviceusage.services.generateServiceIdentity": "serviceusage.services.enable",
        "serviceusage.operations.get": Needs(),
    },
    resource=_project,
)
