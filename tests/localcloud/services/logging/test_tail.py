"""Live tailing through Google's own client."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.api_core.exceptions import InvalidArgument, PermissionDenied, ServiceUnavailable
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.cloud.logging_v2.services.logging_service_v2.transports import (
    LoggingServiceV2GrpcTransport,
)
from google.cloud.logging_v2.types import TailLogEntriesRequest

from localcloud.cloud import OWNER, Cloud
from localcloud.services.logging import SERVICE
from tests.localcloud.patience import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROJECT = "projects/berth-local"
PATIENCE_SECONDS = 30


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud with logs and nothing else, its doors open."""
    folder: Path = tmp_path_factory.mktemp("logs")
    made = Cloud(folder / "state", only=[SERVICE])
    with made.serve():
        yield made
    made.close()


@pytest.fixture(scope="module")
def client(logs: Cloud) -> Iterator[LoggingServiceV2Client]:
    """Google's client on the loopback port behind the door."""
    assert logs.serving is not None
    with grpc.insecure_channel(f"127.0.0.1:{logs.serving.grpc_port}") as channel:
        yield LoggingServiceV2Client(transport=LoggingServiceV2GrpcTransport(channel=channel))


def tail(logs: Cloud, client: LoggingServiceV2Client, *, who: str = OWNER, **wanted: Any) -> Any:
    """Open a stream."""
    request = TailLogEntriesRequest(**{"resource_names": [PROJECT], **wanted})
    token = [("authorization", f"Bearer {logs.tokens.access_token(who)}")]
    return client.tail_log_entries(
        iter([request]), metadata=token, retry=None, timeout=PATIENCE_SECONDS
    )


def test_new_entries_arrive_as_they_are_written(
    logs: Cloud, client: LoggingServiceV2Client
) -> None:
    """Those that match, once each, without what was there before."""
    logs.log({"textPayload": "before", "severity": "ERROR"})

    def write() -> None:
        eventually(lambda: logs.calls.of("logging.entries.tail"))
        logs.log({"textPayload": "quiet"})
        logs.log({"textPayload": "loud", "severity": "ERROR"})
        logs.log({"jsonPayload": {"n": 1}, "severity": "ALERT"})

    # The client's call comes back with the first entries only.
    writer = threading.Thread(target=write)
    writer.start()
    stream = tail(logs, client, filter="severity>=WARNING")
    first, second = next(stream).entries[0], next(stream).entries[0]
    stream.cancel()
    writer.join()

    assert (first.text_payload, second.json_payload) == ("loud", {"n": 1})
    assert [record.status for record in logs.calls.of("logging.entries.tail")] == [200]


@pytest.mark.parametrize(
    ("wanted", "refusal"),
    [
        ({"filter": "severity>="}, InvalidArgument),
        ({"resource_names": []}, InvalidArgument),
        ({"resource_names": ["projects"]}, PermissionDenied),
        ({"who": "stranger@example.com"}, PermissionDenied),
    ],
)
def test_a_wrong_question_ends_the_stream(
    logs: Cloud, client: LoggingServiceV2Client, wanted: dict[str, Any], refusal: type[Exception]
) -> None:
    """As it would be refused by a list."""
    with pytest.raises(refusal):
        next(tail(logs, client, **wanted))


def test_a_stream_can_be_refused(logs: Cloud, client: LoggingServiceV2Client) -> None:
    """A planned fault meets a stream as it does a call."""
    logs.fail("logging.entries.tail", 503)

    with pytest.raises(ServiceUnavailable):
        next(tail(logs, client))
