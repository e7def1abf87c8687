"""Requests through the real door and over loopback links stream, and carry the right names."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest

from localcloud.identity.tokens import GCLOUD_CLIENT
from tests.localcloud.run.echo import PARENT, Caller, service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cloud import Cloud

HOST = "https://hello-123456789012.europe-west1.run.app"
MIB = 2**20


@pytest.fixture
def client(cloud: Cloud, owner: Caller) -> Iterator[httpx.Client]:
    """Return an HTTP client that goes through the door, with an open service behind it."""
    owner.deploy("hello", {**service(), "invokerIamDisabled": True})
    env = cloud.environment("friend@example.com")
    trust = ssl.create_default_context(cafile=env["SSL_CERT_FILE"])
    with httpx.Client(proxy=env["HTTPS_PROXY"], verify=trust, trust_env=False, timeout=20) as made:
        yield made


def test_request_comes_through_the_door(client: httpx.Client) -> None:
    """Method, path, query and body arrive."""
    seen = client.post(f"{HOST}/a%20b?x=1&y=%2F", content=b"12345").json()

    assert (seen["method"], seen["path"], seen["size"]) == ("POST", "/a%20b?x=1&y=%2F", 5)
    assert seen["headers"]["host"] == HOST.removeprefix("https://")


def test_head_has_no_body(client: httpx.Client) -> None:
    """HEAD is answered with the length and nothing else."""
    answer = client.head(f"{HOST}/health")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == "2"


def test_streamed_upload_arrives(client: httpx.Client) -> None:
    """A body of unknown length is handed on as it comes."""
    seen = client.post(HOST, content=(b"x" * MIB for _ in range(8))).json()

    assert seen["size"] == 8 * MIB


def test_streamed_upload_above_the_limit_is_cut_off(client: httpx.Client) -> None:
    """A body that does not say its length is counted, and refused above 32 MiB."""
    answer = client.post(HOST, content=(b"x" * MIB for _ in range(40)))

    assert answer.status_code == 413


def test_announced_upload_above_the_limit_is_refused(client: httpx.Client) -> None:
    """A body that says its length is refused before it is read."""
    assert client.post(HOST, content=b"x" * (33 * MIB)).status_code == 413


def test_download_streams(client: httpx.Client) -> None:
    """A response without a length passes however long it is."""
    with client.stream("GET", f"{HOST}/stream") as answer:
        size = sum(len(chunk) for chunk in answer.iter_raw())

    assert size == 40 * MIB


def test_large_response_of_known_length_is_refused(client: httpx.Client) -> None:
    """A response that says it is above 32 MiB becomes a 500."""
    assert client.get(f"{HOST}/large").status_code == 500


def test_timeout_is_a_504(client: httpx.Client, owner: Caller) -> None:
    """A request above the service's timeout is given up."""
    body = {**service(timeout="1s"), "invokerIamDisabled": True}
    owner.done(owner("PATCH", f"{PARENT}/services/hello", body))

    assert client.get(f"{HOST}/sleep=5").status_code == 504


def test_crash_is_a_503(client: httpx.Client) -> None:
    """A connection that breaks before the response is Google's 503."""
    assert client.get(f"{HOST}/exit").status_code == 503


def test_unknown_service_is_a_404(client: httpx.Client) -> None:
    """A host without a service gets the front end's page."""
    assert client.get(HOST.replace("hello", "nobody")).status_code == 404


class TestLink:
    """A link is a service's address for browsers."""

    def test_service_sees_its_own_names(self, cloud: Cloud, client: httpx.Client) -> None:
        """Host, Origin and Referer are rewritten to the real address."""
        del client
        link = cloud.ingress.link(HOST)

        seen = httpx.get(
            f"{link}/page", headers={"origin": link, "referer": f"{link}/before"}, trust_env=False
        ).json()["headers"]

        assert seen["host"] == HOST.removeprefix("https://")
        assert seen["origin"] == HOST
        assert seen["referer"] == f"{HOST}/before"
        assert seen["x-forwarded-proto"] == "https"

    def test_foreign_origin_stays_foreign(self, cloud: Cloud, client: httpx.Client) -> None:
        """Another site's Origin is not made the service's own."""
        del client
        link = cloud.ingress.link(HOST)

        seen = httpx.get(link, headers={"origin": "http://evil.example"}, trust_env=False).json()

        assert seen["headers"]["origin"] == "http://evil.example"

    def test_redirects_and_cookies_come_back(self, cloud: Cloud, client: httpx.Client) -> None:
        """Location points at the link, and cookies are good for it."""
        del client
        link = cloud.ingress.link(HOST)

        answer = httpx.get(f"{link}/redirect", trust_env=False)

        assert answer.headers["location"] == f"{link}/there"
        assert answer.headers["set-cookie"] == "a=b; HttpOnly"

    def test_caller_is_checked(self, cloud: Cloud, client: httpx.Client, owner: Caller) -> None:
        """A link opens nothing: without a token a closed service stays closed."""
        del client
        path = f"{PARENT}/services/hello?updateMask=invokerIamDisabled"
        owner.done(owner("PATCH", path, {}))
        link = cloud.ingress.link(HOST)
        token = cloud.tokens.id_token("owner@example.com", GCLOUD_CLIENT)

        stranger = httpx.get(link, trust_env=False)
        member = httpx.get(link, headers={"authorization": f"Bearer {token}"}, trust_env=False)

        assert (stranger.status_code, member.status_code) == (403, 200)

    def test_account_of_the_link_calls(
        self, cloud: Cloud, client: httpx.Client, owner: Caller
    ) -> None:
        """A link made for an account adds its token; Authorization stays the browser's."""
        del client
        path = f"{PARENT}/services/hello?updateMask=invokerIamDisabled"
        owner.done(owner("PATCH", path, {}))
        link = cloud.ingress.link(HOST, account="owner@example.com")

        plain = httpx.get(link, trust_env=False)
        basic = httpx.get(link, auth=("ana", "pw"), trust_env=False)

        assert plain.status_code == 200
        assert basic.json()["headers"]["authorization"].startswith("Basic ")

    def test_link_keeps_its_port(self, cloud: Cloud, client: httpx.Client) -> None:
        """The same service has the same link, also after the links were closed."""
        del client
        link = cloud.ingress.link(HOST)

        cloud.ingress.links.close()

        assert cloud.ingress.link(HOST) == link

    @pytest.mark.parametrize("url", ["hello", HOST.replace("hello", "nobody"), "https://x.example"])
    def test_link_to_nothing_is_refused(self, cloud: Cloud, url: str) -> None:
        """A link is made only for an address where a service answers."""
        with pytest.raises(LookupError, match="no service answers at"):
            cloud.ingress.link(url)

    def test_link_keeps_the_path(self, cloud: Cloud, client: httpx.Client) -> None:
        """A link to a page leads to the page."""
        del client

        assert cloud.ingress.link(f"{HOST}/a/b").endswith("/a/b")
