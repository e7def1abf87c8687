"""What the api shows of a registry that others wrote: one, all, and the history of one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import Cloud
from localcloud.services import storage
from tests.functions.berth import Berth

if TYPE_CHECKING:
    from collections.abc import Iterator

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-reading")

TEAMS = ("risk", "fraud", "ghosts")


@pytest.fixture(scope="module")
def berth(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The api on a registry with a few deployments in it."""
    folder = tmp_path_factory.mktemp("berth")
    cloud = Cloud(folder / "state", machines="paper", only=[storage.SERVICE])
    with cloud.serve():
        made = Berth(cloud, folder)
        made.found(cloud.project)
        made.start("api")
        yield made
        made.stop()
    cloud.close()


def names(answer: Any) -> list[str]:
    """Return the names in a list."""
    assert answer.status_code == 200, answer.text
    return [entry["name"] for entry in answer.json()["deployments"]]


def test_before_an_execution_begins_it_is_pending(berth: Berth) -> None:
    """Only a spec is there; the state follows from it."""
    berth.wish("fresh")

    answer = berth.api("GET", "/v1/deployments/fresh")

    assert answer.status_code == 200
    assert answer.json()["state"] == "PENDING"
    assert answer.json()["request"]["size"] == "small"
    assert answer.json()["login"] == []


def test_a_ready_one_says_how_to_log_in(berth: Berth) -> None:
    """URL, parts, and where the password is; never the password."""
    berth.wish("ready", access={"mode": "basic_auth"})
    url = "https://mlflow-ready-123456789012.europe-west1.run.app"
    berth.report("ready", "READY", url=url, urls=[url], parts={"identity": {"state": "DONE"}})

    found = berth.api("GET", "/v1/deployments/ready").json()

    assert (found["state"], found["url"]) == ("READY", url)
    assert found["parts"]["identity"]["state"] == "DONE"
    assert "--secret=mlflow-ready-admin-password" in found["login"][-1]


BALANCER = {"domain": "mlflow.example.com"}
LEARNED = {
    "address": "203.0.113.10",
    "dns_record_name": "_acme-challenge.mlflow.example.com.",
    "dns_record_data": "0a1b.5.authorize.certificatemanager.goog.",
}


@pytest.mark.parametrize("state", ["PROVISIONING", "READY"])
def test_the_records_of_a_domain_are_shown_as_soon_as_they_are_known(
    berth: Berth, state: str
) -> None:
    """Names, types and data for whoever looks after the zone, and how far the certificate is."""
    name = f"domain-{state[:1].lower()}"
    berth.wish(name, load_balancer=BALANCER)
    berth.report(name, state, certificate="PROVISIONING", observed=LEARNED)

    found = berth.api("GET", f"/v1/deployments/{name}").json()

    assert found["certificate"] == "PROVISIONING"
    assert found["dns_records"] == [
        {"name": "mlflow.example.com.", "type": "A", "data": "203.0.113.10"},
        {
            "name": LEARNED["dns_record_name"],
            "type": "CNAME",
            "data": LEARNED["dns_record_data"],
        },
    ]


@pytest.mark.parametrize(
    ("balancer", "observed"),
    [(None, LEARNED), ({**BALANCER, "dns_zone": "zone"}, LEARNED), (BALANCER, {})],
)
def test_there_are_no_records_to_make(berth: Berth, balancer: Any, observed: Any) -> None:
    """Without a domain, in a zone of ours, or before it is known which they are."""
    berth.wish("no-records", load_balancer=balancer)
    berth.report("no-records", "READY", observed=observed)

    assert berth.api("GET", "/v1/deployments/no-records").json()["dns_records"] == []


@pytest.mark.parametrize(
    ("state", "desired", "count"),
    [("PROVISIONING", "present", 2), ("READY", "present", 0), ("DELETING", "absent", 0)],
)
def test_what_is_worth_knowing_is_said_while_it_is_worth_knowing(
    berth: Berth, state: str, desired: str, count: int
) -> None:
    """The records to make and the certificate to wait for: not when READY, not when unwanted."""
    name = f"noted-{state[:5].lower()}"
    berth.wish(name, load_balancer=BALANCER, desired=desired)
    berth.report(name, state)

    notes = berth.api("GET", f"/v1/deployments/{name}").json()["notes"]

    assert len(notes) == count
    assert all("mlflow.example.com" in note for note in notes)


def test_a_list_says_that_a_domain_does_not_work_yet(berth: Berth) -> None:
    """READY alone would be half the truth; without a load balancer there is nothing to say."""
    berth.wish("listed-1", load_balancer=BALANCER)
    berth.report("listed-1", "READY", certificate="FAILED")
    berth.wish("listed-2")
    berth.report("listed-2", "READY")

    found = berth.api("GET", "/v1/deployments?page_size=1000").json()["deployments"]

    shown = {one["name"]: one["certificate"] for one in found}
    assert (shown["listed-1"], shown["listed-2"]) == ("FAILED", None)


