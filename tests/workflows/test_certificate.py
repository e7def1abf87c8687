"""From READY until the domain works: the certificate is watched, and nobody waits for it."""

import base64
import json
from typing import Any

import pytest

from schemas.deployment import Status
from tests.workflows.balancers import (
    DAY,
    DOMAIN,
    MANAGER,
    certificate,
    made_by_hand,
    make_zone,
    ours,
    until_told,
)
from tests.workflows.berth import Berth, Outcome
from tests.workflows.stand_ins import PROVED
from tests.workflows.test_records import event, heard

__all__ = ["heard"]

# Minutes of provisioning in virtual time: `make test` does it, `make check` does not.
pytestmark = pytest.mark.slow

THEIRS = {"domain": DOMAIN}
CLOSED = {
    "ok": False,
    "retry": True,
    "checks": [{"name": "stranger refused", "ok": False, "detail": "no address"}],
    "summary": "not proved",
}


def ready(berth: Berth, **balancer: Any) -> str:
    """Provision until READY and return the execution, which goes on."""
    running = berth.launch("provision", "demo", berth.want("demo", load_balancer=balancer))
    assert until_told(berth, running).state == "READY"
    return running


def later(berth: Berth, execution: str, seconds: float) -> Outcome:
    """Let time run and return how the execution stands then."""
    berth.clock.advance(seconds)
    return berth.outcome("demo", execution)


def told(heard: Any) -> list[tuple[str, str | None]]:
    """Return id and certificate of the events that were published since."""
    return [(one.id, one.certificate) for one in map(event, heard())]


def test_records_with_another_provider_are_shown_and_waited_for(berth: Berth, heard: Any) -> None:
    """READY says which records to make; when they are there days later, the domain gets proved."""
    running = ready(berth, **THEIRS)
    waiting = later(berth, running, 2 * DAY)
    messages = [event(one) for one in heard()]
    made_by_hand(berth)
    works = later(berth, running, 2 * 3600)

    assert (waiting.state, waiting.status["certificate"]) == ("READY", "FAILED")
    assert waiting.status["problem"]["type"] == "urn:berth:problem:certificate-failed"
    assert f"{DOMAIN}. A {waiting.status['observed']['address']}" in messages[1].message
    assert "CNAME" in messages[1].message
    assert (works.state, works.status["certificate"]) == ("READY", "ACTIVE")
    assert works.status["problem"] is None
    assert works.execution["state"] == "SUCCEEDED"
    assert [one.id for one in messages] == [
        "demo/1/PROVISIONING",
        "demo/1/READY",
        "demo/1/READY/certificate-FAILED",
    ]
    assert told(heard) == [("demo/1/READY/certificate-ACTIVE", "ACTIVE")]
    Status.model_validate(works.status)


def test_a_day_without_records_is_no_problem(berth: Berth) -> None:
    """The team knows which records are missing; it is told of a problem only after that."""
    running = ready(berth, **THEIRS)

    waiting = later(berth, running, 0.9 * DAY)

    assert (waiting.status["certificate"], waiting.status["problem"]) == ("PROVISIONING", None)
    assert waiting.execution["state"] == "ACTIVE"


def test_the_records_are_known_before_the_rest_is_made(berth: Berth) -> None:
    """An instance takes minutes, in which the team can make its records."""
    wanted = berth.want("demo", placement="dedicated", load_balancer=THEIRS)
    running = berth.launch("provision", "demo", wanted)

    early = later(berth, running, 120)

    assert early.state == "PROVISIONING"
    assert early.status["observed"]["address"]
    assert early.status["observed"]["dns_record_data"].endswith(
        "authorize.certificatemanager.goog."
    )


