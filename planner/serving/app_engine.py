"""app_engine: the tracking server as a service of the project's App Engine application.

A project has one application, in one region, for ever. So the application and its service `default`
are shared: made if they are missing, used if they are as needed, and never removed.
"""

from typing import Any

from planner import container, grants, hosts, image, marks, sizes
from planner.observed import Observed
from planner.target import Target, account
from schemas.plan import Check, Demand, Operations, PartPlan, Request, Resource, Step
from schemas.serving import AppEngine

API = "https://appengine.googleapis.com/v1"
OPERATIONS = Operations(base=f"{API}/", dialect="done")

OLD_NAMES = {"europe-west1": "europe-west", "us-central1": "us-central"}
"""Two places are older than regions and are called otherwise here."""

REGIONS_WITHOUT = frozenset({"africa-south1", "europe-southwest1", "europe-west8", "europe-west9"})
"""Where there is Cloud Run but no App Engine; of any other place the API itself says so."""

VERSION = "server"
"""The version's name: always this one. A POST of the same name replaces what it was, so there is never
a second one, which would keep machines running and count against the quota of backend services."""

PLACEHOLDER_VERSION = "placeholder"
PLACEHOLDER_PAGE = "app-engine/index.html"
"""Where install puts the one page of the placeholder, in the bucket of the sources."""

COOL_DOWN = "180s"
TARGET_CPU = 0.75
DISK_GB = 10

MEMORY_GB = {"small": 2, "medium": 4, "large": 8}
"""What the same size has on Cloud Run, where it is said in another unit."""

DATABASE_CHECK = "/health/database"
"""Answered by the image's server: 200 only if the database answers, too. MLflow's own /health says
OK when no real call succeeds."""


def place(target: Target) -> str:
    """Return the region in App Engine's words."""
    return OLD_NAMES.get(target.region, target.region)


def prepare(target: Target) -> tuple[Step, ...]:
    """Return what has to be there long before the server: the application, and its rights.

    The application comes this early for two reasons: a project whose application is elsewhere is told
    before a database is made, and the server must know its host name when it is deployed.
    """
    return (
        _application(target),
        # Its machines pull the image in the name of the account they run as; Cloud Run's do it in
        # that of Google's agent.
        grants.grant(
            grants.of_image_repository(target),
            "server_may_pull_image",
            role="roles/artifactregistry.reader",
            member=account(target.service_account),
            title=f"{target.account_id} may pull the image",
            drop=True,
        ),
        # They write their log as that account, too. Logs have no policy smaller than the project's,
        # and no resource name that a condition could speak of.
        grants.grant(
            grants.of_project(target),
            "server_may_log",
            role="roles/logging.logWriter",
            member=account(target.service_account),
            title=f"{target.account_id} may write its log",
            drop=True,
        ),
    )


def plan(target: Target, observed: Observed) -> PartPlan:
    """Return the service with its one version."""
    return PartPlan(
        part="tracking_server",
        summary=f"MLflow {target.request.mlflow_version} on App Engine service {target.service}",
        steps=(
            _default_service(target),
            _service(target, observed),
            _version(target, observed),
            _traffic(target),
        ),
        # A service shows no address. Behind a load balancer it has none, and that part says the domain.
        known={} if target.request.load_balancer else _addresses(target, observed),
    )


def _addresses(target: Target, observed: Observed) -> dict[str, str | tuple[str, ...]]:
    url = f"https://{hosts.own_of_app_engine(target, observed)}"
    return {"url": url, "urls": (url,)}


def _app(target: Target) -> str:
    return f"{API}/apps/{target.project}"


