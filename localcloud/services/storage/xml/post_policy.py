"""HTML forms that upload: fields, a signed policy they must obey, and a file.

See cloud.google.com/storage/docs/authentication/signatures#policy-document.
"""

from __future__ import annotations

import base64
import binascii
import json
import mmap
import re
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from localcloud.errors import ApiError
from localcloud.identity.principals import Principal
from localcloud.service import Reply
from localcloud.services.storage import checksums
from localcloud.services.storage.views import moment
from localcloud.services.storage.xml import signatures, xml_headers, xml_words

if TYPE_CHECKING:
    from localcloud.service import Upload
    from localcloud.services.storage.xml.xml_face import Ask

_NAME = re.compile(r'\bname="([^"]*)"')
_FILENAME = re.compile(r'\bfilename="([^"]*)"')
_FREE = {"x-goog-signature", "policy", "file", "bucket"}
"""Fields the policy need not speak of."""

_CHUNK = 1 << 20


def take(ask: Ask) -> Reply:
    """Store the file of a form as the object its fields describe."""
    if ask.call.upload is None:
        raise LookupError("the body of a POST is always spooled")
    fields, file = _taken_apart(ask.call.upload, ask.call.headers.get("content-type", ""))
    try:
        if not fields.get("key"):
            message = "Bucket POST must contain a field named 'key'."
            raise ApiError(400, message, reason="InvalidArgument")
        _check_policy(ask, fields, file.size)
        query = {"uploadType": "multipart", "name": fields["key"]} | xml_headers.acl(
            {"x-goog-acl": fields.get("acl", "")}
        )
        made = ask.json(
            "POST",
            f"/upload/storage/v1/b/{quote(ask.bucket, safe='')}/o",
            query,
            upload=xml_headers.with_metadata(file, fields),
        ).json()
    finally:
        file.path.unlink(missing_ok=True)
    return _answered(ask, fields, made)


def _answered(ask: Ask, fields: dict[str, str], made: dict[str, Any]) -> Reply:
    headers = xml_headers.of_made(made)
    if fields.get("success_action_redirect"):
        return Reply(303, b"", {**headers, "location": fields["success_action_redirect"]})
    if fields.get("success_action_status") == "201":
        shown = [("Bucket", ask.bucket), ("Key", made["name"]), ("ETag", headers["etag"])]
        reply = xml_words.document("PostResponse", shown)
        return Reply(201, reply.body, {**headers, **reply.headers})
    status = 200 if fields.get("success_action_status") == "200" else 204
    return Reply(status, b"", headers)


def _check_policy(ask: Ask, fields: dict[str, str], size: int) -> None:
    if "policy" not in fields:
        return
    email = fields.get("x-goog-credential", "").partition("/")[0]
    signature = fields.get("x-goog-signature", "")
    try:
        raw = binascii.unhexlify(signature)
        policy = json.loads(base64.b64decode(fields["policy"]))
        until = moment(policy["expiration"])
    except (binascii.Error, KeyError, TypeError, ValueError):
        message = "The policy document or its signature is malformed."
        raise ApiError(400, message, reason="InvalidPolicyDocument") from None
    if not signatures.signed_by(ask.call.cloud, email, raw, fields["policy"].encode()):
        raise signatures.mismatch(fields["policy"])
    if until < ask.call.cloud.clock.now():
        message = "Policy has expired."
        raise ApiError(403, message, reason="ExpiredToken")
    _check_conditions(ask, fields, size, policy.get("conditions", []))
    ask.call.caller = Principal(email)


def _check_conditions(ask: Ask, fields: dict[str, str], size: int, conditions: list[Any]) -> None:
    values = {**fields, "bucket": ask.bucket}
    named = set(_FREE)
    for condition in conditions:
        if isinstance(condition, dict):
            rules = [("eq", key.lower(), value) for key, value in condition.items()]
        else:
            kind, name, value = condition
            if kind == "content-length-range":
                if not int(name) <= size <= int(value):
                    raise _violated(str(condition))
                continue
            rules = [(kind, str(name).removeprefix("$").lower(), value)]
        for kind, name, value in rules:
            named.add(name)
            held = values.get(name, "")
            if not (held.startswith(value) if kind == "starts-with" else held == value):
                raise _violated(str(condition))
    left = sorted(name for name in fields if name not in named and not name.startswith("x-ignore-"))
    if left:
        raise _violated(f"Extra input fields: {', '.join(left)}")


def _violated(what: str) -> ApiError:
    message = f"Policy did not reference these fields or they do not match: {what}"
    return ApiError(403, message, reason="AccessDenied")


def _taken_apart(upload: Upload, kind: str) -> tuple[dict[str, str], Upload]:
    found = re.search(r"boundary=\"?([^\";]+)", kind)
    if not kind.startswith("multipart/form-data") or found is None or not upload.size:
        message = "The body of your POST request is not well-formed multipart/form-data."
        raise ApiError(400, message, reason="MalformedPOSTRequest")
    mark = b"--" + found[1].encode()
    fields: dict[str, str] = {}
    with upload.path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as all_:
        at = all_.find(mark)
        while at >= 0 and all_[at + len(mark) : at + len(mark) + 2] != b"--":
            head_end = all_.find(b"\r\n\r\n", at)
            end = all_.find(b"\r\n" + mark, head_end)
            if head_end < 0 or end < 0:
                break
            head = all_[at:head_end].decode("utf-8", "replace")
            name = _NAME.search(head)
            start = head_end + 4
            if name is not None and name[1] == "file":
                filename = _FILENAME.search(head)
                file = _file(upload, all_, start, end)
                fields = {
                    key: value.replace("${filename}", filename[1] if filename else "")
                    for key, value in fields.items()
                }
                return fields, file
            if name is not None:
                fields[name[1].lower()] = all_[start:end].decode("utf-8", "replace")
            at = end + 2
    message = "POST requires exactly one file upload per request."
    raise ApiError(400, message, reason="IncorrectNumberOfFilesInPostRequest")


def _file(upload: Upload, raw: mmap.mmap, start: int, end: int) -> Upload:
    with tempfile.NamedTemporaryFile(dir=upload.path.parent, delete=False) as target:
        for at in range(start, end, _CHUNK):
            target.write(raw[at : min(at + _CHUNK, end)])
    path = Path(target.name)
    sums = checksums.of_file(path)
    return replace(upload, path=path, size=end - start, crc32c=sums.crc32c, md5=sums.md5)
