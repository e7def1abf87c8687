"""The XML API, as far as signed URLs and plain links need it: every call becomes one of JSON's.

A request is authenticated here (signature, HMAC key, bearer token, or nobody) and then takes the
way every call takes, so that rights, preconditions and faults are the same on both faces.
See cloud.google.com/storage/docs/xml-api/overview.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from localcloud import refusals
from localcloud.errors import ApiError
from localcloud.identity.principals import Principal
from localcloud.service import Download, Reply
from localcloud.services.storage.names import HOST
from localcloud.services.storage.xml import (
    cors,
    multipart,
    post_policy,
    signatures,
    xml_headers,
    xml_lists,
    xml_words,
)
from localcloud.transport import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Upload

_ROOT = "storage.googleapis.com"
_NOT_BUCKETS = {"storage", "upload", "download", "batch", "resumable", "discovery"}
"""First parts of paths that belong to the JSON API; no bucket can be called that."""

_CREATED = 201
_UNSUPPORTED = ("acl", "cors", "lifecycle", "logging", "versioning", "website", "tagging", "policy")


@dataclass
class Ask:
    """One request of the XML API, and how it goes on to the JSON API."""

    call: Call
    bucket: str
    name: str
    query: dict[str, str]

    @property
    def path(self) -> str:
        """The object's or the bucket's path in the JSON API."""
        path = f"/storage/v1/b/{quote(self.bucket, safe='')}"
        return f"{path}/o/{quote(self.name, safe='')}" if self.name else path

    def json(
        self,
        verb: str,
        path: str,
        query: dict[str, Any] | None = None,
        *,
        body: Any = None,
        upload: Upload | None = None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        """Make the call of the JSON API; raises its refusal."""
        sent = {
            key: value
            for key, value in self.call.headers.items()
            if key.startswith(xml_headers.PASSED)
        }
        sent |= headers or {}
        if body is not None:
            sent["content-type"] = "application/json"
        authorization = _authorization(self.call)
        if authorization:
            sent["authorization"] = authorization
        url = f"{HOST}{path}?{urlencode(query)}" if query else f"{HOST}{path}"
        raw = b"" if body is None else json.dumps(body).encode()
        response = self.call.cloud.pipeline.handle(Request(verb, url, sent, raw, upload))
        if response.status >= 400 and response.status != 499:  # noqa: PLR2004 - HTTP
            said = response.json()["error"]
            reason = said["errors"][0]["reason"]
            raise ApiError(response.status, said["message"], reason=reason)
        return response


def answer(call: Call) -> Reply | Download:
    """Answer one request, errors in XML."""
    bucket, name = _place(call)
    if bucket in _NOT_BUCKETS:
        page = refusals.page(404, call.http_method, unquote(urlsplit(call.url).path))
        return Reply(page.status, page.body, page.headers)
    query = {key: value for key, value in call.params.items() if key != "path"}
    ask = Ask(call, bucket, name, query)
    try:
        _check_bucket(ask)
        if call.http_method == "OPTIONS":
            return cors.preflight(call, bucket)
        email = signatures.signer(call)
        if email is not None:
            call.caller = Principal(email)
        level = "object" if name else "bucket" if bucket else "service"
        found = _TABLE.get((call.http_method, level), _refuse_verb)(ask)
    except ApiError as error:
        if error.code == 304:  # noqa: PLR2004 - HTTP
            return Reply(304, b"")
        return cors.allowed(call, bucket, xml_words.of_api_error(error))
    return cors.allowed(call, bucket, found)


def _place(call: Call) -> tuple[str, str]:
    parts = urlsplit(call.url)
    host, path = parts.hostname or "", parts.path.removeprefix("/")
    if host != _ROOT and host.endswith(f".{_ROOT}"):
        return host.removesuffix(f".{_ROOT}"), unquote(path)
    bucket, _, name = path.partition("/")
    return unquote(bucket), unquote(name)


def _authorization(call: Call) -> str:
    given = call.headers.get("authorization", "")
    if given.lower().startswith("bearer "):
        return given
    if call.caller.anonymous:
        return ""
    return f"Bearer {call.cloud.tokens.access_token(call.caller.email)}"


# Objects


def _read(ask: Ask) -> Reply | Download:
    if "uploadId" in ask.query:
        return multipart.list_parts(ask.call, ask.bucket, ask.name, ask.query)
    _refuse_parts(ask)
    query: dict[str, Any] = {"alt": "media"} | xml_headers.conditions(ask.call.headers)
    if ask.query.get("generation"):
        query["generation"] = ask.query["generation"]
    response = ask.json("GET", ask.path, query)
    if response.status == 304:  # noqa: PLR2004 - HTTP
        return Reply(304, b"")
    if response.download is None:
        raise LookupError("media is always a download")
    found = response.download
    found.headers = xml_headers.of_object(ask.call, ask.bucket, ask.name, found.headers)
    for parameter, header in xml_headers.OVERRIDES.items():
        if parameter in ask.query:
            found.headers[header] = ask.query[parameter]
    if "response-content-type" in ask.query:
        found.headers["content-type"] = ask.query["response-content-type"]
    return found


def _write(ask: Ask) -> Reply:
    if "upload_id" in ask.query:
        return _go_on(ask)
    if "uploadId" in ask.query:
        return multipart.put_part(ask.call, ask.bucket, ask.name, ask.query)
    if "partNumber" in ask.query:
        message = "A part needs the uploadId of its upload."
        raise ApiError(400, message, reason="InvalidArgument")
    _refuse_parts(ask)
    headers = ask.call.headers
    source = headers.get("x-goog-copy-source") or headers.get("x-amz-copy-source")
    if source:
        return _copy(ask, source)
    upload = ask.call.upload
    if upload is None:
        raise LookupError("the body of a PUT is always spooled")
    xml_headers.check_length(ask.call.headers, upload.size)
    query = {"uploadType": "multipart", "name": ask.name}
    query |= xml_headers.conditions(ask.call.headers) | xml_headers.acl(ask.call.headers)
    made = ask.json(
        "POST",
        f"/upload{ask.path.partition('/o/')[0]}/o",
        query,
        upload=xml_headers.with_metadata(upload, ask.call.headers),
    ).json()
    return Reply(200, b"", xml_headers.of_made(made))


def _copy(ask: Ask, source: str) -> Reply:
    headers = ask.call.headers
    bucket, _, name = unquote(source.partition("?")[0]).removeprefix("/").partition("/")
    if not bucket or not name:
        message = "The copy source must name a bucket and an object: /bucket/object."
        raise ApiError(400, message, reason="InvalidArgument")
    query = xml_headers.conditions(headers) | xml_headers.acl(headers, "destinationPredefinedAcl")
    if headers.get("x-goog-copy-source-generation"):
        query["sourceGeneration"] = headers["x-goog-copy-source-generation"]
    body = {}
    if headers.get("x-goog-metadata-directive", "COPY").upper() == "REPLACE":
        body = xml_headers.metadata(headers)
    path = f"/storage/v1/b/{quote(bucket, safe='')}/o/{quote(name, safe='')}/rewriteTo"
    target = f"/b/{quote(ask.bucket, safe='')}/o/{quote(ask.name, safe='')}"
    made = ask.json("POST", path + target, query, body=body).json()["resource"]
    etag = xml_headers.of_made(made).get("etag", made["etag"])
    reply = xml_words.document(
        "CopyObjectResult", [("LastModified", made["updated"]), ("ETag", etag)]
    )
    return Reply(200, reply.body, {**xml_headers.of_made(made), **reply.headers})


def _delete(ask: Ask) -> Reply:
    if "uploadId" in ask.query:
        return multipart.abort(ask.call, ask.bucket, ask.name, ask.query)
    if "upload_id" in ask.query:
        return _go_on(ask)
    _refuse_parts(ask)
    query = xml_headers.conditions(ask.call.headers)
    if ask.query.get("generation"):
        query["generation"] = ask.query["generation"]
    ask.json("DELETE", ask.path, query)
    return Reply(204, b"")


def _begin(ask: Ask) -> Reply:
    if "uploads" in ask.query:
        return multipart.begin(ask.call, ask.bucket, ask.name)
    if "uploadId" in ask.query:
        return multipart.complete(ask.call, ask.bucket, ask.name, ask.query)
    headers = ask.call.headers
    if headers.get("x-goog-resumable", "").lower() != "start":
        message = "POST on an object needs the header x-goog-resumable: start."
        raise ApiError(400, message, reason="InvalidArgument")
    query = {"uploadType": "resumable", "name": ask.name}
    query |= xml_headers.conditions(headers) | xml_headers.acl(headers)
    kind = {"x-upload-content-type": headers.get("content-type", "application/octet-stream")}
    body = xml_headers.metadata(headers)
    path = f"/upload{ask.path.partition('/o/')[0]}/o"
    session = ask.json("POST", path, query, body=body, headers=kind)
    upload_id = session.headers["x-guploader-uploadid"]
    where = f"{ask.call.url.partition('?')[0]}?upload_id={upload_id}"
    return Reply(_CREATED, b"", {"location": where, "x-guploader-uploadid": upload_id})


def _go_on(ask: Ask) -> Reply:
    query = {"uploadType": "resumable", "upload_id": ask.query["upload_id"]}
    path = f"/upload{ask.path.partition('/o/')[0]}/o"
    sent = {}
    if "content-range" in ask.call.headers:
        sent["content-range"] = ask.call.headers["content-range"]
    response = ask.json(ask.call.http_method, path, query, upload=ask.call.upload, headers=sent)
    if response.status == 200:  # noqa: PLR2004 - HTTP
        return Reply(200, b"", xml_headers.of_made(response.json()))
    return Reply(response.status, b"", response.headers)


def _check_bucket(ask: Ask) -> None:
    if ask.name and not ask.bucket:
        message = "The specified bucket is not valid."
        raise ApiError(400, message, reason="InvalidBucketName")


def _refuse_verb(_ask: Ask) -> Reply:
    raise ApiError(405, "", reason="")


def _refuse_parts(ask: Ask) -> None:
    for part in _UNSUPPORTED:
        if part in ask.query:
            message = f"The subresource '{part}' is not known here; the JSON API has it."
            raise ApiError(501, message, reason="notImplemented")


# Buckets and the service


def _list(ask: Ask) -> Reply:
    if "uploads" in ask.query:
        return multipart.list_uploads(ask.call, ask.bucket, ask.query)
    _refuse_parts(ask)
    if "location" in ask.query:
        found = ask.json("GET", ask.path).json()
        return xml_words.document("LocationConstraint", []) if not found else xml_lists.place(found)
    return xml_lists.objects(ask)


def _look(ask: Ask) -> Reply:
    found = ask.json("GET", ask.path).json()
    return Reply(200, b"", {"x-goog-metageneration": found["metageneration"]})


def _make(ask: Ask) -> Reply:
    _refuse_parts(ask)
    upload = ask.call.upload
    raw = upload.path.read_bytes() if upload is not None else b""
    body: dict[str, Any] = {"name": ask.bucket}
    if raw.strip():
        root = xml_words.read(raw)
        place, kind = (
            xml_words.text(root, "LocationConstraint"),
            xml_words.text(root, "StorageClass"),
        )
        body |= ({"location": place} if place else {}) | ({"storageClass": kind} if kind else {})
    query = {"project": ask.call.headers.get("x-goog-project-id", ask.call.cloud.project)}
    ask.json("POST", "/storage/v1/b", query | xml_headers.acl(ask.call.headers), body=body)
    return Reply(200, b"")


def _unmake(ask: Ask) -> Reply:
    ask.json("DELETE", ask.path)
    return Reply(204, b"")


def _form(ask: Ask) -> Reply:
    _refuse_parts(ask)
    return post_policy.take(ask)


_TABLE: dict[tuple[str, str], Callable[[Ask], Reply | Download]] = {
    ("GET", "object"): _read,
    ("HEAD", "object"): _read,
    ("PUT", "object"): _write,
    ("DELETE", "object"): _delete,
    ("POST", "object"): _begin,
    ("GET", "bucket"): _list,
    ("HEAD", "bucket"): _look,
    ("PUT", "bucket"): _make,
    ("DELETE", "bucket"): _unmake,
    ("POST", "bucket"): _form,
    ("GET", "service"): xml_lists.buckets,
}

ROUTES = {
    f"{verb} /{path}": answer
    for verb in ("GET", "HEAD", "PUT", "DELETE", "POST", "OPTIONS")
    for path in ("", "{path+}")
}
"""What the router tries after every path of the JSON API."""
