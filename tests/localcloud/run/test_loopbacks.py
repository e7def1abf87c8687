"""Instances with sidecars have a loopback of their own: fixed ports are nobody else's."""

from __future__ import annotations

import os
import ssl
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from websockets.sync.client import connect

from localcloud.cloud import OWNER
from localcloud.machines.containers.probes import listens
from localcloud.services.logging import entries
from tests.localcloud.patience import eventually
from tests.localcloud.run.echo import ACCOUNT, IMAGE, PARENT, Caller, push

if TYPE_CHECKING:
    from pathlib import Path

    from localcloud.cloud import Cloud

pytestmark = pytest.mark.slow

FRONT = "europe-west1-docker.pkg.dev/berth-local/apps/front"
FIXED = 5000
MIB = 2**20

# Hands every connection to the sidecar's port; asks Google who it is before.
PROGRAM = f"""
import os, socket, threading, urllib.request

root = "http://" + os.environ["GCE_METADATA_HOST"] + "/computeMetadata/v1/instance/"
asked = urllib.request.Request(root + "service-accounts/default/email",
                               headers={{"Metadata-Flavor": "Google"}})
print("I am", urllib.request.urlopen(asked).read().decode(), flush=True)
try:
    urllib.request.urlopen("https://secretmanager.googleapis.com/v1/projects/berth-local/secrets")
except urllib.error.HTTPError as error:
    print("secrets say", error.code, flush=True)

def copy(one, other):
    while data := one.recv(65536):
        other.sendall(data)
    other.shutdown(socket.SHUT_WR)

with socket.create_server(("0.0.0.0", int(os.environ["PORT"]))) as server:
    while True:
        outer = server.accept()[0]
        inner = socket.create_connection(("127.0.0.1", {FIXED}))
        for pair in ((outer, inner), (inner, outer)):
            threading.Thread(target=copy, args=pair, daemon=True).start()
"""


@pytest.fixture(autouse=True)
def image(cloud: Cloud, tmp_path: Path) -> None:
    """The image of the container in front."""
    tree = tmp_path / "front"
    tree.mkdir()
    (tree / "front.py").write_text(PROGRAM)
    push(cloud, FRONT, tree, {"Entrypoint": [sys.executable, "-S", "/front.py"], "User": "65532"})


def body(colour: str, **side: Any) -> dict[str, Any]:
    """Return a service whose sidecar listens on a fixed port of its own loopback."""
    variables = {"COLOUR": colour, "PORT": str(FIXED), "MOOD": "private"}
    behind = {
        "name": "side",
        "image": IMAGE,
        "env": [{"name": name, "value": value} for name, value in variables.items()],
        "startupProbe": {"tcpSocket": {"port": FIXED}, "periodSeconds": 1, "timeoutSeconds": 1},
        **side,
    }
    front = {
        "name": "front",
        "image": FRONT,
        "ports": [{"containerPort": 4180}],
        "dependsOn": ["side"],
    }
    template = {"containers": [front, behind], "serviceAccount": ACCOUNT}
    return {"template": template, "invokerIamDisabled": True}


def url(name: str) -> str:
    """Return the address of a service."""
    return f"https://{name}-123456789012.europe-west1.run.app"


def colour(cloud: Cloud, name: str) -> str:
    """Return which sidecar answers."""
    answer = cloud.request("GET", url(name))
    assert answer.status == 200, answer.text
    return str(answer.json()["env"]["COLOUR"])


def test_two_services_use_the_same_port(cloud: Cloud, owner: Caller) -> None:
    """Each is answered by its own sidecar, and nobody else by either."""
    for name in ("red", "blue"):
        assert "error" not in owner.deploy(name, body(name))

    assert (colour(cloud, "red"), colour(cloud, "blue")) == ("red", "blue")
    assert not listens(FIXED)


def test_the_next_revision_starts_beside_the_last(cloud: Cloud, owner: Caller) -> None:
    """Both run for a while, on the same ports."""
    owner.deploy("red", body("red"))

    done = owner.done(owner("PATCH", f"{PARENT}/services/red", body("green")))

    assert "error" not in done, done
    assert colour(cloud, "red") == "green"


