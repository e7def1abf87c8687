"""Whatever is called, in whatever order and however broken: an answer, never a crash or a hang."""

from __future__ import annotations

import faulthandler
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from tests.localcloud.drawn_calls import explore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.transport import Response
    from tests.localcloud.drawn_calls import DrawnCall

_HANGS = 240
_NOT_IMPLEMENTED = 501


@pytest.fixture(autouse=True)
def _no_hang() -> Iterator[None]:
    """End the process with every thread's trace if a call never ends."""
    faulthandler.dump_traceback_later(_HANGS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def _judge(call: DrawnCall, response: Response | None) -> None:
    assert response is not None, call
    assert response.status < 500 or response.status == _NOT_IMPLEMENTED, (call, response.text)
    if response.status >= 400 and response.headers["content-type"].startswith("application/json"):
        error = response.json()["error"]
        assert error["code"] == response.status, call
        assert error["message"], call
        assert "status" in error or "errors" in error, call


@pytest.mark.slow
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(st.integers(0, 2**32 - 1), min_size=60, max_size=80))
def test_no_sequence_of_calls_is_answered_with_a_crash(seeds: list[int]) -> None:
    """Calls drawn from every API's document, good and broken, are refused or done, and in form.

    That an answer is as the document says is checked by the pipeline, where a wrong one is a 500.
    """
    with tempfile.TemporaryDirectory() as folder:
        cloud = Cloud(Path(folder) / "state", clock=VirtualClock())
        try:
            for call, response in explore(cloud, seeds):
                _judge(call, response)
        finally:
            cloud.close()
