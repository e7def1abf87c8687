"""Cloud SQL instances: each is a real database server, stopped and started by its settings."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.listing import filtered
from localcloud.machines.databases.contract import DatabaseError, Login
from localcloud.merge import patched
from localcloud.service import page
from localcloud.services.sqladmin import backups, passwords, private, progress, rules, tiers
from localcloud.services.sqladmin.connections.certificates import Certificates
from localcloud.services.sqladmin.connections.gateway import gateway_of
from localcloud.services.sqladmin.descriptions import described, etag, with_defaults
from localcloud.services.sqladmin.engines import DEFAULT_VERSION, engine
from localcloud.services.sqladmin.names import (
    instance,
    instance_key,
    invalid_request,
    machine,
    project,
    running,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

DEFAULT_REGION = "us-central1"
RENAMED = {"us-central": DEFAULT_REGION}
"""A region of the first generation, which gcloud still sends when nobody chooses one."""
MAKING = {"CREATE", "CLONE", "RESTORE_VOLUME"}
"""Operations that make an instance; the last one also fills one that is there."""
_DEPTH = 3
"""How many slashes the key of an instance has."""
EXISTS = (
    "The Cloud SQL instance already exists. When you delete an instance, you can't reuse the name "
    "of the deleted instance until one week from the deletion date."
)
PROTECTED = (
    "The instance is protected. Please disable the deletion protection and try again. To disable "
    "deletion protection, update the instance settings with deletionProtectionEnabled set to false."
)


def insert(call: Call) -> Resource:
    """Create an instance and start its server."""
    return made(call, call.body)


def made(
    call: Call,
    wanted: Resource,
    *,
    kind: str = "CREATE",
    fill: Callable[[], None] | None = None,
    also: str | None = None,
) -> Resource:
    """Begin to make an instance; ``fill`` puts something into it, from the instance ``also``."""
    body = deepcopy(wanted)
    password = body.pop("rootPassword", None)
    body.setdefault("databaseVersion", DEFAULT_VERSION)
    region = body.get("region", DEFAULT_REGION)
    body["region"] = RENAMED.get(region, region)
    rules.check_new(call, body)
    settings = with_defaults(body["settings"], body["databaseVersion"])
    rules.check_settings(settings, body["databaseVersion"])
    private.check(call, settings)
    name = body["name"]
    key = f"{project(call)}/instances/{name}"
    if call.store.find(key) is not None:
        raise ApiError(409, EXISTS, reason="instanceAlreadyExists")
    fresh = described(call, {**body, "settings": settings})
    passwords.check(fresh, engine(fresh).superuser, password)
    connection = fresh["connectionName"]

    def work() -> None:
        servers = machine(call)
        try:
            servers.create(
                connection, fresh["databaseVersion"], options=tiers.server_options(fresh)
            )
            if password:
                servers.set_user(connection, Login(engine(fresh).superuser, password=password))
            if fill is not None:
                fill()
            if settings["activationPolicy"] == "NEVER":
                servers.stop(connection)
            else:
                gateway_of(call.cloud).open(key, fresh)
        except DatabaseError as error:
            raise ApiError(
                500, f"An unknown error occurred: {error}", reason="INTERNAL_ERROR"
            ) from error
        call.store.update(key, lambda found: {**found, "state": "RUNNABLE"})

    with call.store.lock():
        if call.store.find(key) is not None:
            raise ApiError(409, EXISTS, reason="instanceAlreadyExists")
        call.store.create(key, fresh)
        return progress.begin(call, kind, work, instance=name, also=also)


def get(call: Call) -> Resource:
    """Show an instance."""
    return _seen(call, instance(call))


def list_instances(call: Call) -> Resource:
    """List instances."""
    found = [_seen(call, one) for one in call.store.children(f"{project(call)}/instances/")]
    kept = filtered(found, call.get("filter"))
    return {"kind": "sql#instancesList", **page(call, kept, "items", size_param="maxResults")}


def patch(call: Call) -> Resource:
    """Change the fields that were sent; null takes a field back to what it is by default."""
    after = patched(instance(call), call.body)
    if not (after.get("settings") or {}).get("tier"):
        raise invalid_request("settings.tier is required.", "required")
    after["settings"] = with_defaults(after["settings"], after["databaseVersion"])
    return _change(call, after)


def update(call: Call) -> Resource:
    """Replace the settings; the version of the settings must be the present one."""
    before = instance(call)
    sent = call.body.get("settings", {}).get("settingsVersion")
    if sent is None:
        raise invalid_request("settingsVersion is required to update an instance.", "required")
    settings = with_defaults(call.body["settings"], before["databaseVersion"])
    return _change(call, {**before, **call.body, "settings": settings})


def delete(call: Call) -> Resource:
    """Delete an instance with all that is in it."""
    found = instance(call)
    if found["settings"].get("deletionProtectionEnabled"):
        raise ApiError(400, PROTECTED, reason="invalid")
    key, connection = instance_key(call), found["connectionName"]
    backups.check_final(call)
    final = call.get("enableFinalBackup")
    wanted = found["settings"].get("finalBackupConfig", {}).get("enabled", False)
    if final is None:
        final = wanted

    def work() -> None:
        if final and found["state"] == "RUNNABLE":
            # one that is stopped has to be asked, too
            machine(call).start(connection)
            backups.make_final(call, found)
        gateway_of(call.cloud).close(key)
        machine(call).delete(connection)
        Certificates(call.cloud, key).forget()
        backups.part_with(call, found)
        call.store.delete_tree(key)

    return progress.begin(call, "DELETE", work)


def restart(call: Call) -> Resource:
    """Stop the server and start it."""
    found = running(call)
    options = tiers.server_options(found)
    return progress.begin(
        call, "RESTART", lambda: machine(call).configure(found["connectionName"], options)
    )


def stale(sent: object, present: str) -> ApiError:
    """Make the refusal of settings that are not the present ones."""
    words = f"Invalid request: settingsVersion {sent} is not the present {present}."
    return ApiError(412, words, reason="staleData")


def let_in(cloud: Cloud) -> None:
    """Open the gateway of every instance that serves, when the cloud has come up."""
    for key, found in cloud.store.of("sqladmin").under(f"projects/{cloud.project}/instances/"):
        if key.count("/") == _DEPTH and _serves(found):
            gateway_of(cloud).open(key, found)


def _change(call: Call, after: Resource) -> Resource:
    before = instance(call)
    after = rules.with_decided(before, after)
    old, new = before["settings"], after["settings"]
    sent = call.body.get("settings", {}).get("settingsVersion")
    if sent is not None and str(sent) != old["settingsVersion"]:
        raise stale(sent, old["settingsVersion"])
    rules.check_change(before, after)
    rules.check_settings(new, before["databaseVersion"])
    private.check(call, new, old)
    new["settingsVersion"] = str(int(old["settingsVersion"]) + 1)
    after["etag"] = etag(after)
    key, connection = instance_key(call), before["connectionName"]
    after["ipAddresses"] = private.addresses(call.cloud, key, new, before["ipAddresses"])

    def work() -> None:
        servers = machine(call)
        # An instance that could not be made has no server, but settings that can be changed: its
        # protection has to come off before it can be deleted.
        there = before["state"] != "FAILED"
        if there and new["activationPolicy"] == "NEVER":
            gateway_of(call.cloud).close(key)
            servers.stop(connection)
        if there and tiers.server_options(after) != tiers.server_options(before):
            servers.configure(connection, tiers.server_options(after))
        if there and new["activationPolicy"] == "ALWAYS":
            servers.start(connection)
            gateway_of(call.cloud).open(key, after)
        call.store.update(key, lambda found: {**after, "state": found["state"]})

    return progress.begin(call, "UPDATE", work)


def _seen(call: Call, stored: Resource) -> Resource:
    """Give an instance the state that its unfinished operation means."""
    operation = progress.under_way(call, f"{project(call)}/instances/{stored['name']}")
    kind = operation["operationType"] if operation else None
    if kind == "DELETE":
        return {**stored, "state": "PENDING_DELETE"}
    if kind in MAKING and stored["state"] == "FAILED":
        return {**stored, "state": "PENDING_CREATE"}
    return stored


def _serves(found: Resource) -> bool:
    return (found["state"], found["settings"]["activationPolicy"]) == ("RUNNABLE", "ALWAYS")
