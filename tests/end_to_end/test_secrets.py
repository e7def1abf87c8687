"""No generated password is anywhere but in Secret Manager and in the process that uses it."""

import base64
import json
import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.end_to_end.conftest import EVERYTHING, Removed
from tests.end_to_end.installation import PROJECT, REGION, Installation

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("end_to_end")]

OWN = {
    "store.sqlite*": "the table of which secretmanager.payloads is a part; read row by row below",
    "databases/**/*": "PostgreSQL's own data",
    "containers/mlflow-*/**/*": "secrets mounted into the server itself",
}
"""Files where a password may be."""


@pytest.fixture(scope="module")
def passwords(berth: Installation, door: dict[str, Any], removed: Removed) -> list[bytes]:  # noqa: ARG001
    """Every form in which a generated password could be written down."""
    purposes = ("db-password", "admin-password", "flask-secret")
    plain = [*(berth.password("door", purpose) for purpose in purposes), *removed.passwords]
    assert len(set(plain)) == 4
    return [form for password in plain for form in forms(password)]


def forms(password: str) -> Iterator[bytes]:
    """Give a password as it is, as in a URL, and as in the midst of something in base64."""
    yield password.encode()
    yield quote(password, safe="").encode()
    for shift in range(3):
        # What stands before and behind it changes the first and last characters only.
        code = base64.b64encode(b"\0" * shift + password.encode())
        inner = code[(0, 2, 3)[shift] + (shift > 0) : -4]
        yield inner
        yield inner.translate(bytes.maketrans(b"+/", b"-_"))


def leaks(passwords: list[bytes], content: bytes) -> bool:
    """Say whether one of them is in there."""
    return any(password in content for password in passwords)


def test_the_search_would_find_one() -> None:
    """In the text, in a URL, in a header of basic authentication."""
    password = "Uq~YX-5VTD2ZMdcSroWBW5jWVccgrhFhvvmZ1Xpw"
    found = list(forms(password))

    for before in ("", "a", "ab", "admin:"):
        assert leaks(found, base64.b64encode(f"{before}{password}@host".encode()))
    assert leaks(found, f"postgresql://x:{password}@/x".encode())
    assert not leaks(found, base64.b64encode(b"something else altogether, as long as the others"))


def test_executions_and_their_steps_hold_none(berth: Installation, passwords: list[bytes]) -> None:
    """Argument, result, error and every step entry."""
    executions = berth.executions("door") + berth.executions("members")
    url = "https://workflowexecutions.googleapis.com/v1/{}/stepEntries"
    steps = [
        berth.pages(url.format(execution["name"]), "stepEntries", pageSize="1000")
        for execution in executions
    ]

    assert sum(len(entries) for entries in steps) > 1000
    assert not leaks(passwords, json.dumps([executions, steps]).encode())


def test_messages_hold_none(berth: Installation, passwords: list[bytes]) -> None:
    """All that was ever published."""
    pulled: list[Any] = []
    while page := berth.google(f"{EVERYTHING}:pull", "POST", json={"maxMessages": 1000}).get(
        "receivedMessages"
    ):
        pulled += [base64.b64decode(each["message"]["data"]) for each in page]
        pulled += [json.dumps(each["message"]["attributes"]).encode() for each in page]
        acknowledged = {"ackIds": [each["ackId"] for each in page]}
        berth.google(f"{EVERYTHING}:acknowledge", "POST", json=acknowledged)

    assert len(pulled) > 10
    assert not leaks(passwords, b"\n".join(pulled))


def test_logs_hold_none(berth: Installation, passwords: list[bytes]) -> None:
    """Every entry that anything wrote."""
    body = {"resourceNames": [f"projects/{PROJECT}"], "pageSize": 1000}
    entries: list[Any] = []
    while True:
        page = berth.google("https://logging.googleapis.com/v2/entries:list", "POST", json=body)
        entries += page.get("entries", [])
        if not page.get("nextPageToken"):
            break
        body["pageToken"] = page["nextPageToken"]

    assert len(entries) > 100
    assert not leaks(passwords, json.dumps(entries).encode())


def test_the_api_tells_none(berth: Installation, passwords: list[bytes]) -> None:
    """Neither the deployment, nor the list, nor the events."""
    paths = ("/v1/deployments", "/v1/deployments/door", "/v1/deployments/door/events")
    answers = [berth.api("GET", path) for path in paths]

    assert {answer.status_code for answer in answers} == {200}
    assert not leaks(passwords, b"".join(answer.content for answer in answers))


def test_descriptions_of_what_runs_hold_none(berth: Installation, passwords: list[bytes]) -> None:
    """The service, its revisions and the job name secrets, and hold no value."""
    parent = f"https://run.googleapis.com/v2/projects/{PROJECT}/locations/{REGION}"
    found = [
        berth.google(f"{parent}/services/mlflow-door"),
        berth.google(f"{parent}/services/mlflow-door/revisions"),
        berth.google(f"{parent}/jobs/mlflow-door-migrate"),
        berth.google(f"{parent}/jobs/mlflow-door-migrate/executions"),
    ]

    assert not leaks(passwords, json.dumps(found).encode())


def test_rows_of_every_other_service_hold_none(berth: Installation, passwords: list[bytes]) -> None:
    """The store keeps everything; only Secret Manager's own rows know the passwords."""
    file = berth.state / "store.sqlite"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        rows = database.execute("select api, name, body from resources").fetchall()

    found = {api for api, name, body in rows if leaks(passwords, f"{name} {body}".encode())}

    # base64 of base64 of nothing: Secret Manager keeps the payload as it came.
    assert found <= {"secretmanager.payloads"}


def test_files_hold_none(berth: Installation, passwords: list[bytes]) -> None:
    """Objects, messages, uploads, logs, images: every file but those in which they must be."""
    grep = ["grep", "--recursive", "--text", "--files-with-matches", "--fixed-strings", "--file=-"]

    ended = subprocess.run(
        [*grep, str(berth.state)],
        input=b"\n".join(passwords),
        capture_output=True,
        check=False,
        env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
    )

    found = {Path(line.decode()) for line in ended.stdout.splitlines()}
    allowed = {file for pattern in OWN for file in berth.state.glob(pattern)}
    assert found & allowed, "not even Secret Manager has them: the search itself is broken"
    assert found - allowed == set()


def test_processes_show_none(
    berth: Installation, door: dict[str, Any], passwords: list[bytes]
) -> None:
    """No argument of any process, and no environment but the server's own."""
    berth.session().get(door["url"], timeout=60)  # so that the server is there
    shown, inherited = [], []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line = (process / "cmdline").read_bytes()
            environment = (process / "environ").read_bytes()
        except OSError:
            continue  # it has ended, or is not ours to look into
        if leaks(passwords, line):
            shown.append(line)
        if leaks(passwords, environment) and b"K_SERVICE=mlflow-door" not in environment:
            inherited.append(line)

    assert shown == []
    assert inherited == []
