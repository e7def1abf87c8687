"""Marks: how a resource shows whose it is and whether it is still as planned."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from planner.target import Target
from schemas.plan import Check

DIGEST_LABEL = "berth-digest"
OWNER_LABEL = "berth-deployment"


def digest(body: Mapping[str, Any]) -> str:
    """Return 12 hex digits that change whenever anything in `body` does."""
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def labels(target: Target, body: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of a resource made from `body`, the digest of `body` among them."""
    ours = target.labels
    return {**ours, DIGEST_LABEL: digest({"body": dict(body), "labels": ours})}


def owned(target: Target, *path: str) -> Check:
    """Return the check that the labels at `path` say that it is this deployment's."""
    return Check(path=(*path, OWNER_LABEL), value=target.name)


def unchanged(marked: Mapping[str, str], *path: str) -> Check:
    """Return the check that the labels at `path` show the digest that `marked` carries."""
    return Check(path=(*path, DIGEST_LABEL), value=marked[DIGEST_LABEL])