def _application(target: Target) -> Resource:
    wanted, project = place(target), target.project
    return Resource(
        name="application",
        title=f"App Engine application of {project}",
        url=_app(target),
        demands=(
            Demand(
                path=("locationId",),
                value=wanted,
                otherwise=f"the application is in <found> for ever, and this deployment wants "
                f"{wanted}. Ask for the region that <found> is in, for serving.platform "
                "cloud_run, or for a deployment in another project",
            ),
            Demand(
                path=("servingStatus",),
                value="SERVING",
                otherwise="the application is switched off (<found>). Somebody may have had a "
                f"reason to; to switch it on: gcloud app update --project={project} "
                "--serving-status=serving (or Enable application in the console's settings of "
                "App Engine)",
            ),
            # It guards every service of the application, so switching it on for one that others
            # use would shut them out.
            Demand(
                path=("iap", "enabled"),
                value=True,
                otherwise="Identity-Aware Proxy is not on for the application, so everybody would "
                "get in. It guards all of the application's services, so Berth does not switch it "
                "on for one that it did not make. If nobody else needs them open: gcloud iap web "
                f"enable --resource-type=app-engine --project={project}",
            ),
        ),
        create=Request(
            method="POST",
            url=f"{API}/apps",
            body={
                "id": project,
                "locationId": wanted,
                # The default one is everybody's, and is not made any more in new organisations.
                "serviceAccount": target.app_engine_account,
                "sslPolicy": "MODERN",
                "iap": {"enabled": True},
            },
        ),
        operation=OPERATIONS,
        ready=Check(path=("servingStatus",), value="SERVING"),
        outputs={hosts.APPLICATION: ("defaultHostname",)},
        keep=True,
    )


def _default_service(target: Target) -> Resource:
    bucket = target.platform.images[target.request.mlflow_version].bucket
    return Resource(
        name="default_service",
        title="App Engine service default",
        url=f"{_app(target)}/services/default",
        # The first service of an application must be this one, and it can never be deleted. One
        # page and no program: it costs nothing, since no machine ever runs for it.
        create=Request(
            method="POST",
            url=f"{_app(target)}/services/default/versions",
            body={
                "id": PLACEHOLDER_VERSION,
                "env": "standard",
                "runtime": "python312",
                "serviceAccount": target.app_engine_account,
                "handlers": [
                    {
                        "urlRegex": ".*",
                        "staticFiles": {
                            "path": "index.html",
                            "uploadPathRegex": "index\\.html",
                            "mimeType": "text/html",
                        },
                        "securityLevel": "SECURE_ALWAYS",
                    }
                ],
                "deployment": {
                    "files": {
                        "index.html": {
                            "sourceUrl": "https://storage.googleapis.com/"
                            f"{bucket}/{PLACEHOLDER_PAGE}"
                        }
                    }
                },
            },
        ),
        operation=OPERATIONS,
        keep=True,
    )


def _versions(target: Target) -> str:
    return f"{_app(target)}/services/{target.service}/versions"


def _service(target: Target, observed: Observed) -> Resource:
    url = f"{_app(target)}/services/{target.service}"
    return Resource(
        name="service",
        title=f"App Engine service {target.service}",
        url=url,
        # A service has no create of its own, its first version makes it; and since it carries no
        # label before that is done, only the claim tells whose it is.
        create=Request(method="POST", url=_versions(target), body=_body(target, observed)),
        operation=OPERATIONS.model_copy(
            update={"pending": f"{_app(target)}/operations?pageSize=50"}
        ),
        # With all versions, whatever their traffic. `default` and the application stay.
        remove=(Request(method="DELETE", url=url),),
    )


def _version(target: Target, observed: Observed) -> Resource:
    body = _body(target, observed)
    variables = body["envVariables"]
    make = Request(method="POST", url=_versions(target), body=body)
    return Resource(
        name="version",
        title=f"version {VERSION} of App Engine service {target.service}",
        # Only the full view shows the variables, where the marks are: versions carry no labels.
        url=f"{_versions(target)}/{VERSION}?view=FULL",
        mark=Check(path=("envVariables", MARK), value=target.name),
        digest=Check(path=("envVariables", DIGEST), value=variables[DIGEST]),
        create=make,
        update=make,
        operation=OPERATIONS,
        ready=Check(path=("servingStatus",), value="SERVING"),
        # What did not become healthy is left behind stopped; the same POST tries it again.
        failed=(Check(path=("servingStatus",), value="STOPPED"),),
        within="service",
    )


