"""Services for internal traffic: open to what is in a VPC network, a plain 404 to all others."""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from localcloud.cloud import OWNER, Cloud
from tests.localcloud.appengine.application import (
    APP,
    DEFAULT,
    HOST,
    application,
    settled,
    version,
)
from tests.localcloud.patience import eventually
from tests.localcloud.run import network_clients
from tests.localcloud.run.echo import (
    ACCOUNT,
    PARENT,
    Caller,
    add_account,
    build,
    push,
    service,
)
from tests.localcloud.run.internal import (
    ALL,
    FETCH,
    INNER,
    MAIN,
    NETWORK,
    PROGRAM,
    SOME,
    basic,
    by_every_client,
    connected,
    interface,
    logged,
    outer,
    private_access,
    told,
)
from tests.localcloud.run.sources import (
    BUILDER,
    BUILDER_ROLES,
    REQUIREMENTS,
    deployed,
    function,
    uploaded,
    waited,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("networks")]


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory, environments: Path) -> Iterator[Cloud]:
    """A project with an internal service, and a program that asks it."""
    folder: Path = tmp_path_factory.mktemp("networks")
    made = Cloud(folder / "state")
    apis = ("appengine", "appengineflex", "cloudfunctions", "compute", "run")
    made.enable(*(f"{api}.googleapis.com" for api in apis))
    for email in (ACCOUNT, BUILDER):
        add_account(made, email)
    for role in BUILDER_ROLES:
        made.grant(f"serviceAccount:{BUILDER}", role)
    made.grant(f"serviceAccount:{ACCOUNT}", "roles/artifactregistry.reader")
    (made.state / "functions").mkdir()
    (made.state / "functions" / "environments").symlink_to(environments)
    build(made, folder)
    tree = folder / "fetch"
    tree.mkdir()
    (tree / "fetch.py").write_text(PROGRAM)
    push(made, FETCH, tree, {"Entrypoint": [sys.executable, "-S", "/fetch.py"], "User": "65532"})
    with made.serve():
        inner = {"invokerIamDisabled": True, "ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY"}
        Caller(made).deploy("inner", {**service(), **inner})
        private_access(made, on=True)
        yield made
        made.close()


class TestClients:
    """Programs on this machine, by nothing but their environment."""

    def test_every_client_of_a_network_is_inside(self, cloud: Cloud) -> None:
        """The proxy's user name is enough for all of them, gRPC included."""
        cloud.enable("secretmanager.googleapis.com")

        seen = by_every_client(cloud, network="default")

        assert seen == {**dict.fromkeys(network_clients.CLIENTS, 200), "gRPC": 0}

    def test_nobody_else_is(self, cloud: Cloud) -> None:
        """They get Google's plain 404, not a refusal that would tell of the service."""
        seen = by_every_client(cloud)

        assert seen == {**dict.fromkeys(network_clients.CLIENTS, 404), "gRPC": 0}

    def test_sockets_too(self, cloud: Cloud) -> None:
        """A WebSocket is a request like any other."""
        inside = cloud.environment(OWNER, network="default")
        trust = ssl.create_default_context(cafile=inside["SSL_CERT_FILE"])
        with connect(f"wss://{INNER}/", ssl=trust, proxy=inside["HTTPS_PROXY"]) as talk:
            talk.send("hello")
            assert talk.recv(timeout=30) == "hello"

        outside = cloud.environment(OWNER)["HTTPS_PROXY"]
        with (
            pytest.raises(InvalidStatus, match="404"),
            connect(f"wss://{INNER}/", ssl=trust, proxy=outside),
        ):
            pass

    @pytest.mark.parametrize(
        ("credentials", "words"),
        [
            (basic("other:"), "no VPC network 'other'; there are: default"),
            (basic("other:vpc"), "no VPC network 'other'; there are: default"),
            (basic(":"), "no VPC network ''"),
            (basic("default:secret"), "a network has no password"),
            (basic("default"), "credentials are Basic ones"),
            ("Bearer default", "credentials are Basic ones"),
            ("Basic ???", "credentials are Basic ones"),
            (basic("default\r\nX: y:vpc"), "credentials are Basic ones"),
        ],
    )
    def test_other_credentials_are_refused_in_words(
        self, cloud: Cloud, credentials: str, words: str
    ) -> None:
        """For every host, with a 407 whose first line says why: clients show no more."""
        for host in (INNER, "storage.googleapis.com", "no.such.host"):
            answer = connected(cloud, credentials, host=host)

            assert answer.startswith("HTTP/1.1 407 "), answer
            assert words in answer.splitlines()[0]
            assert words in answer.splitlines()[-1]

    @pytest.mark.parametrize("credentials", [None, basic("default:"), basic("default:vpc")])
    def test_these_are_let_in(self, cloud: Cloud, credentials: str | None) -> None:
        """The password may be empty."""
        assert connected(cloud, credentials).startswith("HTTP/1.1 200 ")

    def test_a_name_alone_is_understood_as_clients_send_it(self, cloud: Cloud) -> None:
        """Curl and httpx send a user name without a password."""
        proxy = urlsplit(cloud.environment(OWNER)["HTTPS_PROXY"])
        env = {"PATH": os.environ["PATH"], **cloud.environment(OWNER)}
        env["HTTPS_PROXY"] = env["https_proxy"] = f"http://default@{proxy.netloc}"
        command = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"https://{INNER}/health"]

        done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)

        assert done.stdout == "200"

    def test_no_environment_of_an_unknown_network(self, cloud: Cloud) -> None:
        """Those that are there are named."""
        with pytest.raises(LookupError, match="no VPC network 'other'; there are: default"):
            cloud.environment(OWNER, network="other")