def test_a_domain_that_forbids_its_certificate_is_said_at_once(berth: Berth, heard: Any) -> None:
    """CAA keeps Google's authorities out; the server stays, and all is well once that is mended."""
    make_zone(berth)
    berth.cloud.resolver.publish("example.com", "CAA", '0 issue "other-ca.test"')
    running = ready(berth, **ours())
    refused = later(berth, running, 1200)
    berth.cloud.resolver.withdraw("example.com", "CAA")
    works = later(berth, running, 2 * 3600)

    assert (refused.state, refused.status["certificate"]) == ("READY", "FAILED")
    assert refused.status["problem"]["type"] == "urn:berth:problem:certificate-forbidden"
    assert "pki.goog" in refused.status["problem"]["remedy"]
    assert (works.status["certificate"], works.status["problem"]) == ("ACTIVE", None)
    assert told(heard)[1:] == [
        ("demo/1/READY", "FAILED"),
        ("demo/1/READY/certificate-ACTIVE", "ACTIVE"),
    ]


def test_a_domain_that_does_not_work_is_no_ready_deployment(berth: Berth, heard: Any) -> None:
    """Issued and still closed after an hour: FAILED with nothing removed, and READY once it opens."""
    make_zone(berth)
    berth.functions.proofs.extend([PROVED, *[CLOSED] * 12])
    running = ready(berth, **ours())
    made = berth.resources()
    broken = later(berth, running, 2 * 3600)
    kept = berth.resources()
    works = later(berth, running, 4 * 3600)

    assert (broken.state, broken.status["certificate"]) == ("FAILED", "ACTIVE")
    assert broken.status["problem"]["type"] == "urn:berth:problem:domain-not-working"
    assert "no address" in broken.status["problem"]["detail"]
    assert kept == {**made, **{name: kept[name] for name in kept if "certificates/" in name}}
    assert (works.state, works.status["certificate"]) == ("READY", "ACTIVE")
    assert works.status["problem"] is None
    assert told(heard)[1:] == [
        ("demo/1/READY", "PROVISIONING"),
        ("demo/1/FAILED/certificate-ACTIVE", "ACTIVE"),
        ("demo/1/READY/certificate-ACTIVE", "ACTIVE"),
    ]


def test_a_retry_with_a_certificate_is_ready_at_once(berth: Berth, heard: Any) -> None:
    """It was issued while somebody looked for the reason of the failure."""
    make_zone(berth)
    berth.functions.proofs.append({**CLOSED, "retry": False})
    failed = berth.provision(on_failure="KEEP", load_balancer=ours())
    heard()
    berth.want("demo", on_failure="KEEP", load_balancer=ours())

    made = berth.carry_out()

    assert (failed.state, failed.status["certificate"]) == ("FAILED", None)
    assert (made.state, made.status["certificate"]) == ("READY", "ACTIVE")
    assert told(heard) == [("demo/2/PROVISIONING", None), ("demo/2/READY", "ACTIVE")]


@pytest.mark.parametrize("cancelled", [True, False])
def test_a_delete_ends_the_watch(berth: Berth, *, cancelled: bool) -> None:
    """Teardown does not wait for who only watches, and the watch finds that the lease is gone."""
    before = berth.resources()
    running = ready(berth, **THEIRS)
    generation = berth.want("demo", desired="absent")
    if cancelled:
        berth.cancel(running)

    removing = berth.launch("teardown", "demo", generation)
    removed = later(berth, removing, 900)

    assert removed.state == "DELETED", removed.error
    assert berth.resources() == before
    watch = later(berth, running, 3600)
    assert watch.execution["state"] == ("CANCELLED" if cancelled else "SUCCEEDED")
    assert watch.state == "DELETED"


def test_a_watch_that_died_is_taken_up_by_the_same_request(berth: Berth) -> None:
    """Nothing is made again and READY it stays; only the domain is looked at from then on."""
    dead = ready(berth, **THEIRS)
    berth.cancel(dead)
    migrations = berth.cloud.calls.count("run.projects.locations.jobs.run")
    again = berth.launch("provision", "demo", 1)
    watching = later(berth, again, 600)
    made_by_hand(berth)

    works = later(berth, again, 3 * 3600)

    assert (watching.state, watching.status["execution"]) == ("READY", watching.execution["name"])
    assert works.status["certificate"] == "ACTIVE"
    assert works.result == {"outcome": "READY", "url": f"https://{DOMAIN}"}
    assert berth.cloud.calls.count("run.projects.locations.jobs.run") == migrations


