"""Cloud DNS: zones, changes that are atomic, and every rule records must keep."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.services.compute.load_balancers import DNS, refused

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from localcloud.store import Resource
    from tests.localcloud.conftest import Ask

ZONE = {"name": "z", "dnsName": "example.com.", "description": "ours"}
A = {"name": "a.example.com.", "type": "A", "ttl": 300, "rrdatas": ["203.0.113.10"]}


@pytest.fixture(autouse=True)
def zone(cloud: Cloud, ask: Ask) -> Resource:
    """A public zone."""
    cloud.enable("dns.googleapis.com", "compute.googleapis.com")
    answer = ask("POST", f"{DNS}/managedZones", ZONE)
    assert answer.status == 200, answer.body
    return dict(answer.json())


def change(ask: Ask, additions: object = (), deletions: object = ()) -> Any:
    """Ask for one change."""
    body = {"additions": list(additions), "deletions": list(deletions)}  # type: ignore[call-overload]
    return ask("POST", f"{DNS}/managedZones/z/changes", body)


def test_a_zone_begins_with_its_two_record_sets(ask: Ask, zone: Resource) -> None:
    """NS with the zone's servers, and the SOA."""
    found = ask("GET", f"{DNS}/managedZones/z/rrsets").json()["rrsets"]

    assert [(one["name"], one["type"], one["ttl"]) for one in found] == [
        ("example.com.", "NS", 21600),
        ("example.com.", "SOA", 21600),
    ]
    assert found[0]["rrdatas"] == zone["nameServers"]
    assert len(zone["nameServers"]) == 4


def test_a_zone_is_found_by_number_and_by_domain(ask: Ask, zone: Resource) -> None:
    """The id stands for the name; the list can be asked for one domain."""
    assert ask("GET", f"{DNS}/managedZones/{zone['id']}").json() == zone
    found = ask("GET", f"{DNS}/managedZones?dnsName=example.com.").json()["managedZones"]
    assert [one["name"] for one in found] == ["z"]
    assert ask("GET", f"{DNS}/managedZones?dnsName=other.com.").json()["managedZones"] == []


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"name": "z"}, 409),
        ({"name": "Upper"}, 400),
        ({"name": None}, 400),
        ({"dnsName": "example.com"}, 400),
        ({"dnsName": "exa mple.com."}, 400),
        ({"dnsName": "*.example.com."}, 400),
        ({"dnsName": None}, 400),
        ({"description": None}, 400),
        ({"visibility": "secret"}, 400),
        (
            {"privateVisibilityConfig": {"networks": [{"networkUrl": "global/networks/default"}]}},
            400,
        ),
        ({"visibility": "private", "privateVisibilityConfig": {"networks": [{}]}}, 400),
        (
            {
                "visibility": "private",
                "privateVisibilityConfig": {"networks": [{"networkUrl": "global/networks/none"}]},
            },
            404,
        ),
        ({"dnssecConfig": {"state": "on"}}, 501),
        ({"forwardingConfig": {}}, 501),
    ],
)
def test_zones_that_cannot_be(ask: Ask, fields: dict[str, Any], status: int) -> None:
    """Names with a dot at the end, a description, and networks that are there."""
    answer = ask("POST", f"{DNS}/managedZones", {**ZONE, "name": "other", **fields})

    assert answer.status == status, answer.body


def test_a_private_zone_names_its_networks(ask: Ask, cloud: Cloud) -> None:
    """And nobody outside sees what is in it."""
    networks = {"networks": [{"networkUrl": "projects/berth-local/global/networks/default"}]}
    body = {**ZONE, "name": "p", "dnsName": "inside.test.", "visibility": "private"}

    made = ask("POST", f"{DNS}/managedZones", {**body, "privateVisibilityConfig": networks}).json()

    assert made["privateVisibilityConfig"]["networks"][0]["networkUrl"].startswith("https://www.")
    one = {**A, "name": "a.inside.test."}
    ask("POST", f"{DNS}/managedZones/p/changes", {"additions": [one]})
    assert cloud.resolver.lookup("a.inside.test", "A") == []


