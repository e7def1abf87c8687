"""All examples at once in one project: each works, none is in another's way, none leaves a trace."""

from functools import partial
from typing import Any

import pytest
import requests
from requests.adapters import HTTPAdapter

from examples import walk
from tests.end_to_end.holdings import difference, holdings
from tests.end_to_end.installation import PATIENCE, PROJECT, REGION, Installation
from tests.examples.conftest import NAMES, SideBySide, both
from tests.examples.leftovers import more_than_may_stay, unrelated

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("examples")]

SEARCH = "/api/2.0/mlflow/experiments/search?max_results=5"
STRANGER = "mallory@elsewhere.example.net"
"""Of no group, team or domain that an example lets in."""

PROJECT_POLICY = f"iam.policies //cloudresourcemanager.googleapis.com/projects/{PROJECT}"
OUT: list[str] = [name for name in ("appengine-private", "appengine-iap") if name in NAMES]
"""The first shares application, network and peering with others; two names begin with the second's."""


def test_all_get_ready(side_by_side: SideBySide) -> None:
    """Nothing collides: no name, no policy, no address."""
    failed = {
        name: deployment["problem"]
        for name, deployment in side_by_side.deployments.items()
        if deployment["state"] != "READY" or deployment.get("certificate") not in {None, "ACTIVE"}
    }
    assert failed == {}


@pytest.mark.parametrize("name", NAMES)
def test_each_says_how_to_get_in(side_by_side: SideBySide, name: str) -> None:
    """Lines for people and for programs, where to come from if that is not anywhere, no secret."""
    deployment = side_by_side.deployments[name]
    login = deployment["login"]
    kinds = {line.partition(":")[0] for line in login if not line.startswith(" ")}

    assert kinds >= {"browser", "programs"}
    assert ("from" in kinds) is (name in {"cloudrun-private", "cloudrun-basic-armor"})
    assert ("console" in kinds) is (name in {"cloudrun-oauth2-proxy", "appengine-iap"})
    assert any(line.endswith(f"MLFLOW_TRACKING_URI={deployment['url']}") for line in login)
    for secret in ("db-password", "admin-password"):
        if name == "cloudrun-basic-armor" or secret == "db-password":
            value = side_by_side.berth.password(side_by_side.requests[name]["name"], secret)
            assert value not in "\n".join(login)


def test_large_artifacts_come_back_from_each(side_by_side: SideBySide) -> None:
    """40 MiB there and back by MLflow's client with Berth's plugin, whatever stands in between."""
    found = both(
        [
            partial(side_by_side.berth.program, "big_artifact", **side_by_side.environment(name))
            for name in NAMES
        ]
    )
    assert found == [{"mib": 40, "same": True}] * len(NAMES)


def test_a_model_is_trained_through_each(
    side_by_side: SideBySide, capsys: pytest.CaptureFixture[str]
) -> None:
    """Train, register, load by alias, predict: the whole walk-through, through every way in."""
    both([partial(walk.train, side_by_side.environment(name)) for name in NAMES])

    assert capsys.readouterr().out.count("predicted 5 rows") == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_strangers_are_refused(side_by_side: SideBySide, name: str) -> None:
    """Without credentials, and with a good token of somebody who is no member."""
    berth, url = side_by_side.berth, side_by_side.deployments[name]["url"]
    token = berth.token(STRANGER, "--audience", url)

    for session in (berth.session(), berth.session(token)):
        answer = session.get(url + SEARCH, timeout=60, allow_redirects=False)
        assert answer.status_code in {302, 401, 403, 404}
        assert "experiments" not in answer.text


def test_nobody_comes_from_outside_the_ranges(side_by_side: SideBySide) -> None:
    """Cloud Armor turns away who calls from elsewhere, before he is asked for anything."""
    url = side_by_side.deployments["cloudrun-basic-armor"]["url"]

    answer = calling_from("127.0.0.9", side_by_side.berth).get(url, timeout=60)

    assert answer.status_code == 403


@pytest.mark.parametrize("out", OUT)
def test_removing_one_disturbs_none_of_the_others(side_by_side: SideBySide, out: str) -> None:
    """Policies and resources change by its own entries only, and all others still answer."""
    berth, name = side_by_side.berth, side_by_side.requests[out]["name"]
    names = {one: request["name"] for one, request in side_by_side.requests.items()}
    left = [one for one in NAMES if one not in OUT[: OUT.index(out) + 1]]
    before = holdings(berth)

    removed = berth.delete(name)

    assert removed["state"] == "DELETED", removed
    changes = difference(before, holdings(berth), removed=name)
    # Its right to connect is bound on the project, so the comparison has looked at that policy.
    assert PROJECT_POLICY in changes
    assert unrelated(changes, name, names.values()) == {}
    # Where some are called alike, they are the ones in danger.
    assert counted(side_by_side, [one for one in left if names[one].startswith(name)] or left)


def counted(side_by_side: SideBySide, names: list[str]) -> bool:
    """Tell whether each of them still says what it holds to its members."""
    found: list[dict[str, Any]] = both(
        [
            partial(side_by_side.berth.program, "experiments", **side_by_side.environment(name))
            for name in names
        ]
    )
    return all(one["experiments"] >= 2 for one in found)


def test_nothing_is_left_of_any(side_by_side: SideBySide) -> None:
    """What stays is what others share, or what is kept on purpose."""
    berth = side_by_side.berth
    names = [request["name"] for request in side_by_side.requests.values()]
    for name in names:
        assert berth.api("DELETE", f"/v1/deployments/{name}").status_code in {200, 202}
    ended = {name: berth.wait(name, "DELETED", "FAILED")["state"] for name in names}

    assert set(ended.values()) == {"DELETED"}, ended
    changes = difference(side_by_side.before, holdings(berth))
    graves = {f"object deployments/{name}/" for name in names}
    left = {where: one for where, one in changes.items() if not where.startswith(tuple(graves))}
    assert more_than_may_stay(left) == {}


def test_make_example_shows_a_whole_life(side_by_side: SideBySide) -> None:
    """What `make example` runs: made, both ways in told, trained through, and no trace is left."""
    berth = side_by_side.berth

    said = berth.run(
        *("-m", "examples.example", "cloudrun-iap"),
        *("--state", str(berth.state), "--project", PROJECT, "--region", REGION),
        timeout=PATIENCE,
    )

    told = [line.strip() for line in said.splitlines()]
    for beginning in (
        "POST /v1/deployments {",
        "READY in ",
        "browser:  https://mlflow-wine-iap-",
        "programs: pip install ./berth",
        "on this machine:",
        "browser:  http://127.0.0.1:",
        'programs: eval "$(',
        "training on wine quality … ",
        "bringing an artifact of 40 MiB there and back … the same",
        "none of its ",
    ):
        assert any(line.startswith(beginning) for line in told), (beginning, said)
    assert "predicted 5 rows" in said


class _From(HTTPAdapter):
    """Calls from one of this machine's addresses."""

    def __init__(self, address: str) -> None:
        self.address = (address, 0)
        super().__init__()

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        return super().proxy_manager_for(proxy, source_address=self.address, **options)


def calling_from(address: str, berth: Installation) -> requests.Session:
    """Return a session of a caller who is at another address."""
    session = berth.session()
    session.mount("https://", _From(address))
    return session
