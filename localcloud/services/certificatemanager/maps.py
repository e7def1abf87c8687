"""Certificate maps: which certificate a load balancer shows for which host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import already_exists, invalid, not_found
from localcloud.services.certificatemanager import names

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call, Resource

MOST_CERTIFICATES = 4
HOST = "//certificatemanager.googleapis.com/"
_DESCRIBED = frozenset({"description", "labels"})
_CHANGEABLE = _DESCRIBED | {"certificates"}


def create(call: Call) -> Resource:
    """Make a map without entries."""
    return names.create(call, "certificateMaps", "CertificateMap", call.body)


def get(call: Call) -> Resource:
    """Show a map with the proxies that go by it."""
    return _seen(call.cloud, names.existing(call))


def list_maps(call: Call) -> Resource:
    """List maps."""
    found = names.lister("certificateMaps")(call)
    shown = [_seen(call.cloud, one) for one in found.get("certificateMaps", [])]
    return {**found, "certificateMaps": shown} if shown else found


def patch(call: Call) -> Resource:
    """Change what a map says about itself."""
    return names.patch(call, "CertificateMap", _DESCRIBED, lambda _: None)


def delete(call: Call) -> Resource:
    """Delete a map without entries that no proxy goes by."""

    def used(call: Call, name: str) -> str:
        if call.store.children(f"{name}/certificateMapEntries/"):
            return (
                "can't delete a non-empty certificate map; consider removing all map entries first"
            )
        if proxies(call.cloud, name):
            return "can't delete certificate map that is referenced by a TargetHttpsProxy"
        return ""

    return names.delete(call, used)


def create_entry(call: Call) -> Resource:
    """Make an entry: one host, or what is shown when no host matches."""
    body = dict(call.body)
    parent = names.name_of(call)
    if call.store.find(parent) is None:
        raise not_found(f"Resource '{parent}' was not found")
    host, matcher = body.get("hostname"), body.get("matcher")
    if bool(host) == (matcher == "PRIMARY"):
        raise invalid("Exactly one of 'hostname' and 'matcher' must be set.")
    if host and not names.DOMAIN.fullmatch(host):
        raise invalid(f"Invalid hostname '{host}'.")
    for other in call.store.children(f"{parent}/certificateMapEntries/"):
        if (other.get("hostname"), other.get("matcher")) == (host, matcher):
            raise already_exists(f"The map has an entry for '{host or matcher}' already.")
    body["certificates"] = _certificates(call, body)
    return names.create(call, "certificateMapEntries", "CertificateMapEntry", body)


def get_entry(call: Call) -> Resource:
    """Show an entry."""
    return _entry_seen(call, names.existing(call))


def list_entries(call: Call) -> Resource:
    """List the entries of a map."""
    found = names.lister("certificateMapEntries")(call)
    shown = [_entry_seen(call, one) for one in found.get("certificateMapEntries", [])]
    return {**found, "certificateMapEntries": shown} if shown else found


def patch_entry(call: Call) -> Resource:
    """Change an entry's certificates or what it says about itself."""

    def check(after: Resource) -> None:
        after["certificates"] = _certificates(call, after)

    return names.patch(call, "CertificateMapEntry", _CHANGEABLE, check)


def delete_entry(call: Call) -> Resource:
    """Delete an entry."""
    return names.delete(call, lambda _, __: "")


def proxies(cloud: Cloud, name: str) -> list[Resource]:
    """Return the target proxies that go by a map."""
    place = f"projects/{cloud.project}/global/targetHttpsProxies/"
    return [
        one
        for one in cloud.store.of("compute").children(place)
        if one.get("certificateMap") == HOST + name
    ]


def _certificates(call: Call, body: Resource) -> list[str]:
    given = [call.cloud.by_id(link) for link in body.get("certificates", [])]
    if not given:
        raise invalid("Required field 'certificates' is missing.")
    if len(given) > MOST_CERTIFICATES:
        raise invalid(f"An entry has at most {MOST_CERTIFICATES} certificates.")
    for name in given:
        if "/certificates/" not in name or call.store.find(name) is None:
            raise not_found(f"Resource '{name}' was not found")
    call.require("certificatemanager.certs.use", names.project_of(call))
    return given


def _entry_seen(call: Call, stored: Resource) -> Resource:
    parent = str(stored["name"]).partition("/certificateMapEntries/")[0]
    served = bool(proxies(call.cloud, parent))
    return {**stored, "state": "ACTIVE" if served else "PENDING"}


def _seen(cloud: Cloud, stored: Resource) -> Resource:
    targets = []
    rules = cloud.store.of("compute").children(f"projects/{cloud.project}/global/forwardingRules/")
    for proxy in proxies(cloud, stored["name"]):
        own = [one for one in rules if one["target"] == proxy["selfLink"]]
        target: Resource = {"targetHttpsProxy": proxy["selfLink"]}
        if own:
            target["ipConfigs"] = [
                {"ipAddress": one["IPAddress"], "ports": [int(one["portRange"].split("-")[0])]}
                for one in own
            ]
        targets.append(target)
    return {**stored, "gclbTargets": targets} if targets else stored
