"""Runs a text of SQL statements and keeps what the server said, as instances.executeSql shows it."""

from typing import Any

import psycopg
from psycopg import Connection, Cursor, errors

from localcloud.machines.databases.contract import (
    MOST_BYTES,
    DatabaseError,
    Outcome,
    ResultSet,
    Statement,
)


def run_statements(connection: Connection[tuple[Any, ...]], statement: Statement) -> Outcome:
    """Send the text as it is: several statements are one implicit transaction, as in psql -c."""
    notices: list[tuple[str, str]] = []

    def note(said: errors.Diagnostic) -> None:
        text = f"{said.severity}:  {said.sqlstate}: {said.message_primary}"
        notices.append((said.severity_nonlocalized or "NOTICE", text))

    connection.add_notice_handler(note)
    with connection.cursor() as cursor:
        try:
            cursor.execute(statement.sql.encode())
        except psycopg.Error as error:
            failure = DatabaseError(
                error.diag.message_primary or str(error).strip(),
                detail=error.diag.message_detail or "",
                sqlstate=error.diag.sqlstate or "",
            )
            return Outcome(notices=tuple(notices), error=failure)
        results = [_result(connection, cursor, statement.row_limit)]
        while cursor.nextset():
            results.append(_result(connection, cursor, statement.row_limit))
    return Outcome(results=tuple(results), notices=tuple(notices))


def _result(
    connection: Connection[tuple[Any, ...]], cursor: Cursor[tuple[Any, ...]], limit: int | None
) -> ResultSet:
    message = cursor.statusmessage or ""
    answer = cursor.pgresult
    if answer is None or cursor.description is None:
        return ResultSet(message)
    columns = tuple(
        (column.name, _type_name(connection, column.type_code)) for column in cursor.description
    )
    wanted = answer.ntuples if limit is None else min(limit, answer.ntuples)
    rows: list[tuple[str | None, ...]] = []
    size = 0
    for index in range(wanted):
        values = [answer.get_value(index, column) for column in range(answer.nfields)]
        size += sum(len(value) for value in values if value is not None)
        if size > MOST_BYTES:
            break
        rows.append(tuple(None if value is None else value.decode() for value in values))
    return ResultSet(message, columns, tuple(rows), truncated=len(rows) < answer.ntuples)


def _type_name(connection: Connection[tuple[Any, ...]], code: int) -> str:
    known = connection.adapters.types.get(code)
    return known.name.upper() if known else str(code)
