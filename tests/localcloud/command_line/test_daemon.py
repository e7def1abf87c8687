"""What the command line promises: up, down, again, side by side, and after a crash."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from localcloud.__main__ import main
from localcloud.cloud import Cloud
from localcloud.command_line.daemon import EXPORTED
from tests.localcloud.patience import eventually, gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[3]


def _run(*arguments: str, state: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "localcloud", *arguments, "--state", str(state)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def _pid(state: Path) -> int:
    return int(json.loads((state / "daemon.json").read_text())["pid"])


def _metadata(state: Path) -> str:
    lines = _run("env", state=state).stdout.splitlines()
    return next(line for line in lines if "GCE_METADATA_HOST" in line)


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The state folder of a running daemon."""
    state = tmp_path_factory.mktemp("daemon") / "state"
    done = _run("up", state=state)
    assert done.returncode == 0, done.stderr
    yield state
    _run("down", state=state)


def test_up_again_is_harmless(up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second up finds the first and starts nothing."""
    pid = _pid(up)

    assert main(["up", "--state", str(up)]) == 0

    assert "already up" in capsys.readouterr().out
    assert _pid(up) == pid


def test_other_programs_are_started_anew(tmp_path: Path) -> None:
    """After a pull the daemon of before would read files it does not know; a taken port is told."""
    state = tmp_path / "state"
    assert _run("up", state=state).returncode == 0
    first = json.loads((state / "daemon.json").read_text())
    (state / "daemon.json").write_text(json.dumps({**first, "code": "of yesterday"}))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (state / "port").write_text(str(port))
        again = _run("up", state=state)

    assert "its programs have changed since it was started" in again.stderr
    assert f"port {port} is somebody else's now; shells with `env` need it once" in again.stderr
    assert "local cloud up" in again.stdout
    assert _pid(state) != first["pid"]
    assert _run("up", state=state).stdout.startswith("local cloud already up")
    assert _run("down", state=state).returncode == 0


@pytest.mark.parametrize("other", [["--project", "other-one"], ["--region", "us-central1"]])
def test_up_again_is_not_another(
    up: Path, capsys: pytest.CaptureFixture[str], other: list[str]
) -> None:
    """What runs is not silently taken for what was asked for."""
    assert main(["up", "--state", str(up), *other]) == 1
    assert "belongs to project berth-local in europe-west1" in capsys.readouterr().err


def test_a_record_is_kept_with_another_provider(
    up: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Set and taken away by name and type; data that is none is refused."""
    given = ["record", "a.example.com", "a", "203.0.113.1", "--state", str(up)]

    assert main(given) == 0
    assert capsys.readouterr().out == "a.example.com A: 203.0.113.1\n"
    assert main(["record", "a.example.com", "A", "--state", str(up)]) == 0
    assert capsys.readouterr().out == "a.example.com A: nothing\n"
    assert main([*given[:3], "nowhere", "--state", str(up)]) != 0


def test_state_folder_keeps_to_itself(up: Path) -> None:
    """Keys are private and nothing of it can be committed by accident."""
    assert (up / ".gitignore").read_text() == "*\n"
    for secret in ("daemon.json", "keys/access.key", "keys/ca.key"):
        if (up / secret).exists():
            assert (up / secret).stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("form", "words"),
    [([], "project-id: berth-local"), (["--format", "project-number"], "123456789012\n")],
)
def test_status_says_where(
    up: Path, capsys: pytest.CaptureFixture[str], form: list[str], words: str
) -> None:
    """All of it for people, one field for scripts."""
    assert main(["status", "--state", str(up), *form]) == 0
    assert words in capsys.readouterr().out


