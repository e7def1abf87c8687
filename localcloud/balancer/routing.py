"""What a URL map makes of a request: a backend service, or a redirect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.store import Resource

CODES = {
    "MOVED_PERMANENTLY_DEFAULT": 301,
    "FOUND": 302,
    "SEE_OTHER": 303,
    "TEMPORARY_REDIRECT": 307,
    "PERMANENT_REDIRECT": 308,
}


@dataclass(frozen=True)
class Destination:
    """Where a request goes: one of the two is set.

    Attributes:
        service: the link of a backend service.
        redirect: what the client is told instead.
        matched: how much of the path the rule named, for a redirect of that part.
    """

    service: str | None
    redirect: Resource | None
    matched: str = "/"


def destination(url_map: Resource, host: str, port: int, path: str) -> Destination:
    """Find the rule for a host and a path: the most exact one counts."""
    named = _matcher_of(url_map, host, port)
    for matcher in url_map.get("pathMatchers", []):
        if matcher["name"] == named:
            return _by_path(matcher, path)
    return Destination(url_map.get("defaultService"), url_map.get("defaultUrlRedirect"))


def names_host(url_map: Resource, host: str, port: int) -> bool:
    """Tell whether a map has a rule for a host, other than the one for all hosts."""
    return _matcher_of(url_map, host, port, anything=False) is not None


def location(found: Destination, *, scheme: str, host: str, target: str) -> tuple[int, str]:
    """Return the status and the URL of a redirect."""
    redirect = found.redirect or {}
    path, question, query = target.partition("?")
    if redirect.get("pathRedirect"):
        path = redirect["pathRedirect"]
    elif redirect.get("prefixRedirect"):
        path = redirect["prefixRedirect"] + path.removeprefix(found.matched)
    if redirect.get("stripQuery"):
        question, query = "", ""
    wanted = "https" if redirect.get("httpsRedirect") else scheme
    to = redirect.get("hostRedirect") or host
    return CODES[redirect["redirectResponseCode"]], f"{wanted}://{to}{path}{question}{query}"


def _matcher_of(url_map: Resource, host: str, port: int, *, anything: bool = True) -> str | None:
    best, found = -1, None
    for rule in url_map.get("hostRules", []):
        for pattern in rule["hosts"]:
            score = _host_score(pattern.lower(), host, port)
            if score > best and (anything or pattern != "*"):
                best, found = score, rule["pathMatcher"]
    return found


def _host_score(pattern: str, host: str, port: int) -> int:
    """Say how exactly a pattern names a host; below zero when it does not."""
    name, colon, wanted = pattern.partition(":")
    if colon and int(wanted) != port:
        return -1
    if name == host:
        return 1000
    if name.startswith("*") and host.endswith(name[1:]) and len(host) > len(name) - 1:
        return len(name) - 1
    return -1


def _by_path(matcher: Resource, path: str) -> Destination:
    best, found = -1, Destination(matcher.get("defaultService"), matcher.get("defaultUrlRedirect"))
    for rule in matcher.get("pathRules", []):
        for pattern in rule["paths"]:
            prefix = pattern.removesuffix("*")
            exact = pattern == path
            score = 10_000 if exact else len(prefix)
            if (exact or (pattern.endswith("*") and path.startswith(prefix))) and score > best:
                best = score
                found = Destination(rule.get("service"), rule.get("urlRedirect"), prefix)
    return found