def test_a_zone_with_records_stays(ask: Ask) -> None:
    """Only its own two may be in it."""
    change(ask, [A])
    assert refused(ask("DELETE", f"{DNS}/managedZones/z"))[:2] == (400, "containerNotEmpty")

    change(ask, [], [A])
    assert ask("DELETE", f"{DNS}/managedZones/z").status in {200, 204}
    assert refused(ask("GET", f"{DNS}/managedZones/z"))[:2] == (404, "notFound")


def test_a_change_is_pending_and_then_done(ask: Ask, clock: VirtualClock) -> None:
    """Done means the servers know."""
    made = change(ask, [A]).json()
    url = f"{DNS}/managedZones/z/changes/{made['id']}"

    assert made["status"] == "pending"
    assert ask("GET", url).json()["status"] == "pending"
    clock.advance(60)
    assert ask("GET", url).json()["status"] == "done"
    found = ask("GET", f"{DNS}/managedZones/z/rrsets?name=a.example.com.&type=A").json()["rrsets"]
    assert found == [{"kind": "dns#resourceRecordSet", **A}]


def test_adding_what_is_there_is_a_conflict(ask: Ask) -> None:
    """In Google's words, with the place in the change."""
    change(ask, [A])

    assert refused(change(ask, [A])) == (
        409,
        "alreadyExists",
        "The resource 'entity.change.additions[0]' named 'a.example.com. (A)' already exists",
    )


@pytest.mark.parametrize("fields", [{"ttl": 60}, {"rrdatas": ["203.0.113.11"]}])
def test_a_deletion_matches_what_is_there(ask: Ask, fields: dict[str, Any]) -> None:
    """A stale idea of the record set is a 412."""
    change(ask, [A])

    assert refused(change(ask, [], [{**A, **fields}])) == (
        412,
        "conditionNotMet",
        "Precondition not met for 'entity.change.deletions[0]'",
    )


def test_deleting_what_is_not_there_is_a_404(ask: Ask) -> None:
    """The record set is named."""
    assert refused(change(ask, [], [A]))[:2] == (404, "notFound")


def test_a_change_happens_wholly_or_not_at_all(ask: Ask) -> None:
    """One wrong part, and nothing of it is there."""
    other = {**A, "name": "b.example.com."}

    assert change(ask, [other], [A]).status == 404
    assert ask("GET", f"{DNS}/managedZones/z/rrsets/b.example.com./A").status == 404


def test_one_change_replaces(ask: Ask) -> None:
    """The old set in deletions, the new one in additions."""
    change(ask, [A])
    new = {**A, "rrdatas": ["203.0.113.11", "203.0.113.12"]}

    assert change(ask, [new], [A]).status == 200
    found = ask("GET", f"{DNS}/managedZones/z/rrsets/a.example.com./A").json()
    assert found["rrdatas"] == new["rrdatas"]


@pytest.mark.parametrize(
    "fields",
    [
        {"name": "a.example.com"},
        {"name": "a.other.com."},
        {"name": "notexample.com."},
        {"name": None},
        {"type": "LOC"},
        {"type": None},
        {"ttl": -1},
        {"rrdatas": []},
        {"rrdatas": ["nothing"]},
        {"rrdatas": ["::1"]},
        {"rrdatas": ["203.0.113.1", "203.0.113.1"]},
        {"type": "AAAA"},
        {"type": "CNAME", "rrdatas": ["b.example.com"]},
        {"type": "CNAME", "rrdatas": ["b.example.com.", "c.example.com."]},
        {"type": "MX", "rrdatas": ["mail.example.com."]},
        {"type": "TXT", "rrdatas": ['"open']},
        {"type": "CAA", "rrdatas": ["issue pki.goog"]},
        {"type": "SRV", "rrdatas": ["1 2 host.example.com."]},
        {"routingPolicy": {}},
    ],
)
def test_record_sets_that_cannot_be(ask: Ask, fields: dict[str, Any]) -> None:
    """Names inside the zone, data of the type, none of it twice."""
    assert change(ask, [{**A, **fields}]).status in {400, 501}


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("AAAA", "2001:db8::1"),
        ("CAA", '0 issue "pki.goog"'),
        ("CNAME", "b.example.com."),
        ("MX", "10 mail.example.com."),
        ("TXT", '"v=spf1 -all"'),
        ("TXT", "bare"),
        ("SRV", "1 2 443 host.example.com."),
        ("PTR", "b.example.com."),
    ],
)
def test_record_sets_of_each_type(ask: Ask, kind: str, data: str) -> None:
    """What can be in a zone."""
    assert change(ask, [{**A, "type": kind, "rrdatas": [data]}]).status == 200


