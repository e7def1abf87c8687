"""Cloud Run as one of the ingress's platforms: its revisions, and who may call them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud import iap
from localcloud.iap import pages as iap_pages
from localcloud.ingress import invoker
from localcloud.ingress.pool import NoInstanceError
from localcloud.ingress.turned import Turned
from localcloud.machines.containers.workload import Workload
from localcloud.services.run import names, templates, traffic

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.cloud import Cloud
    from localcloud.iap import Asked
    from localcloud.ingress.hosts import Route
    from localcloud.store import Resource

_OPEN = "INGRESS_TRAFFIC_ALL"
_DEFAULT_TIMEOUT = "300s"


class CloudRun:
    """Services and revisions as the Cloud Run API keeps them."""

    def limits(self, cloud: Cloud, revision: str) -> tuple[int, int, int]:
        """Return (least instances, most instances, requests per instance)."""
        service, own = self._resources(cloud, revision)
        scaling, inner = service.get("scaling", {}), own.get("scaling", {})
        concurrency = int(own.get("maxInstanceRequestConcurrency", 80))
        if scaling.get("scalingMode") == "MANUAL":
            count = int(scaling.get("manualInstanceCount", 0))
            return count, count, concurrency
        least = max(int(scaling.get("minInstanceCount", 0)), int(inner.get("minInstanceCount", 0)))
        tops = [int(part.get("maxInstanceCount", 0)) for part in (scaling, inner)]
        most = min([top for top in tops if top] or [100])
        return least, most, concurrency

    def workload(self, cloud: Cloud, revision: str) -> Workload:
        """Return what an instance of it runs."""
        service, own = self._resources(cloud, revision)
        where = names.Name.of(revision)
        short = revision.rpartition("/")[2]
        pinned = {one.get("name", ""): one["imageDigest"] for one in own["containerStatuses"]}
        containers = [
            one | {"image": pinned.get(one.get("name", ""), one["image"])}
            for one in own["containers"]
        ]
        return Workload(
            name=revision,
            project=where.project,
            region=where.region,
            template=own | {"containers": containers},
            env={"K_SERVICE": where.id, "K_REVISION": short, "K_CONFIGURATION": where.id},
            log_resource=_log_resource(revision),
            log_labels=dict(service.get("labels", {})),
        )

    def longest(self, cloud: Cloud, revision: str) -> float:
        """Say how long a request may take, in seconds."""
        found = cloud.store.of("run").find(revision) or {}
        return templates.seconds(found.get("timeout", _DEFAULT_TIMEOUT))

    def takes_large(self, cloud: Cloud, revision: str) -> bool:
        """Tell whether the 32 MiB limit of HTTP/1 is off: for ports that speak h2c."""
        found = cloud.store.of("run").find(revision) or {}
        return any(
            port.get("name") == "h2c"
            for one in found.get("containers", [])
            for port in one.get("ports", [])
        )

    def kept(self, cloud: Cloud, name: str) -> set[str] | None:
        """Return the revisions requests can reach, and the latest, which may yet be proved."""
        service = cloud.store.of("run").find(name)
        if service is None:
            return None
        return traffic.reachable(service) | {service.get("latestCreatedRevision", "")}

    def warm(self, cloud: Cloud, name: str) -> list[str]:
        """Return the revisions with a share of the traffic."""
        service = cloud.store.of("run").find(name) or {}
        return [revision for revision, _ in traffic.shares(service)]

    def services(self, cloud: Cloud) -> list[str]:
        """Return the services that have something to serve."""
        return [
            name
            for name, resource in cloud.store.of("run").under("projects/")
            if name.split("/")[-2] == "services" and resource.get("trafficStatuses")
        ]

    def admit(
        self,
        cloud: Cloud,
        route: Route,
        asked: Asked,
        *,
        client: str,  # noqa: ARG002 - no rule of Cloud Run's own asks for it
        inside: bool,
    ) -> Mapping[str, str | None]:
        """Check ingress, IAP and the invoker's right; Turned if nobody passes."""
        if not (inside or route.service.get("ingress") == _OPEN):
            # Not even in the request log: the request never was the service's.
            raise Turned(404, asked.path)
        if self.behind_iap(cloud, route):
            return self._through_iap(cloud, route, asked)
        try:
            return invoker.admit(cloud, route, asked.headers)
        except invoker.RefusedError as refusal:
            raise Turned(
                refusal.status,
                asked.path,
                route=route,
                log=str(refusal),
                headers=refusal.headers,
            ) from refusal

    def behind_iap(self, cloud: Cloud, route: Route) -> bool:
        """Tell whether IAP stands in front."""
        del cloud
        return bool(route.service.get("iapEnabled"))

    def request_log(self, cloud: Cloud, route: Route) -> Resource:
        """Return logName and resource of an entry of the request log."""
        del cloud
        project = route.name.split("/")[1]
        return {
            "logName": f"projects/{project}/logs/run.googleapis.com%2Frequests",
            "resource": _log_resource(route.revision or f"{route.name}/revisions/"),
        }

    def _through_iap(self, cloud: Cloud, route: Route, asked: Asked) -> Mapping[str, str | None]:
        """Ask IAP, and then whether IAP's own account may call the service."""
        guarded = iap.cloud_run(cloud, route.name)
        found = pass_or_turn(cloud, guarded, asked, route)
        agent = iap.agent(cloud)
        if agent is None:
            raise Turned(
                500,
                asked.path,
                route=route,
                log=iap_pages.AGENT_MISSING,
                headers={**iap_pages.GENERATED, "content-type": "text/html"},
                body=iap_pages.AGENT_MISSING.encode(),
            )
        open_to_all = bool(route.service.get("invokerIamDisabled"))
        member = f"serviceAccount:{agent}"
        if not open_to_all and not cloud.iam.allowed(
            member, "run.routes.invoke", "run", route.name
        ):
            log = f"The request was not authorized to invoke this service: {agent} lacks it."
            raise Turned(403, asked.path, route=route, log=log)
        return {**found.changes, invoker.OWN_HEADER: None}

    def _resources(self, cloud: Cloud, revision: str) -> tuple[Resource, Resource]:
        store = cloud.store.of("run")
        service = store.find(revision.partition("/revisions/")[0])
        own = store.find(revision)
        if service is None or own is None:
            raise NoInstanceError("The revision is gone.", status=404)
        return service, own


def pass_or_turn(cloud: Cloud, guarded: iap.Guarded, asked: Asked, route: Route) -> iap.Admitted:
    """Ask IAP about a request; Turned with its answer if the request may not pass."""
    found = iap.authorize(cloud, guarded, asked)
    if isinstance(found, iap.Admitted):
        return found
    raise Turned(
        found.status,
        asked.path,
        route=route,
        log=found.log,
        headers=found.headers,
        body=found.body,
    )


def _log_resource(revision: str) -> Resource:
    where = names.Name.of(revision)
    labels = {
        "project_id": where.project,
        "location": where.region,
        "service_name": where.id,
        "revision_name": revision.rpartition("/")[2],
        "configuration_name": where.id,
    }
    return {"type": "cloud_run_revision", "labels": labels}


PLATFORM = CloudRun()
