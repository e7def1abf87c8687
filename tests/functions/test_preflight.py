"""What a request is built upon, seen at POST: nothing is on record of what would only fail."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.services import appengine, compute, dns, secretmanager
from tests.functions.brought import CLIENT, fill, secret, secrets
from tests.functions.waiting import ask, executions, spec, waiting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.functions.berth import Berth

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-preflight")

NUMBERS = itertools.count()
APIS = ("appengine", "compute", "dns", "secretmanager")
PROXY: dict[str, Any] = {"access": {"mode": "oauth2_proxy", "oauth_client": CLIENT}}
ENGINE: dict[str, Any] = {"serving": {"platform": "app_engine"}, "access": {"mode": "iap"}}
ZONES = "https://dns.googleapis.com/dns/v1/projects/{}/managedZones"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The api on a cloud with zones, networks, an application to be, and the secrets of a client."""
    services = (appengine.SERVICE, compute.SERVICE, dns.SERVICE, secretmanager.SERVICE)
    with waiting(tmp_path_factory.mktemp("berth"), *services) as made:
        made.cloud.enable(*(f"{api}.googleapis.com" for api in APIS))
        zone(made, "risk", "risk.example.com.")
        zone(made, "inside", "inside.example.com.", visibility="private")
        for name in CLIENT.values():
            secret(made, name, "whatever")
        yield made


@pytest.fixture
def berth(shared: Berth) -> Iterator[Berth]:
    """The same; a planned fault that never happened fails the test."""
    yield shared
    assert shared.cloud.unused_faults() == {}


def zone(berth: Berth, name: str, domain: str, **more: Any) -> None:
    """Make a zone."""
    body = {"name": name, "dnsName": domain, "description": "", **more}
    berth.google("POST", ZONES.format(berth.cloud.project), body)


def record(berth: Berth, name: str, kind: str, data: str) -> None:
    """Put a record into the zone of risk.example.com."""
    url = f"{ZONES.format(berth.cloud.project)}/risk/rrsets"
    berth.google("POST", url, {"name": name, "type": kind, "ttl": 300, "rrdatas": [data]})


def balanced(host: str, zone: str | None = "risk") -> dict[str, Any]:
    """Return a request for a domain."""
    return {"load_balancer": {"domain": host, "dns_zone": zone}}


def private(**network: Any) -> dict[str, Any]:
    """Return a request for a database in a network."""
    return {"placement": "dedicated", "network": network}


def fresh() -> str:
    """Return a name that nobody has."""
    return f"pre{next(NUMBERS)}"


REFUSED = [
    (balanced("a.risk.example.com", "rsik"), "/load_balancer/dns_zone", "has none of this name"),
    (balanced("a.inside.example.com", "inside"), "/load_balancer/dns_zone", "it is private"),
    (
        balanced("a.asterisk.example.com"),
        "/load_balancer/dns_zone",
        "it holds risk.example.com., and a.asterisk.example.com does not lie in that",
    ),
    (balanced("alias.risk.example.com"), "/load_balancer/domain", 'leads to ["shop.example.net."]'),
    (balanced("six.risk.example.com"), "/load_balancer/domain", "IPv4 address only"),
    (private(name="lab"), "/network/name", "gcloud compute networks list"),
    (private(subnetwork="lab"), "/network/subnetwork", "subnets list --network=default"),
]


@pytest.fixture(scope="module", autouse=True)
def records(shared: Berth) -> None:
    """Names that lead elsewhere."""
    record(shared, "alias.risk.example.com.", "CNAME", "shop.example.net.")
    record(shared, "six.risk.example.com.", "AAAA", "2001:db8::99")


@pytest.mark.parametrize("rehearsed", [False, True])
@pytest.mark.parametrize(("wish", "pointer", "words"), REFUSED)
def test_what_is_not_as_needed_is_refused_with_what_to_do(
    berth: Berth, wish: dict[str, Any], pointer: str, words: str, *, rehearsed: bool
) -> None:
    """409 at the place that asks for it, rehearsed or not; nothing is on record."""
    name = fresh()
    query = "?validate_only=true" if rehearsed else ""

    answer = berth.api("POST", f"/v1/deployments{query}", {"name": name, "team": "risk", **wish})

    assert answer.status_code == 409, answer.text
    assert answer.json()["type"].endswith(":not-as-needed")
    (error,) = answer.json()["errors"]
    assert error["pointer"] == pointer
    assert words in error["message"]
    assert "Nothing was made" in answer.json()["remedy"]
    assert berth.api("GET", f"/v1/deployments/{name}").status_code == 404


def test_everything_is_said_at_once(berth: Berth) -> None:
    """The zone and the network, in one answer."""
    wish = {**private(name="lab", subnetwork="lab"), **balanced("a.example.com", "none")}

    answer = ask(berth, fresh(), **wish)

    assert answer.status_code == 409
    pointers = [error["pointer"] for error in answer.json()["errors"]]
    assert pointers == ["/network/name", "/load_balancer/dns_zone"]
    assert "2 things" in answer.json()["detail"]


