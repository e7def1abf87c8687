"""The commands of ``python -m localcloud``, one function each."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from localcloud.clock import RealClock
from localcloud.command_line import daemon, fault_commands, progress
from localcloud.command_line.arguments import STATE, state_folder
from localcloud.command_line.gcloud_settings import (
    LEADS_ELSEWHERE,
    credentials_file,
    gcloud_settings,
)

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable
    from pathlib import Path


_NOBODY = "-"
_ROOM = 3 << 29
"""What the environments of functions, an image, its layers and a database take, about."""


def up(given: Namespace) -> int:
    """Start the local cloud, or say that it runs."""
    before, port = daemon.find(given.state), daemon.last_port(given.state)
    with progress.told("starting"):
        running, started = daemon.up(given.state, project=given.project, region=given.region)
    if started and before is not None:
        remark("its programs have changed since it was started, so it was started anew")
    if started and port not in {0, running.port}:
        remark(f"port {port} is somebody else's now; shells with `env` need it once more")
    free = shutil.disk_usage(given.state).free
    if free < _ROOM:
        remark(f"only {free >> 20} MiB are free in {given.state}; a first server takes 1.5 GiB")
    word = "up" if started else "already up"
    say(f"local cloud {word}: project {running.project}, door 127.0.0.1:{running.port}")
    say(f"status page: {running.page}")
    if started:
        say(f'use it: eval "$({_typed("env", given.state)})"')
    return 0


def down(given: Namespace) -> int:
    """Stop the local cloud and everything it started."""
    with progress.told("stopping what runs"):
        stopped = daemon.down(given.state)
    say("local cloud down" if stopped else "local cloud was not up")
    return 0


def status(given: Namespace) -> int:
    """Say whether it runs and where; exit code 3 if not."""
    running = daemon.find(given.state)
    if running is None:
        remark(f"down; `{_typed('up', given.state)}` starts it")
        return 3
    shown = {
        "project-id": running.project,
        "project-number": running.number,
        "region": running.region,
        "door": f"127.0.0.1:{running.port}",
        "page": running.page,
        "pid": running.pid,
        "state": str(given.state),
    }
    if given.format == "json":
        say(json.dumps(shown, indent=2))
    elif given.format is not None:
        if given.format not in shown:
            raise daemon.DaemonError(f"--format is json or one of {', '.join(shown)}")
        say(str(shown[given.format]))
    else:
        say("\n".join(f"{name}: {value}" for name, value in shown.items()))
    return 0


def env(given: Namespace) -> int:
    """Print shell exports that make every Google client find the local cloud."""
    running = _running(given.state)
    asked = {"account": given.account, "network": given.network}
    variables: dict[str, str] = running.ask("/environment", **asked)
    variables.update(_gcloud(given.state, running, given.account, given.network))
    say(f"unset {' '.join(LEADS_ELSEWHERE)}")
    for name, value in variables.items():
        say(f"export {name}={shlex.quote(value)}")
    return 0


def token(given: Namespace) -> int:
    """Print an ID token, an access token, or a credentials file with a refresh token."""
    tokens = _tokens(given.state)
    if given.refresh:
        say(credentials_file(tokens.refresh_token(given.email)))
    elif given.access:
        say(tokens.access_token(given.email))
    else:
        say(tokens.id_token(given.email, given.audience))
    return 0


def logs(given: Namespace) -> int:
    """Print log entries, oldest first."""
    from localcloud.store import Store

    _started(given.state)
    sources: set[str] = set()
    with daemon.usable(given.state):
        store = Store(given.state / "store.sqlite")
    try:
        for entry in import_module("localcloud.services.logging").entries(store):
            labels = entry.get("resource", {}).get("labels", {})
            sources.add(_source(entry))
            if given.service in {None, *labels.values()}:
                say(_line(entry))
    finally:
        store.close()
    if given.service not in {None, *sources}:
        known = ", ".join(sorted(sources - {_NOBODY})) or "nothing"
        remark(f"{given.service!r} has logged nothing; there are entries of {known}")
    return 0


def reset(given: Namespace) -> int:
    """Stop the local cloud and forget everything it knew."""
    with progress.told("stopping what runs, and removing its state"):
        daemon.down(given.state)
        known = (given.state / "settings.json").exists()
        if known:
            shutil.rmtree(given.state)
    say("local cloud forgotten" if known else f"there is no local cloud in {given.state}")
    return 0


def link(given: Namespace) -> int:
    """Print the loopback link of a server's https URL, for a browser."""
    say(_running(given.state).ask("/link", url=given.url, account=given.account)["link"])
    return 0


