"""Methods that stream both ways, which only gRPC has, and what is asked before one begins."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud import refusals
from localcloud.calls import CallRecord
from localcloud.errors import ApiError
from localcloud.identity.principals import unauthenticated
from localcloud.org_policies import forbidding
from localcloud.transport import ConnectionFailed

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence

    from localcloud.cloud import Cloud
    from localcloud.faults.planned import Fault


@dataclass(frozen=True)
class StreamMethod:
    """A method that streams both ways.

    Args:
        path: its gRPC path.
        run: given the cloud, the first request, those that follow and the client's headers, it
            yields the responses.

    """

    path: str
    run: Callable[[Cloud, Any, AsyncIterator[Any], dict[str, str]], AsyncGenerator[Any]]


@contextmanager
def admitted(
    cloud: Cloud,
    method: str,
    permission: str,
    resources: Sequence[str],
    *,
    headers: dict[str, str],
    like: str,
) -> Iterator[Fault | None]:
    """Identify the caller, check his rights, his rate and the plan of faults; write the call log.

    ``like`` is the method of the document whose scopes a stream needs: no document has its own.

    What is raised inside goes into the log too. A fault that comes ``after`` is given to the
    stream, which ends with it once it had its first effect.
    """
    status, who = 200, ""
    try:
        api = method.partition(".")[0]
        service = next(one for one in cloud.services if one.api == api)
        caller = cloud.tokens.identify(headers, audience=f"https://{service.host}/")
        who = caller.email
        if caller.anonymous:
            raise unauthenticated(missing=True)
        sibling = cloud.router.document(service).methods[like]
        if not caller.good_for(sibling.scopes):
            raise refusals.insufficient_scopes(service, sibling)
        cloud.pipeline.check_enabled(service)
        for resource in resources:
            cloud.iam.check(caller.member, permission, api, resource)
        forbidding.check_service(cloud, service)
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
