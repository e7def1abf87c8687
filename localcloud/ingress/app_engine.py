"""App Engine as one of the ingress's platforms: its versions, its firewall, IAP in front."""

from __future__ import annotations

import base64
import mimetypes
import re
from typing import TYPE_CHECKING

from localcloud import iap
from localcloud.ingress.cloud_run import pass_or_turn
from localcloud.ingress.pool import NoInstanceError
from localcloud.ingress.turned import Turned
from localcloud.machines.containers.workload import Workload
from localcloud.services.appengine import blueprints, firewall, names, records
from localcloud.services.run.templates import seconds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.cloud import Cloud
    from localcloud.iap import Asked
    from localcloud.ingress.hosts import Route
    from localcloud.store import Resource

_LONGEST = 3600.0
_CONCURRENCY = 1000
_LOGS = "appengine.googleapis.com"
_PORT = 8080


class AppEngine:
    """Services and versions as the App Engine Admin API keeps them."""

    def limits(self, cloud: Cloud, revision: str) -> tuple[int, int, int]:
        """Return (least instances, most instances, requests per instance)."""
        version = _version(cloud, revision)
        if version["servingStatus"] != "SERVING":
            return 0, 0, _CONCURRENCY
        if "manualScaling" in version:
            count = int(version["manualScaling"]["instances"])
            return count, count, _CONCURRENCY
        scaling = version["automaticScaling"]
        return (
            int(scaling["minTotalInstances"]),
            int(scaling["maxTotalInstances"]),
            _CONCURRENCY,
        )

    def workload(self, cloud: Cloud, revision: str) -> Workload:
        """Return what an instance of it runs, in the words of a Cloud Run template."""
        version = _version(cloud, revision)
        _, project, _, service, _, short = revision.split("/")
        app = cloud.store.of("appengine").fetch(f"apps/{project}")
        databases = blueprints.sql_instances(version)
        container: Resource = {
            "image": records.of(cloud, revision)["image"],
            "ports": [{"containerPort": _PORT}],
            "env": [
                {"name": name, "value": value}
                for name, value in version.get("envVariables", {}).items()
            ],
            "resources": {
                "limits": {"memory": f"{int(version['resources']['memoryGb'] * 1024)}Mi"}
            },
            "startupProbe": _startup(version["readinessCheck"]),
            "livenessProbe": _liveness(version["livenessCheck"]),
        }
        template: Resource = {
            "serviceAccount": version["serviceAccount"],
            "containers": [container],
            "vpcAccess": blueprints.vpc_access(version),
        }
        if databases:
            template["volumes"] = [
                {"name": "cloudsql", "cloudSqlInstance": {"instances": databases}}
            ]
            container["volumeMounts"] = [{"name": "cloudsql", "mountPath": "/cloudsql"}]
        return Workload(
            name=revision,
            project=project,
            region=names.region(app["locationId"]),
            template=template,
            env={
                "GAE_SERVICE": service,
                "GAE_VERSION": short,
                "GOOGLE_CLOUD_PROJECT": project,
                "GCLOUD_PROJECT": project,
                "GAE_MEMORY_MB": str(int(version["resources"]["memoryGb"] * 1024)),
            },
            log_resource=_log_resource(revision),
            log_host=_LOGS,
            external=version["network"]["instanceIpMode"] == "EXTERNAL",
            # the agent on the machine writes them as the version's account
            logged=cloud.iam.allowed(
                f"serviceAccount:{version['serviceAccount']}",
                "logging.logEntries.create",
                "logging",
                f"projects/{project}",
            ),
        )

    def longest(self, cloud: Cloud, revision: str) -> float:
        """Say how long a request may take, in seconds: an hour."""
        del cloud, revision
        return _LONGEST

    def takes_large(self, cloud: Cloud, revision: str) -> bool:
        """Tell whether the 32 MiB limit is off: never."""
        del cloud, revision
        return False

    def kept(self, cloud: Cloud, name: str) -> set[str] | None:
        """Return the versions that are to run."""
        kept = cloud.store.of("appengine")
        if kept.find(name) is None:
            return None
        return {
            version["name"]
            for version in kept.children(f"{name}/versions/")
            if version["servingStatus"] == "SERVING"
        }

    def warm(self, cloud: Cloud, name: str) -> list[str]:
        """Return the versions that keep their minimum: all that serve, with traffic or not."""
        kept = cloud.store.of("appengine")
        return [
            one
            for one in sorted(self.kept(cloud, name) or ())
            if (kept.find(one) or {}).get("env") == blueprints.FLEXIBLE
        ]

    def services(self, cloud: Cloud) -> list[str]:
        """Return the services."""
        return [
            one["name"]
            for one in cloud.store.of("appengine").children(f"apps/{cloud.project}/services/")
        ]

    def admit(
        self, cloud: Cloud, route: Route, asked: Asked, *, client: str, inside: bool
    ) -> Mapping[str, str | None]:
        """Check firewall, ingress and IAP; Turned if nobody passes, or static files answer."""
        app = cloud.store.of("appengine").fetch(f"apps/{route.name.split('/')[1]}")
        if app.get("servingStatus") != "SERVING":
            raise Turned(503, asked.path, route=route, log="The application is disabled.")
        if not firewall.allows(cloud, app["name"], client):
            raise Turned(403, asked.path, route=route, log=f"The firewall denies {client}.")
        allowed = route.service.get("networkSettings", {}).get("ingressTrafficAllowed", "")
        if not inside and allowed.rpartition("ALLOWED_")[2] in {"INTERNAL_ONLY", "INTERNAL_AND_LB"}:
            raise Turned(
                403, asked.path, route=route, log="The service takes internal requests only."
            )
        changes: Mapping[str, str | None] = {}
        if self.behind_iap(cloud, route):
            client = app["iap"].get("oauth2ClientId", "")
            guarded = iap.app_engine(cloud, route.revision, client)
            changes = pass_or_turn(cloud, guarded, asked, route).changes
        version = _version(cloud, route.revision)
        if version["servingStatus"] != "SERVING":
            raise Turned(503, asked.path, route=route, log="The version is stopped.")
        if version["env"] == blueprints.STANDARD:
            raise _static(cloud, route, version, asked)
        return changes

    def behind_iap(self, cloud: Cloud, route: Route) -> bool:
        """Tell whether IAP stands in front: of the whole application, or of nothing."""
        app = cloud.store.of("appengine").fetch(f"apps/{route.name.split('/')[1]}")
        return bool(app.get("iap", {}).get("enabled"))

    def request_log(self, cloud: Cloud, route: Route) -> Resource:
        """Return logName and resource of an entry of the request log."""
        del cloud
        project = route.name.split("/")[1]
        return {
            "logName": f"projects/{project}/logs/{_LOGS}%2Frequest_log",
            "resource": _log_resource(route.revision),
        }


