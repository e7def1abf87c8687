"""Runs a text of SQL statements on MySQL and keeps what the server said, as executeSql shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pymysql
from pymysql.constants import FIELD_TYPE

from localcloud.machines.databases.contract import (
    MOST_BYTES,
    DatabaseError,
    Outcome,
    ResultSet,
    Statement,
)

if TYPE_CHECKING:
    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

# the protocol's names of types -> those a column is declared with
TYPES = {
    "TINY": "TINYINT",
    "SHORT": "SMALLINT",
    "INT24": "MEDIUMINT",
    "LONG": "INT",
    "LONGLONG": "BIGINT",
    "NEWDECIMAL": "DECIMAL",
    "VAR_STRING": "VARCHAR",
    "STRING": "CHAR",
    "BLOB": "TEXT",
}
PROTOCOL = {code: name for name, code in vars(FIELD_TYPE).items() if isinstance(code, int)}


def run_statements(connection: Connection[Cursor], statement: Statement) -> Outcome:
    """Send the text as it is; what came before a failing statement has happened and is shown."""
    results: list[ResultSet] = []
    with connection.cursor() as cursor:
        try:
            cursor.execute(statement.sql)
            results.append(_result(cursor, statement.row_limit))
            while cursor.nextset():
                results.append(_result(cursor, statement.row_limit))
            notices = tuple(
                (str(level).upper(), f"{level}: {number}: {words}")
                for level, number, words in connection.show_warnings()  # type: ignore[no-untyped-call]
            )
        except pymysql.MySQLError as error:
            return Outcome(results=tuple(results), error=refused(error))
    return Outcome(results=tuple(results), notices=notices)


def refused(error: pymysql.MySQLError) -> DatabaseError:
    """Return the server's own sentence and number."""
    number, words = error.args if len(error.args) == 2 else (0, str(error))  # noqa: PLR2004
    return DatabaseError(str(words), number=int(number))


def _result(cursor: Cursor, limit: int | None) -> ResultSet:
    count = cursor.rowcount
    if cursor.description is None:
        return ResultSet(f"Query OK, {count} row{'' if count == 1 else 's'} affected")
    columns = tuple((column[0], _type_name(int(column[1]))) for column in cursor.description)
    found: list[tuple[Any, ...]] = list(cursor.fetchall())
    rows: list[tuple[str | None, ...]] = []
    size = 0
    for row in found[:limit]:
        values = tuple(None if value is None else _text(value) for value in row)
        size += sum(len(value) for value in values if value is not None)
        if size > MOST_BYTES:
            break
        rows.append(values)
    message = f"{len(found)} row{'' if len(found) == 1 else 's'} in set"
    return ResultSet(message, columns, tuple(rows), truncated=len(rows) < len(found))


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode(errors="backslashreplace")


def _type_name(code: int) -> str:
    name = PROTOCOL.get(code, str(code))
    return TYPES.get(name, name)
