"""A small image that answers with what it sees, and what tests of Cloud Run call it with."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Any

from localcloud.clock import RealClock
from localcloud.cloud import OWNER, Cloud
from localcloud.machines.images import parse
from localcloud.services import cloudfunctions, pubsub, run, secretmanager
from localcloud.services import logging as cloudlogging
from tests.localcloud.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localcloud.transport import Response

RUN = "https://run.googleapis.com/v2"
PARENT = "projects/berth-local/locations/europe-west1"
IMAGE = "europe-west1-docker.pkg.dev/berth-local/apps/echo"
ACCOUNT = "runner@berth-local.iam.gserviceaccount.com"

# Answers with what it sees; its mood is set by environment variables.
PROGRAM = """
import http.server, json, os, pathlib, signal, sys, threading, time

mood = os.environ.get("MOOD", "")
if mood == "crash":
    print("cannot find the database", flush=True)
    sys.exit(3)
if mood == "slow":
    time.sleep(1.5)
if mood == "deaf":
    time.sleep(600)
hits, held = [], []
told = threading.Event()
signal.signal(signal.SIGUSR1, lambda *_: told.set())

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def serve(self):
        hits.append(self.path)
        if self.path == "/sick":
            mark.touch()
        if self.path == "/health":
            status = 503 if mood == "unhealthy" or mark.exists() else 200
            return self.reply(status, b"ok")
        if self.path.startswith("/sleep"):
            time.sleep(float(self.path.partition("=")[2]))
        if self.path == "/wait":
            told.wait(60)
        if self.path.startswith("/hold"):
            held.append(b"x" * (int(self.path.partition("=")[2]) * 2**20))
        if self.path == "/exit":
            os._exit(1)
        if self.path.startswith("/read"):
            try:
                found = pathlib.Path(self.path.partition("=")[2])
                text = found.read_text() if found.is_file() else str(sorted(os.listdir(found)))
                return self.reply(200, f"{oct(found.stat().st_mode)[-3:]} {text}".encode())
            except OSError as error:
                return self.reply(500, str(error).encode())
        if self.path == "/redirect":
            self.send_response(302)
            self.send_header("Location", "https://" + self.headers["Host"] + "/there")
            self.send_header("Set-Cookie", "a=b; Secure; HttpOnly; Domain=" + self.headers["Host"])
            self.send_header("Content-Length", "0")
            return self.end_headers()
        if self.path == "/large":
            self.send_response(200)
            self.send_header("Content-Length", str(40 * 2**20))
            self.end_headers()
            for _ in range(40):
                self.wfile.write(b"x" * 2**20)
            return
        if self.path == "/stream":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for _ in range(40):
                self.wfile.write(b"100000\\r\\n" + b"x" * 2**20 + b"\\r\\n")
            self.wfile.write(b"0\\r\\n\\r\\n")
            return
        if self.path == "/log":
            print(json.dumps({"severity": "warning", "message": "careful", "step": 7}), flush=True)
            print("plain", file=sys.stderr, flush=True)
        if self.headers.get("Upgrade") == "websocket":
            return self.talk()
        size = 0
        if self.headers.get("Transfer-Encoding") == "chunked":
            while (length := int(self.rfile.readline(), 16)):
                size += len(self.rfile.read(length)); self.rfile.readline()
            self.rfile.readline()
        else:
            size = len(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        seen = {"method": self.command, "path": self.path, "size": size, "pid": os.getpid(),
                "uid": os.getuid(), "cwd": os.getcwd(), "hits": hits,
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "env": dict(os.environ)}
        self.reply(200, json.dumps(seen).encode())

    def talk(self):
        import base64, hashlib
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.wfile.write(("HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\n"
            "Connection: Upgrade\\r\\nSec-WebSocket-Accept: " + accept + "\\r\\n\\r\\n").encode())
        self.close_connection = True
        while True:
            first, length = self.rfile.read(2)
            size = length & 127
            if size == 126:
                size = int.from_bytes(self.rfile.read(2), "big")
            mask = self.rfile.read(4)
            data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(self.rfile.read(size)))
            head = bytes([len(data)]) if len(data) < 126 else b"\\x7e" + len(data).to_bytes(2, "big")
            self.wfile.write(bytes([first]) + head + data)
            if first & 15 == 8:
                return

    def reply(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = serve
    def log_message(self, *args): pass

mark = pathlib.Path("/tmp/sick")
host = "127.0.0.1" if mood == "private" else "0.0.0.0"
port = int(os.environ.get("LISTEN", os.environ.get("PORT", "8080")))
http.server.ThreadingHTTPServer((host, port), Handler).serve_forever()
"""

TASK = """
import json, os, sys, time
print("attempt", os.environ["CLOUD_RUN_TASK_ATTEMPT"], sys.argv[1:], flush=True)
wanted = os.environ.get("FAIL_UNTIL", "0")
if "wait" in sys.argv:
    time.sleep(60)
sys.exit(4 if int(os.environ["CLOUD_RUN_TASK_ATTEMPT"]) < int(wanted) else 0)
"""


class Caller:
    """Calls the APIs of a cloud as one identity."""

    def __init__(self, cloud: Cloud, email: str = OWNER) -> None:
        self.cloud = cloud
        self.email = email

    def __call__(
        self,
        method: str,
        url: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Make one call."""
        token = self.cloud.tokens.access_token(self.email)
        sent = {"authorization": f"Bearer {token}", "content-type": "application/json"}
        if not url.startswith("https:"):
            url = f"{RUN}/{url}"
        data = b"" if body is None else json.dumps(body).encode()
        return self.cloud.request(method, url, headers={**sent, **(headers or {})}, body=data)

    def done(self, response: Response) -> dict[str, Any]:
        """Return the operation a call started, once it is done."""
        assert response.status == 200, response.text
        operation: dict[str, Any] = response.json()

        def ended() -> dict[str, Any]:
            found: dict[str, Any] = self("GET", operation["name"]).json()
            return found if found["done"] else {}

        return operation if operation["done"] else eventually(ended)

    def deploy(self, name: str, service: Mapping[str, Any]) -> dict[str, Any]:
        """Create a service and return its finished operation."""
        return self.done(self("POST", f"{PARENT}/services?serviceId={name}", service))


def service(*, env: Mapping[str, str] | None = None, **template: Any) -> dict[str, Any]:
    """Return the body of a service that runs the echo program."""
    container = {
        "image": IMAGE,
        "env": [{"name": name, "value": value} for name, value in (env or {}).items()],
    }
    return {"template": {"containers": [container], "serviceAccount": ACCOUNT, **template}}


def push(cloud: Cloud, reference: str, tree: Path, config: Mapping[str, Any]) -> str:
    """Put an image into the registry as a finished build would; returns its digest."""
    image = cloud.images.add(tree, config)
    name = parse(reference)
    assert name is not None
    registry = cloud.store.of("artifactregistry")
    version = f"{name.package_name}/versions/{image.digest}"
    registry.put(version, {"name": version})
    registry.put(f"{name.package_name}/tags/latest", {"version": version})
    return str(image.digest)


def build(cloud: Cloud, folder: Path, *, flavour: str = "plain") -> str:
    """Push the echo image."""
    tree = folder / "tree"
    shutil.rmtree(tree, ignore_errors=True)
    (tree / "app").mkdir(parents=True)
    (tree / "app" / "serve.py").write_text(textwrap.dedent(PROGRAM))
    (tree / "app" / "task.py").write_text(TASK)
    config = {
        "Entrypoint": [sys.executable, "-S", "/app/serve.py"],
        "WorkingDir": "/app",
        "Env": [f"FLAVOUR={flavour}"],
        "User": "65532",
    }
    return push(cloud, IMAGE, tree, config)


def open_cloud(state: Path) -> Cloud:
    """Open a cloud on the real clock with the APIs these tests need."""
    apis = [module.SERVICE for module in (cloudfunctions, cloudlogging, pubsub, run, secretmanager)]
    cloud = Cloud(state, clock=RealClock(), only=apis)
    cloud.enable(
        "run.googleapis.com",
        "cloudfunctions.googleapis.com",
        "pubsub.googleapis.com",
        "secretmanager.googleapis.com",
        "sqladmin.googleapis.com",
        "iamcredentials.googleapis.com",
    )
    return cloud


def add_account(cloud: Cloud, email: str) -> None:
    """Make a service account without a call."""
    name = f"projects/{cloud.project}/serviceAccounts/{email}"
    cloud.store.of("iam").put(name, {"name": name, "email": email, "uniqueId": "1"})
