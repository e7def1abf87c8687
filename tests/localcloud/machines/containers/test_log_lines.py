"""Lines of a container become log entries as Cloud Run makes them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from localcloud.machines.containers import log_lines
from localcloud.machines.containers.workload import Workload

NOW = "2026-11-20T08:00:00.000000Z"
WORKLOAD = Workload(
    name="projects/p/locations/r/services/s/revisions/s-1",
    project="p",
    region="r",
    template={"serviceAccount": "a@p.iam.gserviceaccount.com"},
    env={},
    log_resource={"type": "cloud_run_revision", "labels": {"service_name": "s"}},
    log_labels={"team": "risk"},
)


def entry(line: str | dict[str, Any], stream: str = "stdout") -> dict[str, Any]:
    """Return the entry of a line; a dict is written as JSON."""
    text = line if isinstance(line, str) else json.dumps(line)
    return log_lines.entry(WORKLOAD, stream, text, NOW)


def test_text_stays_text() -> None:
    """A line that is no JSON object is the text payload, under its stream's log."""
    made = entry("plain", "stderr")

    assert made["textPayload"] == "plain"
    assert made["logName"] == "projects/p/logs/run.googleapis.com%2Fstderr"
    assert made["resource"]["labels"] == {"service_name": "s"}
    assert made["labels"] == {"team": "risk"}


@pytest.mark.parametrize("line", ["[1]", "17", '"x"', "{broken", "{'a': 1}", ""])
def test_other_json_is_text(line: str) -> None:
    """Only a whole JSON object is structured."""
    assert entry(line)["textPayload"] == line


def test_object_is_the_payload() -> None:
    """Message and own fields stay in the payload, the severity leaves it."""
    made = entry({"severity": "error", "message": "no", "step": 7, "time": "yesterday"})

    assert made["severity"] == "ERROR"
    assert made["jsonPayload"] == {"message": "no", "step": 7}
    assert made["timestamp"] == NOW


@pytest.mark.parametrize(
    ("written", "meant"), [("WARN", "WARNING"), ("FATAL", "CRITICAL"), ("info", "INFO")]
)
def test_severities_of_other_libraries(written: str, meant: str) -> None:
    """What logging libraries call a severity is understood."""
    assert entry({"severity": written})["severity"] == meant


def test_unknown_severity_is_left_out() -> None:
    """A severity that is none gives the entry none."""
    assert "severity" not in entry({"severity": "loud"})


def test_special_fields_go_where_they_belong() -> None:
    """Trace, labels and request leave the payload; labels join the service's."""
    made = entry(
        {
            "logging.googleapis.com/trace": "t",
            "logging.googleapis.com/labels": {"execution_id": "x"},
            "httpRequest": {"status": 200},
        }
    )

    assert made["trace"] == "t"
    assert made["labels"] == {"team": "risk", "execution_id": "x"}
    assert made["httpRequest"] == {"status": 200}
    assert made["jsonPayload"] == {}


@pytest.mark.parametrize(
    ("name", "value"), [("logging.googleapis.com/labels", "x"), ("httpRequest", [1])]
)
def test_special_fields_of_another_type_stay(name: str, value: object) -> None:
    """A field that only looks special stays in the payload."""
    assert entry({name: value})["jsonPayload"] == {name: value}
