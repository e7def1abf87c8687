"""That a removed deployment is gone is proved of each of its things, also of those named late."""

from typing import Any

import pytest

from examples import proof

ZONE = "https://dns.googleapis.com/dns/v1/projects/p/managedZones/z/rrsets"
AUTHORIZATION = "https://certificatemanager.googleapis.com/v1/projects/p/dnsAuthorizations/mlflow-a"
PLANNED = f"{ZONE}/%28known%20once%20the%20domain%27s%20authorisation%20is%20asked%20for%29/CNAME"


class OneRecord:
    """A project whose authorisation tells a record's name; stands in for the API's answers."""

    name = "p"

    def call(self, _method: str, url: str, *, fine: tuple[int, ...] = ()) -> Any:
        """Answer like the two APIs that are asked."""
        if url == AUTHORIZATION:
            assert fine
            return {"dnsResourceRecord": {"name": "_acme-challenge.a.example.com."}}
        return {"items": []}

    def answers(self, url: str) -> bool:
        """Tell that the record is there, and nothing else."""
        return url == f"{ZONE}/_acme-challenge.a.example.com./CNAME"


class Planning:
    """An api that plans an authorisation and its record."""

    def call(self, *_asked: Any) -> Any:
        """Return the plan."""
        steps = [
            {"kind": "resource", "url": url, "remove": [{}]} for url in (AUTHORIZATION, PLANNED)
        ]
        return {"parts": [{"steps": steps}]}


def test_a_record_that_stayed_is_found() -> None:
    """Its name is not in the plan: asked for by the placeholder it would never be there."""
    project: Any = OneRecord()
    api: Any = Planning()

    urls = proof.addresses(api, project, {"name": "a"})

    assert len(urls) == 2
    with pytest.raises(SystemExit, match="_acme-challenge"):
        proof.gone(project, urls)
