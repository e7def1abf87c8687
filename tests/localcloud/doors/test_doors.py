"""What real clients see: one process, Google's host names, no configuration but environment."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from localcloud.cloud import OWNER, Cloud
from localcloud.services import iam, secretmanager
from localcloud.services.cloudresourcemanager import SERVICE_V3
from tests.localcloud.doors.tiny_storage import STORAGE, sparse
from tests.localcloud.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROBOT = "robot-one@berth-local.iam.gserviceaccount.com"
BIG = 200 * 1024 * 1024


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud with open doors; this process's environment points at it."""
    folder = tmp_path_factory.mktemp("state")
    cloud = Cloud(folder, only=[secretmanager.SERVICE, iam.SERVICE, SERVICE_V3, STORAGE])
    cloud.enable("secretmanager.googleapis.com")
    file = folder / "sparse"
    with file.open("wb") as made:
        made.truncate(BIG)
    sparse.append(file)
    with pytest.MonkeyPatch.context() as patch, cloud.serve():
        for name, value in cloud.environment(OWNER).items():
            patch.setenv(name, value)
        yield cloud
    cloud.close()


@pytest.fixture(scope="module")
def session(served: Cloud) -> Iterator[requests.Session]:
    """A requests session with the owner's token."""
    with requests.Session() as made:
        made.headers["authorization"] = f"Bearer {served.tokens.access_token(OWNER)}"
        made.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=80))
        yield made


@pytest.fixture(scope="module")
def seen(served: Cloud) -> dict[str, Any]:
    """What Google's own clients saw in a process started for the owner."""
    environment = {"PATH": os.environ["PATH"], **served.environment(OWNER)}
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("real_clients.py"))],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_default_credentials_are_the_identitys(seen: dict[str, Any]) -> None:
    """google.auth finds the metadata server and the project by itself."""
    module, email, project = seen["default_credentials"]

    assert module == "google.auth.compute_engine.credentials"
    assert (email, project) == (OWNER, "berth-local")


def test_identity_tokens_verify(seen: dict[str, Any]) -> None:
    """fetch_id_token and verify_oauth2_token are Google's, the keys are ours."""
    assert seen["identity_token"] == [OWNER, "https://x"]


def test_discovery_client_works_unchanged(seen: dict[str, Any]) -> None:
    """Googleapiclient needs nothing but the environment."""
    assert seen["discovery_client"] == ["projects/123456789012/secrets/discovery"] * 2


@pytest.mark.parametrize("transport", ["rest", "grpc"])
def test_cloud_client_works_unchanged(seen: dict[str, Any], transport: str) -> None:
    """google-cloud-secret-manager reaches the same handlers, and errors, through both doors."""
    assert seen[transport] == [
        "hush",
        "b",
        {"rest": "Conflict None", "grpc": "AlreadyExists None"}[transport],
        "NotFound None",
        {"rest": "Forbidden", "grpc": "PermissionDenied"}[transport] + " IAM_PERMISSION_DENIED",
    ]


def test_a_key_file_works_unchanged(seen: dict[str, Any]) -> None:
    """Exchanged for both kinds of tokens, and signed with by gRPC clients themselves."""
    assert seen["key_file"] == [
        "ya29",
        "with-key@berth-local.iam.gserviceaccount.com",
        "IAM_PERMISSION_DENIED",
    ]


def test_grpc_method_without_handler_is_unimplemented(seen: dict[str, Any]) -> None:
    """What Google has and we have not says so."""
    assert seen["missing_method"] == "StatusCode.UNIMPLEMENTED"


def test_lost_reply_breaks_the_connection(served: Cloud, session: requests.Session) -> None:
    """The client gets no bytes at all, only an end."""
    served.lose_reply("storage.objects.insert")
    url = "https://storage.googleapis.com/upload/storage/v1/b/x/o?uploadType=media&name=a"

    with pytest.raises(requests.ConnectionError):
        session.post(url, data=b"x")
    assert served.unused_faults() == {}


