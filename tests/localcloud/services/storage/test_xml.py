"""The XML API: signed URLs and forms, plain links, errors, and uploads in parts."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import requests
from google.api_core.exceptions import BadRequest
from google.auth.credentials import AnonymousCredentials, Signing

from localcloud.cloud import OWNER

if TYPE_CHECKING:
    from google.cloud.storage import Bucket, Client

    from localcloud.cloud import Cloud

_EMAIL = "signer@elsewhere.iam.gserviceaccount.com"
_HOST = "https://storage.googleapis.com"
_MINUTE = timedelta(minutes=1)


class Signer(AnonymousCredentials, Signing):
    """Credentials that sign with an account's key, as a key file does."""

    def __init__(self, cloud: Cloud) -> None:
        """Sign with the keys of the cloud's accounts."""
        super().__init__()  # type: ignore[no-untyped-call]
        self._cloud = cloud

    def sign_bytes(self, message: bytes) -> bytes:
        """Sign as the account."""
        return self._cloud.tokens.accounts.sign(_EMAIL, message)[1]

    signer_email = _EMAIL
    signer = None


@pytest.fixture
def opened(bucket: Bucket) -> Bucket:
    """A bucket whose objects the signer may use."""
    policy = bucket.get_iam_policy(requested_policy_version=3)
    role = "roles/storage.objectAdmin"
    policy.bindings.append({"role": role, "members": [f"serviceAccount:{_EMAIL}"]})
    bucket.set_iam_policy(policy)
    return bucket


@pytest.fixture
def signed(served: Cloud, opened: Bucket) -> Any:
    """Signs a URL of an object."""

    def make(name: str, method: str = "GET", **more: Any) -> str:
        settings = {"version": "v4", "expiration": _MINUTE, "credentials": Signer(served)}
        return str(opened.blob(name).generate_signed_url(method=method, **(settings | more)))

    return make


@pytest.fixture
def bearer(served: Cloud) -> dict[str, str]:
    """The owner's token as a header."""
    return {"authorization": f"Bearer {served.tokens.access_token(OWNER)}"}