@pytest.mark.parametrize(("first", "second"), [("A", "CNAME"), ("CNAME", "TXT")])
def test_an_alias_stands_alone(ask: Ask, first: str, second: str) -> None:
    """A name has either one CNAME or anything else."""
    data = {"A": "203.0.113.1", "CNAME": "b.example.com.", "TXT": '"x"'}
    change(ask, [{**A, "type": first, "rrdatas": [data[first]]}])

    answer = change(ask, [{**A, "type": second, "rrdatas": [data[second]]}])

    assert refused(answer)[:2] == (400, "cnameResourceRecordSetConflict")


@pytest.mark.parametrize("kind", ["NS", "SOA"])
def test_the_zones_own_records_stay(ask: Ask, kind: str) -> None:
    """A zone without them is none."""
    own = ask("GET", f"{DNS}/managedZones/z/rrsets/example.com./{kind}").json()

    assert refused(change(ask, [], [own]))[:2] == (400, "invalidZoneApex")


def test_an_empty_change_is_refused(ask: Ask) -> None:
    """Nothing to do is a mistake."""
    assert refused(change(ask))[:2] == (400, "required")


def test_every_change_counts_the_zone_up(ask: Ask) -> None:
    """The SOA's serial number, and the list of changes."""
    change(ask, [A])
    change(ask, [], [A])

    soa = ask("GET", f"{DNS}/managedZones/z/rrsets/example.com./SOA").json()["rrdatas"][0]

    assert soa.split()[2] == "3"
    found = ask("GET", f"{DNS}/managedZones/z/changes?sortOrder=descending").json()["changes"]
    assert [one["id"] for one in found] == ["2", "1"]


def test_record_sets_one_by_one(ask: Ask) -> None:
    """Create, patch and delete without a change of one's own."""
    url = f"{DNS}/managedZones/z/rrsets"
    assert ask("POST", url, A).json()["ttl"] == 300
    assert ask("POST", url, A).status == 409

    assert ask("PATCH", f"{url}/a.example.com./A", {"ttl": 5}).json()["ttl"] == 5
    assert ask("DELETE", f"{url}/a.example.com./A").status == 200
    assert ask("DELETE", f"{url}/a.example.com./A").status == 404
    assert ask("PATCH", f"{url}/a.example.com./A", {"ttl": 5}).status == 404


def test_a_list_by_type_needs_the_name(ask: Ask) -> None:
    """The type alone is no question."""
    assert refused(ask("GET", f"{DNS}/managedZones/z/rrsets?type=A"))[:2] == (400, "required")


def test_settings_change_and_names_do_not(ask: Ask) -> None:
    """A patch answers with an operation that is done."""
    url = f"{DNS}/managedZones/z"
    assert ask("PATCH", url, {"dnsName": "other.com."}).status == 400

    done = ask("PATCH", url, {"description": "new", "labels": {"a": "b"}}).json()

    assert (done["status"], done["zoneContext"]["newValue"]["description"]) == ("done", "new")
    assert ask("GET", f"{url}/operations/{done['id']}").status == 200
    assert ask("GET", url).json()["labels"] == {"a": "b"}


def test_who_may_read_may_not_change(ask: Ask, cloud: Cloud) -> None:
    """Reader and admin."""
    cloud.grant("user:ana@example.com", "roles/dns.reader")
    body = {"additions": [A]}

    assert ask("GET", f"{DNS}/managedZones/z", who="ana@example.com").status == 200
    assert ask("POST", f"{DNS}/managedZones/z/changes", body, who="ana@example.com").status == 403


