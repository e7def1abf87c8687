"""Database flags: what each engine lets one set, as data; the server itself gets them all.

The lists are Cloud SQL's "supported flags" as far as this machine's servers have the setting.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.services.sqladmin.engines import ENGINES, kind
from localcloud.services.sqladmin.names import invalid_request

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

MOST = 2147483647
# those of the service itself begin so and never reach the server
OF_SERVICE = ("cloudsql.", "cloudsql_")


@dataclass(frozen=True)
class Flag:
    """One flag: its type, its limits or values, and whether a change restarts the server."""

    type: str
    least: int | None = None
    most: int | None = None
    values: tuple[str, ...] = ()
    restart: bool = False

    def accepts(self, value: str) -> bool:
        """Tell whether a value is one of the flag's."""
        if self.type == "BOOLEAN":
            return value in {"on", "off"}
        if self.type == "FLOAT":
            return re.fullmatch(r"-?\d+(\.\d+)?", value) is not None
        if self.type == "MYSQL_TIMEZONE_OFFSET":
            return re.fullmatch(r"[+-](0\d|1[0-3]):[0-5]\d", value) is not None
        if self.type == "INTEGER":
            number = int(value) if re.fullmatch(r"-?\d+", value) else None
            return number is not None and (self.least or 0) <= number <= (self.most or MOST)
        return not self.values or value in self.values


SWITCH = Flag("BOOLEAN")
COUNT = Flag("INTEGER", 0, MOST)
COUNT_OR_OFF = Flag("INTEGER", -1, MOST)
TEXT = Flag("STRING")
NUMBER = Flag("FLOAT")

FLAGS: dict[str, dict[str, Flag]] = {
    "POSTGRES": {
        "cloudsql.iam_authentication": SWITCH,
        "autovacuum": SWITCH,
        "autovacuum_naptime": Flag("INTEGER", 1, 2147483),
        "autovacuum_vacuum_scale_factor": NUMBER,
        "checkpoint_timeout": Flag("INTEGER", 30, 86400),
        "deadlock_timeout": Flag("INTEGER", 1, MOST),
        "default_statistics_target": Flag("INTEGER", 1, 10000),
        "default_transaction_isolation": Flag(
            "STRING", values=("read committed", "repeatable read", "serializable")
        ),
        "effective_cache_size": Flag("INTEGER", 1, MOST),
        "idle_in_transaction_session_timeout": COUNT,
        "lock_timeout": COUNT,
        "log_autovacuum_min_duration": COUNT_OR_OFF,
        "log_checkpoints": SWITCH,
        "log_connections": SWITCH,
        "log_disconnections": SWITCH,
        "log_duration": SWITCH,
        "log_error_verbosity": Flag("STRING", values=("terse", "default", "verbose")),
        "log_lock_waits": SWITCH,
        "log_min_duration_statement": COUNT_OR_OFF,
        "log_min_error_statement": TEXT,
        "log_min_messages": TEXT,
        "log_statement": Flag("STRING", values=("none", "ddl", "mod", "all")),
        "log_temp_files": COUNT_OR_OFF,
        "maintenance_work_mem": Flag("INTEGER", 1024, MOST),
        "max_connections": Flag("INTEGER", 14, 262143, restart=True),
        "max_locks_per_transaction": Flag("INTEGER", 10, MOST, restart=True),
        "max_parallel_workers": Flag("INTEGER", 0, 1024),
        "max_parallel_workers_per_gather": Flag("INTEGER", 0, 1024),
        "max_wal_size": Flag("INTEGER", 2, MOST),
        "max_worker_processes": Flag("INTEGER", 8, 262143, restart=True),
        "random_page_cost": NUMBER,
        "seq_page_cost": NUMBER,
        "statement_timeout": COUNT,
        "temp_file_limit": COUNT_OR_OFF,
        "timezone": TEXT,
        "track_activity_query_size": Flag("INTEGER", 100, 1048576, restart=True),
        "track_io_timing": SWITCH,
        "work_mem": Flag("INTEGER", 64, MOST),
    },
    "MYSQL": {
        "cloudsql_iam_authentication": SWITCH,
        "character_set_server": Flag("STRING", values=("utf8mb4", "utf8mb3", "utf8", "latin1")),
        "collation_server": TEXT,
        "default_time_zone": Flag("MYSQL_TIMEZONE_OFFSET", restart=True),
        "event_scheduler": SWITCH,
        "explicit_defaults_for_timestamp": SWITCH,
        "general_log": SWITCH,
        "group_concat_max_len": Flag("INTEGER", 4, MOST),
        "innodb_file_per_table": SWITCH,
        "innodb_lock_wait_timeout": Flag("INTEGER", 1, 100_000_000),
        "innodb_print_all_deadlocks": SWITCH,
        "innodb_strict_mode": SWITCH,
        "interactive_timeout": Flag("INTEGER", 1, 31536000),
        "join_buffer_size": Flag("INTEGER", 128, MOST),
        "local_infile": SWITCH,
        "log_bin_trust_function_creators": SWITCH,
        "log_output": Flag("STRING", values=("FILE", "TABLE", "NONE")),
        "log_queries_not_using_indexes": SWITCH,
        "long_query_time": NUMBER,
        "lower_case_table_names": Flag("INTEGER", 0, 1, restart=True),
        "max_allowed_packet": Flag("INTEGER", 16384, 1073741824),
        "max_connections": Flag("INTEGER", 10, 100_000),
        "max_heap_table_size": Flag("INTEGER", 16384, MOST),
        "net_read_timeout": Flag("INTEGER", 30, 31536000),
        "net_write_timeout": Flag("INTEGER", 60, 31536000),
        "skip_show_database": Flag("BOOLEAN", restart=True),
        "slow_query_log": SWITCH,
        "sort_buffer_size": Flag("INTEGER", 32768, MOST),
        "sql_mode": TEXT,
        "tmp_table_size": Flag("INTEGER", 1024, MOST),
        "transaction_isolation": Flag(
            "STRING",
            values=("READ-UNCOMMITTED", "READ-COMMITTED", "REPEATABLE-READ", "SERIALIZABLE"),
        ),
        "wait_timeout": Flag("INTEGER", 1, 31536000),
    },
}


