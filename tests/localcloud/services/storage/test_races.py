"""Many at once: exactly one wins, nothing acknowledged is lost, memory stays flat."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from google.api_core.exceptions import PreconditionFailed

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER, Cloud
from localcloud.services.storage import SERVICE

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.cloud.storage import Bucket

ROOT = Path(__file__).parents[4]


def _together(count: int, act: Callable[[int], object]) -> list[object]:
    """Have so many threads begin at the same moment; give what each got, or its error."""
    ready = threading.Barrier(count)

    def one(number: int) -> object:
        ready.wait()
        try:
            return act(number)
        except PreconditionFailed as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_of_48_racing_creators_exactly_one_wins(bucket: Bucket) -> None:
    """Create-only uploads of one name: one succeeds, and its bytes are what is stored."""

    def create(number: int) -> int:
        bucket.blob("race").upload_from_string(str(number), if_generation_match=0, retry=None)
        return number

    outcomes = _together(48, create)

    winners = [outcome for outcome in outcomes if isinstance(outcome, int)]
    assert len(winners) == 1
    assert bucket.blob("race").download_as_bytes() == str(winners[0]).encode()


def test_a_counter_under_compare_and_swap_loses_nothing(bucket: Bucket) -> None:
    """Sixteen threads each add one; the sum is sixteen."""
    bucket.blob("counter").upload_from_string("0")

    def add(_: int) -> bool:
        while True:
            blob = bucket.blob("counter")
            value = int(blob.download_as_bytes())
            try:
                bucket.blob("counter").upload_from_string(
                    str(value + 1), if_generation_match=blob.generation, retry=None
                )
            except PreconditionFailed:
                continue
            return True

    with ThreadPoolExecutor(16) as pool:
        assert all(pool.map(add, range(16)))

    assert bucket.blob("counter").download_as_bytes() == b"16"


def test_64_threads_at_once_lose_no_acknowledged_write(bucket: Bucket) -> None:
    """Each thread writes, reads back and overwrites its own; all of it is there at the end."""

    def work(number: int) -> bool:
        blob = bucket.blob(f"own/{number:02}")
        blob.upload_from_string(f"first {number}", if_generation_match=0, retry=None)
        first = blob.generation
        bucket.blob(blob.name).upload_from_string(
            f"second {number}", if_generation_match=first, retry=None
        )
        return bool(bucket.blob(blob.name).download_as_bytes() == f"second {number}".encode())

    assert _together(64, work) == [True] * 64
    assert len(list(bucket.list_blobs(prefix="own/"))) == 64


_WRITER = """
import sys, pathlib, threading
from localcloud.cloud import Cloud, OWNER
from localcloud.services.storage import SERVICE

cloud = Cloud(pathlib.Path(sys.argv[1]), only=[SERVICE])
auth = {"authorization": "Bearer " + cloud.tokens.access_token(OWNER)}
host = "https://storage.googleapis.com"
cloud.request("POST", host + "/storage/v1/b?project=berth-local",
              headers={**auth, "content-type": "application/json"}, body=b'{"name": "b-1"}')

def write(thread):
    number = 0
    while True:
        name = f"{thread}-{number}"
        answer = cloud.request(
            "POST", f"{host}/upload/storage/v1/b/b-1/o?uploadType=media&name={name}",
            headers=auth, body=name.encode() * 100)
        assert answer.status == 200, answer.text
        sys.stdout.write(name + "\\n")
        sys.stdout.flush()
        number += 1

for thread in range(8):
    threading.Thread(target=write, args=(thread,), daemon=True).start()
threading.Event().wait()
"""


def test_nothing_acknowledged_is_lost_over_kill_9(tmp_path: Path) -> None:
    """Whatever was answered with 200 before the process was killed is there afterwards."""
    child = subprocess.Popen(
        [sys.executable, "-c", _WRITER, str(tmp_path / "state")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert child.stdout is not None
    acknowledged = [child.stdout.readline().strip() for _ in range(100)]
    os.kill(child.pid, signal.SIGKILL)
    rest = child.stdout.read().splitlines(keepends=True)
    acknowledged += [line.strip() for line in rest if line.endswith("\n")]
    child.wait()
    child.stdout.close()

    cloud = Cloud(tmp_path / "state", clock=VirtualClock(), only=[SERVICE])
    auth = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}
    for name in acknowledged:
        url = f"https://storage.googleapis.com/storage/v1/b/b-1/o/{name}?alt=media"
        answer = cloud.request("GET", url, headers=auth)
        assert (answer.status, answer.body) == (200, name.encode() * 100)
    cloud.close()


@pytest.mark.slow
def test_200_megabytes_leave_memory_flat(tmp_path: Path) -> None:
    """The server takes and gives 200 MB in at most 64 MB more than it had."""
    driver = """
import pathlib, psutil, sys
from localcloud.cloud import Cloud, OWNER
from localcloud.services.storage import SERVICE
cloud = Cloud(pathlib.Path(sys.argv[1]), only=[SERVICE])
with cloud.serve():
    before = psutil.Process().memory_info().rss
    print(*[f"{k}={v}" for k, v in cloud.environment(OWNER).items()], sep="\\n")
    print("token=" + cloud.tokens.access_token(OWNER), flush=True)
    sys.stdin.readline()
    status = pathlib.Path("/proc/self/status").read_text()
    peak = int(status.partition("VmHWM:")[2].split()[0]) * 1024
    print(peak - before, flush=True)
cloud.close()
"""
    client = """
import sys
from google.cloud import storage
from google.oauth2.credentials import Credentials
client = storage.Client(project="berth-local", credentials=Credentials(sys.argv[1]))
bucket = client.create_bucket("large")
with open(sys.argv[2], "wb") as file:
    file.truncate(200_000_000)
bucket.blob("x").upload_from_filename(sys.argv[2])
bucket.blob("chunks", chunk_size=8 << 20).upload_from_filename(sys.argv[2])
bucket.blob("x").download_to_filename(sys.argv[2] + ".back")
"""
    server = subprocess.Popen(
        [sys.executable, "-c", driver, str(tmp_path / "state")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert server.stdin is not None
    assert server.stdout is not None
    environment = dict(os.environ)
    while not (line := server.stdout.readline()).startswith("token="):
        name, _, value = line.strip().partition("=")
        environment[name] = value
    token = line.strip().removeprefix("token=")
    subprocess.run(
        [sys.executable, "-c", client, token, str(tmp_path / "file")], env=environment, check=True
    )
    grown, _ = server.communicate("\n")

    assert int(grown) < 64_000_000
    assert (tmp_path / "file.back").stat().st_size == 200_000_000