@pytest.mark.parametrize(
    "wish",
    [
        balanced("fine.risk.example.com"),
        balanced("risk.example.com"),
        balanced("elsewhere.example.net", None),
        balanced("alias.risk.example.com", None),
        private(),
        ENGINE,
        PROXY,
    ],
    ids=json.dumps,
)
def test_what_is_as_needed_or_can_be_made_goes_through(berth: Berth, wish: dict[str, Any]) -> None:
    """An application that is not there is made; records in nobody's way are no business of ours."""
    assert ask(berth, fresh(), **wish).status_code == 202


def test_an_application_in_another_region_is_told_at_once(berth: Berth) -> None:
    """It is there for ever, so no attempt could succeed; the way out is in the words."""
    url = "https://appengine.googleapis.com/v1/apps"
    body = {"id": berth.cloud.project, "locationId": "us-central"}
    berth.cloud.store.of("appengine").put(f"apps/{berth.cloud.project}", body)
    try:
        shown = json.loads(berth.google("GET", f"{url}/{berth.cloud.project}").body)
        answer = ask(berth, fresh(), **ENGINE)
    finally:
        berth.cloud.store.of("appengine").delete(f"apps/{berth.cloud.project}")

    assert shown["locationId"] == "us-central"
    assert answer.status_code == 409, answer.text
    assert "the application is in us-central for ever" in answer.json()["detail"]
    assert "serving.platform cloud_run" in answer.json()["detail"]


@pytest.mark.parametrize("status", [403, 429, 503])
def test_what_cannot_be_seen_is_left_to_the_workflow(berth: Berth, status: int) -> None:
    """A role that is missing, or a bad moment of Google's, is no fault of the request."""
    berth.cloud.fail("dns.managedZones.get", status=status, times=1)

    answer = ask(berth, fresh(), **balanced(f"s{status}.risk.example.com", "rsik"))

    assert answer.status_code == 202, answer.text


def test_a_repeat_is_not_asked_what_it_was_built_upon(berth: Berth) -> None:
    """Somebody took the zone away since: that is for GET to say, and no reason to refuse a repeat."""
    name, wish = fresh(), balanced("later.gone.example.com", "gone")
    zone(berth, "gone", "gone.example.com.")
    assert ask(berth, name, **wish).status_code == 202
    berth.google("DELETE", f"{ZONES.format(berth.cloud.project)}/gone")

    assert ask(berth, name, **wish).status_code == 202
    assert spec(berth, name)["generation"] == 1


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ("id_secret", "gcloud secrets create nowhere"),
        ("secret_secret", "gcloud secrets create nowhere"),
    ],
)
@pytest.mark.parametrize("mode", ["oauth2_proxy", "iap"])
def test_a_brought_secret_that_is_not_there_is_refused_with_the_command(
    berth: Berth, which: str, words: str, mode: str
) -> None:
    """Neither half of a client is found out about when the server is there already."""
    name = fresh()

    answer = ask(berth, name, access={"mode": mode, "oauth_client": {**CLIENT, which: "nowhere"}})

    assert answer.status_code == 400
    assert answer.json()["type"].endswith(":brought-secret")
    assert words in answer.json()["detail"]
    assert berth.api("GET", f"/v1/deployments/{name}").status_code == 404


@pytest.mark.parametrize(
    ("access", "place"),
    [
        ({"mode": "oauth2_proxy"}, "/access/oauth_client"),
        ({"mode": "iap"}, "/access/oauth_client"),
        ({"mode": "basic_auth", "iap": {}}, "/access/iap/oauth_client"),
    ],
)
def test_all_that_is_wrong_with_a_brought_client_is_said_at_once(
    berth: Berth, access: dict[str, Any], place: str
) -> None:
    """Both secrets, where each is asked for, and who has to be let in: nobody is sent back twice."""
    name = fresh()
    secret(berth, f"{name}-id")
    client = {"id_secret": f"{name}-id", "secret_secret": "nowhere"}
    inner = {"iap": {"oauth_client": client}} if "iap" in access else {"oauth_client": client}

    problem = ask(berth, name, access={**access, **inner}).json()

    assert problem["type"].endswith(":brought-secret")
    assert [error["pointer"] for error in problem["errors"]] == [
        f"{place}/id_secret",
        f"{place}/secret_secret",
    ]
    assert f"gcloud secrets versions add {name}-id " in problem["detail"]
    assert "gcloud secrets create nowhere " in problem["detail"]
    assert "roles/secretmanager.secretAccessor" in problem["remedy"]
    assert f"berth-credentials@{berth.cloud.project}.iam" in problem["remedy"]