def check(flags: list[Resource], version: str) -> None:
    """Refuse flags Cloud SQL would not know, values of the wrong kind, and any flag twice."""
    seen: set[str] = set()
    for one in flags:
        name, value = one.get("name", ""), str(one.get("value", ""))
        known = FLAGS[kind(version)].get(name)
        if known is None or not known.accepts(value) or name in seen:
            raise invalid_request(f"Invalid flag or value: {name}={value}.", reason="invalidFlag")
        seen.add(name)


def value(settings: Resource, name: str) -> str | None:
    """Return the value of one flag."""
    found = [one["value"] for one in settings.get("databaseFlags", []) if one["name"] == name]
    return found[0] if found else None


def for_server(settings: Resource) -> dict[str, str]:
    """Return the flags that are the server's own settings."""
    return {
        one["name"]: one["value"]
        for one in settings.get("databaseFlags", [])
        if not one["name"].startswith(OF_SERVICE)
    }


def list_flags(call: Call) -> Resource:
    """List the flags that can be set here, of one version or of all."""
    wanted = call.get("databaseVersion")
    items = [
        _shown(name, flag, ENGINES[engine].versions)
        for engine, flags in FLAGS.items()
        for name, flag in flags.items()
        if wanted is None or wanted in ENGINES[engine].versions
    ]
    return {"kind": "sql#flagsList", "items": items}


def _shown(name: str, flag: Flag, versions: tuple[str, ...]) -> Resource:
    shown: dict[str, Any] = {
        "kind": "sql#flag",
        "name": name,
        "type": flag.type,
        "appliesTo": list(versions),
        "requiresRestart": flag.restart,
        "inBeta": False,
    }
    if flag.least is not None and flag.most is not None:
        shown |= {"minValue": str(flag.least), "maxValue": str(flag.most)}
    if flag.values:
        shown["allowedStringValues"] = list(flag.values)
    return shown
