"""Versions really run: a process in its image, asked for its health, reached at its address."""

from __future__ import annotations

import http.client
import ssl
import time
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from localcloud.services.logging import entries
from tests.localcloud.appengine.application import APP, DEFAULT, HOST, settled, version
from tests.localcloud.iap.guarded import admit
from tests.localcloud.run.echo import Caller

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("appengine")]
URL = f"https://{HOST}"


def eventually(check: Callable[[], object], within: float = 30.0) -> None:
    """Wait until *check* says yes."""
    until = time.monotonic() + within
    while not check():
        assert time.monotonic() < until
        time.sleep(0.05)


def deploy(cloud: Cloud, **more: Any) -> dict[str, Any]:
    """Deploy a version of default and return its operation."""
    owner = Caller(cloud)
    return settled(owner, owner("POST", f"{DEFAULT}/versions", version(**more)))


def status_from(cloud: Cloud, address: str) -> int:
    """Ask through the door from one of this machine's own addresses."""
    assert cloud.serving is not None
    trusted = ssl.create_default_context(cafile=str(cloud.serving.bundle))
    door = http.client.HTTPSConnection(
        "127.0.0.1", cloud.serving.port, source_address=(address, 0), context=trusted, timeout=30
    )
    door.set_tunnel(HOST, 443)
    try:
        door.request("GET", "/", headers={"x-forwarded-for": "127.0.0.2"})
        return door.getresponse().status
    finally:
        door.close()


def test_a_version_lives(real: Cloud) -> None:
    """It has its environment, its lines are in the log, it is replaced when it fell ill."""
    operation = deploy(real, envVariables={"COLOUR": "blue"})
    assert "response" in operation, operation

    seen = real.request("GET", f"{URL}/log").json()
    expected = {
        "COLOUR": "blue",
        "GAE_SERVICE": "default",
        "GAE_VERSION": "v1",
        "GOOGLE_CLOUD_PROJECT": "berth-local",
    }
    assert expected.items() <= seen["env"].items()

    def lines() -> list[Any]:
        return [
            one
            for one in entries(real.store)
            if one["resource"]["type"] == "gae_app" and one.get("textPayload") == "plain"
        ]

    eventually(lines)
    assert lines()[0]["logName"].endswith("appengine.googleapis.com%2Fstderr")
    assert lines()[0]["resource"]["labels"]["version_id"] == "v1"

    too_much = real.request("POST", URL, body=b"x" * (33 * 2**20))
    assert too_much.status == 413

    real.request("GET", f"{URL}/exit")
    eventually(lambda: real.request("GET", URL).json()["pid"] != seen["pid"])


@pytest.mark.parametrize(
    ("mood", "code", "words"),
    [
        ("crash", 9, "Application startup error"),
        ("unhealthy", 4, "Timed out waiting for the app infrastructure to become healthy"),
    ],
)
def test_a_version_that_does_not_get_ready(real: Cloud, mood: str, code: int, words: str) -> None:
    """The operation says why, with what the program said, and the version is left stopped."""
    check = {"path": "/health", "checkInterval": "1s", "appStartTimeout": "2s", "timeout": "1s"}

    error = deploy(real, envVariables={"MOOD": mood}, readinessCheck=check)["error"]

    assert error["code"] == code
    assert words in error["message"]
    assert mood != "crash" or "cannot find the database" in error["message"]
    owner = Caller(real)
    assert owner("GET", f"{DEFAULT}/versions/v1").json()["servingStatus"] == "STOPPED"
    assert owner("GET", DEFAULT).status == 404


def test_an_account_without_the_right_writes_no_log(real: Cloud) -> None:
    """The program runs, and its lines are lost."""
    real.iam.set_policy(
        "//cloudresourcemanager.googleapis.com/projects/berth-local",
        {
            "bindings": [
                {"role": "roles/owner", "members": ["user:owner@example.com"]},
                {
                    "role": "roles/artifactregistry.reader",
                    "members": ["serviceAccount:runner@berth-local.iam.gserviceaccount.com"],
                },
            ]
        },
    )
    deploy(real)

    real.request("GET", f"{URL}/log")

    assert not [one for one in entries(real.store) if one.get("textPayload") == "plain"]


def test_the_firewall_sees_real_addresses_and_a_link_passes_iap(real: Cloud) -> None:
    """Through the door a client comes from where it is; a link with an account is signed in."""
    owner = Caller(real)
    deploy(real)
    rules = [
        {"priority": 1, "action": "ALLOW", "sourceRange": "127.0.0.2"},
        {"priority": 2, "action": "ALLOW", "sourceRange": "127.0.0.1"},
        {"priority": 2147483647, "action": "DENY", "sourceRange": "*"},
    ]
    path = f"{APP}/firewall/ingressRules:batchUpdate"
    assert owner("POST", path, {"ingressRules": rules}).status == 200
    assert (status_from(real, "127.0.0.2"), status_from(real, "127.0.0.3")) == (200, 403)

    settled(owner, owner("PATCH", f"{APP}?updateMask=iap", {"iap": {"enabled": True}}))
    admit(
        owner,
        "user:ana@example.com",
        resource="projects/123456789012/iap_web/appengine-berth-local",
    )
    member, stranger, nobody = (
        real.ingress.link(URL, account=who) for who in ("ana@example.com", "bo@example.com", None)
    )
    assert httpx.get(member).status_code == 200
    assert httpx.get(stranger).status_code == 403

    with httpx.Client(follow_redirects=True, headers={"accept": "text/html"}) as browser:
        page = browser.get(f"{nobody}/there")
        assert "Sign in" in page.text
        assert page.url.host == "127.0.0.1"
        form = {**dict(page.url.params), "email": "ana@example.com"}
        page = browser.post(page.url.copy_with(query=b""), data=form)
    found = page.json()
    assert found["path"] == "/there"
    assert found["headers"]["x-goog-authenticated-user-email"].endswith("ana@example.com")