def test_the_history_tells_of_a_certificate(berth: Berth) -> None:
    """The same ids as the events that were published, and the reason while it is not issued."""
    berth.wish("certified", load_balancer=BALANCER)
    problem = {"title": "CAA", "status": 502, "detail": "a CAA record forbids it"}
    berth.report("certified", "PROVISIONING", certificate="PROVISIONING")
    berth.report("certified", "READY", certificate="PROVISIONING")
    berth.report("certified", "READY", certificate="FAILED", problem=problem)
    berth.report("certified", "FAILED", certificate="ACTIVE", problem=problem)
    berth.report("certified", "READY", certificate="ACTIVE")

    events = berth.api("GET", "/v1/deployments/certified/events").json()["events"]

    assert [(event["id"], event["certificate"]) for event in events] == [
        ("certified/1/PENDING", None),
        ("certified/1/PROVISIONING", None),
        ("certified/1/READY", "PROVISIONING"),
        ("certified/1/READY/certificate-FAILED", "FAILED"),
        ("certified/1/FAILED/certificate-ACTIVE", "ACTIVE"),
        ("certified/1/READY/certificate-ACTIVE", "ACTIVE"),
    ]
    assert events[3]["problem"]["detail"] == "a CAA record forbids it"
    assert events[5]["problem"] is None
    assert "not proved yet" in events[2]["message"]
    assert "certificate ACTIVE" in events[5]["message"]


def test_an_old_status_says_nothing_about_a_new_attempt(berth: Berth) -> None:
    """Generation 2 is pending, whatever became of generation 1."""
    berth.wish("again", generation=2)
    problem = {"title": "x", "status": 502, "detail": "y"}
    berth.report("again", "FAILED", generation=1, problem=problem)

    found = berth.api("GET", "/v1/deployments/again").json()

    assert (found["state"], found["problem"]) == ("PENDING", None)


def test_a_tombstone_is_still_shown(berth: Berth) -> None:
    """Deleted is a state, and not 404."""
    berth.wish("gone", generation=2, desired="absent")
    berth.report("gone", "DELETED", generation=2, url="https://old.example")

    answer = berth.api("GET", "/v1/deployments/gone")

    assert answer.status_code == 200
    assert (answer.json()["state"], answer.json()["url"]) == ("DELETED", None)


@pytest.mark.parametrize("name", ["nobody", "No-Name", "x" * 300, "spec.json", "..", "%00", "ü"])
def test_an_unknown_deployment_is_404(berth: Berth, name: str) -> None:
    """Whatever is asked for by name; nothing but names reaches the bucket."""
    assert berth.api("GET", f"/v1/deployments/{name}").status_code == 404
    assert berth.api("DELETE", f"/v1/deployments/{name}").status_code == 404


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("DELETE", ""), ("GET", "/events")])
def test_others_may_not_look(berth: Berth, method: str, path: str) -> None:
    """403 names the team whose member one would have to be."""
    berth.wish("secret")

    answer = berth.api(method, "/v1/deployments/secret" + path, who="eve@example.com")

    assert answer.status_code == 403
    assert "team risk" in answer.json()["detail"]


def test_a_list_shows_the_callers_teams_only(berth: Berth) -> None:
    """An admin sees all, a stranger nothing, a member what is his team's."""
    for team in TEAMS:
        berth.wish(f"of-{team}", team=team)

    assert {"of-risk", "of-fraud"} <= set(names(berth.api("GET", "/v1/deployments")))
    assert "of-ghosts" not in names(berth.api("GET", "/v1/deployments"))
    assert "of-ghosts" in names(berth.api("GET", "/v1/deployments", who="owner@example.com"))
    assert names(berth.api("GET", "/v1/deployments", who="eve@example.com")) == []


def test_a_list_is_filtered_by_team_and_state(berth: Berth) -> None:
    """The state is the one that GET shows: an old status does not count."""
    berth.wish("f-ready", team="fraud")
    berth.report("f-ready", "READY", team="fraud")
    berth.wish("f-stale", team="fraud", generation=2)
    berth.report("f-stale", "READY", team="fraud", generation=1)

    ready = names(berth.api("GET", "/v1/deployments?team=fraud&state=READY"))

    assert ready == ["f-ready"]
    assert "f-stale" in names(berth.api("GET", "/v1/deployments?team=fraud&state=PENDING"))


def test_a_team_of_others_cannot_be_listed(berth: Berth) -> None:
    """An empty list would be a lie; 403 names the rule."""
    assert berth.api("GET", "/v1/deployments?team=ghosts").status_code == 403


def test_pages_are_whole_and_in_order(berth: Berth) -> None:
    """Names of which one begins the other must not get lost between two pages."""
    for name in ("p", "p-1", "p-1-2", "p0", "pa", "p-"[:1] + "z"):
        berth.wish(name)
    everything = names(berth.api("GET", "/v1/deployments?page_size=1000"))

    paged: list[str] = []
    token = ""
    while token is not None:
        answer = berth.api("GET", f"/v1/deployments?page_size=2&page_token={token}")
        paged += names(answer)
        token = answer.json()["next_page_token"]

    assert paged == everything
    assert len(set(paged)) == len(paged)