def test_every_identity_has_its_own_metadata(served: Cloud, session: requests.Session) -> None:
    """A child process acts as the account it was started for."""
    host = "https://iam.googleapis.com/v1/projects/berth-local/serviceAccounts"
    session.post(host, json={"accountId": "robot-one"})
    there = served.environment(ROBOT)["GCE_METADATA_HOST"]
    assert there != served.environment(OWNER)["GCE_METADATA_HOST"]
    url = f"http://{there}/computeMetadata/v1/instance/service-accounts/default"
    flavour = {"Metadata-Flavor": "Google"}

    def get(path: str) -> requests.Response:
        return requests.get(url + path, headers=flavour, timeout=30)

    assert get("/email").text == ROBOT
    token = get("/token").json()["access_token"]
    assert served.tokens.identify({"authorization": f"Bearer {token}"}).email == ROBOT
    claims = served.tokens.verify_id_token(get("/identity?audience=https://x").text)
    assert claims is not None
    assert (claims["email"], claims["aud"]) == (ROBOT, "https://x")
    assert get("/?recursive=true").json()["email"] == ROBOT


def test_a_removed_account_loses_its_metadata_server_at_the_next_start(tmp_path: Path) -> None:
    """Ports outlive a restart for the sake of open shells, not for accounts that are gone."""
    host = "https://iam.googleapis.com/v1/projects/berth-local/serviceAccounts"

    def remembered(*, first: bool) -> list[str]:
        cloud = Cloud(tmp_path / "state", only=[iam.SERVICE])
        key = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}
        with cloud.serve():
            before = [name for name, _ in cloud.store.of("metadata.ports").under("")]
            if first:
                cloud.request("POST", host, headers=key, body=b'{"accountId": "robot-one"}')
                for email in (OWNER, ROBOT):
                    cloud.environment(email)
                cloud.request("DELETE", f"{host}/{ROBOT}", headers=key)
        cloud.close()
        return before

    remembered(first=True)

    assert remembered(first=False) == [OWNER]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/", {}, 200),
        ("/computeMetadata/v1/project/project-id", {}, 403),
        ("/computeMetadata/v1/nothing", {"Metadata-Flavor": "Google"}, 404),
        (
            "/computeMetadata/v1/instance/service-accounts/other@x.y/token",
            {"Metadata-Flavor": "Google"},
            404,
        ),
        (
            "/computeMetadata/v1/instance/service-accounts/default/identity",
            {"Metadata-Flavor": "Google"},
            400,
        ),
        ("/latest/meta-data", {"Metadata-Flavor": "Google"}, 404),
    ],
)
def test_metadata_server_refuses(
    served: Cloud, path: str, headers: dict[str, str], status: int
) -> None:
    """The flavour header is needed, and other accounts' tokens are not to be had."""
    there = served.environment(OWNER)["GCE_METADATA_HOST"]

    answer = requests.get(f"http://{there}{path}", headers=headers, timeout=30)

    assert answer.status_code == status
    assert answer.headers["metadata-flavor"] == "Google"


@pytest.mark.parametrize(
    "url",
    ["https://example.com/", "https://packages.example.org/", "https://googleapis.com.evil.com/"],
)
def test_door_refuses_hosts_that_are_not_here(served: Cloud, url: str) -> None:
    """Nothing leaks to the real world, and nothing pretends to be it."""
    del served
    with pytest.raises(requests.exceptions.ProxyError, match="502"):
        requests.get(url, timeout=30)


@pytest.mark.parametrize(
    ("sent", "answer"),
    [
        (b"GET http://example.com/ HTTP/1.1\r\nHost: example.com\r\n\r\n", b"405"),
        (b"CONNECT storage.googleapis.com:80 HTTP/1.1\r\n\r\n", b"502"),
        (b"nonsense\r\n\r\n", b"405"),
    ],
)
def test_door_knows_connect_only(served: Cloud, sent: bytes, answer: bytes) -> None:
    """Anything but CONNECT to port 443 is refused in plain words."""
    assert served.serving is not None
    with socket.create_connection(("127.0.0.1", served.serving.port), timeout=30) as wire:
        wire.sendall(sent)
        assert answer in wire.recv(200)


