"""run.projects.locations.builds.submit: source becomes an image, as ``gcloud run deploy --source`` asks.

Cloud Run hands the work to Cloud Build, on behalf of the caller and with Cloud Build's own rules.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, invalid

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource

_BUILDER = "gcr.io/cloud-builders/docker"
_UNKNOWN = ("workerPool", "machineType")


def submit(call: Call) -> Resource:
    """Begin a build; its operation is Cloud Build's, and asked for there."""
    body = call.body
    for field in _UNKNOWN:
        if body.get(field):
            raise ApiError(501, f"{field} has no local counterpart.", status="UNIMPLEMENTED")
    if "buildpackBuild" in body:
        raise ApiError(
            501,
            "Buildpacks have no local counterpart: the source needs a Dockerfile.",
            status="UNIMPLEMENTED",
        )
    if "dockerBuild" not in body:
        raise invalid("build_type: must be set")
    build: Resource = {
        "source": {"storageSource": body["storageSource"]},
        "steps": [{"name": _BUILDER, "args": ["build", "-t", body["imageUri"], "."]}],
        "images": [body["imageUri"]],
        "options": {"logging": "CLOUD_LOGGING_ONLY"},
        **{field: body[field] for field in ("serviceAccount", "tags") if body.get(field)},
    }
    answer = call.cloud.request(
        "POST",
        f"https://cloudbuild.googleapis.com/v1/{call['parent']}/builds",
        headers={
            "authorization": call.headers.get("authorization", ""),
            "content-type": "application/json",
        },
        body=json.dumps(build).encode(),
    )
    if answer.status != 200:  # noqa: PLR2004 - HTTP
        error = answer.json()["error"]
        raise ApiError(answer.status, error["message"], status=error["status"])
    return {"buildOperation": answer.json()}
