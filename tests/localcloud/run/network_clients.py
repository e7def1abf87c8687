"""What clients see of an internal service, each by nothing but its environment; run as a program."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.error
import urllib.request

import google.auth.transport.requests
import httplib2
import httpx
import requests
from google.auth.compute_engine import Credentials
from google.cloud import secretmanager_v1


def by_curl(url: str) -> int:
    """Ask with curl."""
    command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def by_urllib(url: str) -> int:
    """Ask with Python's own library."""
    try:
        with urllib.request.urlopen(url) as answer:  # noqa: S310 - a test's own URL
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return int(error.code)


def by_google(url: str) -> int:
    """Ask as google-auth's sessions do."""
    credentials = Credentials()  # type: ignore[no-untyped-call]  # google-auth's own
    with google.auth.transport.requests.AuthorizedSession(credentials) as session:  # type: ignore[no-untyped-call]
        return int(session.get(url).status_code)


CLIENTS = {
    "requests": lambda url: requests.get(url, timeout=30).status_code,
    "httpx": lambda url: httpx.get(url, timeout=30).status_code,
    "httplib2": lambda url: int(httplib2.Http().request(url)[0]["status"]),
    "urllib": by_urllib,
    "curl": by_curl,
    "google-auth": by_google,
}


def by_grpc() -> int:
    """Ask an API over gRPC, whose channel takes the proxy from the environment, too."""
    client = secretmanager_v1.SecretManagerServiceClient()
    return len(list(client.list_secrets(parent="projects/berth-local")))


if __name__ == "__main__":
    seen = {name: ask(sys.argv[1]) for name, ask in CLIENTS.items()}
    sys.stdout.write(json.dumps({**seen, "gRPC": by_grpc()}))
