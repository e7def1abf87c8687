"""instances.executeSql: SQL over the API, as the caller's own IAM database user."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.machines.databases.contract import Statement
from localcloud.services.sqladmin import flags
from localcloud.services.sqladmin.engines import engine
from localcloud.services.sqladmin.names import (
    instance_key,
    invalid_request,
    machine,
    running,
    user_key,
)

if TYPE_CHECKING:
    from localcloud.machines.databases.contract import Outcome, ResultSet
    from localcloud.service import Call, Resource


def execute(call: Call) -> Resource:
    """Run the statements; what the database refuses is part of a 200, under ``status``."""
    found = running(call)
    if found["settings"].get("dataApiAccess") != "ALLOW_DATA_API":
        raise invalid_request(
            "the instance does not allow executeSql; set settings.dataApiAccess to ALLOW_DATA_API."
        )
    if not call.body.get("database") and not engine(found).any_host:
        raise invalid_request("database is required for PostgreSQL instances.", "required")
    limit = call.body.get("rowLimit")
    statement = Statement(
        database=call.body.get("database", ""),
        sql=call.body["sqlStatement"],
        user=_user(call, found),
        row_limit=int(limit) if limit else None,
    )
    began = time.monotonic()
    outcome = machine(call).execute(found["connectionName"], statement)
    cut = any(result.truncated for result in outcome.results) and limit is None
    if cut and call.body.get("partialResultMode") != "ALLOW_PARTIAL_RESULT":
        raise invalid_request("the result is larger than 10 MB.")
    return _shown(outcome, time.monotonic() - began)


def _user(call: Call, found: Resource) -> str:
    if not call.body.get("autoIamAuthn"):
        raise ApiError(
            501,
            "The local cloud executes SQL with autoIamAuthn only: it has no regional secrets, so "
            "user and passwordSecretVersion are not supported.",
        )
    if flags.value(found["settings"], engine(found).iam_flag) != "on":
        raise invalid_request("IAM authentication is not enabled on the instance.")
    call.require("cloudsql.instances.login", instance_key(call))
    own = engine(found)
    name = own.login_name(call.caller.email)
    known = call.store.find(user_key(call, name, own.any_host))
    if known is None or known["type"] == "BUILT_IN":
        raise invalid_request(
            f'Cloud SQL IAM authentication failed: the caller is no IAM user "{name}" of the instance.'
        )
    return name


def _shown(outcome: Outcome, duration: float) -> Resource:
    answer: Resource = {
        "metadata": {"sqlStatementExecutionTime": f"{duration:.6f}s"},
        "results": [_result(result) for result in outcome.results],
        "messages": [
            {"severity": severity, "message": message} for severity, message in outcome.notices
        ],
    }
    if outcome.error is not None:
        detail = f" DETAIL: {outcome.error.detail}" if outcome.error.detail else ""
        words = f"ERROR: {outcome.error} (SQLSTATE {outcome.error.sqlstate}){detail}"
        if outcome.error.number:
            words = outcome.error.quoted
        answer["status"] = {"code": 3, "message": words}
    return answer


def _result(result: ResultSet) -> Resource:
    return {
        "message": result.message,
        "columns": [{"name": name, "type": kind} for name, kind in result.columns],
        "rows": [
            {
                "values": [
                    {"nullValue": True} if value is None else {"value": value} for value in row
                ]
            }
            for row in result.rows
        ],
        "partialResult": result.truncated,
    }