def _traffic(target: Target) -> Resource:
    url = f"{_app(target)}/services/{target.service}"
    ingress = "INTERNAL_AND_LB" if target.request.load_balancer else "ALL"
    body = {
        "split": {"shardBy": "IP", "allocations": {VERSION: 1}},
        "networkSettings": {"ingressTrafficAllowed": f"INGRESS_TRAFFIC_ALLOWED_{ingress}"},
    }
    labels = marks.labels(target, body)
    move = Request(
        method="PATCH",
        url=f"{url}?updateMask=labels,networkSettings,split",
        body={**body, "labels": labels},
    )
    return Resource(
        name="traffic",
        title=f"traffic and labels of App Engine service {target.service}",
        url=url,
        digest=marks.unchanged(labels, "labels"),
        # The service is there by now. Everything goes to the version that was just found healthy:
        # the flexible environment moves traffic at once or not at all.
        create=move,
        update=move,
        operation=OPERATIONS,
        ready=Check(path=("split", "allocations", VERSION), value=1),
        within="service",
    )


MARK, DIGEST = "BERTH_DEPLOYMENT", "BERTH_DIGEST"


def _body(target: Target, observed: Observed) -> dict[str, Any]:
    serving = target.request.serving
    assert isinstance(serving, AppEngine)
    size = sizes.shape(target.request)
    body: dict[str, Any] = {
        "id": VERSION,
        "env": "flexible",
        "runtime": "custom",
        "serviceAccount": target.service_account,
        "deployment": {"container": {"image": image.by_digest(target, observed)}},
        "betaSettings": {"cloud_sql_instances": target.connection_name},
        "resources": {
            "cpu": int(size.cpu),
            "memoryGb": MEMORY_GB[target.request.size],
            "diskGb": DISK_GB,
        },
        # Replacing the machine helps against a hung server and never against a lost database, so
        # only the readiness asks for both.
        "livenessCheck": {
            "path": "/health",
            "checkInterval": "30s",
            "timeout": "4s",
            "failureThreshold": 4,
            "successThreshold": 2,
            "initialDelay": "300s",
        },
        "readinessCheck": {
            "path": DATABASE_CHECK,
            "checkInterval": "5s",
            "timeout": "4s",
            "failureThreshold": 2,
            "successThreshold": 2,
            # MLflow tries an unreachable database for 106 s, and rights take minutes to spread.
            "appStartTimeout": "600s",
        },
        **_scaling(target, serving),
        **_network(target),
        "servingStatus": "SERVING",
    }
    variables = {
        **container.settings(target, observed),
        **container.stored_secrets(target, observed),
        MARK: target.name,
    }
    digest = marks.digest({**body, "envVariables": variables})
    return {**body, "envVariables": {**variables, DIGEST: digest}}


def _scaling(target: Target, serving: AppEngine) -> dict[str, Any]:
    if serving.instances is not None:
        return {"manualScaling": {"instances": serving.instances}}
    return {
        "automaticScaling": {
            "minTotalInstances": sizes.min_instances(target.request),
            "maxTotalInstances": sizes.max_instances(target.request),
            "coolDownPeriod": COOL_DOWN,
            "cpuUtilization": {"targetUtilization": serving.target_cpu or TARGET_CPU},
        }
    }


def _network(target: Target) -> dict[str, Any]:
    network = target.request.network
    if network is None:
        return {}
    # With addresses of their own: without, they need a Cloud NAT to reach Google's control plane.
    fields = {"name": network.name, "instanceIpMode": "EXTERNAL"}
    if network.subnetwork is not None:
        fields["subnetworkName"] = network.subnetwork
    return {"network": fields}
