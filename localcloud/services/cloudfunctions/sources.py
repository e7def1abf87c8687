"""Where a function's source comes from: an upload URL of our own, or an object in a bucket."""

from __future__ import annotations

import hmac
import shutil
import uuid
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud.errors import ApiError, invalid
from localcloud.service import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.cloud import Cloud
    from localcloud.service import Call
    from localcloud.store import Resource

_BUCKET = "gcf-v2-uploads-"
UPLOAD = f"PUT /{_BUCKET}{{rest}}/{{object+}}"
"""The route on storage.googleapis.com that takes what upload URLs are for."""

_ZIP = "application/zip"


def generate_upload_url(call: Call) -> Resource:
    """Give a URL to PUT a zip at, and the source that then means it."""
    region = call["parent"].rpartition("/")[2]
    bucket = f"{_BUCKET}{call.cloud.number}.{region}.cloudfunctions.appspot.com"
    name = f"{uuid.uuid4()}.zip"
    signature = _signature(call.cloud, f"{bucket}/{name}")
    url = (
        f"https://storage.googleapis.com/{bucket}/{name}"
        f"?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Expires=1800"
        f"&X-Goog-SignedHeaders=content-type%3Bhost&X-Goog-Signature={signature}"
    )
    return {"uploadUrl": url, "storageSource": {"bucket": bucket, "object": name}}


def upload(call: Call) -> Reply:
    """Take the zip for an upload URL; the signature stands for the right to do so."""
    bucket, name = f"{_BUCKET}{call['rest']}", call["object"]
    wanted = _signature(call.cloud, f"{bucket}/{name}")
    if not hmac.compare_digest(str(call.get("X-Goog-Signature", "")), wanted):
        return _refusal(403, "SignatureDoesNotMatch", "The request signature does not match.")
    if call.headers.get("content-type") != _ZIP or call.upload is None:
        return _refusal(
            403, "SignatureDoesNotMatch", f"The URL was signed for Content-Type {_ZIP}."
        )
    target = _uploaded(call.cloud, bucket, name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(call.upload.path, target)
    return Reply(200, b"", {"content-length": "0"})


def fetch(cloud: Cloud, source: Resource, account: str, target: Path) -> None:
    """Write the zip that a storageSource means to *target*, reading as the build's account."""
    bucket, name = source["bucket"], source["object"]
    if bucket.startswith(_BUCKET):
        found = _uploaded(cloud, bucket, name)
        if not found.exists():
            raise invalid(
                f"Could not find the source: nothing was uploaded to gs://{bucket}/{name}"
            )
        shutil.copyfile(found, target)
        return
    url = f"https://storage.googleapis.com/storage/v1/b/{bucket}/o/{quote(name, safe='')}?alt=media"
    if source.get("generation"):
        url += f"&generation={source['generation']}"
    token = cloud.tokens.access_token(account)
    answer = cloud.request("GET", url, headers={"authorization": f"Bearer {token}"})
    if answer.status != HTTPStatus.OK:
        raise ApiError(
            400,
            f"Build failed: {account} cannot read gs://{bucket}/{name} ({answer.status}): "
            f"{answer.text.strip()[:300]}",
        )
    target.write_bytes(answer.body)


def _uploaded(cloud: Cloud, bucket: str, name: str) -> Path:
    return cloud.state / "functions" / "uploads" / bucket / name.replace("/", "_")


def _signature(cloud: Cloud, place: str) -> str:
    return cloud.tokens.sign(place.encode()).hex()


def _refusal(status: int, code: str, message: str) -> Reply:
    text = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, text.encode(), {"content-type": "application/xml; charset=UTF-8"})