def test_clients_that_hang_up_harm_nobody(served: Cloud, session: requests.Session) -> None:
    """Half a handshake, half a request, half an upload: the door goes on."""
    assert served.serving is not None
    spool = served.state / "spool"
    for sent in (b"", b"CONN", b"CONNECT storage.googleapis.com:443 HTTP/1.1\r\n\r\n\x16\x03"):
        with socket.create_connection(("127.0.0.1", served.serving.port), timeout=30) as wire:
            wire.sendall(sent)
    with socket.create_connection(("127.0.0.1", served.serving.http_port), timeout=30) as wire:
        wire.sendall(
            b"POST /upload/storage/v1/b/x/o?uploadType=media HTTP/1.1\r\n"
            b"Host: storage.googleapis.com\r\nContent-Length: 100\r\n\r\nhalf"
        )
        eventually(lambda: spool.is_dir() and list(spool.iterdir()))

    assert session.get("https://secretmanager.googleapis.com/v1/projects/berth-local/secrets").ok
    eventually(lambda: not list(spool.iterdir()))


def test_sixty_four_calls_at_once(served: Cloud, session: requests.Session) -> None:
    """A call that waits holds up nobody."""
    del served
    url = "https://storage.googleapis.com/storage/v1/b?project=berth-local"
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: session.get(url).status_code, range(64)))

    assert answers == [200] * 64


@contextlib.contextmanager
def _watched() -> Iterator[Callable[[], int]]:
    """Watch how much resident memory grows, in bytes."""

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * 4096

    base, peak, stop = resident(), [0], threading.Event()

    def watch() -> None:
        while not stop.wait(0.005):
            peak[0] = max(peak[0], resident() - base)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield lambda: peak[0]
    finally:
        stop.set()
        watcher.join()


def test_large_download_streams(served: Cloud, session: requests.Session) -> None:
    """200 MB go out without being held in memory."""
    del served
    url = "https://storage.googleapis.com/download/storage/v1/b/x/o/y?alt=media"
    size = 0
    with _watched() as grown, session.get(url, stream=True) as answer:
        for chunk in answer.iter_content(1 << 20):
            size += len(chunk)

    assert size == BIG
    assert grown() < 64 * 1024 * 1024


def test_large_upload_streams(served: Cloud, session: requests.Session) -> None:
    """200 MB come in without being held in memory, checksummed on the way."""
    url = "https://storage.googleapis.com/upload/storage/v1/b/x/o?uploadType=media&name=a"
    with _watched() as grown, sparse[0].open("rb") as body:
        answer = session.post(url, data=body)

    assert answer.json()["size"] == str(BIG)
    assert len(answer.json()["crc32c"]) == 8
    assert grown() < 64 * 1024 * 1024
    assert list((served.state / "spool").iterdir()) == []


def test_curl_needs_nothing_but_the_environment(served: Cloud) -> None:
    """Curl offers HTTP/2 and gets HTTP/1.1, with a certificate it trusts."""
    token = served.tokens.access_token(OWNER)
    url = "https://secretmanager.europe-west1.rep.googleapis.com/v1/projects/berth-local/secrets"
    command = ["curl", "-sS", "-w", "%{http_code} %{http_version}", "-o", "/dev/null"]

    done = subprocess.run(
        [*command, "-H", f"Authorization: Bearer {token}", url],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("200 1.1", "")


def test_control_wants_its_key(served: Cloud) -> None:
    """Only who can read the state folder may steer the daemon."""
    assert served.serving is not None
    url = f"http://127.0.0.1:{served.serving.http_port}/environment"
    headers = {"Host": "control.localcloud"}

    refused = requests.post(url, headers=headers, json={"account": OWNER}, timeout=30)
    allowed = requests.post(
        url,
        headers={**headers, "X-Key": served.serving.key},
        data=json.dumps({"account": OWNER}),
        timeout=30,
    )

    assert refused.status_code == 403
    proxy = urlsplit(allowed.json()["HTTPS_PROXY"])
    assert proxy.port == served.serving.port