def test_status_refuses_unknown_fields(up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt field lists those there are."""
    assert main(["status", "--state", str(up), "--format", "colour"]) == 1
    assert "project-number" in capsys.readouterr().err


def test_env_makes_clients_find_it(up: Path) -> None:
    """A shell with the exports can call an API as the account, with curl alone."""
    script = f"""
eval "$({sys.executable} -m localcloud env --state {up})"
TOKEN=$({sys.executable} -m localcloud token owner@example.com --access --state {up})
curl -sS -H "Authorization: Bearer $TOKEN" \
  https://cloudresourcemanager.googleapis.com/v3/projects/$GOOGLE_CLOUD_PROJECT
test -f "$CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE" && test -n "$CLOUDSDK_PROXY_PORT"
"""
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["projectId"] == "berth-local"


def test_env_forgets_what_leads_elsewhere(up: Path) -> None:
    """A shell that had a key of the real cloud does not send it here, nor go past the local one."""
    script = f"""
export GOOGLE_APPLICATION_CREDENTIALS=/real/key.json PUBSUB_EMULATOR_HOST=localhost:1
set -eu
eval "$({sys.executable} -m localcloud env --state {up})"
echo "${{GOOGLE_APPLICATION_CREDENTIALS-none}} ${{PUBSUB_EMULATOR_HOST-none}}"
"""
    done = subprocess.run(
        ["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout.split() == ["none", "none"], done.stderr


def test_token_is_good_for_gcloud_by_default(up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Like gcloud auth print-identity-token."""
    from localcloud.clock import RealClock
    from localcloud.identity.tokens import GCLOUD_CLIENT, Tokens

    main(["token", "ana@example.com", "--state", str(up)])

    claims = Tokens(up / "keys", RealClock()).verify_id_token(capsys.readouterr().out.strip())
    assert claims is not None
    assert (claims["email"], claims["aud"]) == ("ana@example.com", GCLOUD_CLIENT)


def test_daemon_does_not_take_itself_for_google(up: Path) -> None:
    """Started from a shell that exported `env`, it still sees the machine's own network."""
    script = f"""
eval "$({sys.executable} -m localcloud env --state {up})"
{sys.executable} -m localcloud down --state {up}
{sys.executable} -m localcloud up --state {up}
"""
    subprocess.run(["bash", "-c", script], cwd=ROOT, check=True, capture_output=True)

    environment = Path(f"/proc/{_pid(up)}/environ").read_bytes().split(b"\0")

    names = {entry.partition(b"=")[0].decode() for entry in environment}
    assert names & set(EXPORTED) == set()
    assert "PATH" in names


def test_exported_variables_are_known(tmp_path: Path) -> None:
    """What child processes get is exactly what a daemon started from such a shell drops."""
    cloud = Cloud(tmp_path, only=[])
    with cloud.serve():
        assert set(cloud.environment("owner@example.com")) == set(EXPORTED)
    cloud.close()


def test_logs_and_calls_show_what_happened(up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was written can be read, by service too, and calls are listed with their result."""
    script = f"""
eval "$({sys.executable} -m localcloud env --state {up})"
TOKEN=$({sys.executable} -m localcloud token owner@example.com --access --state {up})
for NAME in demo other; do
  curl -sSf -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json" \
    https://logging.googleapis.com/v2/entries:write -d '{{"entries": [{{
      "logName": "projects/berth-local/logs/x", "severity": "ERROR", "textPayload": "hello",
      "resource": {{"type": "cloud_run_revision", "labels": {{"service_name": "'$NAME'"}}}}}}]}}'
done
"""
    subprocess.run(["bash", "-c", script], cwd=ROOT, check=True, capture_output=True)

    assert main(["logs", "--service", "demo", "--state", str(up)]) == 0
    logged = capsys.readouterr().out.splitlines()
    assert main(["calls", "--state", str(up)]) == 0
    called = capsys.readouterr().out

    assert len(logged) == 1
    assert logged[0].endswith("ERROR    demo: hello")
    assert "200 logging.entries.write projects/berth-local owner@example.com" in called


def test_another_project_needs_another_folder(
    up: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """What a folder was made with cannot be changed by a flag."""
    (tmp_path / "settings.json").write_text((up / "settings.json").read_text())

    assert main(["up", "--project", "other-one", "--state", str(tmp_path)]) == 1
    assert "belongs to project berth-local" in capsys.readouterr().err


@pytest.mark.parametrize("command", [["env"], ["link", "https://x.run.app"], ["calls"]])
def test_questions_need_a_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], command: list[str]
) -> None:
    """The error says how to start it."""
    assert main([*command, "--state", str(tmp_path)]) == 1
    assert "localcloud up" in capsys.readouterr().err


def test_down_without_up_is_harmless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Stopping nothing is no error; status tells by its exit code."""
    assert main(["down", "--state", str(tmp_path)]) == 0
    assert main(["status", "--state", str(tmp_path)]) == 3
    assert "was not up" in capsys.readouterr().out


def test_second_life_side_by_side(up: Path, tmp_path: Path) -> None:
    """Two folders run at once; after kill -9 up works again, on the same ports; down is final."""
    state = tmp_path / "state"
    (state).mkdir()
    # a daemon that died long ago left these behind
    (state / "daemon.json").write_text((up / "daemon.json").read_text())
    (state / "daemon.lock").write_text("1\n")
    assert _run("up", state=state).returncode == 0
    first = json.loads((state / "daemon.json").read_text())
    assert _pid(up) != first["pid"]

    before = _metadata(state)
    os.kill(first["pid"], signal.SIGKILL)
    eventually(lambda: gone(first["pid"]))
    again = _run("up", state=state)

    assert "local cloud up" in again.stdout
    second = json.loads((state / "daemon.json").read_text())
    assert second["pid"] != first["pid"]
    assert second["port"] == first["port"]
    assert _metadata(state) == before
    assert _run("reset", state=state).returncode == 0
    eventually(lambda: gone(second["pid"]))
    assert not state.exists()