def test_only_one_watches(berth: Berth) -> None:
    """The same request again, while its execution watches, starts nothing."""
    running = ready(berth, **THEIRS)

    again = later(berth, berth.launch("provision", "demo", 1), 300)

    assert again.result == {"outcome": "superseded"}
    assert berth.outcome("demo", running).execution["state"] == "ACTIVE"


def test_a_certificate_that_google_gave_up_is_made_anew(berth: Berth) -> None:
    """Only a new one is tried again; once a day, since authorities count."""
    make_zone(berth)
    berth.cloud.resolver.publish("example.com", "CAA", '0 issue "other-ca.test"')
    running = ready(berth, **ours())
    give_up(berth)
    berth.cloud.resolver.withdraw("example.com", "CAA")

    works = later(berth, running, 3 * 3600)

    assert works.status["certificate"] == "ACTIVE"
    assert berth.cloud.calls.count("certificatemanager.projects.locations.certificates.create") == 2


def give_up(berth: Berth) -> None:
    """Have Google end its attempts to issue the certificate."""
    name = MANAGER.split("/v1/")[1] + "/certificates/mlflow-demo"
    store = berth.cloud.store.of("certificatemanager")
    store.update(name, lambda one: {**one, "managed": {**one["managed"], "state": "FAILED"}})


def test_faults_on_the_way_do_not_end_the_watch(berth: Berth) -> None:
    """Verify and Certificate Manager may be down for a while; days lie ahead."""
    running = ready(berth, **THEIRS)
    berth.cloud.fail("certificatemanager.projects.locations.certificates.get", status=403, times=3)
    made_by_hand(berth)

    works = later(berth, running, 6 * 3600)

    assert works.status["certificate"] == "ACTIVE"


def test_the_watch_ends_after_thirty_days_and_can_be_taken_up(berth: Berth) -> None:
    """Far below the steps that an execution may have; the same request watches on."""
    running = ready(berth, **THEIRS)
    ended = later(berth, running, 31 * DAY)
    url = f"https://workflowexecutions.googleapis.com/v1/{running}/stepEntries"
    steps = int(berth.ask("GET", f"{url}?pageSize=1").get("totalSize", 0))
    made_by_hand(berth)

    again = berth.launch("provision", "demo", 1)
    works = later(berth, again, 3 * 3600)

    assert ended.execution["state"] == "SUCCEEDED", ended.error
    assert (ended.state, ended.status["certificate"]) == ("READY", "FAILED")
    assert steps < 60_000
    assert works.status["certificate"] == "ACTIVE"


def test_a_newer_request_takes_over_from_a_watch(berth: Berth) -> None:
    """A broken domain is FAILED, and FAILED may be asked for again while its execution watches."""
    make_zone(berth)
    berth.functions.proofs.extend([PROVED, *[CLOSED] * 30])
    running = ready(berth, **ours())
    assert later(berth, running, 2 * 3600).state == "FAILED"
    berth.functions.proofs.clear()
    generation = berth.want("demo", load_balancer=ours())

    made = berth.finish("demo", berth.launch("provision", "demo", generation))

    assert (made.state, made.status["certificate"]) == ("READY", "ACTIVE")
    assert made.status["generation"] == generation
    assert berth.outcome("demo", running).execution["state"] == "SUCCEEDED"


def test_what_is_published_is_what_a_subscriber_can_read(berth: Berth, heard: Any) -> None:
    """The event of the certificate has the attributes of every other, and an id of its own."""
    make_zone(berth)
    berth.provision(load_balancer=ours())

    last = heard()[-1]

    assert last["attributes"]["ce-id"] == "demo/1/READY/certificate-ACTIVE"
    assert last["attributes"]["state"] == "READY"
    assert json.loads(base64.b64decode(last["data"]))["certificate"] == "ACTIVE"
    assert certificate(berth)["state"] == "ACTIVE"