class TestCloudRun:
    """Services by their template's VPC access."""

    @pytest.mark.parametrize(
        ("name", "access", "status"),
        [
            ("all", interface(ALL), "200"),
            ("long", interface(ALL, network=NETWORK, subnetwork="default"), "200"),
            ("subnet", interface(ALL, subnetwork="default"), "200"),
            ("some", interface(SOME), "404"),
            ("unsaid", {"networkInterfaces": [{"network": "default"}]}, "404"),
            ("none", {}, "404"),
        ],
    )
    def test_all_traffic_goes_through_the_network_or_none(
        self, cloud: Cloud, name: str, access: dict[str, Any], status: str
    ) -> None:
        """run.app is no private range."""
        assert "error" not in outer(cloud, name, vpcAccess=access)

        assert told(cloud, name) == status

    def test_the_subnetwork_must_reach_google(self, cloud: Cloud) -> None:
        """Instances have no address of their own; the log says what to do."""
        private_access(cloud, on=False)
        try:
            outer(cloud, "cut-off", vpcAccess=interface(ALL))

            assert told(cloud, "cut-off") == "404"
            assert "--enable-private-ip-google-access" in logged(cloud)
        finally:
            private_access(cloud, on=True)

    @pytest.mark.parametrize(
        ("where", "words"),
        [
            ({"network": "other"}, "VPC network other does not exist"),
            ({"subnetwork": "other"}, "VPC subnetwork other does not exist in region europe-west1"),
            ({"network": "default", "subnetwork": "other"}, "VPC subnetwork other does not exist"),
        ],
    )
    def test_a_network_that_is_not_there(
        self, cloud: Cloud, where: dict[str, str], words: str
    ) -> None:
        """The revision fails, with the reason."""
        name = "lost-" + "-".join([*where, *where.values()])
        error = outer(cloud, name, vpcAccess=interface(ALL, **where))["error"]

        assert words in error["message"]

    def test_without_compute_engine_there_are_no_networks(self, cloud: Cloud) -> None:
        """The API has to be enabled, for the private ranges as well."""
        cloud.disable("compute.googleapis.com")
        try:
            error = outer(cloud, "unmade", vpcAccess=interface(SOME))["error"]
        finally:
            cloud.enable("compute.googleapis.com")

        assert "needs compute.googleapis.com" in error["message"]

    @pytest.mark.parametrize(
        "access",
        [
            {"networkInterfaces": [{}]},
            {"networkInterfaces": [{"network": "default"}, {"network": "default"}]},
            {"networkInterfaces": [{"network": "default"}], "connector": "c"},
        ],
    )
    def test_access_that_contradicts_itself(self, cloud: Cloud, access: dict[str, Any]) -> None:
        """It is refused at once."""
        body = service(vpcAccess=access)

        answer = Caller(cloud)("POST", f"{PARENT}/services?serviceId=odd", body)

        assert answer.status == 400
        assert "vpc_access" in answer.json()["error"]["message"]

    def test_a_job_is_inside_too(self, cloud: Cloud) -> None:
        """By the access of its task template."""
        owner = Caller(cloud)
        for name, access in (("near", interface(ALL)), ("far", interface(SOME))):
            task = service(vpcAccess=access, maxRetries=0)["template"]
            task["containers"] = [{"image": FETCH}]
            owner.done(
                owner("POST", f"{PARENT}/jobs?jobId={name}", {"template": {"template": task}})
            )

        near = owner.done(owner("POST", f"{PARENT}/jobs/near:run", {}))
        far = owner.done(owner("POST", f"{PARENT}/jobs/far:run", {}))

        assert "response" in near, near
        assert "asked: 404" in far["error"]["message"]

    def test_a_job_of_a_network_that_is_gone(self, cloud: Cloud) -> None:
        """Its task fails, with the reason."""
        owner = Caller(cloud)
        task = service(vpcAccess=interface(ALL, network="gone"), maxRetries=0)["template"]
        body = {"template": {"template": task}}
        owner.done(owner("POST", f"{PARENT}/jobs?jobId=gone", body))

        done = owner.done(owner("POST", f"{PARENT}/jobs/gone:run", {}))

        assert "VPC network gone does not exist" in done["error"]["message"]


