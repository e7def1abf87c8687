"""Cloud Run v1: the same services in Knative's words, for gcloud's list."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import Cloud
from localcloud.services import run
from tests.localcloud.run.echo import ACCOUNT, PARENT, Caller, add_account, build, service

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.clock import VirtualClock

NAMESPACE = "/apis/serving.knative.dev/v1/namespaces/berth-local"
HERE = f"https://europe-west1-run.googleapis.com{NAMESPACE}"


@pytest.fixture
def cloud(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A cloud on paper with both versions of the API, and one service."""
    made = Cloud(tmp_path / "state", clock=clock, only=[run.SERVICE, run.SERVICE_V1])
    made.enable("run.googleapis.com")
    add_account(made, ACCOUNT)
    build(made, tmp_path)
    answer = Caller(made)("POST", f"{PARENT}/services?serviceId=hello", service())
    assert answer.status == 200, answer.text
    clock.run_until_idle()
    yield made
    made.close()


def get(cloud: Cloud, url: str, email: str = "owner@example.com") -> Any:
    """Ask for something as somebody."""
    token = cloud.tokens.access_token(email)
    return cloud.request("GET", url, headers={"authorization": f"Bearer {token}"})


def test_services_are_shown_as_knative_shows_them(cloud: Cloud) -> None:
    """Name, region, URL and readiness are where gcloud's table looks for them."""
    (shown,) = get(cloud, f"{HERE}/services").json()["items"]

    assert shown["metadata"]["name"] == "hello"
    assert shown["metadata"]["labels"]["cloud.googleapis.com/location"] == "europe-west1"
    assert shown["metadata"]["annotations"]["serving.knative.dev/lastModifier"]
    assert shown["status"]["url"] == "https://hello-123456789012.europe-west1.run.app"
    assert {"type": "Ready", "status": "True"}.items() <= shown["status"]["conditions"][0].items()
    assert get(cloud, f"{HERE}/services/hello").json() == shown


@pytest.mark.parametrize(("host", "found"), [("run", 1), ("us-east1-run", 0)])
def test_the_host_says_which_region(cloud: Cloud, host: str, found: int) -> None:
    """A region's host lists that region; the global one lists all."""
    listed = get(cloud, f"https://{host}.googleapis.com{NAMESPACE}/services").json()

    assert len(listed["items"]) == found


def test_what_is_not_there_is_404(cloud: Cloud) -> None:
    """In the region asked, under that name."""
    elsewhere = HERE.replace("europe-west1", "us-east1")

    assert get(cloud, f"{HERE}/services/other").status == 404
    assert get(cloud, f"{elsewhere}/services/hello").status == 404


def test_reading_needs_the_right_to_read(cloud: Cloud) -> None:
    """Like v2: run.services.list and run.services.get."""
    for url in (f"{HERE}/services", f"{HERE}/services/hello"):
        assert get(cloud, url, "stranger@example.com").status == 403


def test_what_v1_does_not_do_here_is_refused(cloud: Cloud) -> None:
    """A selector that would be ignored is refused instead."""
    assert get(cloud, f"{HERE}/services?labelSelector=a%3Db").status == 501
