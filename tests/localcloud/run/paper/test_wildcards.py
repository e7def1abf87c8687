"""Lists whose parent has ``-`` for a name, as the documents of Cloud Run describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.localcloud.run.echo import IMAGE, PARENT, Caller, service

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock

JOB = {"template": {"taskCount": 2, "template": {"containers": [{"image": IMAGE}]}}}


@pytest.fixture(autouse=True)
def _there(owner: Caller, clock: VirtualClock) -> None:
    for short in ("a", "b"):
        assert owner("POST", f"{PARENT}/services?serviceId={short}", service()).status == 200
        assert owner("POST", f"{PARENT}/jobs?jobId={short}", JOB).status == 200
        clock.run_until_idle()
        assert owner("POST", f"{PARENT}/jobs/{short}:run", {}).status == 200
        clock.run_until_idle()


@pytest.mark.parametrize(
    ("path", "count"),
    [
        ("services/-/revisions", 2),
        ("services/b/revisions", 1),
        ("jobs/-/executions", 2),
        ("jobs/a/executions", 1),
        ("jobs/-/executions/-/tasks", 4),
        ("jobs/a/executions/-/tasks", 2),
        ("jobs/nope/executions/-/tasks", 0),
        ("services/nope/revisions", 0),
    ],
)
def test_a_dash_stands_for_any_name(owner: Caller, path: str, count: int) -> None:
    """Of one parent, of all, and of all below one; never of something of another kind."""
    collection = path.rpartition("/")[2]

    found = owner("GET", f"{PARENT}/{path}").json().get(collection, [])

    assert len(found) == count
    assert all(one["name"].split("/")[-2] == collection for one in found)
