"""A database with a private address only: who is in its network gets to its socket, others hear why not."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import OWNER, Cloud
from localcloud.services.logging import entries
from tests.localcloud.appengine.application import APP, DEFAULT, application, settled, version
from tests.localcloud.patience import eventually
from tests.localcloud.run.echo import ACCOUNT, PARENT, Caller, add_account, build, push, service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("networks")]

SQL = "https://sqladmin.googleapis.com/v1/projects/berth-local"
NETWORKING = "https://servicenetworking.googleapis.com/v1"
COMPUTE = "https://compute.googleapis.com/compute/v1/projects/berth-local"
NETWORK = "projects/berth-local/global/networks/default"
NAME = "berth-local:europe-west1:db"
IMAGE = "europe-west1-docker.pkg.dev/berth-local/apps/asks"
GAE = "https://berth-local.ew.r.appspot.com"
INSIDE = {"networkInterfaces": [{"network": "default"}]}
ELSEWHERE = {"networkInterfaces": [{"network": "other", "subnetwork": "other"}]}

# Asks the database server whether it speaks TLS on its socket, as every PostgreSQL client may.
PROGRAM = f"""
import http.server, os, socket, sys

def asked():
    with socket.socket(socket.AF_UNIX) as database:
        try:
            database.connect("/cloudsql/{NAME}/.s.PGSQL.5432")
        except OSError as error:
            return f"no database: {{error.strerror}}"
        database.sendall(bytes([0, 0, 0, 8, 4, 210, 22, 47]))
        return "database" if database.recv(1) == b"N" else "what is this?"

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = asked().encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass

if "CLOUD_RUN_JOB" in os.environ:
    print(asked(), flush=True)
    sys.exit(0 if asked() == "database" else 4)
http.server.ThreadingHTTPServer(("0.0.0.0", int(os.environ["PORT"])), Handler).serve_forever()
"""


def waited(owner: Caller, url: str, answer: Any) -> dict[str, Any]:
    """Return an operation of Cloud SQL or of a connection once it is done."""
    assert answer.status == 200, answer.text
    name = answer.json()["name"]

    def ended() -> dict[str, Any]:
        found: dict[str, Any] = owner("GET", f"{url}/{name}").json()
        return found if found.get("done") or found.get("status") == "DONE" else {}

    return eventually(ended, within=120)


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A project with such a database, another network, and an application."""
    folder: Path = tmp_path_factory.mktemp("private")
    made = Cloud(folder / "state")
    apis = ("appengine", "appengineflex", "compute", "run", "servicenetworking", "sqladmin")
    made.enable(*(f"{api}.googleapis.com" for api in apis))
    add_account(made, ACCOUNT)
    for role in ("artifactregistry.reader", "cloudsql.client", "logging.logWriter"):
        made.grant(f"serviceAccount:{ACCOUNT}", f"roles/{role}")
    build(made, folder)
    tree = folder / "asks"
    tree.mkdir()
    (tree / "asks.py").write_text(PROGRAM)
    push(made, IMAGE, tree, {"Entrypoint": [sys.executable, "-S", "/asks.py"], "User": "65532"})
    with made.serve():
        database(Caller(made))
        owner = Caller(made)
        body = {"name": "other", "autoCreateSubnetworks": False}
        assert owner("POST", f"{COMPUTE}/global/networks", body).status == 200
        eventually(lambda: owner("GET", f"{COMPUTE}/global/networks/other").status == 200)
        body = {"name": "other", "network": "global/networks/other", "ipCidrRange": "10.9.0.0/24"}
        region = f"{COMPUTE}/regions/europe-west1"
        waited(owner, f"{region}/operations", owner("POST", f"{region}/subnetworks", body))
        settled(owner, owner("POST", APP.rpartition("/")[0], application()))
        yield made
        made.close()


def database(owner: Caller) -> None:
    """Connect the network, and make the database in it."""
    body: dict[str, Any] = {"name": "range", "addressType": "INTERNAL", "purpose": "VPC_PEERING"}
    body |= {"prefixLength": 24, "network": NETWORK}
    operations = f"{COMPUTE}/global/operations"
    waited(owner, operations, owner("POST", f"{COMPUTE}/global/addresses", body))
    connection = {"network": NETWORK, "reservedPeeringRanges": ["range"]}
    url = f"{NETWORKING}/services/servicenetworking.googleapis.com/connections"
    waited(owner, NETWORKING, owner("POST", url, connection))
    settings = {
        "tier": "db-f1-micro",
        "edition": "ENTERPRISE",
        "ipConfiguration": {"ipv4Enabled": False, "privateNetwork": NETWORK},
        "dataApiAccess": "ALLOW_DATA_API",
        "databaseFlags": [{"name": "cloudsql.iam_authentication", "value": "on"}],
    }
    body = {"name": "db", "region": "europe-west1", "databaseVersion": "POSTGRES_18"}
    made = waited(
        owner,
        f"{SQL}/operations",
        owner("POST", f"{SQL}/instances", {**body, "settings": settings}),
    )
    assert "error" not in made, made


