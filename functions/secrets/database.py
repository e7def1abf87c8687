"""The database user of a deployment: its password, and rights on its own database only.

Cloud SQL runs one operation at a time on an instance, and the pool is shared. So what is refused
because the instance is busy is tried again for a while, and then handed back to the workflow,
which has more patience than a function.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from functions.door import logs, problems
from functions.secrets.dialects import DIALECTS, ROLE

if TYPE_CHECKING:
    from planner.target import Target

_PATIENCE = 40.0


def set_up_user(api: Any, target: Target, password: str, *, connection_limit: int) -> None:
    """Make the user or give it this password, and give it its rights; any number of times.

    Args:
        api: The client of Cloud SQL.
        target: The deployment; it names instance, database and user.
        password: What the user logs in with.
        connection_limit: How many connections its database takes at once.
    """
    deadline = time.monotonic() + _PATIENCE
    dialect = DIALECTS[target.request.database.engine]
    # users.update names roles that must exist, so the role comes first.
    _execute(api, target, dialect.first_database or target.database, dialect.make_role)
    _put_user(api, target, password, deadline)
    rights = dialect.rights(
        database=target.database, user=target.database_user, limit=connection_limit
    )
    _execute(api, target, target.database, rights)


def _put_user(api: Any, target: Target, password: str, deadline: float) -> None:
    """Send the password. PUT makes a user that is not there, and repeats do no harm."""
    from googleapiclient.errors import HttpError

    pause = 0.5
    while True:
        update = api.users().update(
            project=target.project,
            instance=target.instance,
            name=target.database_user,
            databaseRoles=[ROLE],
            **DIALECTS[target.request.database.engine].address,
            # Cloud SQL makes every new user a superuser of the instance unless told otherwise.
            revokeExistingRoles=True,
            body={"name": target.database_user, "password": password},
        )
        try:
            operation = update.execute()
        except HttpError as error:
            if not _is_busy(error):
                # An error may quote what was sent.
                words = str(error.reason).replace(password, "(password)")
                raise problems.google_refused(int(error.status_code), words) from None
            if time.monotonic() + pause > deadline:
                raise _busy(target) from None
            time.sleep(pause)
            pause = min(pause * 2, 5.0)
        else:
            _wait(api, target, operation, deadline)
            return


def _is_busy(error: Any) -> bool:
    return error.status_code == HTTPStatus.CONFLICT or "operationInProgress" in str(
        error.error_details
    )


def _wait(api: Any, target: Target, operation: dict[str, Any], deadline: float) -> None:
    pause = 0.2
    while operation.get("status") != "DONE":
        if time.monotonic() + pause > deadline:
            raise _busy(target)
        time.sleep(pause)
        pause = min(pause * 2, 3.0)
        operation = (
            api.operations()
            .get(project=target.project, operation=operation["name"])
            .execute(num_retries=3)
        )
    # A finished operation may have failed; the answer to the poll is 200 all the same.
    errors = operation.get("error", {}).get("errors", [])
    if errors:
        said = "; ".join(f"{error.get('code')}: {error.get('message')}" for error in errors)
        raise problems.make(
            "google-refused",
            f"Cloud SQL could not set up the user {target.database_user}: {said[:500]}",
            cause=said[:1000],
        )
    logs.write("INFO", f"set the password of {target.database_user} on {target.instance}")


def _execute(api: Any, target: Target, database: str, statement: str) -> None:
    """Run SQL as this function's own account, an IAM user of the instance."""
    body = {"database": database, "sqlStatement": statement.strip(), "autoIamAuthn": True}
    answer = (
        api.instances()
        .executeSql(project=target.project, instance=target.instance, body=body)
        .execute(num_retries=3)
    )
    # The database's own refusal comes with HTTP 200.
    status = answer.get("status") or {}
    if status.get("code"):
        said = str(status.get("message", ""))[:1000]
        raise problems.make(
            "google-refused",
            f"the database {database} on {target.instance} refused a statement: {said}",
            cause=said,
        )


def _busy(target: Target) -> problems.ProblemError:
    return problems.make(
        "busy",
        f"another operation is in progress on {target.instance} (operationInProgress)",
        resumable=True,
    )
