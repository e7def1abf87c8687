"""What long-running operations promise, in both dialects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER, Cloud
from localcloud.errors import ApiError, precondition
from localcloud.service import Call, Service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ENABLE = "serviceusage.services.enable"
URL = (
    "https://serviceusage.googleapis.com/v1/projects/berth-local/services/run.googleapis.com:enable"
)


def _service(work: Callable[[], dict[str, Any] | None], dialect: str) -> Service:
    def start(call: Call) -> dict[str, Any]:
        return {
            "name": call.cloud.operations.start(
                call,
                name="operations/one",
                dialect=dialect,
                work=work,
                metadata={"endTime": ""},
                response_type="google.x.Thing",
            )["name"]
        }

    return Service("serviceusage", "v1", {ENABLE: start}, permissions={ENABLE: ENABLE})


def _run(
    tmp_path: Path, work: Callable[[], dict[str, Any] | None], dialect: str = "longrunning"
) -> tuple[Cloud, VirtualClock]:
    clock = VirtualClock()
    cloud = Cloud(tmp_path, clock=clock, only=[_service(work, dialect)])
    cloud.latency[ENABLE] = 40
    headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}
    assert cloud.request("POST", URL, headers=headers).status == 200
    return cloud, clock


def _operation(cloud: Cloud) -> dict[str, Any]:
    return cloud.store.of("serviceusage").fetch("operations/one")


def test_operation_is_done_after_its_latency(tmp_path: Path) -> None:
    """Nothing happens before its time, all of it then."""
    done: list[str] = []

    def work() -> dict[str, Any]:
        done.append("x")
        return {"a": 1}

    cloud, clock = _run(tmp_path, work)

    clock.advance(39)
    assert (_operation(cloud)["done"], done) == (False, [])
    clock.advance(1)

    assert _operation(cloud)["response"] == {"@type": "type.googleapis.com/google.x.Thing", "a": 1}
    assert _operation(cloud)["metadata"]["endTime"] == "2026-11-20T08:00:40.000000Z"
    cloud.close()


def _refuse() -> None:
    raise precondition("not today")


def test_refused_work_is_the_operations_error(tmp_path: Path) -> None:
    """The poll is 200; the failure is inside, with the number of its status."""
    cloud, clock = _run(tmp_path, _refuse)
    clock.run_until_idle()

    assert _operation(cloud)["done"] is True
    assert _operation(cloud)["error"] == {"code": 9, "message": "not today"}
    assert "response" not in _operation(cloud)
    cloud.close()


def test_crashed_work_still_ends(tmp_path: Path) -> None:
    """A bug of ours must not make pollers wait for ever."""
    cloud, clock = _run(tmp_path, lambda: {"a": 1 // 0})
    clock.run_until_idle()

    assert _operation(cloud)["error"]["code"] == 13
    cloud.close()


def test_sql_dialect_has_status_and_errors_beside(tmp_path: Path) -> None:
    """Cloud SQL says DONE also when it failed."""
    cloud, clock = _run(tmp_path, _refuse, "sql")
    assert _operation(cloud)["status"] == "PENDING"
    clock.run_until_idle()

    found = _operation(cloud)
    assert found["status"] == "DONE"
    assert found["error"]["errors"][0]["code"] == "FAILED_PRECONDITION"
    cloud.close()


def test_planned_failure_does_no_work(tmp_path: Path) -> None:
    """A planned operation fault ends the operation without its effect."""
    clock = VirtualClock()
    work = lambda: pytest.fail("it ran")  # noqa: E731 - the smallest way to say must not happen
    cloud = Cloud(tmp_path, clock=clock, only=[_service(work, "longrunning")])
    cloud.fail_operation(ENABLE, "RESOURCE_EXHAUSTED", "quota")
    headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}
    cloud.request("POST", URL, headers=headers)
    clock.run_until_idle()

    assert _operation(cloud)["error"]["code"] == 8
    assert cloud.unused_faults() == {}
    cloud.close()


def test_interrupted_operation_ends_with_an_error(tmp_path: Path) -> None:
    """What ran when the cloud was stopped does not stay open for ever."""
    cloud, _ = _run(tmp_path, dict)
    cloud.close()

    again = Cloud(tmp_path, clock=VirtualClock(), only=[])

    assert _operation(again)["error"]["code"] == 13
    again.close()


def test_error_keeps_its_details(tmp_path: Path) -> None:
    """Details of a refusal are in the operation too."""

    def refuse() -> None:
        raise ApiError(403, "no", details=[{"@type": "x", "reason": "R"}])

    cloud, clock = _run(tmp_path, refuse)
    clock.run_until_idle()

    assert _operation(cloud)["error"]["details"] == [{"@type": "x", "reason": "R"}]
    cloud.close()