def _code(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.text.partition("<Code>")[2].partition("</Code>")[0]


@pytest.mark.parametrize("version", ["v2", "v4"])
def test_a_signed_url_writes_reads_and_deletes(opened: Bucket, signed: Any, version: str) -> None:
    """Each verb by a URL of its own, with whatever name an object can have."""
    name = "a b/ü+%?#"
    kind = {"content-type": "text/plain"}
    put = signed(name, "PUT", version=version, content_type="text/plain")

    assert requests.put(put, b"bytes", headers=kind, timeout=10).status_code == 200
    assert opened.get_blob(name).content_type == "text/plain"
    got = requests.get(signed(name, version=version), timeout=10)
    assert (got.content, got.headers["x-goog-stored-content-length"]) == (b"bytes", "5")
    looked = requests.head(signed(name, "HEAD", version=version), timeout=10)
    assert (looked.content, looked.headers["content-length"]) == (b"", "5")
    gone = signed(name, "DELETE", version=version)
    assert requests.delete(gone, timeout=10).status_code == 204
    assert _code(requests.delete(gone, timeout=10)) == (404, "NoSuchKey")


@pytest.mark.parametrize("version", ["v2", "v4"])
def test_a_url_signed_for_something_else_is_refused(
    opened: Bucket, signed: Any, version: str
) -> None:
    """Another object, another verb, another header, a signature cut short."""
    for name in ("mine", "yours"):
        opened.blob(name).upload_from_string(name)
    url = signed("mine", version=version)
    put = signed("mine", "PUT", version=version, content_type="text/plain")
    refused = (403, "SignatureDoesNotMatch")

    assert _code(requests.get(url.replace("/mine?", "/yours?"), timeout=10)) == refused
    assert _code(requests.delete(url, timeout=10)) == refused
    other = {"content-type": "text/html"}
    assert _code(requests.put(put, b"x", headers=other, timeout=10)) == refused
    broken = url.replace("ignature=", "ignature=00")
    assert _code(requests.get(broken, timeout=10)) == refused
    assert opened.blob("mine").download_as_bytes() == b"mine"


def test_the_call_log_knows_who_signed(opened: Bucket, signed: Any, served: Cloud) -> None:
    """A signed URL is used by nobody in particular, on behalf of whoever signed it."""
    opened.blob("x").upload_from_string("x")

    requests.get(signed("x"), timeout=10)

    seen = {(call.who, call.method) for call in list(served.calls)[-2:]}
    assert seen == {(_EMAIL, "GET /{path+}"), (_EMAIL, "storage.objects.get")}


def test_a_signer_without_the_right_is_refused(bucket: Bucket, served: Cloud) -> None:
    """The URL carries no more than its signer has."""
    bucket.blob("x").upload_from_string("x")
    url = bucket.blob("x").generate_signed_url(
        version="v4", expiration=_MINUTE, credentials=Signer(served)
    )

    assert _code(requests.get(url, timeout=10)) == (403, "AccessDenied")


def test_a_signed_url_expires(opened: Bucket, signed: Any) -> None:
    """Whatever it was good for; and none is good for more than a week."""
    opened.blob("x").upload_from_string("x")
    past = datetime.now(UTC) - timedelta(seconds=5)

    assert _code(requests.get(signed("x", version="v2", expiration=past), timeout=10)) == (
        400,
        "ExpiredToken",
    )
    url = signed("x")
    for old, new in (("X-Goog-Expires=60", "X-Goog-Expires=604801"), ("4_request", "4_nothing")):
        assert _code(requests.get(url.replace(old, new), timeout=10)) == (400, "InvalidArgument")
    for gone in ("X-Goog-Date", "X-Goog-SignedHeaders"):
        cut = url.replace(gone, "X-Nothing")
        assert _code(requests.get(cut, timeout=10))[0] == 400


def test_the_answer_is_named_by_the_url(opened: Bucket, signed: Any) -> None:
    """A disposition and a type that were signed go into the answer."""
    opened.blob("x").upload_from_string("x")

    got = requests.get(
        signed("x", response_disposition="attachment; filename=y", response_type="text/y"),
        timeout=10,
    )

    assert got.headers["content-disposition"] == "attachment; filename=y"
    assert got.headers["content-type"] == "text/y"


def test_an_upload_is_begun_by_a_signed_url(opened: Bucket, signed: Any) -> None:
    """Its session needs no signature, and says how far it is."""
    start = {"x-goog-resumable": "start"}
    assert requests.post(signed("x", "RESUMABLE"), timeout=10).status_code == 403

    begun = requests.post(signed("x", "RESUMABLE"), headers=start, timeout=10)

    assert begun.status_code == 201
    session, chunk = begun.headers["location"], b"c" * 262_144
    part = {"content-range": "bytes 0-262143/*"}
    some = requests.put(session, chunk, headers=part, timeout=10)
    assert (some.status_code, some.headers["range"]) == (308, "bytes=0-262143")
    rest = {"content-range": "bytes 262144-262145/262146"}
    assert requests.put(session, b"ab", headers=rest, timeout=10).status_code == 200
    assert opened.blob("x").download_as_bytes() == chunk + b"ab"
    assert requests.put(f"{session}0", b"x", timeout=10).status_code == 404


def test_a_form_uploads_what_its_policy_allows(
    client: Client, served: Cloud, opened: Bucket
) -> None:
    """And nothing that is larger, elsewhere, or changed."""
    policy = client.generate_signed_post_policy_v4(
        opened.name,
        "form.txt",
        expiration=_MINUTE,
        conditions=[["content-length-range", 1, 10]],
        fields={"Content-Type": "text/plain", "x-goog-meta-a": "b"},
        credentials=Signer(served),
    )

    def send(body: bytes, **fields: str) -> requests.Response:
        data = policy["fields"] | fields
        files = {"file": ("f", body)}
        return requests.post(policy["url"], data=data, files=files, timeout=10)

    assert send(b"12345").status_code == 204
    found = opened.get_blob("form.txt")
    assert (found.size, found.content_type, found.metadata) == (5, "text/plain", {"a": "b"})
    assert _code(send(b"12345678901")) == (403, "AccessDenied")
    assert _code(send(b"1", key="other")) == (403, "AccessDenied")
    assert _code(send(b"1", extra="field")) == (403, "AccessDenied")
    assert _code(send(b"1", policy="e30="))[0] in {400, 403}
    unsigned = requests.post(policy["url"], data={"key": "x"}, files={"file": b"x"}, timeout=10)
    assert _code(unsigned) == (403, "AccessDenied")


def test_plain_links_take_a_token(bucket: Bucket, bearer: dict[str, str]) -> None:
    """Metadata comes in headers, the etag is the md5, and ranges work."""
    blob = bucket.blob("x")
    blob.metadata = {"team": "risk"}
    blob.upload_from_string("0123456789")
    url = f"{_HOST}/{bucket.name}/x"

    got = requests.get(url, headers={**bearer, "range": "bytes=2-3"}, timeout=10)

    assert (got.status_code, got.content) == (206, b"23")
    assert got.headers["x-goog-meta-team"] == "risk"
    assert got.headers["etag"] == f'"{hashlib.md5(b"0123456789").hexdigest()}"'  # noqa: S324
    hosted = requests.get(
        f"https://{bucket.name}.storage.googleapis.com/x", headers=bearer, timeout=10
    )
    assert hosted.content == b"0123456789"
    same = {**bearer, "if-none-match": f'"{blob.etag}"'}
    assert requests.get(url, headers=same, timeout=10).status_code == 304


@pytest.mark.parametrize(
    ("verb", "path", "headers", "wanted"),
    [
        ("GET", "{bucket}/nothing", {}, (404, "NoSuchKey")),
        ("GET", "there-is-none/x", {}, (404, "NoSuchBucket")),
        ("GET", "{bucket}/x", {"range": "bytes=99-"}, (416, "InvalidRange")),
        ("PUT", "{bucket}/x", {"x-goog-if-generation-match": "0"}, (412, "PreconditionFailed")),
        ("PUT", "{bucket}/y", {"content-md5": "1B2M2Y8AsgTpgAmY7PhCfg=="}, (400, "BadDigest")),
        ("POST", "{bucket}/x", {}, (400, "InvalidArgument")),
        ("GET", "{bucket}/x?acl", {}, (501, "NotImplemented")),
        ("DELETE", "{bucket}", {}, (409, "BucketNotEmpty")),
        ("PUT", "{bucket}", {}, (409, "BucketAlreadyOwnedByYou")),
        ("GET", "{bucket}/x?uploadId=none", {}, (404, "NoSuchUpload")),
        ("POST", "", {}, (405, "MethodNotAllowed")),
        ("PUT", "{bucket}/x?partNumber=1", {}, (400, "InvalidArgument")),
        ("PUT", "{bucket}/x", {"x-goog-copy-source": "nowhere"}, (400, "InvalidArgument")),
        ("PUT", "{bucket}/x", {"x-goog-copy-source": "/no/x"}, (404, "NoSuchBucket")),
        ("GET", "/x", {}, (400, "InvalidBucketName")),
    ],
)
def test_errors_are_xml(
    bucket: Bucket,
    bearer: dict[str, str],
    verb: str,
    path: str,
    headers: dict[str, str],
    wanted: tuple[int, str],
) -> None:
    """With the codes that clients of this API know."""
    bucket.blob("x").upload_from_string("x")
    url = f"{_HOST}/{path.format(bucket=bucket.name)}"

    answer = requests.request(
        verb,
        url,
        headers={**bearer, **headers},
        data=b"x" if verb == "PUT" and "/" in path else None,
        timeout=10,
    )

    assert _code(answer) == wanted


def test_malformed_signatures_are_refused(bucket: Bucket) -> None:
    """Whatever is written where a signature should be is no reason for a 500."""
    bucket.blob("x").upload_from_string("x")
    credential = f"{_EMAIL}/20261120/auto/storage/goog4_request"
    v4 = f"X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-Credential={credential}&X-Goog-Expires=9"

    def get(query: str) -> tuple[int, str]:
        return _code(requests.get(f"{_HOST}/{bucket.name}/x?{query}", timeout=10))

    access = f"GoogleAccessId={_EMAIL}"
    assert get(f"{access}&Expires=b&Signature=c") == (400, "InvalidArgument")
    assert get(f"{access}&Expires=1&Signature=c") == (400, "ExpiredToken")
    refused = (403, "SignatureDoesNotMatch")
    assert get(f"{access}&Expires=99999999999&Signature=%ff") == refused
    more = "X-Goog-SignedHeaders=host&X-Goog-Signature=%ff"
    assert get(f"{v4}&X-Goog-Date=today&{more}") == (400, "InvalidArgument")
    assert get(f"{v4}&X-Goog-Date=20000101T000000Z&{more}") == (400, "ExpiredToken")
    assert get(f"{v4}&X-Goog-Date=29990101T000000Z&{more}") == (403, "RequestTimeTooSkewed")


def test_objects_are_listed_page_by_page(bucket: Bucket, bearer: dict[str, str]) -> None:
    """In both versions of the list, with folders."""
    for name in ("a", "b/1", "b/2", "c"):
        bucket.blob(name).upload_from_string("x")
    url = f"{_HOST}/{bucket.name}"

    def keys(query: str) -> list[str]:
        text = requests.get(f"{url}?{query}", headers=bearer, timeout=10).text
        parts = text.replace("<CommonPrefixes><Prefix>", "<Key>").split("<Key>")[1:]
        return [part.partition("<")[0] for part in parts]

    assert keys("") == ["a", "b/1", "b/2", "c"]
    assert keys("delimiter=/") == ["a", "c", "b/"]
    assert keys("max-keys=2") == ["a", "b/1"]
    assert keys("max-keys=0") == []
    assert keys("marker=b/1") == ["b/2", "c"]
    assert keys("list-type=2&prefix=b/&start-after=b/1") == ["b/2"]
    assert requests.get(f"{url}?max-keys=x", headers=bearer, timeout=10).status_code == 400


@pytest.mark.parametrize(
    ("dialect", "prefix", "end"),
    [("GOOG4", "x-goog", "goog4_request"), ("AWS4", "x-amz", "aws4_request")],
)
def test_an_hmac_key_signs_requests(
    client: Client, opened: Bucket, dialect: str, prefix: str, end: str
) -> None:
    """In Google's dialect and in Amazon's; a key that is switched off does not."""
    opened.blob("x").upload_from_string("by key")
    key, secret = client.create_hmac_key(_EMAIL)
    path = f"/{opened.name}/x"

    def get(asked: str = path) -> requests.Response:
        date = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{date[:8]}/auto/storage/{end}"
        names = f"host;{prefix}-content-sha256;{prefix}-date"
        head = f"host:storage.googleapis.com\n{prefix}-content-sha256:UNSIGNED-PAYLOAD\n{prefix}-date:{date}"
        request = f"GET\n{path}\n\n{head}\n\n{names}\nUNSIGNED-PAYLOAD"
        digest = hashlib.sha256(request.encode()).hexdigest()
        signing = f"{dialect}{secret}".encode()
        for part in scope.split("/"):
            signing = hmac.new(signing, part.encode(), hashlib.sha256).digest()
        text = f"{dialect}-HMAC-SHA256\n{date}\n{scope}\n{digest}"
        signature = hmac.new(signing, text.encode(), hashlib.sha256).hexdigest()
        credential = f"Credential={key.access_id}/{scope}"
        authorization = (
            f"{dialect}-HMAC-SHA256 {credential}, SignedHeaders={names}, Signature={signature}"
        )
        headers = {
            "authorization": authorization,
            f"{prefix}-content-sha256": "UNSIGNED-PAYLOAD",
            f"{prefix}-date": date,
        }
        return requests.get(_HOST + quote(asked), headers=headers, timeout=10)

    assert get().content == b"by key"
    assert _code(get(f"/{opened.name}/other")) == (403, "SignatureDoesNotMatch")
    key.state = "INACTIVE"
    key.update()
    assert _code(get()) == (403, "InvalidAccessKeyId")


def test_cors_rules_are_carried_out(opened: Bucket) -> None:
    """For the origins they name and no others."""
    opened.cors = [
        {"origin": ["https://good.example"], "method": ["GET"], "responseHeader": ["x-a"]}
    ]
    opened.patch()
    url = f"{_HOST}/{opened.name}/x"

    def ask(origin: str) -> str | None:
        headers = {"origin": origin, "access-control-request-method": "GET"}
        answer = requests.options(url, headers=headers, timeout=10)
        return answer.headers.get("access-control-allow-origin")

    assert ask("https://good.example") == "https://good.example"
    assert ask("https://bad.example") is None


def test_metadata_cannot_forge_headers(bucket: Bucket, bearer: dict[str, str]) -> None:
    """Control characters are refused in fields that are headers, and encoded in one's own."""
    forged = bucket.blob("forged")
    forged.content_disposition = "inline\r\nx-forged: yes"
    with pytest.raises(BadRequest, match="contentDisposition"):
        forged.upload_from_string("x")
    blob = bucket.blob("x")
    blob.metadata = {"a": "b\r\nx-forged: yes", "not a header": "c"}
    blob.upload_from_string("x")

    got = requests.get(f"{_HOST}/{bucket.name}/x", headers=bearer, timeout=10)

    assert "x-forged" not in got.headers
    assert got.headers["x-goog-meta-a"].startswith("=?UTF-8?B?")
