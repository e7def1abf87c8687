"""The database user of a deployment: its password, and rights on its own database only.

Cloud SQL runs one operation at a time on an instance, and the pool is shared. So what is refused
because the instance is busy is tried again for a while, and then handed back to the workflow,
which has more patience than a function.
"""

from __future__ import annotations

import re
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from functions import logs, problems

if TYPE_CHECKING:
    from planner.target import Target

# A role without rights and without a login: a user that has it is not made a superuser.
ROLE = "berth_tenant"
_PATIENCE = 40.0
_NAME = re.compile(r"[a-z][-a-z0-9]{0,62}")

# The right to make roles belongs to this role itself; who has the role does not inherit that.
_BEGIN = "SET ROLE cloudsqlsuperuser;"

_MAKE_ROLE = f"""{_BEGIN}
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = '{ROLE}') THEN
    CREATE ROLE {ROLE} NOLOGIN;
  END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL; -- somebody else made it between the question and the answer
END $$"""

_MAKE_RIGHTS = f"""{_BEGIN}
REVOKE ALL ON DATABASE {{database}} FROM PUBLIC;
GRANT CONNECT, CREATE, TEMPORARY ON DATABASE {{database}} TO {{user}};
GRANT ALL ON SCHEMA public TO {{user}};
ALTER DATABASE {{database}} CONNECTION LIMIT {{limit}}"""


def set_up_user(api: Any, target: Target, password: str, *, connection_limit: int) -> None:
    """Make the user or give it this password, and give it its rights; any number of times.

    Args:
        api: The client of Cloud SQL.
        target: The deployment; it names instance, database and user.
        password: What the user logs in with.
        connection_limit: How many connections its database takes at once.
    """
    deadline = time.monotonic() + _PATIENCE
    # users.update names roles that must exist, so the role comes first.
    _execute(api, target, "postgres", _MAKE_ROLE)
    _put_user(api, target, password, deadline)
    rights = _MAKE_RIGHTS.format(
        database=_quoted(target.database),
        user=_quoted(target.database_user),
        limit=int(connection_limit),
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


def _quoted(name: str) -> str:
    """Quote an identifier; names are checked at the door, and once more here."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a name for a database or a user: {name!r}")
    return f'"{name}"'


def _busy(target: Target) -> problems.ProblemError:
    return problems.make(
        "busy",
        f"another operation is in progress on {target.instance} (operationInProgress)",
        resumable=True,
    )
