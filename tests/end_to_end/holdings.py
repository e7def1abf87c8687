"""Everything a local cloud holds, resource by resource, read from its files.

Read from the files and not through the APIs, so that nothing escapes because nobody asked for it.
What is left out is listed here and nowhere else.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from localcloud.machines.databases.postgres import PostgresDatabases
from tests.end_to_end.installation import PROJECT, Installation

RECORDS = {
    "logging": "log entries",
    "workflowexecutions": "executions",
    "workflowexecutions.steps": "steps of executions",
    "workflowexecutions.journal": "how far executions got",
    "cloudbuild": "builds",
    "compute.busy": "which operation was a resource's last",
    "sqladmin.latest": "which operation was an instance's last",
    "sqladmin.contents": "what backups hold, and a final backup stays",
    "links": "loopback links handed out to browsers",
    "metadata.ports": "where an account's metadata server listened",
}
"""Namespaces of the store that tell of the past, or of this machine."""

PASSED = {
    "operations/": "operations, which are over",
    "/deletedServiceAccounts/": "accounts that could be undeleted for 30 days",
    "/gcf-artifacts/": "images of functions",
    "/changes/": "what was changed in a DNS zone",
}
"""Parts of names that tell of the past."""

TOMBSTONE = ("spec.json", "status.json")
"""What remains of a deployment in the registry, so that GET can say that it was removed."""

Holdings = dict[tuple[str, str], Any]


def holdings(berth: Installation) -> Holdings:
    """Return every resource by kind and name, with what it says."""
    return {
        **dict(_store(berth.state / "store.sqlite")),
        **dict(_storage(berth.state / "storage" / "storage.db")),
        **dict(_broker(berth.state / "pubsub.db")),
        **dict(_databases(berth)),
    }


def difference(before: Holdings, after: Holdings, *, removed: str = "") -> dict[str, Any]:
    """Return what appeared, vanished and changed; the tombstone of *removed* does not count."""
    graves = {("object", f"deployments/{removed}/{file}") for file in TOMBSTONE}
    names = (before.keys() | after.keys()) - graves
    return {
        " ".join(name): (before.get(name, "nothing"), after.get(name, "nothing"))
        for name in sorted(names)
        if before.get(name) != after.get(name)
    }


def _rows(file: Path, query: str) -> Iterator[tuple[Any, ...]]:
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as database:
        yield from database.execute(query)


def _store(file: Path) -> Iterator[tuple[tuple[str, str], Any]]:
    for api, name, text in _rows(file, "select api, name, body from resources"):
        if api in RECORDS or any(part in name for part in PASSED):
            continue
        body = json.loads(text)
        if isinstance(body, dict):
            # It changes with each write, also when the content comes back to what it was.
            body.pop("etag", None)
        if not _is_nothing(api, body):
            yield (api, name), body


def _is_nothing(api: str, body: Any) -> bool:
    """Tell policies that name nobody, and keys that Google made and keeps for an account."""
    if api == "iam.policies":
        return not body.get("bindings") and not body.get("auditConfigs")
    return api == "iam.keys" and bool(body["kind"] == "SYSTEM_MANAGED")


def _storage(file: Path) -> Iterator[tuple[tuple[str, str], Any]]:
    """Give live buckets and what is in them.

    Left out: what soft delete keeps for seven days, and older generations of the registry's
    objects, which is versioned in order to have them.
    """
    versioned, deployments = set(), {}
    buckets = _rows(file, "select key, name, resource from buckets where purge_at is null")
    for key, name, resource in list(buckets):
        yield ("bucket", name), json.loads(resource)
        if name.startswith(f"{PROJECT}-mlflow-"):
            deployments[key] = name
        if json.loads(resource).get("versioning", {}).get("enabled"):
            versioned.add(key)
    query = (
        "select o.bucket, o.name, o.generation, o.live, o.resource from objects o "
        "join buckets b on b.key = o.bucket where o.purge_at is null and b.purge_at is null"
    )
    for key, name, generation, live, resource in list(_rows(file, query)):
        if live or key not in versioned:
            place = f"{deployments[key]}/{name}" if key in deployments else name
            yield ("object", place), (generation, json.loads(resource))


def _broker(file: Path) -> Iterator[tuple[tuple[str, str], Any]]:
    for name, kind, body in _rows(file, "select name, kind, body from resources"):
        yield (kind, name), json.loads(body)


def _databases(berth: Installation) -> Iterator[tuple[tuple[str, str], Any]]:
    """Ask each PostgreSQL itself what databases and roles it has, and who may do what."""
    servers = PostgresDatabases(berth.state / "databases")
    for file in (berth.state / "databases").glob("**/instance.json"):
        record = json.loads(file.read_text())
        instance = record["instance"]
        assert instance.startswith(PROJECT)
        # MySQL is never shared: whoever looks for traces of a deployment finds the instance.
        if not record["version"].startswith("POSTGRES"):
            continue
        with servers._admin(instance) as admin:
            for name, rights, limit in admin.execute(
                "select datname, datacl::text, datconnlimit from pg_database"
            ):
                yield (f"database of {instance}", name), (rights, limit)
            for name, login, member_of in admin.execute(
                "select rolname, rolcanlogin, array(select b.rolname::text from pg_auth_members m "
                "join pg_roles b on b.oid = m.roleid where m.member = r.oid order by 1) "
                "from pg_roles r"
            ):
                yield (f"role of {instance}", name), (login, member_of)