def calls(given: Namespace) -> int:
    """Print the calls the APIs were asked, oldest first."""
    records = [
        record
        for record in _running(given.state).ask("/calls")
        if given.method in {None, record["method"]}
    ]
    if given.format == "json":
        say(json.dumps(records, indent=2))
        return 0
    if not records and given.method is not None:
        remark(f"{given.method} was not called; `{_typed('calls', given.state)}` prints what was")
    for record in records:
        say(f"{record['status']} {record['method']} {record['resource']} {record['who']}")
    return 0


def group(given: Namespace) -> int:
    """Say who is in a group."""
    _running(given.state).ask("/group", email=given.email, members=given.members)
    say(f"{given.email}: {', '.join(given.members) or 'nobody'}")
    return 0


def record(given: Namespace) -> int:
    """Keep a DNS record outside of Cloud DNS, or keep it no longer."""
    told = {"name": given.name, "type": given.type.upper(), "data": given.data}
    _running(given.state).ask("/record", **told)
    say(f"{given.name} {told['type']}: {', '.join(given.data) or 'nothing'}")
    return 0


def faults(given: Namespace) -> int:
    """Plan what goes wrong."""
    say(fault_commands.run(given, _running(given.state).ask))
    return 0


def be_the_daemon(given: Namespace) -> int:
    """Serve in the foreground; ``up`` starts this in the background."""
    daemon.run(given.state)
    return 0


def workflows(arguments: list[str]) -> int:
    """Pass on to the workflow interpreter's own commands."""
    run: Callable[[list[str]], int | None] = import_module("localcloud.workflows.commands").main
    return int(run(arguments) or 0)


def say(text: str) -> None:
    """Print one line of result."""
    print(text)  # noqa: T201 - a command


def remark(text: str) -> None:
    """Print something for people beside the result."""
    print(f"localcloud: {text}", file=sys.stderr)  # noqa: T201 - a command


def _running(state: Path) -> daemon.Running:
    running = daemon.find(state)
    if running is None:
        raise daemon.DaemonError(
            f"the local cloud is not up in {state}; `{_typed('up', state)}` starts it"
        )
    return running


def _started(state: Path) -> None:
    """Refuse a folder in which there never was a local cloud, rather than make one of it."""
    if not (state / "settings.json").exists():
        raise daemon.DaemonError(
            f"there is no local cloud in {state}; `{_typed('up', state)}` starts one"
        )


def _typed(verb: str, state: Path) -> str:
    """Return a command as one types it here."""
    other = [] if state == state_folder(STATE) else ["--state", str(state)]
    return shlex.join([_python(), "-m", "localcloud", verb, *other])


def _python() -> str:
    """Return what this Python is called here; a shell's own may not know the libraries."""
    if shutil.which("python") == sys.executable:
        return "python"
    here = os.path.relpath(sys.executable)
    return sys.executable if here.startswith("..") else here


def _tokens(state: Path) -> Any:
    from localcloud.identity.tokens import Tokens

    _started(state)
    return Tokens(state / "keys", RealClock())


def _gcloud(
    state: Path, running: daemon.Running, account: str, network: str | None
) -> dict[str, str]:
    folder = state / "gcloud"
    folder.mkdir(exist_ok=True)
    file = folder / f"{account}.json"
    file.touch(mode=0o600)
    file.write_text(credentials_file(_tokens(state).refresh_token(account)))
    bundle = state / "keys" / "ca.pem"
    return gcloud_settings(
        running, folder, account=account, credentials=file, bundle=bundle, network=network
    )


def _line(entry: dict[str, Any]) -> str:
    text = entry.get("textPayload")
    request = entry.get("httpRequest", {})
    payload = entry.get("jsonPayload", entry.get("protoPayload", {}))
    if text is None and not payload and request:
        fields = ("requestMethod", "requestUrl", "status", "latency")
        text = " ".join(str(request[field]) for field in fields if field in request)
    elif text is None:
        text = payload.get("message") or json.dumps(payload)
    when, level = entry["timestamp"], entry.get("severity", "DEFAULT")
    return f"{when} {level:<8} {_source(entry)}: {text}".rstrip()


def _source(entry: dict[str, Any]) -> str:
    labels = entry.get("resource", {}).get("labels", {})
    keys = ("service_name", "job_name", "function_name", "workflow_id", "database_id", "build_id")
    return next((str(labels[key]) for key in keys if key in labels), _NOBODY)