def template(access: dict[str, Any]) -> dict[str, Any]:
    """Return the template of a container with the database's socket."""
    volumes = [{"name": "sql", "cloudSqlInstance": {"instances": [NAME]}}]
    made: dict[str, Any] = service(volumes=volumes, vpcAccess=access)["template"]
    mounts = [{"name": "sql", "mountPath": "/cloudsql"}]
    made["containers"] = [{"image": IMAGE, "volumeMounts": mounts}]
    return made


def heard(cloud: Cloud) -> str:
    """Return the last thing that was said about a connection."""
    said = [str(one.get("textPayload")) for one in entries(cloud.store)]
    return next((one for one in reversed(said) if one.startswith("Cloud SQL connection")), "")


def test_a_service_in_the_network_gets_there(cloud: Cloud) -> None:
    """Private ranges are enough: the database is in one."""
    body = {"template": template(INSIDE), "invokerIamDisabled": True}
    assert "error" not in Caller(cloud).deploy("near", body)

    answer = cloud.request("GET", "https://near-123456789012.europe-west1.run.app/")

    assert answer.text == "database"


@pytest.mark.parametrize(("name", "access"), [("far", {}), ("beside", ELSEWHERE)])
def test_a_service_outside_does_not(cloud: Cloud, name: str, access: dict[str, Any]) -> None:
    """It starts all the same; its log says which network it is not in."""
    body = {"template": template(access), "invokerIamDisabled": True}
    assert "error" not in Caller(cloud).deploy(name, body)

    answer = cloud.request("GET", f"https://{name}-123456789012.europe-west1.run.app/")

    assert answer.text == "no database: No such file or directory"
    assert f"in network {NETWORK}, which this container is not in" in heard(cloud)


def test_a_job_likewise(cloud: Cloud) -> None:
    """A task has the access of its template."""
    owner = Caller(cloud)
    ended = {}
    for name, access in (("near", INSIDE), ("far", {})):
        body = {"template": {"template": {**template(access), "maxRetries": 0}}}
        owner.done(owner("POST", f"{PARENT}/jobs?jobId={name}", body))
        ended[name] = owner.done(owner("POST", f"{PARENT}/jobs/{name}:run", {}))

    assert "response" in ended["near"], ended["near"]
    assert "no database" in ended["far"]["error"]["message"]
    assert "in network" in heard(cloud)


def test_a_version_is_in_the_network_it_names(cloud: Cloud) -> None:
    """Machines of App Engine are in one always: in `default` unless they name another."""
    owner = Caller(cloud)
    more: dict[str, Any] = {
        "deployment": {"container": {"image": f"{IMAGE}:latest"}},
        "betaSettings": {"cloud_sql_instances": NAME},
    }

    def deployed(short: str, **network: str) -> str:
        body = version(short, **more, **({"network": network} if network else {}))
        done = settled(owner, owner("POST", f"{DEFAULT}/versions", body))
        assert "response" in done, done
        split = {"split": {"allocations": {short: 1}}}
        settled(owner, owner("PATCH", f"{DEFAULT}?updateMask=split", split))
        return cloud.request("GET", f"{GAE}/").text

    assert deployed("v1") == "database"
    assert deployed("v2", name="default", instanceIpMode="INTERNAL") == "database"
    assert deployed("v3", name="other", subnetworkName="other").startswith("no database")
    assert "in network" in heard(cloud)


@pytest.mark.parametrize(
    ("network", "words"),
    [
        ({"name": "nowhere"}, "VPC network nowhere does not exist"),
        ({"name": "default", "subnetworkName": "none"}, "VPC subnetwork none does not exist in"),
        ({"name": "default", "subnetworkName": "other"}, "other is not one of network default"),
    ],
)
def test_a_version_of_a_network_that_is_not_there(
    cloud: Cloud, network: dict[str, str], words: str
) -> None:
    """The operation fails, with the reason."""
    owner = Caller(cloud)
    body = version("lost", network=network)
    done = settled(owner, owner("POST", f"{DEFAULT}/versions", body))

    assert words in done["error"]["message"]


def test_sql_over_the_api_needs_no_way_there(cloud: Cloud) -> None:
    """ExecuteSql goes through Google, from wherever it is asked."""
    owner = Caller(cloud)
    user = {"name": OWNER, "type": "CLOUD_IAM_USER"}
    waited(owner, f"{SQL}/operations", owner("POST", f"{SQL}/instances/db/users", user))
    asked = {"sqlStatement": "SELECT 6 * 7", "database": "postgres", "autoIamAuthn": True}

    answer = owner("POST", f"{SQL}/instances/db/executeSql", asked)

    assert answer.status == 200, answer.text
    assert answer.json()["results"][0]["rows"] == [{"values": [{"value": "42"}]}]
