"""Serverless network endpoint groups: which service of Cloud Run or App Engine is meant."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.services.compute import names
from localcloud.services.compute.kinds import Kind

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

SERVERLESS = "SERVERLESS"
_TARGETS = ("cloudRun", "appEngine", "cloudFunction")
_NEEDS = {"cloudRun": "service", "cloudFunction": "function"}
_MASK = re.compile(r"<(?:service|tag|version|function)>")
_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")


def prepared(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete a group."""
    del call, before  # groups never change
    kind = body.get("networkEndpointType")
    if kind is None:
        raise names.required("resource.networkEndpointType")
    if kind != SERVERLESS:
        raise names.not_here("network endpoint group of type", kind)
    given = [name for name in _TARGETS if name in body]
    if len(given) != 1:
        raise names.wrong(
            "resource.networkEndpointType",
            kind,
            "A serverless network endpoint group has exactly one of cloudRun, appEngine and "
            "cloudFunction.",
        )
    for field in ("network", "subnetwork", "defaultPort", "pscTargetService"):
        if field in body:
            raise names.wrong(
                f"resource.{field}", body[field], "It must not be set for a serverless group."
            )
    _check_target(given[0], body[given[0]])
    return {**body, "size": 0}


def _check_target(kind: str, target: Resource) -> None:
    named = _NEEDS.get(kind)
    mask = target.get("urlMask")
    if named is not None and bool(target.get(named)) == bool(mask):
        raise names.wrong(
            f"resource.{kind}", target, f"Exactly one of {named} and urlMask must be set."
        )
    if mask and not _MASK.search(mask):
        raise names.wrong(f"resource.{kind}.urlMask", mask, "The mask holds no placeholder.")
    if mask and any(target.get(field) for field in ("service", "version", "function")):
        raise names.wrong(f"resource.{kind}.urlMask", mask, "It excludes the other fields.")
    if target.get("version") and not target.get("service"):
        raise names.wrong(
            f"resource.{kind}.version", target["version"], "A version needs its service."
        )
    for field in ("service", "tag", "version", "function"):
        value = target.get(field)
        if value and not _LABEL.fullmatch(value):
            raise names.wrong(f"resource.{kind}.{field}", value, "It must comply with RFC1035.")


GROUPS = Kind(
    collection="networkEndpointGroups",
    parameter="networkEndpointGroup",
    word="compute#networkEndpointGroup",
    api="compute.regionNetworkEndpointGroups",
    permission="compute.regionNetworkEndpointGroups",
    prepared=prepared,
    output_only=frozenset({"size", "zone"}),
)