def test_containers_know_their_own_ports(cloud: Cloud, owner: Caller) -> None:
    """PORT is what the template says; the sidecar's is what it was told; Google is where it was."""
    owner.deploy("red", body("red"))

    seen = cloud.request("GET", url("red")).json()
    assert seen["env"]["PORT"] == str(FIXED)
    lines = "\n".join(
        str(one.get("textPayload")) for one in owner_logs(cloud) if one.get("textPayload")
    )
    assert f"I am {ACCOUNT}" in lines
    assert "secrets say 401" in lines


def owner_logs(cloud: Cloud) -> list[dict[str, Any]]:
    """Return the log."""
    return list(entries(cloud.store))


def test_large_answers_and_sockets_pass(cloud: Cloud, owner: Caller) -> None:
    """What goes in and out is streamed."""
    owner.deploy("red", body("red"))
    environment = cloud.environment(OWNER)
    trust = ssl.create_default_context(cafile=environment["SSL_CERT_FILE"])
    proxy = environment["HTTPS_PROXY"]

    with (
        httpx.Client(proxy=proxy, verify=trust, trust_env=False, timeout=60) as client,
        client.stream("GET", f"{url('red')}/stream") as answer,
    ):
        assert sum(len(chunk) for chunk in answer.iter_raw()) == 40 * MIB
    sent = cloud.request("POST", url("red"), body=b"x" * (20 * MIB)).json()
    assert sent["size"] == 20 * MIB
    with connect(f"wss{url('red')[5:]}/", ssl=trust, proxy=proxy) as talk:
        talk.send("hello")
        assert talk.recv(timeout=30) == "hello"


def test_a_sidecar_that_listens_nowhere_fails_the_revision(owner: Caller) -> None:
    """Though another service's sidecar listens on that very port."""
    owner.deploy("red", body("red"))
    probe = {"tcpSocket": {"port": FIXED}, "periodSeconds": 1, "failureThreshold": 2}

    error = owner.deploy("blue", body("blue", startupProbe=probe, env=[]))["error"]

    assert "startup probe checks" in error["message"]


def test_two_containers_of_one_instance_cannot_share_a_port(owner: Caller) -> None:
    """They have one loopback, as on Cloud Run; the log says which address is in use."""
    made = body("red")
    env = [{"name": "LISTEN", "value": str(FIXED)}]
    other: dict[str, Any] = {"name": "other", "image": IMAGE, "env": env, "dependsOn": ["side"]}
    other["startupProbe"] = {"tcpSocket": {"port": 5001}, "periodSeconds": 1}
    made["template"]["containers"].append(other)

    error = owner.deploy("red", made)["error"]

    assert "Address already in use" in error["message"]


def test_a_front_that_only_itself_reaches_is_refused(owner: Caller) -> None:
    """The rule for the container that serves holds here, too."""
    made = body("red")
    front = made["template"]["containers"][0]
    front |= {"image": IMAGE, "env": [{"name": "MOOD", "value": "private"}]}

    error = owner.deploy("red", made)["error"]

    assert "failed to start and listen on the port" in error["message"]


@pytest.mark.parametrize("where", [0, None])
def test_port_stays_reserved_where_requests_go(owner: Caller, where: int | None) -> None:
    """For the container in front, and for one that is alone."""
    made = body("red")
    front = made["template"]["containers"][0]
    front["env"] = [{"name": "PORT", "value": "1"}]
    if where is None:
        made["template"]["containers"] = [{**front, "dependsOn": []}]

    answer = owner("POST", f"{PARENT}/services?serviceId=red", made)

    assert answer.status == 400
    assert "reserved env names were provided: PORT" in answer.text


def test_nothing_is_left_behind(cloud: Cloud, owner: Caller) -> None:
    """The network goes with its instance."""
    made = owner.deploy("red", body("red"))["response"]
    instance = next(iter(cloud.machines.containers._instances.values()))
    holder, port = instance.loopback.holder, instance.port

    owner.done(owner("DELETE", made["name"]))

    eventually(lambda: not listens(port))
    with pytest.raises(ProcessLookupError):
        os.kill(holder, 0)
