"""Workflow executions: start them, look at them, stop them, and call back into them."""

from __future__ import annotations

from typing import Any

from localcloud.documents.protos import Protos
from localcloud.service import Needs, Service
from localcloud.services.workflowexecutions import callbacks, entries, executions, triggers
from localcloud.services.workflowexecutions.executions import execution_name
from localcloud.services.workflowexecutions.runner import on_start, on_stop
from localcloud.services.workflows.quotas import metered

_WORKFLOWS = "workflowexecutions.projects.locations.workflows."
_PREFIX = f"{_WORKFLOWS}executions."
_RPCS = (("Create", ""), ("Get", ""), ("List", "s"), ("Cancel", ""))
_BASE: dict[str, tuple[Any, str]] = {
    _PREFIX + "create": (
        metered("executions.write", executions.create),
        "workflows.executions.create",
    ),
    _PREFIX + "get": (metered("executions.get", executions.get), "workflows.executions.get"),
    _PREFIX + "list": (
        metered("executions.list", executions.list_executions),
        "workflows.executions.list",
    ),
    _PREFIX + "cancel": (
        metered("executions.write", executions.cancel),
        "workflows.executions.cancel",
    ),
}
_MORE: dict[str, tuple[Any, str]] = {
    _WORKFLOWS + "triggerPubsubExecution": (
        metered("executions.write", triggers.trigger),
        "workflows.executions.create",
    ),
    _PREFIX + "deleteExecutionHistory": (
        executions.delete_history,
        "workflows.stepEntries.deleteHistory",
    ),
    _PREFIX + "exportData": (executions.export_data, "workflows.executions.get"),
    _PREFIX + "callbacks.list": (callbacks.list_callbacks, "workflows.callbacks.list"),
    _PREFIX + "stepEntries.get": (entries.get, "workflows.stepEntries.get"),
    _PREFIX + "stepEntries.list": (entries.list_entries, "workflows.stepEntries.list"),
}


def _service(version: str, table: dict[str, tuple[Any, str]], *, runs: bool) -> Service:
    return Service(
        "workflowexecutions",
        version,
        {method: handler for method, (handler, _) in table.items()},
        protos=Protos(
            f"google.cloud.workflows.executions.{version}",
            f"google.cloud.workflows.executions_{version}",
            # this client library has no REST transport to read the rules from
            {f"{verb}Execution{plural}": _PREFIX + verb.lower() for verb, plural in _RPCS},
        ),
        permissions={
            method: Needs(needed, api="workflows") for method, (_, needed) in table.items()
        },
        resource=execution_name,
        extra=callbacks.ROUTES if runs else {},
        on_start=on_start if runs else None,
        on_stop=on_stop if runs else None,
    )


SERVICE = _service("v1", {**_BASE, **_MORE}, runs=True)
SERVICE_V1BETA = _service("v1beta", _BASE, runs=False)