def test_a_list_is_one_call(berth: Berth) -> None:
    """However many there are: the metadata of the objects says it all."""
    before = berth.cloud.calls.count("storage.objects.list")
    reads = berth.cloud.calls.count("storage.objects.get")
    berth.api("GET", "/v1/deployments")

    assert berth.cloud.calls.count("storage.objects.list") == before + 1
    # platform.json and policy.yaml may be read again; no deployment is.
    assert berth.cloud.calls.count("storage.objects.get") <= reads + 2


def test_what_somebody_put_there_by_hand_is_no_deployment(berth: Berth) -> None:
    """Without our metadata an object is not listed, and breaks nothing."""
    berth.put("deployments/by-hand/spec.json", {"name": "by-hand"})
    berth.put("deployments/by-hand/notes.json", {})

    assert "by-hand" not in names(berth.api("GET", "/v1/deployments?page_size=1000"))


def test_the_history_is_what_the_versions_say(berth: Berth) -> None:
    """One event for each change of state, oldest first, with the reason of a failure."""
    berth.wish("story")
    berth.report("story", "PROVISIONING")
    berth.report("story", "PROVISIONING", parts={"identity": {"state": "DONE"}})
    problem = {"title": "Quota", "status": 502, "detail": "the quota is used up"}
    berth.report("story", "FAILED", problem=problem)
    berth.wish("story", generation=2)
    berth.report("story", "READY", generation=2)

    events = berth.api("GET", "/v1/deployments/story/events").json()["events"]

    assert [event["id"] for event in events] == [
        "story/1/PENDING",
        "story/1/PROVISIONING",
        "story/1/FAILED",
        "story/2/PENDING",
        "story/2/READY",
    ]
    assert events[2]["problem"]["detail"] == "the quota is used up"
    assert "the quota is used up" in events[2]["message"]
    assert events == sorted(events, key=lambda event: event["time"])


def test_the_history_is_paged(berth: Berth) -> None:
    """Two at a time, until there is no token any more."""
    berth.wish("long")
    for state in ("PROVISIONING", "READY"):
        berth.report("long", state)

    first = berth.api("GET", "/v1/deployments/long/events?page_size=2").json()
    token = first["next_page_token"]
    second = berth.api("GET", f"/v1/deployments/long/events?page_size=2&page_token={token}").json()

    assert [event["state"] for event in first["events"]] == ["PENDING", "PROVISIONING"]
    assert [event["state"] for event in second["events"]] == ["READY"]
    assert second["next_page_token"] is None


def test_the_history_of_another_team_is_not_shown(berth: Berth) -> None:
    """A name that was removed may be used by anybody, who learns nothing of what it was before."""
    berth.wish("passed-on", team="fraud")
    problem = {"title": "Quota", "status": 502, "detail": "fraud ran out of quota"}
    berth.report("passed-on", "FAILED", team="fraud", problem=problem)
    berth.report("passed-on", "DELETED", team="fraud", generation=2)
    berth.wish("passed-on", generation=3)

    events = berth.api("GET", "/v1/deployments/passed-on/events").json()["events"]

    assert [event["id"] for event in events] == ["passed-on/3/PENDING"]


def test_the_log_says_who_asked_for_what(berth: Berth) -> None:
    """Who did something, and to which deployment, is the first question after an accident."""
    berth.wish("looked-at")

    berth.api("GET", "/v1/deployments/looked-at", who="bob@risk.example.com")

    line = json.loads((berth.logs / "api.log").read_text().splitlines()[-1])
    assert (line["deployment"], line["caller"]) == ("looked-at", "bob@risk.example.com")


def test_a_token_of_nobodys_is_401(berth: Berth) -> None:
    """The signature is checked with the certificates that the issuer publishes."""
    token = berth.cloud.tokens.id_token("ana@example.com", "https://other.example")

    answer = berth.functions["api"].call("GET", "/v1/deployments", token=token)
    forged = berth.functions["api"].call("GET", "/v1/deployments", token=token[:-4] + "AAAA")

    assert answer.status_code == 401
    assert "https://other.example" in answer.json()["detail"]
    assert forged.status_code == 401


def test_an_unreadable_spec_is_a_problem_that_names_it(berth: Berth) -> None:
    """What was damaged by hand must not take the list down with it."""
    metadata = {"state": "PENDING", "team": "risk", "generation": "1", "url": ""}
    berth.put("deployments/broken/spec.json", {"name": "broken"}, metadata=metadata)

    answer = berth.api("GET", "/v1/deployments/broken")

    assert answer.status_code == 500
    assert "deployments/broken/spec.json" in answer.json()["detail"]
    assert "broken" in names(berth.api("GET", "/v1/deployments?page_size=1000"))
