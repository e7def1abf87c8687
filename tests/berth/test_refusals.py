"""What is made of an answer that refuses a training, and of addresses that are none."""

import pytest
import requests

from berth.origins import origin
from berth.tracking_server import _signs_in, _words


def _page(content: bytes) -> requests.Response:
    answer = requests.Response()
    answer.status_code, answer._content, answer.encoding = 403, content, "utf-8"
    return answer


def test_a_page_is_quoted_without_its_tags() -> None:
    """People read it in a terminal."""
    page = _page(b"<html><head><title>no</title></head><body><h1>You  may\nnot</h1></body></html>")

    assert _words(page) == 'it says "You may not".'


def test_a_page_of_nothing_but_beginnings_is_not_read_to_its_end() -> None:
    """Whoever answers, the training must hear of it today."""
    assert _words(_page(b"<head " * 1_000_000)).startswith('it says "<head <head')


@pytest.mark.parametrize("text", ["https://[there", "https://host:many", "https://host:70000", ""])
def test_what_is_no_address_has_no_origin(text: str) -> None:
    """A slip in MLFLOW_TRACKING_URI is told as such: no token goes there, and nothing breaks."""
    assert origin(text) == ""


def test_a_redirect_to_no_address_is_no_sign_in() -> None:
    """Whatever stands before the server says it; the training hears of the refusal itself."""
    answer = _page(b"")
    answer.status_code, answer.headers["location"] = 302, "https://[there"

    assert not _signs_in(answer)
