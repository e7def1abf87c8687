"""The log of a build: into Cloud Logging, into a bucket, or both, as its options say.

Without an account of its own a build's log lies in a bucket of Google's, NUMBER.cloudbuild-logs
.googleusercontent.com, from which ``gcloud builds submit`` and ``log`` read while it runs.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

from localcloud.errors import ApiError
from localcloud.service import Reply

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

ROUTE = "GET /{bucket}/log-{id}.txt"
"""What gcloud follows a build's log at, on storage.googleapis.com."""

log = logging.getLogger(__name__)

_TO_LOGGING = frozenset({"LOGGING_UNSPECIFIED", "LEGACY", "STACKDRIVER_ONLY", "CLOUD_LOGGING_ONLY"})
_TO_BUCKET = frozenset({"LOGGING_UNSPECIFIED", "LEGACY", "GCS_ONLY"})
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")
_OK = 200


def mode(build: Resource) -> str:
    """Return a build's logging option."""
    return str(build.get("options", {}).get("logging", "LOGGING_UNSPECIFIED"))


def bucket_of(cloud: Cloud, build: Resource) -> str | None:
    """Return the gs:// URL of a build's log bucket, None when no bucket gets its log."""
    if mode(build) not in _TO_BUCKET:
        return None
    chosen = build.get("logsBucket") or f"{cloud.number}.cloudbuild-logs.googleusercontent.com"
    return f"gs://{str(chosen).removeprefix('gs://').rstrip('/')}"


class BuildLog:
    """Takes one build's lines."""

    def __init__(self, cloud: Cloud, build: Resource, member: str) -> None:
        """Write as the build's account."""
        self._cloud = cloud
        self._build = build
        self._member = member
        self._file = _file(cloud, build["id"])
        self._in_bucket = bucket_of(cloud, build) is not None
        self._number = 0
        wanted = mode(build) in _TO_LOGGING
        project = f"projects/{cloud.project}"
        self._in_logging = wanted and cloud.iam.allowed(
            member, "logging.logEntries.create", "logging", project
        )
        self.refused = wanted and not self._in_logging
        if self._in_bucket:
            self._file.parent.mkdir(parents=True, exist_ok=True)

    def line(self, text: str) -> None:
        """Write one line."""
        if self._in_bucket:
            with self._file.open("a", encoding="utf-8", errors="replace") as file:
                file.write(f"{text}\n")
        if self._in_logging:
            self._number += 1
            self._cloud.log(self._entry(text))

    def close(self) -> str:
        """Put the log into the bucket the build named; returns what went wrong, or nothing."""
        chosen = self._build["request"].get("logsBucket")
        if not chosen or not self._in_bucket or not self._file.exists():
            return ""
        bucket, _, folder = chosen.removeprefix("gs://").strip("/").partition("/")
        name = f"{folder}/{self._file.name}" if folder else self._file.name
        email = self._member.partition(":")[2]
        answer = self._cloud.request(
            "POST",
            f"https://storage.googleapis.com/upload/storage/v1/b/{quote(bucket, safe='')}/o"
            f"?uploadType=media&name={quote(name, safe='')}",
            headers={
                "authorization": f"Bearer {self._cloud.tokens.access_token(email)}",
                "content-type": "text/plain; charset=utf-8",
            },
            body=self._file.read_bytes(),
        )
        if answer.status == _OK:
            return ""
        log.warning("the log of build %s could not be stored: %s", self._build["id"], answer.text)
        return f"failed to write the log to {chosen}: {answer.text.strip()[:300]}"

    def _entry(self, text: str) -> Resource:
        project, build = self._cloud.project, self._build
        labels = {"project_id": project, "build_id": build["id"], "build_trigger_id": ""}
        return {
            "logName": f"projects/{project}/logs/cloudbuild",
            "insertId": f"{build['id']}-{self._number:08d}",
            "severity": "INFO",
            "textPayload": text,
            "timestamp": self._cloud.clock.rfc3339(),
            "resource": {"type": "build", "labels": labels},
        }


def read(call: Call) -> Reply:
    """Give a build's log, or the part of it that a Range asks for."""
    place = f"projects/{call.cloud.project}"
    if call.caller.anonymous or not call.cloud.iam.allowed(
        call.caller.member, "cloudbuild.builds.get", "cloudbuild", place
    ):
        raise ApiError(403, f"{call.caller.email or 'Anonymous caller'} does not have access.")
    builds = [one for name, one in call.store.under(f"{place}/") if name.endswith(f"/{call['id']}")]
    wanted = bucket_of(call.cloud, builds[0]) if builds else None
    file = _file(call.cloud, call["id"])
    if wanted is None or not file.exists() or wanted.split("/")[2] != call["bucket"]:
        raise ApiError(404, "The specified key does not exist.")
    data = file.read_bytes()
    headers = {"content-type": "text/plain; charset=utf-8"}
    found = _RANGE.fullmatch(call.headers.get("range", ""))
    if found is None:
        return Reply(_OK, data, headers)
    start, end = int(found[1]), int(found[2] or len(data) - 1)
    if start >= len(data):
        return Reply(416, b"", {**headers, "content-range": f"bytes */{len(data)}"})
    part = data[start : end + 1]
    last = start + len(part) - 1
    return Reply(206, part, {**headers, "content-range": f"bytes {start}-{last}/{len(data)}"})


def _file(cloud: Cloud, build: str) -> Path:
    return cloud.state / "builds" / "logs" / f"log-{build}.txt"
