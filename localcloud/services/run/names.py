"""Names and addresses in Cloud Run: resources, URLs, etags and the rules for identifiers."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, invalid, not_found
from localcloud.service import page

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource

REGION_CODES = {
    "africa-south1": "bq",
    "asia-east1": "de",
    "asia-northeast1": "an",
    "asia-northeast3": "du",
    "asia-south1": "el",
    "asia-southeast1": "as",
    "australia-southeast1": "ts",
    "europe-central2": "lm",
    "europe-north1": "lz",
    "europe-southwest1": "no",
    "europe-west1": "ew",
    "europe-west2": "nw",
    "europe-west3": "ey",
    "europe-west4": "ez",
    "europe-west6": "oa",
    "europe-west8": "oc",
    "europe-west9": "od",
    "me-west1": "zf",
    "northamerica-northeast1": "nn",
    "southamerica-east1": "rj",
    "us-central1": "uc",
    "us-east1": "ue",
    "us-east4": "uk",
    "us-south1": "vp",
    "us-west1": "uw",
    "us-west2": "wl",
}

_SERVICE_ID = re.compile(r"[a-z]([-a-z0-9]{0,47}[a-z0-9])?")
_JOB_ID = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
_CONSONANTS = "bcdfghjklmnpqrstvwxz"


@dataclass(frozen=True)
class Name:
    """A resource name taken apart: ``projects/p/locations/r/KIND/ID[/KIND/ID]``."""

    project: str
    region: str
    id: str

    @classmethod
    def of(cls, full: str) -> Name:
        """Take a service's, revision's, job's or execution's full name apart."""
        _, project, _, region, _, short, *_ = full.split("/")
        return cls(project, region, short)


def locations(call: Call) -> Resource:
    """List the regions there are."""
    parent = call.cloud.by_id(call["name"])
    found = [{"name": f"{parent}/locations/{one}", "locationId": one} for one in REGION_CODES]
    return page(call, found, "locations")


def check_region(region: str) -> None:
    """Refuse a region Cloud Run does not have."""
    if region not in REGION_CODES:
        raise ApiError(
            403,
            f"Permission denied on 'locations/{region}' (or it may not exist).",
            status="PERMISSION_DENIED",
            reason="LOCATION_ACCESS_DENIED",
        )


def check_service_id(short: str | None) -> str:
    """Refuse what cannot be a service's identifier, saying why."""
    return _checked(
        short, _SERVICE_ID, "Violation in CreateServiceRequest.service_id", "less than 50"
    )


def check_job_id(short: str | None) -> str:
    """Refuse what cannot be a job's identifier, saying why."""
    return _checked(short, _JOB_ID, "Violation in CreateJobRequest.job_id", "at most 63")


def _checked(short: str | None, rule: re.Pattern[str], where: str, length: str) -> str:
    if not short:
        raise invalid(f"{where}: must be set")
    if rule.fullmatch(short) is None:
        raise invalid(
            f"{where}: only lowercase, digits, and hyphens; must begin with letter, and cannot "
            f"end with hyphen; must be {length} characters"
        )
    return short


def region_hash(project: str, region: str) -> str:
    """Return the ten characters that all services of a project and region share."""
    digest = hashlib.sha256(f"{project}/{region}".encode()).digest()
    return base64.b32encode(digest).decode().lower()[:10]


def hosts(service: str, number: str, tag: str = "") -> list[str]:
    """Return a service's host names, the deterministic one first."""
    name = Name.of(service)
    label = f"{tag}---{name.id}" if tag else name.id
    code = REGION_CODES[name.region]
    return [
        f"{label}-{number}.{name.region}.run.app",
        f"{label}-{region_hash(name.project, name.region)}-{code}.a.run.app",
    ]


def random_suffix(length: int) -> str:
    """Return letters without vowels, as Cloud Run ends its generated names."""
    return "".join(secrets.choice(_CONSONANTS) for _ in range(length))


def etag(resource: Resource) -> str:
    """Return a resource's fingerprint."""
    rest = {key: value for key, value in resource.items() if key != "etag"}
    digest = hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).digest()
    return '"' + base64.b64encode(digest[:15]).decode() + '"'


def check_etag(resource: Resource, sent: str | None) -> None:
    """Refuse a change of a version that is no longer the current one."""
    if sent and sent != resource["etag"]:
        short = resource["name"].rpartition("/")[2]
        raise ApiError(
            409,
            f"Conflict for resource '{short}': version '{sent}' was specified but current version "
            f"is '{resource['etag']}'.",
            status="ABORTED",
        )


def found(call: Call, kind: str) -> Resource:
    """Give what a call names or has as its resource; 404 in Cloud Run's words if it is not there."""
    name = call.cloud.by_id(call.get("name") or call.get("resource"))
    resource = call.store.find(name)
    if resource is None:
        _, project, _, region, _, short = name.split("/")
        raise not_found(
            f"Resource '{short}' of kind '{kind}' in region '{region}' "
            f"in project '{project}' does not exist."
        )
    return resource


def under(call: Call, collection: str) -> list[Resource]:
    """Return what the parent of a call has in a collection, oldest first.

    In a parent ``-`` stands for any name, as the documents of revisions, executions and tasks say.
    """
    parent = call.cloud.by_id(call["parent"])
    certain, wild, _ = parent.partition("/-")
    if not wild:
        return call.store.children(f"{parent}/{collection}/")
    wanted = re.compile(re.escape(f"{parent}/{collection}/-").replace("/\\-", "/[^/]+"))
    return [one for name, one in call.store.under(f"{certain}/") if wanted.fullmatch(name)]
