"""URL maps: which backend service a host and a path mean, or where else a client is sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.services.compute import names
from localcloud.services.compute.kinds import Kind

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

_MAP_FIELDS = frozenset(
    {
        "defaultService",
        "defaultUrlRedirect",
        "description",
        "fingerprint",
        "hostRules",
        "name",
        "pathMatchers",
    }
)
_MATCHER_FIELDS = frozenset(
    {"defaultService", "defaultUrlRedirect", "description", "name", "pathRules"}
)
_RULE_FIELDS = frozenset({"paths", "service", "urlRedirect"})
_HOST = re.compile(r"\*|(\*[-.])?[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?", re.IGNORECASE)
_PATH = re.compile(r"/[^*?#]*(?:(?<=/)\*)?")


def prepared(call: Call, body: Resource, before: Resource | None) -> Resource:
    """Check and complete a map."""
    del before
    _only(body, _MAP_FIELDS, "")
    made = _with_service(call, body, "", "defaultService", "defaultUrlRedirect")
    made["pathMatchers"] = [
        _matcher(call, one, f"pathMatchers[{at}].")
        for at, one in enumerate(body.get("pathMatchers", []))
    ]
    known = [one["name"] for one in made["pathMatchers"]]
    _check_hosts(body, known)
    if len(set(known)) < len(known):
        raise names.wrong("resource.pathMatchers", known, "Path matchers have different names.")
    used = {rule["pathMatcher"] for rule in body.get("hostRules", [])}
    for name in known:
        if name not in used:
            raise names.wrong("resource.pathMatchers", name, "No host rule uses the path matcher.")
    if not made["pathMatchers"]:
        del made["pathMatchers"]
    return made


def _check_hosts(body: Resource, known: list[str]) -> None:
    """Refuse host rules that lead nowhere, or contradict each other."""
    hosts: list[str] = []
    for at, rule in enumerate(body.get("hostRules", [])):
        field = f"resource.hostRules[{at}]"
        for part in ("hosts", "pathMatcher"):
            if not rule.get(part):
                raise names.required(f"{field}.{part}")
        if rule["pathMatcher"] not in known:
            raise names.wrong(
                f"{field}.pathMatcher", rule["pathMatcher"], "There is no such path matcher."
            )
        for host in rule["hosts"]:
            if not _HOST.fullmatch(host):
                raise names.wrong(f"{field}.hosts", host, "It is not a host or a pattern of one.")
        hosts += rule["hosts"]
    if len(set(hosts)) < len(hosts):
        raise names.wrong("resource.hostRules", hosts, "A host can be in one host rule only.")


def _matcher(call: Call, body: Resource, at: str) -> Resource:
    _only(body, _MATCHER_FIELDS, at)
    if not body.get("name"):
        raise names.required(f"resource.{at}name")
    made = _with_service(call, body, at, "defaultService", "defaultUrlRedirect")
    rules = []
    for number, rule in enumerate(body.get("pathRules", [])):
        place = f"{at}pathRules[{number}]."
        _only(rule, _RULE_FIELDS, place)
        if not rule.get("paths"):
            raise names.required(f"resource.{place}paths")
        for path in rule["paths"]:
            if not _PATH.fullmatch(path):
                raise names.wrong(
                    f"resource.{place}paths",
                    path,
                    "A path starts with a slash, and a * is only at its end, after a slash.",
                )
        rules.append(_with_service(call, rule, place, "service", "urlRedirect"))
    paths = [path for rule in rules for path in rule["paths"]]
    if len(set(paths)) < len(paths):
        raise names.wrong(f"resource.{at}pathRules", paths, "A path can be in one rule only.")
    return {**made, "pathRules": rules} if rules else made


def _with_service(call: Call, body: Resource, at: str, service: str, redirect: str) -> Resource:
    if bool(body.get(service)) == (redirect in body):
        raise names.wrong(
            f"resource.{at}{service}",
            body.get(service, ""),
            f"Exactly one of {service} and {redirect} must be set.",
        )
    if redirect in body:
        return {**body, redirect: _redirect(body[redirect], f"{at}{redirect}")}
    key = names.reference(
        call.cloud, body[service], f"{at}{service}", {"backendServices", "backendBuckets"}
    )
    return {**body, service: names.link(key)}


def _redirect(body: Resource, at: str) -> Resource:
    if body.get("pathRedirect") and body.get("prefixRedirect"):
        raise names.wrong(
            f"resource.{at}", body, "pathRedirect and prefixRedirect exclude each other."
        )
    for field in ("pathRedirect", "prefixRedirect"):
        if body.get(field) and not body[field].startswith("/"):
            raise names.wrong(f"resource.{at}.{field}", body[field], "It starts with a slash.")
    if not any(body.get(field) for field in body if field != "stripQuery"):
        raise names.wrong(f"resource.{at}", body, "It would lead to the same URL.")
    return {
        "httpsRedirect": False,
        "stripQuery": False,
        "redirectResponseCode": "MOVED_PERMANENTLY_DEFAULT",
        **body,
    }


def _only(body: Resource, known: frozenset[str], at: str) -> None:
    for field in sorted(body.keys() - known):
        raise names.not_here(f"URL map with {at}{field}", body[field])


def services(url_map: Resource) -> set[str]:
    """Return the links of every backend service a map leads to."""
    found = {url_map.get("defaultService")}
    for matcher in url_map.get("pathMatchers", []):
        found.add(matcher.get("defaultService"))
        found |= {rule.get("service") for rule in matcher.get("pathRules", [])}
    return {link for link in found if link}


URL_MAPS = Kind(
    collection="urlMaps",
    parameter="urlMap",
    word="compute#urlMap",
    prepared=prepared,
    output_only=frozenset({"status"}),
    links=("defaultService", "pathMatchers.defaultService", "pathMatchers.pathRules.service"),
    fingerprint=True,
)