class TestFunctions:
    """Functions by their service configuration."""

    def test_a_function_moves_into_the_network(self, cloud: Cloud) -> None:
        """What was asked for is shown, and is the service's; then it gets through."""
        owner = Caller(cloud)
        source = uploaded(owner, {"main.py": MAIN, "requirements.txt": REQUIREMENTS})
        access: dict[str, Any] = {
            "directVpcNetworkInterface": [{"network": "default", "subnetwork": "default"}]
        }
        made = deployed(owner, "asks", function(source, **access))["response"]
        assert made["serviceConfig"]["directVpcEgress"] == "VPC_EGRESS_PRIVATE_RANGES_ONLY"
        path = f"https://run.googleapis.com/v2/{made['serviceConfig']['service']}"
        owner.done(
            owner("PATCH", f"{path}?updateMask=invokerIamDisabled", {"invokerIamDisabled": True})
        )
        assert cloud.request("GET", made["url"]).text == "404"

        body = function(source, **access, directVpcEgress="VPC_EGRESS_ALL_TRAFFIC")
        url = f"https://cloudfunctions.googleapis.com/v2/{made['name']}"
        changed = waited(owner, owner("PATCH", url, body).json())["response"]

        shown = changed["serviceConfig"]
        assert shown["directVpcNetworkInterface"] == access["directVpcNetworkInterface"]
        assert shown["directVpcEgress"] == "VPC_EGRESS_ALL_TRAFFIC"
        assert owner("GET", path).json()["template"]["vpcAccess"] == interface(
            ALL, network="default", subnetwork="default"
        )
        eventually(lambda: cloud.request("GET", made["url"]).text == "200")

    @pytest.mark.parametrize(
        ("config", "words"),
        [
            ({"directVpcNetworkInterface": [{"network": "no"}]}, "VPC network no does not exist"),
            ({"directVpcNetworkInterface": [{}]}, "needs a network or a subnetwork"),
            ({"directVpcNetworkInterface": [{"network": "default"}] * 2}, "only a single one"),
            ({"directVpcEgress": "VPC_EGRESS_ALL_TRAFFIC"}, "needs a direct_vpc_network_interface"),
        ],
    )
    def test_other_networks_are_refused(
        self, cloud: Cloud, config: dict[str, Any], words: str
    ) -> None:
        """At once, with nothing made."""
        owner = Caller(cloud)
        source = {"bucket": "b", "object": "o"}
        url = f"https://cloudfunctions.googleapis.com/v2/{PARENT}/functions"

        answer = owner("POST", f"{url}?functionId=never", function(source, **config))

        assert answer.status == 400, answer.text
        assert words in answer.json()["error"]["message"]
        assert owner("GET", f"{url}/never").status == 404


class TestAppEngine:
    """Versions by the network of their machines; services by who may come to them."""

    def test_machines_are_inside(self, cloud: Cloud) -> None:
        """In `default` unless told; those without an address need Private Google Access."""
        owner = Caller(cloud)
        settled(owner, owner("POST", APP.rpartition("/")[0], application()))
        container = {"deployment": {"container": {"image": f"{FETCH}:latest"}}}

        def asked(short: str, **more: Any) -> str:
            body = version(short, **container, **more)
            assert "response" in settled(owner, owner("POST", f"{DEFAULT}/versions", body))
            split = {"split": {"allocations": {short: 1}}}
            settled(owner, owner("PATCH", f"{DEFAULT}?updateMask=split", split))
            return cloud.request("GET", f"https://{HOST}/").text

        inner = {"name": "default", "instanceIpMode": "INTERNAL"}
        assert asked("v1") == "200"
        assert asked("v2", network=inner) == "200"
        private_access(cloud, on=False)
        try:
            assert asked("v3", network=inner) == "404"
            assert asked("v4", network={"name": "default"}) == "200"
        finally:
            private_access(cloud, on=True)

    @pytest.mark.parametrize("allowed", ["INTERNAL_ONLY", "INTERNAL_AND_LB"])
    def test_a_service_for_internal_traffic(self, cloud: Cloud, allowed: str) -> None:
        """It is open to the networks, and to nobody else."""
        owner = Caller(cloud)
        settings = {"ingressTrafficAllowed": f"INGRESS_TRAFFIC_ALLOWED_{allowed}"}
        url = f"{DEFAULT}?updateMask=networkSettings"
        settled(owner, owner("PATCH", url, {"networkSettings": settings}))

        assert cloud.request("GET", f"https://{HOST}/").status == 403
        assert cloud.request("GET", f"https://{HOST}/", network="default").status == 200


@pytest.mark.parametrize("network", ["other", "", "default/x"])
def test_in_process_too_the_network_must_be_there(cloud: Cloud, network: str) -> None:
    """A test that misspells it fails, rather than be outside."""
    with pytest.raises(LookupError, match="there are: default"):
        cloud.request("GET", f"https://{INNER}/health", network=network)


def test_in_process_a_request_comes_from_a_network(cloud: Cloud) -> None:
    """And from the internet unless told."""
    url = f"https://{INNER}/health"

    assert cloud.request("GET", url).status == 404
    assert cloud.request("GET", url, network="default").status == 200
