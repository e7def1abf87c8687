"""Large artifacts in parts, by URLs that a server without a key has signed, as MLflow does it."""

from __future__ import annotations

import datetime as dt
import os
import time
from typing import TYPE_CHECKING, Any

import google.auth.exceptions
import pytest
import requests
from google.cloud import storage
from google.oauth2.credentials import Credentials
from google.resumable_media.requests import XMLMPUContainer

from localcloud.cloud import OWNER, Cloud
from localcloud.services import iam, iamcredentials
from localcloud.services import storage as storage_service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SERVER = "server@berth-local.iam.gserviceaccount.com"
FULL = f"//iam.googleapis.com/projects/berth-local/serviceAccounts/{SERVER}"
CREATOR = "roles/iam.serviceAccountTokenCreator"
PART = 10 * 1024 * 1024
HOST = "https://storage.googleapis.com"


class Server:
    """What MLflow's server does about one artifact, as a service account."""

    def __init__(self, cloud: Cloud, name: str) -> None:
        self.token = cloud.tokens.access_token(SERVER)
        credentials = Credentials(self.token)  # type: ignore[no-untyped-call]  # google-auth's own
        self.client = storage.Client(project=cloud.project, credentials=credentials)
        self.blob = self.client.bucket("artifacts").blob(name)
        self.upload = ""

    def container(self) -> Any:
        """Return Google's part of it."""
        url = f"{HOST}/artifacts/{self.blob.name}"
        made = XMLMPUContainer(url, "file", headers={})  # type: ignore[no-untyped-call]
        made._upload_id = self.upload or None
        return made

    def begin(self) -> None:
        """Begin an upload: POST ?uploads."""
        made = self.container()
        made.initiate(transport=self.client._http, content_type="application/x-model")
        self.upload = made.upload_id

    def url(self, number: int, **more: Any) -> str:
        """Sign the URL of one part, without a key: iamcredentials signs."""
        given: dict[str, Any] = {
            "method": "PUT",
            "version": "v4",
            "expiration": dt.timedelta(minutes=60),
            "query_parameters": {"partNumber": number, "uploadId": self.upload},
            "service_account_email": SERVER,
            "access_token": self.token,
        }
        return str(self.blob.generate_signed_url(**{**given, **more}))

    def complete(self, *tags: str) -> None:
        """Put the parts together."""
        made = self.container()
        for number, tag in enumerate(tags, 1):
            made.register_part(number, tag)
        made.finalize(transport=self.client._http)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A bucket, and an account that may write it and sign for itself."""
    folder: Path = tmp_path_factory.mktemp("parts")
    apis = [iam.SERVICE, iamcredentials.SERVICE, storage_service.SERVICE]
    cloud = Cloud(folder / "state", only=apis)
    cloud.enable("iamcredentials.googleapis.com")
    with pytest.MonkeyPatch.context() as patch, cloud.serve():
        for name, value in cloud.environment(OWNER).items():
            patch.setenv(name, value)
        owner = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}
        url = "https://iam.googleapis.com/v1/projects/berth-local/serviceAccounts"
        made = requests.post(url, headers=owner, json={"accountId": "server"}, timeout=30)
        assert made.status_code == 200, made.text
        body = {"name": "artifacts", "location": "europe-west1"}
        url = f"{HOST}/storage/v1/b?project=berth-local"
        assert requests.post(url, headers=owner, json=body, timeout=30).status_code == 200
        cloud.grant(
            f"serviceAccount:{SERVER}",
            "roles/storage.objectAdmin",
            on="//storage.googleapis.com/projects/_/buckets/artifacts",
        )
        cloud.grant(f"serviceAccount:{SERVER}", CREATOR, on=FULL)
        yield cloud
    cloud.close()


@pytest.fixture
def server(served: Cloud, request: pytest.FixtureRequest) -> Server:
    """An upload that has begun."""
    made = Server(served, f"1/abc/artifacts/{request.node.name.partition('[')[0]}/model file.bin")
    made.begin()
    return made


def put(url: str, data: bytes = b"x") -> requests.Response:
    """Send a part, as a client without any credentials."""
    return requests.put(url, data, timeout=60)


def code(answer: requests.Response) -> tuple[int, str]:
    """Return status and code of a refusal."""
    return answer.status_code, answer.text.partition("<Code>")[2].partition("</Code>")[0]


def test_parts_come_back_as_one(server: Server) -> None:
    """More than 32 MiB, in any order; nobody but the server has credentials."""
    data = [os.urandom(PART) for _ in range(3)] + [os.urandom(5 * 1024 * 1024)]
    urls = [server.url(number) for number in range(1, 5)]

    sent = {number: put(urls[number], data[number]) for number in (2, 0, 3, 1)}

    assert {one.status_code for one in sent.values()} == {200}
    server.complete(*(sent[number].headers["etag"] for number in range(4)))
    assert server.blob.download_as_bytes() == b"".join(data)
    server.blob.reload()
    assert server.blob.content_type == "application/x-model"


def test_a_part_may_be_sent_again(server: Server) -> None:
    """The last one counts, under its own tag."""
    url = server.url(1)
    first = put(url, b"lost").headers["etag"]
    second = put(url, b"kept").headers["etag"]

    with pytest.raises(Exception, match="400"):
        server.complete(first)
    server.complete(second)

    assert server.blob.download_as_bytes() == b"kept"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("partNumber=1", "partNumber=2"),
        ("uploadId=", "uploadId=x"),
        ("model%20file.bin", "other.bin"),
        ("X-Goog-Expires=3600", "X-Goog-Expires=7200"),
        ("/artifacts/1/", "/others/1/"),
    ],
)
def test_a_url_is_good_for_its_own_part_only(server: Server, old: str, new: str) -> None:
    """Whatever is changed in it breaks the signature."""
    url = server.url(1)
    assert old in url

    assert code(put(url.replace(old, new, 1))) == (403, "SignatureDoesNotMatch")


@pytest.mark.parametrize("verb", ["GET", "POST", "DELETE"])
def test_a_url_is_good_for_its_own_verb_only(server: Server, verb: str) -> None:
    """Nobody lists, ends or completes an upload with it."""
    answer = requests.request(verb, server.url(1), timeout=30)

    assert code(answer) == (403, "SignatureDoesNotMatch")


def test_a_url_expires(server: Server) -> None:
    """Google says when it did."""
    url = server.url(1, expiration=dt.timedelta(seconds=1))
    time.sleep(2.1)

    assert code(put(url)) == (400, "ExpiredToken")


def test_without_a_signature_nothing_goes(server: Server) -> None:
    """The id of an upload is no secret that opens it."""
    bare = f"{server.url(1).partition('?')[0]}?partNumber=1&uploadId={server.upload}"

    assert put(bare).status_code in {401, 403}
    assert code(put(f"{bare}&X-Goog-Signature=00"))[0] in {400, 401, 403}


def test_an_upload_that_was_given_up_takes_no_parts(server: Server) -> None:
    """Neither signed ones."""
    url = server.url(1)
    server.container().cancel(transport=server.client._http)

    assert code(put(url)) == (404, "NoSuchUpload")


def test_a_part_counts_as_its_signer(served: Cloud, server: Server) -> None:
    """Who may write no longer has no good URLs any more, though they are not expired."""
    url = server.url(1)
    full = "//storage.googleapis.com/projects/_/buckets/artifacts"
    policy = served.iam.policy(full)
    served.iam.set_policy(full, {**policy, "bindings": []})
    try:
        assert code(put(url)) == (403, "AccessDenied")
    finally:
        served.iam.set_policy(full, {**policy, "etag": served.iam.policy(full).get("etag")})


def test_who_may_not_sign_for_itself_gets_no_urls(served: Cloud, server: Server) -> None:
    """The role on the account itself is needed, and the API."""
    policy = served.iam.policy(FULL)
    served.iam.forget(FULL)
    try:
        with pytest.raises(google.auth.exceptions.TransportError, match=r"signBlob.* denied|403"):
            server.url(1)
    finally:
        served.iam.set_policy(FULL, {"bindings": policy["bindings"]})
    served.disable("iamcredentials.googleapis.com")
    try:
        with pytest.raises(google.auth.exceptions.TransportError, match="SERVICE_DISABLED"):
            server.url(1)
    finally:
        served.enable("iamcredentials.googleapis.com")


def test_without_an_account_there_is_nothing_to_sign_with(server: Server) -> None:
    """An access token alone is no key: so says the client itself, and MLflow's own code fails."""
    with pytest.raises(AttributeError, match="private key"):
        server.url(1, service_account_email=None, access_token=None)
