"""What MLflow's server gets from the image's repository when Google refuses, and how it signs."""

import importlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from google.auth.compute_engine import Credentials
from google.auth.transport.requests import Request
from mlflow.entities.multipart_upload import MultipartUploadPart
from mlflow.exceptions import MlflowException

from localcloud.cloud import OWNER, Cloud
from localcloud.faults.planned import Fault
from tests.images.conftest import IMAGE

SIGN = "iamcredentials.projects.serviceAccounts.signBlob"
SIGNER = "roles/iam.serviceAccountTokenCreator"
BUCKET = "parts"
PART = 5 * 1024 * 1024
"""Less is taken for the last part only."""


@pytest.fixture(scope="module")
def trusted(cloud: Cloud, ask: Callable[..., Any], account: str) -> str:
    """The server's account, which may write to the bucket and sign for itself."""
    ask("POST", "storage.googleapis.com/storage/v1/b?project=berth-local", {"name": BUCKET})
    member = f"serviceAccount:{account}"
    cloud.grant(member, "roles/storage.objectUser")
    cloud.grant(member, SIGNER)
    return account


@pytest.fixture
def module(cloud: Cloud, trusted: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The image's repository, in a server that runs as that account."""
    for name, value in cloud.environment(trusted).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ARTIFACT_UPLOADS", "signed_parts")
    monkeypatch.syspath_prepend(str(IMAGE / "artifacts"))
    repository = importlib.import_module("berth_artifacts.repository")

    yield repository
    repository._made_account.cache_clear()
    assert cloud.unused_faults() == {}


@pytest.fixture
def repository(module: ModuleType) -> Any:
    """The artifacts of one deployment."""
    return module.SignedPartsRepository(f"gs://{BUCKET}/artifacts")


def send(cloud: Cloud, url: str, content: bytes) -> requests.Response:
    """Send a part as MLflow's client does: it knows the address and nothing else."""
    google = cloud.environment(OWNER)
    session = requests.Session()
    session.trust_env = False
    session.proxies = {"https": google["HTTPS_PROXY"]}
    session.verify = google["REQUESTS_CA_BUNDLE"]
    return session.put(url, data=content, timeout=30)


def begun(cloud: Cloud) -> bytes:
    """Return the list of uploads that were begun and are not over."""
    headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}
    url = f"https://storage.googleapis.com/{BUCKET}?uploads"
    return cloud.request("GET", url, headers=headers).body


def status(refused: pytest.ExceptionInfo[MlflowException]) -> int:
    """Return what MLflow answers for an exception."""
    known: Any = refused.value
    return int(known.get_http_status_code())


def content(cloud: Cloud, name: str) -> tuple[str, bytes]:
    """Return type and bytes of an object."""
    google = cloud.environment(OWNER)
    session = requests.Session()
    session.trust_env = False
    session.proxies = {"https": google["HTTPS_PROXY"]}
    session.verify = google["REQUESTS_CA_BUNDLE"]
    session.headers["Authorization"] = f"Bearer {cloud.tokens.access_token(OWNER)}"
    answer = session.get(f"https://storage.googleapis.com/{BUCKET}/{name}", timeout=30)
    assert answer.status_code == 200, answer.text
    return answer.headers["content-type"], answer.content


@pytest.mark.parametrize(
    ("there", "name"),
    [
        ("/data/x/weights.json", "weights.json"),
        ("C:\\Users\\ana\\weights.json", "weights.json"),
        ("a:b.json", "a%3Ab.json"),
        ("a #1 ü?&+%20.json", "a%20%231%20%C3%BC%3F%26%2B%2520.json"),
    ],
)
def test_parts_become_the_artifact(cloud: Cloud, repository: Any, there: str, name: str) -> None:
    """Whatever the file is called over there, and in whichever order the parts come."""
    made = repository.create_multipart_upload(there, 2, "1/run/artifacts/m")
    etags = {
        one.part_number: send(cloud, one.url, bytes([one.part_number]) * PART).headers["etag"]
        for one in reversed(made.credentials)
    }
    parts = [MultipartUploadPart(number, etags[number]) for number in (1, 2)]
    repository.complete_multipart_upload(there, made.upload_id, parts, "1/run/artifacts/m")

    kind, found = content(cloud, f"artifacts/1/run/artifacts/m/{name}")
    assert kind == "application/json"
    assert found == b"\1" * PART + b"\2" * PART


def test_an_address_is_good_for_its_part_alone(cloud: Cloud, repository: Any) -> None:
    """Not for another part, another upload or another object; and for six hours."""
    made = repository.create_multipart_upload("w.bin", 1, "x")
    url = made.credentials[0].url

    for other in (
        url.replace("partNumber=1", "partNumber=2"),
        url.replace("/w.bin", "/v.bin"),
        url.replace(f"uploadId={made.upload_id}", "uploadId=another"),
    ):
        assert other != url
        assert send(cloud, other, b"x").status_code == 403
    assert parse_qs(urlsplit(url).query)["X-Goog-Expires"] == ["21600"]
    repository.abort_multipart_upload("w.bin", made.upload_id, "x")


def test_an_upload_that_is_given_up_leaves_nothing(cloud: Cloud, repository: Any) -> None:
    """Parts that have arrived are paid for."""
    made = repository.create_multipart_upload("w.bin", 1, "given/up")
    send(cloud, made.credentials[0].url, b"x")
    assert b"given/up/w.bin" in begun(cloud)

    repository.abort_multipart_upload("w.bin", made.upload_id, "given/up")

    assert b"given/up/w.bin" not in begun(cloud)


