"""What IAP's policies and settings hang on: which names there are, and which permissions they need."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.errors import ApiError, invalid, not_found

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud
    from localcloud.service import Call
    from localcloud.store import Resource

_NAME = re.compile(
    r"projects/(?P<project>[^/]+)/iap_web"
    r"(/(?P<type>[^/]+)(/services/(?P<service>[^/]+)(/versions/(?P<version>[^/]+))?)?)?"
)
_ELSEWHERE = ("organizations/", "folders/")
_APP_ENGINE, _CLOUD_RUN = "appengine-", "cloud_run-"


def checked(call: Call, permission: str) -> str:
    """Give the name a call is about, once the caller has the permission and it is there.

    ``permission`` is the last word, such as ``getIamPolicy``.
    """
    raw = str(call.get("resource") or call.get("name"))
    name = call.cloud.by_id(raw)
    found = _NAME.fullmatch(name)
    if found is None:
        if raw.startswith(_ELSEWHERE) or "/iap_tunnel" in raw:
            raise ApiError(
                501, f"{raw} has no local counterpart; projects/…/iap_web has.", status=_UNMET
            )
        raise invalid(f"Invalid resource name: {raw}")
    name = _canonical(call.cloud, name, found)
    call.params["resource"] = call.params["name"] = name
    call.require(f"iap.{_kind(found)}.{permission}", name)
    if not _exists(call.cloud, found):
        raise not_found(f"Requested entity was not found: {raw}")
    return name


_UNMET = "UNIMPLEMENTED"


def _kind(found: re.Match[str]) -> str:
    if found["version"]:
        return "webServiceVersions"
    if found["service"]:
        return "webServices"
    return "webTypes" if found["type"] else "web"


def _exists(cloud: Cloud, found: re.Match[str]) -> bool:
    if found["project"] != cloud.project:
        return False
    kind = found["type"]
    if not kind:
        return True
    for prefix, look in _LOOKS.items():
        if kind.startswith(prefix):
            return look(cloud, kind.removeprefix(prefix), found)
    return False


def _app(cloud: Cloud, app: str, found: re.Match[str]) -> bool:
    parts = [f"apps/{app}"]
    if found["service"]:
        parts.append(f"services/{found['service']}")
    if found["version"]:
        parts.append(f"versions/{found['version']}")
    return cloud.store.of("appengine").find("/".join(parts)) is not None


def _run(cloud: Cloud, region: str, found: re.Match[str]) -> bool:
    if not found["service"]:
        return True
    name = f"projects/{cloud.project}/locations/{region}/services/{found['service']}"
    return not found["version"] and cloud.store.of("run").find(name) is not None


def _canonical(cloud: Cloud, name: str, found: re.Match[str]) -> str:
    """Name a backend service by its name, whichever of name and number the caller used."""
    kind = found["type"] or ""
    backend = _backend_of(cloud, kind.removeprefix("compute"), found["service"] or "")
    if not kind.startswith("compute") or backend is None:
        return name
    return name.replace(f"/services/{found['service']}", f"/services/{backend['name']}")


def _backend(cloud: Cloud, region: str, found: re.Match[str]) -> bool:
    wanted = found["service"]
    if not wanted:
        return True
    return not found["version"] and _backend_of(cloud, region, wanted) is not None


def _backend_of(cloud: Cloud, region: str, wanted: str) -> Resource | None:
    place = f"regions/{region.removeprefix('-')}" if region else "global"
    prefix = f"projects/{cloud.project}/{place}/backendServices/"
    kept = cloud.store.of("compute")
    for one in kept.children(prefix):
        if wanted in {one.get("name"), str(one.get("id"))}:
            return one
    return None


_LOOKS: dict[str, Callable[[Cloud, str, re.Match[str]], bool]] = {
    _APP_ENGINE: _app,
    _CLOUD_RUN: _run,
    "compute": _backend,
}
