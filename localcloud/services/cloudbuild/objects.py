"""Artifacts of a build that are files: uploaded to a bucket as the build's account."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud.errors import ApiError

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.cloud import Cloud
    from localcloud.service import Resource

_OK = 200


class Uploads:
    """Puts the files a build's ``artifacts.objects`` names where it says."""

    def __init__(self, cloud: Cloud, account: str, build: Resource) -> None:
        """Upload as *account*."""
        self._cloud = cloud
        self._account = account
        self._id = build["id"]
        wanted = build.get("artifacts", {}).get("objects", {})
        self.paths: list[str] = wanted.get("paths", [])
        place = str(wanted.get("location", "")).removeprefix("gs://")
        self._bucket, _, self._folder = place.partition("/")

    def carry_out(self, workspace: Path) -> Resource:
        """Upload what the paths match and a manifest of it; ApiError when there is nothing."""
        lines: list[str] = []
        for pattern in self.paths:
            found = sorted(one for one in workspace.glob(pattern.lstrip("/")) if one.is_file())
            if not found:
                raise ApiError(400, f"failed to find artifacts: no files match {pattern!r}")
            for path in found:
                data = path.read_bytes()
                place = self._put(path.name, data)
                digest = base64.b64encode(hashlib.md5(data, usedforsecurity=False).digest())
                line = {"location": place, "file_hash": [{"file_hash": [{"type": 2}]}]}
                line["file_hash"][0]["file_hash"][0]["value"] = digest.decode()  # type: ignore[index]
                lines.append(json.dumps(line))
        text = "".join(f"{line}\n" for line in lines)
        manifest = self._put(f"artifacts-{self._id}.json", text.encode())
        return {"artifactManifest": manifest, "numArtifacts": str(len(lines))}

    def _put(self, name: str, data: bytes) -> str:
        folder = self._folder.rstrip("/")
        full = f"{folder}/{name}" if folder else name
        answer = self._cloud.request(
            "POST",
            f"https://storage.googleapis.com/upload/storage/v1/b/{quote(self._bucket, safe='')}/o"
            f"?uploadType=media&name={quote(full, safe='')}",
            headers={
                "authorization": f"Bearer {self._cloud.tokens.access_token(self._account)}",
                "content-type": "application/octet-stream",
            },
            body=data,
        )
        if answer.status != _OK:
            raise ApiError(answer.status, f"uploading gs://{self._bucket}/{full}: {answer.text}")
        return f"gs://{self._bucket}/{full}#{json.loads(answer.body)['generation']}"