def test_the_world_asks_the_closest_zone(ask: Ask, cloud: Cloud) -> None:
    """Aliases, wildcards, zones within zones, and what others keep."""
    change(
        ask,
        [
            A,
            {**A, "name": "*.example.com.", "rrdatas": ["203.0.113.77"]},
            {**A, "name": "c.example.com.", "type": "CNAME", "rrdatas": ["a.example.com."]},
        ],
    )
    inner = {**ZONE, "name": "inner", "dnsName": "in.example.com."}
    ask("POST", f"{DNS}/managedZones", inner)
    cloud.resolver.publish("www.other.org", "A", "203.0.113.99")

    assert cloud.resolver.lookup("c.example.com", "A") == ["203.0.113.10"]
    assert cloud.resolver.lookup("any.example.com.", "A") == ["203.0.113.77"]
    assert cloud.resolver.lookup("x.in.example.com", "A") == []
    assert cloud.resolver.lookup("WWW.other.org", "A") == ["203.0.113.99"]
    cloud.resolver.withdraw("www.other.org", "A")
    assert cloud.resolver.lookup("www.other.org", "A") == []


LABEL = "_acme-challenge.mlflow.example.com."
ALIAS = {"name": LABEL, "type": "CNAME", "ttl": 300, "rrdatas": ["a.authorize.test."]}


@pytest.mark.parametrize(
    "written",
    [
        LABEL,
        LABEL.replace("_", "%5F"),
        LABEL.replace(".", "%2E").replace("-", "%2d"),
        LABEL.upper(),
    ],
)
def test_a_record_set_by_its_name_however_it_is_written(
    ask: Ask, zone: Resource, written: str
) -> None:
    """An underscore, the dot at the end, percent signs and capitals are no matter."""
    url = f"{DNS}/managedZones/{zone['name']}/rrsets"
    made = ask("POST", url, ALIAS).json()

    found = ask("GET", f"{url}/{written}/CNAME")
    gone = ask("DELETE", f"{url}/{written}/CNAME")

    assert made == {"kind": "dns#resourceRecordSet", **ALIAS}
    assert (found.status, found.json()) == (200, made)
    assert (gone.status, gone.json()) == (200, {})
    assert ask("GET", f"{url}/{written}/CNAME").status == 404


@pytest.mark.parametrize("verb", ["GET", "DELETE", "PATCH"])
@pytest.mark.parametrize(
    ("path", "status", "reason"),
    [
        ("_acme-challenge.mlflow.example.com/CNAME", 400, "invalid"),  # no dot at its end
        ("a..example.com./CNAME", 400, "invalid"),
        (f"{LABEL}/FOO", 400, "invalid"),
        (f"{LABEL}/TXT", 404, "notFound"),
        ("other.example.com./CNAME", 404, "notFound"),
        ("mlflow.elsewhere.test./CNAME", 404, "notFound"),
    ],
)
def test_a_record_set_that_is_not_there(
    ask: Ask, zone: Resource, verb: str, path: str, status: int, reason: str
) -> None:
    """A name that cannot be is told from one that is not."""
    url = f"{DNS}/managedZones/{zone['name']}/rrsets"
    assert ask("POST", url, ALIAS).status == 200

    answer = ask(verb, f"{url}/{path}", {"ttl": 60} if verb == "PATCH" else None)

    assert refused(answer)[:2] == (status, reason)
    assert ask("GET", f"{url}/{LABEL}/CNAME").json()["ttl"] == 300


@pytest.mark.parametrize(
    ("fields", "status", "reason"),
    [
        ({}, 409, "alreadyExists"),
        ({"type": "A", "rrdatas": ["203.0.113.1"]}, 400, "cnameResourceRecordSetConflict"),
        ({"name": LABEL.removesuffix(".")}, 400, "invalid"),
        ({"name": "_acme-challenge.elsewhere.test."}, 400, "invalid"),
        ({"name": "other.example.com.", "rrdatas": []}, 400, "required"),
        ({"name": "other.example.com.", "rrdatas": ["no dot"]}, 400, "invalid"),
    ],
)
def test_a_record_set_that_cannot_be_added(
    ask: Ask, zone: Resource, fields: dict[str, Any], status: int, reason: str
) -> None:
    """What is there stays as it is."""
    url = f"{DNS}/managedZones/{zone['name']}/rrsets"
    assert ask("POST", url, ALIAS).status == 200

    answer = ask("POST", url, {**ALIAS, **fields})

    assert refused(answer)[:2] == (status, reason)
    assert ask("GET", f"{url}/{LABEL}/CNAME").json()["rrdatas"] == ALIAS["rrdatas"]
