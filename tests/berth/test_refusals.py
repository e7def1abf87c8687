"""What is quoted of an answer that refuses a training."""

import requests

from berth.tracking_server import _words


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
