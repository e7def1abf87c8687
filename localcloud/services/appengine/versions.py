"""appengine.apps.services.versions: deployed, looked at, scaled, stopped and deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud import refusals
from localcloud.errors import ApiError, denied, invalid, not_found
from localcloud.merge import merged
from localcloud.service import page
from localcloud.services.appengine import (
    applications,
    blueprints,
    deployment,
    names,
    operations,
    records,
)

if TYPE_CHECKING:
    from localcloud.service import Call
    from localcloud.store import Resource

_FLEX_API = "appengineflex.googleapis.com"
_FULL_ONLY = ("deployment", "envVariables", "handlers")
_PATCHABLE = frozenset(
    {
        "automaticScaling.coolDownPeriod",
        "automaticScaling.cpuUtilization.targetUtilization",
        "automaticScaling.maxTotalInstances",
        "automaticScaling.minTotalInstances",
        "manualScaling.instances",
        "servingStatus",
    }
)
QUOTA = "appengine.backendServices"
_QUOTA = 9
_FIRST = (
    "The first service (module) you upload to a new application must be the 'default' service "
    "(module)."
)


def create(call: Call) -> Resource:
    """Deploy a version; the same id again replaces what it was."""
    app = applications.fetch(call)
    service = names.service_of(call)
    names.check_service_id(call["servicesId"])
    short = names.check_version_id(call.body.get("id", ""))
    name = f"{service}/versions/{short}"
    made = blueprints.complete(call.body)
    if call["servicesId"] != names.DEFAULT:
        default = call.store.find(f"{app['name']}/services/{names.DEFAULT}")
        if default is None:
            raise invalid(_FIRST)
    account = made.get("serviceAccount") or app["serviceAccount"]
    _check_account(call, account)
    if made["env"] == blueprints.FLEXIBLE:
        _check_flexible(call, app, name)
    made |= {
        "name": name,
        "id": short,
        "serviceAccount": account,
        "createTime": call.now,
        "createdBy": call.caller.email,
        "versionUrl": names.version_url(name, app["locationId"]),
    }
    return operations.start(
        call,
        "Versions.CreateVersion",
        name,
        lambda: deployment.deploy(call.cloud, made),
        "Version",
    )


def get(call: Call) -> Resource:
    """Give a version; what it is made of only with ``view=FULL``."""
    return _seen(call, fetch(call))


def fetch(call: Call) -> Resource:
    """Give the version a call is about; 404 if there is none."""
    applications.fetch(call)
    found = call.store.find(names.version_of(call))
    if found is None:
        raise not_found(
            f"Version '{call['versionsId']}' of service '{call['servicesId']}' not found."
        )
    return found


def listed(call: Call) -> Resource:
    """List the versions of a service."""
    applications.fetch(call)
    service = names.service_of(call)
    if call.store.find(service) is None:
        raise not_found(f"Service '{call['servicesId']}' not found.")
    found = [_seen(call, one) for one in call.store.children(f"{service}/versions/")]
    return page(call, found, "versions")


def patch(call: Call) -> Resource:
    """Stop, start or scale a version; nothing else of it can be changed."""
    current = fetch(call)
    paths = call.mask()
    if not paths:
        raise invalid("An update mask is required.")
    for path in paths:
        if path not in _PATCHABLE:
            raise invalid(f"Invalid update mask: '{path}' of a version cannot be updated.")
        kind = path.partition(".")[0]
        if "." in path and kind not in current:
            raise invalid(f"The version is not deployed with {kind}.")
    changed = merged(current, call.body, paths)
    if changed.get("servingStatus") not in {"SERVING", "STOPPED"}:
        raise invalid("servingStatus: must be SERVING or STOPPED")
    if "automaticScaling" in changed:
        blueprints.check_automatic(changed["automaticScaling"])
    if "manualScaling" in changed:
        count = changed["manualScaling"].get("instances", 0)
        blueprints.check_count(count, "manual_scaling.instances")

    def work() -> Resource:
        return deployment.change(call.cloud, changed)

    return operations.start(call, "Versions.UpdateVersion", current["name"], work, "Version")


def delete(call: Call) -> Resource:
    """Delete a version that gets no requests."""
    current = fetch(call)
    name, short = current["name"], current["id"]
    service = call.store.find(name.rpartition("/versions/")[0]) or {}
    if short in service.get("split", {}).get("allocations", {}):
        raise invalid(
            "Cannot delete a version with a non-zero traffic allocation. Please update your traffic "
            "split to remove the allocation for this version and try again."
        )

    def work() -> None:
        records.forget(call.cloud, name)
        call.cloud.ingress.fleet.retire(name)

    return operations.start(call, "Versions.DeleteVersion", name, work, None)


def _seen(call: Call, version: Resource) -> Resource:
    if call.get("view") == "FULL":
        return version
    return {key: value for key, value in version.items() if key not in _FULL_ONLY}


def _check_account(call: Call, account: str) -> None:
    cloud = call.cloud
    if not cloud.account_exists(account) or not cloud.account_usable(account):
        raise not_found(
            f"An error occurred when obtaining a token for {account}: "
            "CloudGaia.GenerateAccessToken, NOT_FOUND: Account disabled or does not exist."
        )
    resource = f"projects/{cloud.project}/serviceAccounts/{account}"
    if not cloud.iam.allowed(call.caller.member, "iam.serviceAccounts.actAs", "iam", resource):
        raise denied(f"You do not have permission to act as '{account}'.")


def _check_flexible(call: Call, app: Resource, name: str) -> None:
    if not call.cloud.usable(_FLEX_API):
        raise refusals.api_disabled(
            _FLEX_API, title="App Engine Flexible Environment", number=call.cloud.number
        )
    most = call.cloud.quotas.get(QUOTA, _QUOTA)
    used = [
        other
        for other, one in call.store.under(f"{app['name']}/services/")
        if one.get("env") == blueprints.FLEXIBLE
        and one["servingStatus"] == "SERVING"
        and other != name
    ]
    if len(used) >= most:
        raise ApiError(
            400,
            f"The following quotas were exceeded: BACKEND_SERVICES (quota: {most}, used: "
            f"{len(used)} + needed: 1).",
            status="INVALID_ARGUMENT",
        )