def _file(state: Path) -> None:
    state.write_text("not a folder")


def _settings(state: Path) -> None:
    state.mkdir()
    (state / "settings.json").write_text("{")


def _database(state: Path) -> None:
    state.mkdir()
    (state / "store.sqlite").write_text("not a database, and long enough to be looked at")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_file, "cannot be used: File exists"),
        (_settings, "settings.json is damaged"),
        (_database, "cannot be used: file is not a database"),
    ],
)
def test_a_folder_that_cannot_be_used_is_named(
    tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    """A person reads one sentence with the folder in it, and no trace of the program."""
    state = tmp_path / "state"
    spoil(state)

    done = _run("up", state=state)

    assert done.returncode == 1
    assert words in done.stderr
    assert str(state) in done.stderr
    assert "Traceback" not in done.stderr


def test_faults_are_planned_from_outside(up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A judge who only has the command line can break a call, and see in the log that it broke."""
    main(["faults", "clear", "--state", str(up)])
    command = ["faults", "--state", str(up)]
    assert main([*command, "fail", "storage.buckets.list", "--status", "429", "--times", "2"]) == 0
    assert "2 faults planned" in capsys.readouterr().out
    script = f"""
eval "$({sys.executable} -m localcloud env --state {up})"
TOKEN=$({sys.executable} -m localcloud token owner@example.com --access --state {up})
for N in 1 2 3; do curl -sS -o /dev/null -w '%{{http_code}} ' -H "Authorization: Bearer $TOKEN" \
  "https://storage.googleapis.com/storage/v1/b?project=berth-local"; done
{sys.executable} -m localcloud faults reset storage.buckets.list --state {up} >/dev/null
curl -sS -H "Authorization: Bearer $TOKEN" \
  "https://storage.googleapis.com/storage/v1/b?project=berth-local"; echo $?
"""
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout.startswith("429 429 200 ")
    assert done.stdout.split()[-1] in {"35", "52", "56"}, done.stdout + done.stderr
    main(["calls", "--format", "json", "--method", "storage.buckets.list", "--state", str(up)])
    records = json.loads(capsys.readouterr().out)
    assert [record["status"] for record in records[-4:]] == [429, 429, 200, 0]
    assert {"who", "method", "status", "when", "resource"} <= records[0].keys()


@pytest.mark.parametrize(
    "arguments",
    [
        ["fail", "no.such.method"],
        ["fail", "storage.buckets.get", "--status", "200"],
        ["stale", "storage.buckets.get", "--seconds", "5"],
        ["slow", "storage.buckets.get", "--seconds", "-1"],
        ["chaos", "--lost", "2"],
    ],
)
def test_a_fault_that_cannot_be_is_refused(
    up: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """With a sentence, and exit code 1."""
    assert main(["faults", "--state", str(up), *arguments]) == 1
    assert capsys.readouterr().err.startswith("localcloud: ")


def test_a_credentials_file_can_be_had(up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For programs that want a file: a refresh token that Google's libraries exchange."""
    main(["token", "ana@example.com", "--refresh", "--state", str(up)])

    file = json.loads(capsys.readouterr().out)

    assert file["type"] == "authorized_user"
    assert {"client_id", "client_secret", "refresh_token"} <= file.keys()


def test_env_of_a_network(up: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The proxy carries its name, for gcloud as for the others; without it none does."""
    assert main(["env", "--network", "default", "--state", str(up)]) == 0
    inside = capsys.readouterr().out
    assert main(["env", "--state", str(up)]) == 0
    outside = capsys.readouterr().out

    port = json.loads((up / "daemon.json").read_text())["port"]
    assert f"export HTTPS_PROXY=http://default:vpc@127.0.0.1:{port}\n" in inside
    assert "export CLOUDSDK_PROXY_USERNAME=default\n" in inside
    assert "default:vpc" not in outside
    unset = outside.splitlines()[0].split()
    assert unset[0] == "unset"
    assert {"CLOUDSDK_PROXY_USERNAME", "CLOUDSDK_PROXY_PASSWORD"} <= set(unset)


@pytest.mark.parametrize("network", ["other", "", "Default"])
def test_env_of_an_unknown_network(
    up: Path, capsys: pytest.CaptureFixture[str], network: str
) -> None:
    """Exit code 1, nothing to evaluate, and those that are there are named."""
    assert main(["env", "--network", network, "--state", str(up)]) == 1

    told = capsys.readouterr()
    assert told.out == ""
    assert f"no VPC network {network!r}; there are: default" in told.err
