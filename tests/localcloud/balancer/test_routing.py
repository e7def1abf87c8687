"""What a URL map makes of a request, and whom a security policy means."""

from __future__ import annotations

from typing import Any

import pytest

from localcloud.balancer import policy, routing
from tests.localcloud.services.compute.load_balancers import rule

LAST = 2147483647
MAP = {
    "defaultService": "default",
    "hostRules": [
        {"hosts": ["a.example.com", "other.example.com:8080"], "pathMatcher": "exact"},
        {"hosts": ["*.example.com"], "pathMatcher": "wild"},
    ],
    "pathMatchers": [
        {
            "name": "exact",
            "defaultService": "a",
            "pathRules": [
                {"paths": ["/x", "/x/*"], "service": "x"},
                {"paths": ["/x/y/*"], "service": "y"},
                {
                    "paths": ["/old/*"],
                    "urlRedirect": {"prefixRedirect": "/new/", "redirectResponseCode": "FOUND"},
                },
            ],
        },
        {"name": "wild", "defaultService": "w"},
    ],
}


@pytest.mark.parametrize(
    ("host", "port", "path", "service"),
    [
        ("a.example.com", 443, "/", "a"),
        ("a.example.com", 443, "/x", "x"),
        ("a.example.com", 443, "/x/", "x"),
        ("a.example.com", 443, "/x/z", "x"),
        ("a.example.com", 443, "/xz", "a"),
        ("a.example.com", 443, "/x/y/z", "y"),
        ("a.example.com", 443, "/X", "a"),
        ("b.example.com", 443, "/x", "w"),
        ("b.c.example.com", 443, "/", "w"),
        ("example.com", 443, "/", "default"),
        ("other.example.com", 8080, "/", "a"),
        ("other.example.com", 443, "/", "w"),
        ("example.org", 443, "/x", "default"),
    ],
)
def test_the_most_exact_rule_counts(host: str, port: int, path: str, service: str) -> None:
    """Hosts before wildcards, exact paths before long prefixes before short ones."""
    assert routing.destination(MAP, host, port, path).service == service


def test_only_named_hosts_are_named() -> None:
    """The door goes by names, not by what is for everybody."""
    everybody = {
        "hostRules": [{"hosts": ["*"], "pathMatcher": "m"}],
        "pathMatchers": [{"name": "m", "defaultService": "s"}],
    }

    assert routing.names_host(MAP, "b.example.com", 443)
    assert not routing.names_host(MAP, "example.org", 443)
    assert not routing.names_host(everybody, "example.org", 443)


@pytest.mark.parametrize(
    ("redirect", "location"),
    [
        ({"httpsRedirect": True}, (301, "https://a.example.com/p?q=1")),
        ({"hostRedirect": "b.example.com"}, (301, "http://b.example.com/p?q=1")),
        ({"pathRedirect": "/n"}, (301, "http://a.example.com/n?q=1")),
        ({"prefixRedirect": "/n/"}, (301, "http://a.example.com/n/p?q=1")),
        ({"httpsRedirect": True, "stripQuery": True}, (301, "https://a.example.com/p")),
        (
            {"httpsRedirect": True, "redirectResponseCode": "PERMANENT_REDIRECT"},
            (308, "https://a.example.com/p?q=1"),
        ),
    ],
)
def test_a_redirect_changes_what_it_names(
    redirect: dict[str, Any], location: tuple[int, str]
) -> None:
    """And keeps the rest."""
    whole = {"redirectResponseCode": "MOVED_PERMANENTLY_DEFAULT", **redirect}
    found = routing.Destination(None, whole)

    assert routing.location(found, scheme="http", host="a.example.com", target="/p?q=1") == location


def test_a_prefix_is_replaced_where_the_rule_says() -> None:
    """What the rule matched goes, the rest stays."""
    found = routing.destination(MAP, "a.example.com", 443, "/old/thing")

    assert routing.location(found, scheme="https", host="a.example.com", target="/old/thing") == (
        302,
        "https://a.example.com/new/thing",
    )


@pytest.mark.parametrize(
    ("client", "status"),
    [
        ("10.1.2.3", None),
        ("10.9.0.1", 404),
        ("192.0.2.7", None),
        ("192.0.2.8", 403),
        ("2001:db8::5", 502),
        ("2001:db9::5", 403),
    ],
)
def test_the_first_rule_that_names_the_client_counts(client: str, status: int | None) -> None:
    """By priority, not by place in the list; addresses of both kinds."""
    rules = [
        rule(LAST, "deny(403)", "*"),
        rule(30, "deny(502)", "2001:db8::/32"),
        rule(20, "allow", "10.0.0.0/8", "192.0.2.7"),
        rule(10, "deny(404)", "10.9.0.0/16"),
    ]

    assert policy.verdict({"name": "p", "rules": rules}, client).status == status


def test_a_preview_is_noted_and_does_nothing() -> None:
    """What it would have done is known all the same."""
    rules = [rule(1, "deny(403)", "10.0.0.0/8", preview=True), rule(LAST, "allow", "*")]

    found = policy.verdict({"name": "p", "rules": rules}, "10.0.0.1")

    assert found.status is None
    assert found.preview is not None
    assert policy.logged(found.preview, "p") == {
        "name": "p",
        "priority": 1,
        "configuredAction": "DENY",
        "outcome": "DENY",
    }
