"""Managed certificates on the real clock: first waiting, then there, as everybody can see."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import OWNER, Cloud
from localcloud.services import certificatemanager, compute, dns
from tests.localcloud.patience import eventually
from tests.localcloud.services.compute.load_balancers import DNS, HOST, MANAGER, Desk

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WAIT = 0.4


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A certificate that waits for its record."""
    apis = [certificatemanager.SERVICE, compute.SERVICE, dns.SERVICE]
    cloud = Cloud(tmp_path / "state", only=apis)

    def ask(method: str, url: str, body: object = None, *, who: str | None = OWNER) -> Any:
        headers = {"authorization": f"Bearer {cloud.tokens.access_token(who or OWNER)}"}
        data = b"" if body is None else json.dumps(body).encode()
        return cloud.request(method, f"https://{url}", headers=headers, body=data)

    made = Desk(cloud, ask, None)
    made.certificate()
    yield made
    cloud.close()


def state(desk: Desk) -> str:
    """Return the state of the certificate."""
    return str(desk.ask("GET", f"{MANAGER}/certificates/cert").json()["managed"]["state"])


def record(desk: Desk) -> dict[str, str]:
    """Return the record that the authorisation wants."""
    found = desk.ask("GET", f"{MANAGER}/dnsAuthorizations/auth").json()["dnsResourceRecord"]
    return dict(found)


def in_zone(desk: Desk) -> None:
    """Put it into a zone of the project, as a resource of its own."""
    zone = {"name": "z", "dnsName": "example.com.", "description": ""}
    assert desk.ask("POST", f"{DNS}/managedZones", zone).status == 200
    wanted = record(desk)
    one = {"name": wanted["name"], "type": "CNAME", "ttl": 300, "rrdatas": [wanted["data"]]}
    answer = desk.ask("POST", f"{DNS}/managedZones/z/rrsets", one)
    assert answer.status == 200, answer.body


def elsewhere(desk: Desk) -> None:
    """Put it there where `record` puts one."""
    wanted = record(desk)
    desk.cloud.resolver.publish(wanted["name"].rstrip("."), "CNAME", wanted["data"])


@pytest.mark.parametrize("put", [in_zone, elsewhere])
def test_both_states_are_seen(desk: Desk, put: Any) -> None:
    """It is issued a moment after the record is there, wherever that is kept."""
    desk.cloud.delay("certificates", WAIT)
    assert state(desk) == "PROVISIONING"

    began = time.monotonic()
    put(desk)

    assert state(desk) == "PROVISIONING"
    eventually(lambda: state(desk) == "ACTIVE")
    assert time.monotonic() - began >= WAIT


def test_it_takes_a_second_unless_told() -> None:
    """Nobody wants to wait for Google's twenty minutes."""
    from localcloud.faults import latency

    assert latency.REAL == {latency.ISSUANCE: 1.0}


def test_a_record_that_goes_again_is_not_enough(desk: Desk) -> None:
    """It is looked at when the certificate is issued."""
    desk.cloud.delay("certificates", WAIT)
    elsewhere(desk)

    desk.cloud.resolver.withdraw(f"_acme-challenge.{HOST}", "CNAME")
    time.sleep(2 * WAIT)

    assert state(desk) == "PROVISIONING"


def test_without_the_record_it_waits(desk: Desk) -> None:
    """However short the delay is."""
    desk.cloud.delay("certificates", 0)

    desk.cloud.resolver.publish(HOST, "A", "127.0.0.9")
    time.sleep(WAIT)

    assert state(desk) == "PROVISIONING"


def test_a_restart_in_between_loses_nothing(desk: Desk) -> None:
    """What waited is looked at anew."""
    desk.cloud.delay("certificates", 3600)
    elsewhere(desk)
    desk.cloud.delay("certificates", 0)

    desk.cloud.start()

    eventually(lambda: state(desk) == "ACTIVE")
