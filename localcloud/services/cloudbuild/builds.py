"""Builds: accepted as Cloud Build accepts them, and carried out for real."""

from __future__ import annotations

import base64
import uuid
from typing import TYPE_CHECKING

from localcloud.errors import invalid, not_found, precondition
from localcloud.listing import filtered
from localcloud.service import page
from localcloud.services.cloudbuild import logs, rules
from localcloud.services.cloudbuild.execution import FINAL, Execution

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

PACKAGE = "google.devtools.cloudbuild.v1"


def parent_of(call: Call) -> str:
    """Return the location of a build; the methods without locations mean ``global``."""
    name = str(call.get("name") or call.get("parent") or "")
    if "/locations/" not in name:
        return call.cloud.by_id(f"projects/{call['projectId']}") + "/locations/global"
    return "/".join(call.cloud.by_id(name).split("/")[:4])


def key_of(call: Call) -> str:
    """Return the key of the build a call names."""
    name = str(call.get("name") or "")
    chosen = name.rpartition("/")[2] if "/builds/" in name else call["id"]
    return f"{parent_of(call)}/builds/{chosen}"


def create(call: Call) -> Resource:
    """Accept a build; a repeated call is a second build."""
    body = dict(call.body)
    rules.check(call, body)
    return _begin(call, body)


def retry(call: Call) -> Resource:
    """Start a finished build again, as a new build."""
    old = _stored(call)
    if old["status"] not in FINAL:
        raise precondition("cannot retry a build that is not finished")
    return _begin(call, old["request"])


def get(call: Call) -> Resource:
    """Show a build."""
    return _seen(call, _stored(call))


def list_builds(call: Call) -> Resource:
    """List the builds of a location, newest first."""
    parent = parent_of(call)
    if parent.endswith("/locations/-"):
        under = call.store.under(parent.removesuffix("-"))
        found = [one for name, one in under if "/builds/" in name]
    else:
        found = call.store.children(f"{parent}/builds/")
    builds = [_seen(call, one) for one in reversed(found)]
    return page(call, filtered(builds, call.get("filter")), "builds", default=50)


def cancel(call: Call) -> Resource:
    """Stop a build that is not finished."""
    key = key_of(call)
    _stored(call)

    def change(stored: Resource) -> Resource:
        if stored["status"] in FINAL:
            raise precondition(f"cannot cancel a build that is {stored['status']}")
        return {**stored, "status": "CANCELLED", "finishTime": call.now}

    return _seen(call, call.store.update(key, change))


def default_account(call: Call) -> Resource:
    """Name the account of builds that name none: Compute Engine's, as in new projects."""
    project = call.cloud.project
    email = f"{call.cloud.number}-compute@developer.gserviceaccount.com"
    return {
        "name": call.cloud.by_id(call["name"]),
        "serviceAccountEmail": f"projects/{project}/serviceAccounts/{email}",
    }


def get_operation(call: Call) -> Resource:
    """Show the operation of a build, with the build as it is now."""
    return _operation(call, call.cloud.by_id(call["name"]))


def get_regional_operation(call: Call) -> Resource:
    """Show the operation of a build by the build's own ID, as ``gcloud run deploy`` asks for it."""
    parent, _, chosen = call.cloud.by_id(call["name"]).rpartition("/operations/")
    stored = call.store.find(f"{parent}/builds/{chosen}")
    if stored is None:
        raise not_found("Requested entity was not found.")
    return {**_operation(call, stored["operation"]), "name": call["name"]}


def cancel_operation(call: Call) -> None:
    """Cancel the build of an operation."""
    found = call.store.find(call.cloud.by_id(call["name"]))
    if found is None:
        raise not_found("Requested entity was not found.")
    call.params["name"] = found["build"]
    cancel(call)


def _begin(call: Call, body: Resource) -> Resource:
    parent, chosen = parent_of(call), str(uuid.uuid4())
    cloud = call.cloud
    account = body.get("serviceAccount")
    if account is None:
        compute = f"{cloud.number}-compute@developer.gserviceaccount.com"
        account = f"projects/{cloud.project}/serviceAccounts/{compute}"
    else:
        call.require("iam.serviceAccounts.actAs", cloud.by_id(account), api="iam")
        if not cloud.account_exists(account.rpartition("/")[2]):
            raise invalid(f"service account {account} does not exist")
    key = f"{parent}/builds/{chosen}"
    location = parent.rpartition("/")[2]
    stored = {
        "queueTtl": "3600s",
        "timeout": "3600s",
        **body,
        "id": chosen,
        "name": cloud.by_number(key),
        "projectId": cloud.project,
        "status": "QUEUED",
        "createTime": call.now,
        "serviceAccount": account,
        "logUrl": (
            f"https://console.cloud.google.com/cloud-build/builds;region={location}/{chosen}"
            f"?project={cloud.number}"
        ),
        "request": body,
    }
    bucket = logs.bucket_of(cloud, body)
    if bucket is not None:
        stored["logsBucket"] = bucket
    name = f"operations/build/{cloud.project}/{base64.b64encode(chosen.encode()).decode()}"
    with call.store.lock():
        call.store.create(key, {**stored, "operation": name})
        operation = cloud.operations.start(
            call,
            name=name,
            work=lambda: _shown(Execution(cloud, key).run()),
            metadata={"@type": f"type.googleapis.com/{PACKAGE}.BuildOperationMetadata"},
            response_type=f"{PACKAGE}.Build",
            fields={"build": key},
        )
    operation["metadata"]["build"] = _shown(stored)
    return {field: value for field, value in operation.items() if field != "build"}


def _operation(call: Call, name: str) -> Resource:
    found = call.store.find(name)
    if found is None:
        raise not_found("Requested entity was not found.")
    stored = call.store.find(found["build"])
    if stored is not None:
        found["metadata"]["build"] = _seen(call, stored)
    return {field: value for field, value in found.items() if field != "build"}


def _stored(call: Call) -> Resource:
    found = call.store.find(key_of(call))
    if found is None:
        raise not_found("Requested entity was not found.")
    return found


def _seen(call: Call, stored: Resource) -> Resource:
    """Show a build; one whose operation ended without it has met an internal error."""
    operation = call.store.find(stored["operation"])
    if stored["status"] not in FINAL and operation is not None and operation.get("done"):
        words = operation.get("error", {}).get("message", "")
        return {**_shown(stored), "status": "INTERNAL_ERROR", "statusDetail": words}
    return _shown(stored)


def _shown(stored: Resource) -> Resource:
    return {key: value for key, value in stored.items() if key not in {"request", "operation"}}