def test_a_version_that_is_switched_off_is_refused(berth: Berth) -> None:
    """The newest one counts, whatever older ones there are."""
    secret(berth, "off")
    fill(berth, "off")
    number = fill(berth, "off")
    berth.google("POST", f"{secrets(berth)}/off/versions/{number}:disable", {})

    answer = ask(
        berth, fresh(), access={**PROXY["access"], "oauth_client": {**CLIENT, "id_secret": "off"}}
    )

    assert answer.status_code == 400
    assert "switched off" in answer.json()["detail"]
    assert "gcloud secrets versions add off" in answer.json()["detail"]


def rotating(berth: Berth, **access: Any) -> str:
    """Ask for a deployment with a client of its own, have it READY, and return its name."""
    name = fresh()
    secret(berth, f"{name}-secret")
    fill(berth, f"{name}-secret")
    assert again(berth, name, **access).status_code == 202
    berth.report(name, "READY", execution=executions(berth, name)[0]["name"])
    berth.put(f"deployments/{name}/claims/identity.json", {})
    return name


def again(berth: Berth, name: str, *, who: str = "ana@example.com", **access: Any) -> Any:
    """Send the request of such a deployment."""
    client = {**CLIENT, "secret_secret": f"{name}-secret"}
    wish = {"mode": "oauth2_proxy", "oauth_client": client, **access}
    return ask(berth, name, who=who, access=wish)


def test_the_versions_are_on_record(berth: Berth) -> None:
    """The attempt uses those, whatever is added meanwhile."""
    name = rotating(berth)

    assert spec(berth, name)["brought"] == {"client-id": "1", f"{name}-secret": "1"}


@pytest.mark.parametrize("mode", ["oauth2_proxy", "iap"])
def test_the_same_request_takes_up_a_rotated_secret(berth: Berth, mode: str) -> None:
    """A newer version is a new generation, by whomever of the team; nothing else changes."""
    name = rotating(berth, mode=mode)
    before = spec(berth, name)
    fill(berth, f"{name}-secret")

    answer = again(berth, name, who="bob@risk.example.com", mode=mode)

    after = spec(berth, name)
    assert answer.status_code == 202, answer.text
    assert after["brought"] == {"client-id": "1", f"{name}-secret": "2"}
    assert after["generation"] == 2
    assert after["kept"] is True
    same = ("uid", "request", "created_by", "created")
    assert {key: after[key] for key in same} == {key: before[key] for key in same}
    assert len(executions(berth, name)) == 2


def test_without_a_newer_version_nothing_begins_again(berth: Berth) -> None:
    """The same request is as harmless as ever."""
    name = rotating(berth)

    assert again(berth, name).status_code == 202
    assert spec(berth, name)["generation"] == 1
    assert len(executions(berth, name)) == 1


def test_an_attempt_under_way_is_not_disturbed(berth: Berth) -> None:
    """The next repeat, when it is READY, takes the newer one up."""
    name = rotating(berth)
    running = executions(berth, name)[0]["name"]
    berth.report(name, "PROVISIONING", execution=running)
    fill(berth, f"{name}-secret")

    again(berth, name)
    assert spec(berth, name)["generation"] == 1
    berth.report(name, "READY", execution=running)
    again(berth, name)

    assert spec(berth, name)["generation"] == 2


@pytest.mark.parametrize("trouble", ["unseen", "switched off"])
def test_what_works_goes_on_working_without_its_secrets(berth: Berth, trouble: str) -> None:
    """A repeat of what is READY is never refused for what it was made with."""
    name = rotating(berth)
    if trouble == "unseen":
        berth.cloud.fail("secretmanager.projects.secrets.versions.get", status=403, times=1)
    else:
        berth.google("POST", f"{secrets(berth)}/{name}-secret/versions/1:disable", {})

    assert again(berth, name).status_code == 202
    assert spec(berth, name)["generation"] == 1


def test_what_was_ready_is_kept_through_every_later_attempt(berth: Berth) -> None:
    """A rotation that failed does not make the next failure take the team's work away."""
    name = rotating(berth)
    fill(berth, f"{name}-secret")
    again(berth, name)
    berth.report(name, "FAILED", generation=2, execution=executions(berth, name)[0]["name"])

    assert again(berth, name).status_code == 202
    assert (spec(berth, name)["generation"], spec(berth, name)["kept"]) == (3, True)


def test_what_never_was_ready_is_taken_back_as_ever(berth: Berth) -> None:
    """Nobody has worked with it yet."""
    name = fresh()
    ask(berth, name)
    berth.report(name, "FAILED", execution=executions(berth, name)[0]["name"])
    berth.put(f"deployments/{name}/claims/identity.json", {})

    ask(berth, name)

    assert (spec(berth, name)["generation"], spec(berth, name)["kept"]) == (2, False)
