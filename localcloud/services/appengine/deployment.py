"""Brings a version into service: its image pulled, its health proved, its traffic given."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from localcloud.errors import ApiError, by_status, precondition
from localcloud.machines.containers import private_networks
from localcloud.machines.containers.workload import ContainerError
from localcloud.machines.images import parse
from localcloud.services.appengine import blueprints, names, records, traffic

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.store import Resource

_TASK = "An internal error occurred while processing task /app-engine-flex/insert_flex_deployment/"
_NOT_PULLED = (
    "flex_await_healthy: There was an error while pulling the application's docker image: the "
    "image does not exist, one of the image layers is missing or the default service account does "
    "not have permission to pull the image. Please check if the image exists. Also check if the "
    "default service account has the role Storage Object Viewer (roles/storage.objectViewer) to "
    "pull images from Google Container Registry or Artifact Registry Reader "
    "(roles/artifactregistry.reader) to pull images from Artifact Registry."
)
_UNHEALTHY = "Timed out waiting for the app infrastructure to become healthy."
_SOURCE = re.compile(r"https://storage\.googleapis\.com/([^/]+)/(.+)")
_MOST_STATIC_BYTES = 1024 * 1024


def deploy(cloud: Cloud, version: Resource) -> Resource:
    """Do the work of a deployment; ApiError leaves the version behind, stopped.

    That a failed version stays, and counts for nothing, is from memory.
    """
    kept = cloud.store.of("appengine")
    name = version["name"]
    if version["env"] == blueprints.STANDARD:
        records.remember(cloud, name, {"files": _fetched(cloud, version)})
    else:
        cloud.ingress.fleet.retire(name)  # what an earlier version of this id still runs
        _check_address(cloud, version)
        _check_network(cloud, version)
        records.remember(cloud, name, {"image": _pinned(cloud, version)})
        kept.put(name, version)
        if version["servingStatus"] == "SERVING":
            _prove(cloud, version)
    service = name.rpartition("/versions/")[0]
    with kept.lock():
        kept.put(name, version)
        if kept.find(service) is None:
            kept.put(service, traffic.fresh(service, name))
    cloud.ingress.fleet.settle(service)
    return version


def change(cloud: Cloud, version: Resource) -> Resource:
    """Carry out a change of scaling or status."""
    kept = cloud.store.of("appengine").put(version["name"], version)
    cloud.ingress.fleet.settle(version["name"].rpartition("/versions/")[0])
    return kept


def _check_address(cloud: Cloud, version: Resource) -> None:
    """Refuse machines with addresses of the internet where the organisation does."""
    machine = f"projects/{cloud.project}/zones/b/instances/aef-{version['id']}"
    external = version["network"]["instanceIpMode"] == "EXTERNAL"
    if external and not cloud.constraints.permits("compute.vmExternalIpAccess", machine):
        _give_up(cloud, version)
        raise by_status(
            "INTERNAL",
            f"{_TASK}flex_create_resources: Constraint constraints/compute.vmExternalIpAccess "
            f"violated for project {cloud.number}.",
        )


def _check_network(cloud: Cloud, version: Resource) -> None:
    """Refuse machines in a network that is not there; Google's own words are not known."""
    where = cloud.store.of("appengine").fetch(f"apps/{cloud.project}")["locationId"]
    access = blueprints.vpc_access(version)
    wrong = private_networks.missing(cloud, access, names.region(where))
    if wrong:
        _give_up(cloud, version)
        raise precondition(f"{_TASK}flex_create_resources: {wrong}")


def _pinned(cloud: Cloud, version: Resource) -> str:
    """Give the image by digest, pulled as the version's own account."""
    reference = version["deployment"]["container"]["image"]
    found, name = cloud.images.find(reference), parse(reference)
    readable = name is not None and cloud.iam.allowed(
        f"serviceAccount:{version['serviceAccount']}",
        "artifactregistry.repositories.downloadArtifacts",
        "artifactregistry",
        name.repository_name,
    )
    if found is None or not readable:
        _give_up(cloud, version)
        raise precondition(f"{_TASK}{_NOT_PULLED}")
    return f"{re.sub(r'(@sha256:.*|:[^/:]*)$', '', reference)}@{found.digest}"


def _prove(cloud: Cloud, version: Resource) -> None:
    try:
        cloud.ingress.fleet.prove(version["name"])
    except ContainerError as error:
        _give_up(cloud, version)
        if error.died:
            raise precondition(
                f"\nApplication startup error! Code: APP_CONTAINER_CRASHED\n{error.log}"
            ) from error
        words = f"{_TASK}flex_await_healthy: {_UNHEALTHY}"
        if error.log:
            words += f"\nThe last lines of its log:\n{error.log}"
        raise by_status("DEADLINE_EXCEEDED", words) from error


def _give_up(cloud: Cloud, version: Resource) -> None:
    name = version["name"]
    cloud.store.of("appengine").put(name, {**version, "servingStatus": "STOPPED"})
    cloud.ingress.fleet.retire(name)


def _fetched(cloud: Cloud, version: Resource) -> Resource:
    """Copy static files out of their buckets, as the version's own account."""
    token = cloud.tokens.access_token(version["serviceAccount"])
    found: Resource = {}
    size = 0
    for path, file in version["deployment"]["files"].items():
        match = _SOURCE.fullmatch(file["sourceUrl"])
        answer = None
        if match is not None:
            answer = cloud.request(
                "GET",
                "https://storage.googleapis.com/storage/v1/b/"
                f"{match[1]}/o/{quote(unquote(match[2]), safe='')}?alt=media",
                headers={"authorization": f"Bearer {token}"},
            )
        if answer is None or answer.status != 200:  # noqa: PLR2004 - HTTP
            raise ApiError(
                400,
                f"The following file could not be read by {version['serviceAccount']}: "
                f"{file['sourceUrl']}",
                status="INVALID_ARGUMENT",
            )
        size += len(answer.body)
        found[path] = base64.b64encode(answer.body).decode()
    if size > _MOST_STATIC_BYTES:
        raise ApiError(
            501,
            "Static files of more than 1 MiB have no local counterpart.",
            status="UNIMPLEMENTED",
        )
    return found
