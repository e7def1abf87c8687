"""What a gRPC stream is asked before it begins: the same that the pipeline asks of calls."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import grpc

from localcloud.calls import CallRecord
from localcloud.errors import ApiError
from localcloud.tokens import unauthenticated
from localcloud.transport import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from localcloud.cloud import Cloud
    from localcloud.faults import Fault

CODES = {code.value[0]: code for code in grpc.StatusCode}
"""The status of a gRPC call by its number."""


@contextmanager
def admitted(
    cloud: Cloud,
    method: str,
    permission: str,
    resources: Sequence[str],
    *,
    headers: dict[str, str],
) -> Iterator[Fault | None]:
    """Identify the caller, check his rights, his rate and the plan of faults; write the call log.

    What is raised inside goes into the log too. A fault that comes ``after`` is given to the
    stream, which ends with it once it had its first effect.
    """
    status, who = 200, ""
    try:
        api = method.partition(".")[0]
        caller = cloud.tokens.identify(headers)
        who = caller.email
        if caller.anonymous:
            raise unauthenticated(missing=True)
        cloud.pipeline.check_enabled(next(one for one in cloud.services if one.api == api))
        for resource in resources:
            cloud.iam.check(caller.member, permission, api, resource)
        cloud.limits.take(method)
        fault = cloud.faults.take(method)
        if fault is not None:
            fault.before(cloud.clock)
        yield fault
    except ApiError as error:
        status = error.code
        raise
    except ConnectionFailed:
        status = 0
        raise
    finally:
        record = CallRecord(who, method, status, cloud.clock.now(), ", ".join(resources))
        cloud.calls.append(record)


async def abort(context: Any, error: ApiError | ConnectionFailed) -> None:
    """End a stream with an error as its client sees it."""
    if isinstance(error, ApiError):
        await context.abort(CODES[error.rpc_code], error.message)
    await context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")


def metadata(context: Any) -> dict[str, str]:
    """Return what a client sent as headers."""
    return {
        str(key): value if isinstance(value, str) else value.decode("latin-1")
        for key, value in context.invocation_metadata()
    }