def test_an_account_that_may_not_sign_for_itself_is_named(
    cloud: Cloud, repository: Any, trusted: str, caplog: pytest.LogCaptureFixture
) -> None:
    """With the role it lacks; 403, which no client tries again, and nothing is left behind."""
    cloud.fail(SIGN, 403, message="Permission 'iam.serviceAccounts.signBlob' denied")

    with pytest.raises(MlflowException) as refused:
        repository.create_multipart_upload("w.bin", 400, "not/signed")

    assert status(refused) == 403
    assert f"{trusted}, may not sign for itself" in str(refused.value)
    assert SIGNER in str(refused.value)
    assert "answered 403: Permission 'iam.serviceAccounts.signBlob' denied" in str(refused.value)
    assert "may not sign for itself" in caplog.text
    assert b"not/signed" not in begun(cloud)


def test_a_short_trouble_is_not_the_clients(cloud: Cloud, repository: Any) -> None:
    """Signing is tried again here; the client would wait for seconds."""
    cloud.fail(SIGN, 503, times=2)

    made = repository.create_multipart_upload("w.bin", 1, "short")

    assert len(made.credentials) == 1


def test_a_long_trouble_is_the_clients(cloud: Cloud, repository: Any) -> None:
    """503, which MLflow's client tries again with growing pauses."""
    cloud.fail(SIGN, 503, times=4)

    with pytest.raises(MlflowException) as refused:
        repository.create_multipart_upload("w.bin", 1, "long")

    assert status(refused) == 503
    assert b"long/w.bin" not in begun(cloud)


def test_a_connection_that_breaks_is_tried_again(cloud: Cloud, repository: Any) -> None:
    """Signing twice does no harm."""
    cloud.faults.plan(Fault(SIGN, cuts=True))

    assert repository.create_multipart_upload("w.bin", 1, "cut").upload_id


@pytest.mark.parametrize(
    ("path", "count", "words"),
    [
        ("w.bin", 10_001, "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE higher"),
        ("w.bin", 0, "1 to 10000 parts, this would have 0"),
        ("", 1, "names no file"),
        ("a/..", 1, "names no file"),
    ],
)
def test_what_cannot_be_an_upload_is_refused(
    cloud: Cloud, repository: Any, path: str, count: int, words: str
) -> None:
    """Before anything is begun, with the way out."""
    with pytest.raises(MlflowException, match=words) as refused:
        repository.create_multipart_upload(path, count, "odd")

    assert status(refused) == 400
    assert b"odd/" not in begun(cloud)


def test_an_upload_that_nobody_began_is_not_found(repository: Any) -> None:
    """As when the bucket has thrown it away after a week."""
    parts = [MultipartUploadPart(1, '"e"')]

    with pytest.raises(
        MlflowException, match=r"storage.googleapis.com answered 404: NoSuchUpload: \w+"
    ) as refused:
        repository.complete_multipart_upload("w.bin", "nobodys", parts, "x")

    assert status(refused) == 404


def test_a_bucket_one_may_not_write_to_is_a_clear_refusal(
    cloud: Cloud, module: ModuleType, ask: Callable[..., Any]
) -> None:
    """Also what is no matter of signing is no 500 that is tried seven times."""
    del ask
    foreign = module.SignedPartsRepository("gs://nobodys-bucket/artifacts")

    with pytest.raises(MlflowException, match="NoSuchBucket") as refused:
        foreign.create_multipart_upload("w.bin", 1, "x")

    assert status(refused) == 404
    assert cloud.unused_faults() == {}


def test_with_http_2_there_are_no_parts(
    repository: Any, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """MLflow 3 asks for them from 500 MB on by itself; this answer makes it send the file whole."""
    monkeypatch.setenv("ARTIFACT_UPLOADS", "http2")

    with pytest.raises(MlflowException, match="Multipart upload is not supported") as refused:
        repository.create_multipart_upload("w.bin", 1, "whole")

    assert status(refused) == 501
    assert b"whole/" not in begun(cloud)


def test_one_token_is_fetched_however_many_sign(
    repository: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Threads that come at the same time wait for the one that fetches."""
    fetched: list[int] = []
    refresh: Any = Credentials.refresh

    def counted(self: Any, request: Any) -> None:
        fetched.append(threading.get_ident())
        refresh(self, request)

    repository.client._credentials.refresh(Request())  # the storage library's own
    monkeypatch.setattr(Credentials, "refresh", counted)

    with ThreadPoolExecutor(4) as pool:
        names = [f"{number}.bin" for number in range(4)]
        made = list(
            pool.map(lambda name: repository.create_multipart_upload(name, 5, "many"), names)
        )

    assert len(fetched) == 1
    assert [len(one.credentials) for one in made] == [5] * 4
    for name, one in zip(names, made, strict=True):
        repository.abort_multipart_upload(name, one.upload_id, "many")


def test_many_parts_are_signed_at_once(cloud: Cloud, repository: Any) -> None:
    """IAM signs one at a time, and the client waits no longer than two minutes for all of them."""
    parts, seconds = 200, 0.05
    cloud.faults.plan(Fault(SIGN, delay=seconds), parts)

    began = time.monotonic()
    made = repository.create_multipart_upload("w.bin", parts, "slow")
    took = time.monotonic() - began

    print(f"{parts} parts, {seconds} s each: {took:.1f} s")  # noqa: T201 - docs/decisions/0008
    # One at a time takes longer than this on the quickest of machines.
    assert took < parts * seconds
    assert len({one.url for one in made.credentials}) == parts
    repository.abort_multipart_upload("w.bin", made.upload_id, "slow")
