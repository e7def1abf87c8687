"""The least of a storage service: enough to see streams and crowds pass through the doors."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from localcloud.service import PUBLIC, Call, Download, Needs, Reply, Service

if TYPE_CHECKING:
    from pathlib import Path

barrier = threading.Barrier(64)
sparse: list[Path] = []


def _meet(call: Call) -> dict[str, Any]:
    """Answer only when 64 calls are here at the same time."""
    del call
    barrier.wait(30)
    return {}


def _insert(call: Call) -> Reply:
    """Take an upload and say what was computed while it arrived."""
    upload = call.upload
    assert upload is not None
    return Reply(
        200,
        {
            "size": str(upload.size),
            "crc32c": upload.crc32c,
            "name": upload.metadata.get("name", ""),
        },
    )


def _media(call: Call) -> Download:
    del call
    return Download(sparse[0], "application/octet-stream")


STORAGE = Service(
    "storage",
    "v1",
    {
        "storage.objects.insert": _insert,
        "storage.objects.get": _media,
        "storage.buckets.list": _meet,
    },
    permissions={
        "storage.objects.insert": PUBLIC,
        "storage.objects.get": Needs(anonymous=True),
        "storage.buckets.list": PUBLIC,
    },
    errors="legacy",
)
