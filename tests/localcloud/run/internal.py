"""An internal service, a program that asks it, and every kind of client that may try."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
from typing import Any

from localcloud.cloud import OWNER, Cloud
from localcloud.services.logging import entries
from tests.localcloud.patience import eventually
from tests.localcloud.run import network_clients
from tests.localcloud.run.echo import Caller, service

INNER = "inner-123456789012.europe-west1.run.app"
NETWORK = "projects/berth-local/global/networks/default"
SUBNETS = "https://compute.googleapis.com/compute/v1/projects/berth-local/regions/europe-west1"
ALL, SOME = "ALL_TRAFFIC", "PRIVATE_RANGES_ONLY"
FETCH = "europe-west1-docker.pkg.dev/berth-local/apps/fetch"

# Asks the internal service, as any program here would, and says what it was told.
PROGRAM = f"""
import http.server, os, sys, urllib.error, urllib.request

def asked():
    try:
        return urllib.request.urlopen("https://{INNER}/health").status
    except urllib.error.HTTPError as error:
        return error.code

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = str(asked()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass

if "CLOUD_RUN_JOB" in os.environ:
    status = asked()
    print("asked:", status, flush=True)
    sys.exit(0 if status == 200 else 4)
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""
MAIN = PROGRAM.partition("class Handler")[0] + "def hello(request):\n    return str(asked())\n"


def interface(egress: str, **where: str) -> dict[str, Any]:
    """Return VPC access of a template."""
    return {"networkInterfaces": [where or {"network": "default"}], "egress": egress}


def private_access(cloud: Cloud, *, on: bool) -> None:
    """Have the default subnetwork reach Google, or not."""
    body = {"privateIpGoogleAccess": on}
    url = f"{SUBNETS}/subnetworks/default/setPrivateIpGoogleAccess"
    owner = Caller(cloud)
    answer = owner("POST", url, body)
    assert answer.status == 200, answer.text
    subnetwork = url.rpartition("/")[0]
    # An operation does it, in its own time. What is false is left out of the answer.
    eventually(
        lambda: bool(owner("GET", subnetwork).json().get("privateIpGoogleAccess")) is on,
        within=30,
    )


def logged(cloud: Cloud) -> str:
    """Return all lines there are in the log."""
    return "\n".join(str(one.get("textPayload")) for one in entries(cloud.store))


def outer(cloud: Cloud, name: str, **template: Any) -> dict[str, Any]:
    """Deploy a service that asks the internal one; returns the finished operation."""
    body = service(**template)
    body["template"]["containers"][0] = {"image": FETCH}
    return Caller(cloud).deploy(name, {**body, "invokerIamDisabled": True})


def told(cloud: Cloud, name: str) -> str:
    """Return what that service was told."""
    return cloud.request("GET", f"https://{name}-123456789012.europe-west1.run.app/").text


def by_every_client(cloud: Cloud, **where: str) -> dict[str, int]:
    """Return what each client sees in a process with that environment."""
    environment = {"PATH": os.environ["PATH"], **cloud.environment(OWNER, **where)}
    done = subprocess.run(
        [sys.executable, network_clients.__file__, f"https://{INNER}/health"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    seen: dict[str, int] = json.loads(done.stdout)
    return seen


def connected(cloud: Cloud, credentials: str | None, *, host: str = INNER) -> str:
    """Return what the door answers to a CONNECT with such credentials."""
    assert cloud.serving is not None
    header = "" if credentials is None else f"Proxy-Authorization: {credentials}\r\n"
    with socket.create_connection(("127.0.0.1", cloud.serving.port), timeout=30) as door:
        door.sendall(f"CONNECT {host}:443 HTTP/1.1\r\nHost: {host}:443\r\n{header}\r\n".encode())
        return door.recv(65536).decode()


def basic(text: str) -> str:
    """Write credentials as HTTP has them."""
    return f"Basic {base64.b64encode(text.encode()).decode()}"
