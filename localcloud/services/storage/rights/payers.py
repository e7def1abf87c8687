"""Who pays for a call: the bucket's project, or with requester pays the caller's.

See cloud.google.com/storage/docs/requester-pays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.storage import shelf
from localcloud.services.storage.depots import depot_of

if TYPE_CHECKING:
    from localcloud.service import Call


def check(call: Call) -> None:
    """Refuse a call nobody pays for."""
    cloud = call.cloud
    payer = call.get("userProject")
    if payer:
        if payer not in {cloud.project, cloud.number}:
            message = "User project specified in the request is invalid."
            raise ApiError(400, message, reason="invalid")
        return
    name = call.get("bucket") or call.get("sourceBucket")
    bucket = shelf.find_bucket(depot_of(cloud), name) if name else None
    if bucket is None or not bucket.resource.get("billing", {}).get("requesterPays"):
        return
    project = f"projects/{cloud.project}"
    if not cloud.iam.allowed(
        call.caller.member, "serviceusage.services.use", "serviceusage", project
    ):
        message = "Bucket is a requester pays bucket but no user project provided."
        raise ApiError(400, message, reason="required")