def _version(cloud: Cloud, name: str) -> Resource:
    found = cloud.store.of("appengine").find(name)
    if found is None:
        raise NoInstanceError("The version is gone.", status=404)
    return found


def _startup(check: Resource) -> Resource:
    """Put the readiness check into a startup probe: asked until the time to start is over."""
    period = seconds(check["checkInterval"])
    return {
        **_action(check),
        "periodSeconds": period,
        "timeoutSeconds": seconds(check["timeout"]),
        "failureThreshold": max(1, int(seconds(check["appStartTimeout"]) // period)),
    }


def _liveness(check: Resource) -> Resource:
    return {
        **_action(check),
        "initialDelaySeconds": seconds(check["initialDelay"]),
        "periodSeconds": seconds(check["checkInterval"]),
        "timeoutSeconds": seconds(check["timeout"]),
        "failureThreshold": check["failureThreshold"],
    }


def _action(check: Resource) -> Resource:
    """Ask the path; without one App Engine asks no more than whether the port is open."""
    if check.get("path"):
        return {"httpGet": {"path": check["path"], "port": _PORT}}
    return {"tcpSocket": {"port": _PORT}}


def _static(cloud: Cloud, route: Route, version: Resource, asked: Asked) -> Turned:
    """Answer with a static file, by the first handler whose pattern is the path's."""
    files = records.of(cloud, route.revision).get("files", {})
    for handler in version["handlers"]:
        found = re.fullmatch(handler.get("urlRegex", ""), asked.path)
        if found is None:
            continue
        path = found.expand(handler["staticFiles"].get("path", ""))
        if path not in files or asked.method not in {"GET", "HEAD"}:
            break
        kind = handler["staticFiles"].get("mimeType") or mimetypes.guess_type(path)[0]
        headers = {"content-type": kind or "application/octet-stream", "server": "Google Frontend"}
        body = base64.b64decode(files[path])
        return Turned(200, asked.path, route=route, headers=headers, body=body)
    return Turned(404, asked.path, route=route)


def _log_resource(version: str) -> Resource:
    _, project, _, service, _, short = version.split("/")
    labels = {"project_id": project, "module_id": service, "version_id": short}
    return {"type": "gae_app", "labels": labels}


PLATFORM = AppEngine()
