"""The judge of planned calls is able to say no."""

from typing import Any

import pytest

from tests.planner import discovery


@pytest.mark.parametrize(
    ("verb", "url", "body"),
    [
        ("GET", "https://run.googleapis.com/v2/projects/p/services/s", None),
        ("POST", "https://storage.googleapis.com/storage/v1/b?project=p", {"colour": "red"}),
        ("POST", "https://storage.googleapis.com/storage/v1/b?proyect=p", {"name": "b"}),
        ("POST", "https://storage.googleapis.com/storage/v1/b", {"name": "b"}),
        (
            "POST",
            "https://sqladmin.googleapis.com/v1/projects/p/instances",
            {"settings": {"edition": "HUGE"}},
        ),
        (
            "POST",
            "https://sqladmin.googleapis.com/v1/projects/p/instances",
            {"settings": {"dataDiskSizeGb": 10}},
        ),
        ("DELETE", "https://storage.googleapis.com/storage/v1/b/x", {"force": True}),
        ("GET", "https://unknown.googleapis.com/v1/x", None),
    ],
)
def test_the_judge_refuses_what_google_would(verb: str, url: str, body: Any) -> None:
    """The check against the documents is able to fail."""
    with pytest.raises(discovery.MismatchError):
        discovery.check(verb, url, body)
