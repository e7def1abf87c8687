"""Discovery documents are where clients look for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from googleapiclient.discovery import build_from_document

if TYPE_CHECKING:
    from localcloud.cloud import Cloud


@pytest.mark.parametrize(
    "url",
    [
        "https://storage.googleapis.com/$discovery/rest?version=v1",
        "https://storage.googleapis.com/%24discovery/rest?version=v1",
        "https://www.googleapis.com/discovery/v1/apis/storage/v1/rest",
    ],
)
def test_a_document_is_googles_own_and_open_to_everybody(cloud: Cloud, url: str) -> None:
    """Without a token, at the new address and at the old one; Google's library builds from it."""
    answer = cloud.request("GET", url)

    assert answer.status == 200
    made = build_from_document(answer.json(), developerKey="none")
    assert made.buckets().get(bucket="b").methodId == "storage.buckets.get"


def test_an_api_gives_the_version_it_is_asked_for(cloud: Cloud) -> None:
    """An API with two versions has two documents."""
    for version in ("v1", "v2"):
        url = f"https://run.googleapis.com/$discovery/rest?version={version}"
        assert cloud.request("GET", url).json()["version"] == version


@pytest.mark.parametrize(
    "url",
    [
        "https://storage.googleapis.com/$discovery/rest?version=v9",
        "https://storage.googleapis.com/$discovery/rest",
        "https://www.googleapis.com/discovery/v1/apis/../v1/rest",
        "https://www.googleapis.com/discovery/v1/apis/kiosk/v1/rest",
        "https://storage.googleapis.com/discovery/v1/apis/storage/v1/rest",
    ],
)
def test_what_is_not_there_is_not_found(cloud: Cloud, url: str) -> None:
    """Neither a version nor an API that is not registered here, nor an address of another host."""
    assert cloud.request("GET", url).status == 404


def test_a_document_is_only_read(cloud: Cloud) -> None:
    """Any other verb is not for it."""
    url = "https://pubsub.googleapis.com/$discovery/rest?version=v1"
    assert cloud.request("POST", url, body=b"{}").status == 404
