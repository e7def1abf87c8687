"""artifact_root: the bucket the models lie in, and the server's right to it."""

from typing import Any

from planner import grants, marks
from planner.observed import Observed
from planner.target import NotOfferedError, Target
from schemas.plan import PartPlan, Request, Resource

SOFT_DELETE_SECONDS = 7 * 24 * 3600
"""How long a deleted object or bucket can be brought back."""


MULTI_REGIONS = {"europe": "EU", "us": "US", "asia": "ASIA"}
"""The multi-region of a continent, by how the names of its regions begin."""

OUTSIDE_THE_EU = ("europe-west2", "europe-west6")
"""London and Zurich: what lies there may not be meant to leave the country for the EU."""


def multi_region(region: str) -> str | None:
    """Return the multi-region that `region` lies in; None where Cloud Storage has none."""
    if region in OUTSIDE_THE_EU:
        return None
    return MULTI_REGIONS.get(region.split("-", maxsplit=1)[0])


def plan(target: Target, _observed: Observed) -> PartPlan:
    """Return the bucket and the grant on it."""
    return PartPlan(
        part="artifact_root",
        summary=f"bucket {target.bucket}",
        steps=(
            _bucket(target),
            grants.to_server(
                target,
                grants.of_bucket(target),
                "server_may_use_bucket",
                # objectUser reads and writes objects but, unlike objectAdmin, no policies.
                role="roles/storage.objectUser",
                title=f"the server may read and write {target.bucket}",
            ),
        ),
    )


def _location(target: Target) -> str:
    if target.request.artifact_location == "region":
        return target.region.upper()
    found = multi_region(target.region)
    if found is None:
        raise NotOfferedError(f"no multi-region of Cloud Storage holds {target.region}")
    return found


def _bucket(target: Target) -> Resource:
    buckets = "https://storage.googleapis.com/storage/v1/b"
    url = f"{buckets}/{target.bucket}"
    fixed = {"name": target.bucket, "location": _location(target)}
    changeable: dict[str, Any] = {
        "storageClass": "STANDARD",
        "iamConfiguration": {
            "uniformBucketLevelAccess": {"enabled": True},
            "publicAccessPrevention": "enforced",
        },
        "softDeletePolicy": {"retentionDurationSeconds": str(SOFT_DELETE_SECONDS)},
        "lifecycle": {
            "rule": [
                # Parts of uploads that never ended cost money and show nowhere.
                {
                    "action": {"type": "AbortIncompleteMultipartUpload"},
                    "condition": {"age": 7},
                }
            ]
        },
    }
    labels = marks.labels(target, {**fixed, **changeable})
    return Resource(
        name="bucket",
        title=f"bucket {target.bucket}",
        url=url,
        mark=marks.owned(target, "labels"),
        digest=marks.unchanged(labels, "labels"),
        create=Request(
            method="POST",
            url=f"{buckets}?project={target.project}",
            body={**fixed, **changeable, "labels": labels},
        ),
        update=Request(method="PATCH", url=url, body={**changeable, "labels": labels}),
        remove=(Request(method="DELETE", url=url),),
        contents=f"{url}/o?versions=true",
    )
