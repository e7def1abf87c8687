"""Starting and stopping executions of the workflows.

``executions.create`` takes no name from the caller, so a repeat after a lost reply starts a
second execution. That is harmless: the first step of both workflows takes the lease in
status.json, and whoever comes second ends before touching anything.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from functions.cloud import clients
from functions.door import logs

if TYPE_CHECKING:
    from google.api_core.retry import Retry

    from schemas.deployment import Spec
    from schemas.platform import Platform

LABEL = "berth-deployment"
_TIMEOUT = 20.0


def start(spec: Spec, platform: Platform) -> str:
    """Start the workflow that brings about what is wanted; return the execution's name."""
    from google.cloud.workflows.executions_v1 import Execution

    workflow = (
        platform.workflows.provision if spec.desired == "present" else platform.workflows.teardown
    )
    execution = Execution(
        argument=json.dumps({"deployment": spec.name, "generation": spec.generation}),
        labels={LABEL: spec.name},
        # Successful calls are not logged: their bodies would only be noise beside the events.
        call_log_level=Execution.CallLogLevel.LOG_ERRORS_ONLY,
    )
    made = clients.executions().create_execution(
        parent=workflow, execution=execution, retry=_retry(), timeout=_TIMEOUT
    )
    logs.bind(execution=made.name)
    logs.write("INFO", f"started {workflow.rsplit('/', 1)[-1]}", generation=spec.generation)
    return str(made.name)


def is_running(execution: str) -> bool:
    """Say whether an execution is still at work; one that is gone is not."""
    from google.api_core.exceptions import NotFound
    from google.cloud.workflows.executions_v1 import Execution, ExecutionView, GetExecutionRequest

    request = GetExecutionRequest(name=execution, view=ExecutionView.BASIC)
    try:
        found = clients.executions().get_execution(
            request=request, retry=_retry(), timeout=_TIMEOUT
        )
    except NotFound:
        return False
    return found.state in {Execution.State.ACTIVE, Execution.State.QUEUED}


def cancel(execution: str) -> None:
    """Stop an execution; one that has ended or is gone needs no stopping."""
    from google.api_core.exceptions import FailedPrecondition, InvalidArgument, NotFound

    try:
        clients.executions().cancel_execution(name=execution, retry=_retry(), timeout=_TIMEOUT)
    except (FailedPrecondition, InvalidArgument, NotFound):
        logs.write("INFO", "nothing to cancel", execution=execution)
        return
    logs.write("INFO", "cancelled the running execution", execution=execution)


def cancel_builds(name: str, platform: Platform) -> None:
    """Stop the builds that run for this deployment alone.

    An image is shared by all deployments of its version, so its build carries no deployment's
    tag and goes on.
    """
    from google.api_core.exceptions import FailedPrecondition, NotFound
    from google.cloud.devtools.cloudbuild_v1 import CancelBuildRequest, ListBuildsRequest

    for region in sorted(platform.regions):
        parent = f"projects/{platform.project_id}/locations/{region}"
        request = ListBuildsRequest(
            parent=parent,
            project_id=platform.project_id,
            filter=f'(status="WORKING" OR status="QUEUED") AND tags="{LABEL}-{name}"',
        )
        for build in clients.builds().list_builds(request=request, timeout=_TIMEOUT):
            try:
                clients.builds().cancel_build(
                    request=CancelBuildRequest(
                        name=build.name, project_id=platform.project_id, id=build.id
                    ),
                    timeout=_TIMEOUT,
                )
            except (FailedPrecondition, NotFound):
                logs.write("INFO", "the build has ended by itself", build=build.id)


def _retry() -> Retry:
    from google.api_core import exceptions, retry

    return retry.Retry(
        predicate=retry.if_exception_type(
            exceptions.ServiceUnavailable,
            exceptions.TooManyRequests,
            exceptions.DeadlineExceeded,
            exceptions.GatewayTimeout,
        ),
        initial=0.2,
        maximum=3.0,
        timeout=_TIMEOUT,
    )
