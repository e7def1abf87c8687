"""All that Berth may send: the calls of every example, of every two options, and of the extremes.

What must hold for a kind of body is said once and held against all of them. Asking for a kind that no
plan has is an error, so that no promise is kept by there being nothing to break it.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from planner import admission
from planner.plan import plan
from schemas.deployment import DeploymentRequest
from schemas.plan import Grant, Plan, Request, Resource
from tests.planner.conftest import platform_of
from tests.planner.drawn import observed, spec_of
from tests.repository.options import FIELDS, options, request
from tests.workflows.covering import covering_set

EXAMPLES = Path(__file__).parents[2] / "examples"
PLATFORM = platform_of(network={"name": "default"}, verify_ranges=("203.0.113.7/32",))
EXTREMES: tuple[dict[str, Any], ...] = (
    {
        "name": "all-the-ranges",
        "team": "risk",
        "load_balancer": {
            "domain": "mlflow.risk.example.com",
            "dns_zone": "risk",
            "allowed_ranges": [f"130.{n // 250}.{n % 250}.0/24" for n in range(1900)],
        },
    },
    {
        "name": "as-long-as-names-go",
        "team": "risk",
        "size": "large",
        "placement": "dedicated",
        "region": "us-central1",
        "highly_available": True,
        "serving": {
            "platform": "cloud_run",
            "min_instances": 5,
            "timeout_seconds": 3600,
            "concurrency": 1,
            "cpu_always_allocated": True,
        },
        "network": {"name": "n" * 63, "subnetwork": "s" * 63},
    },
    {
        "name": "flex-elsewhere",
        "team": "risk",
        "placement": "dedicated",
        "region": "us-central1",
        "network": {"name": "custom", "subnetwork": "machines"},
        "serving": {"platform": "app_engine", "instances": 2},
        "access": {"mode": "iap"},
    },
)


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One call, and of which deployment and step it is."""

    order: str
    step: str
    method: str
    url: str
    body: Any

    def __str__(self) -> str:
        """Say what a failed promise is about."""
        return f"{self.order}, {self.step}: {self.method} {self.url}"


@cache
def orders() -> Mapping[str, DeploymentRequest]:
    """Return everything that is planned here, by what it is called."""
    asked: dict[str, Any] = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))
        for path in sorted(EXAMPLES.glob("*.json"))
    }
    for number, wish in enumerate(covering_set()):
        said = ", ".join(
            title if title != "yes" else name
            for name, title in zip(FIELDS, wish, strict=True)
            if title != next(iter(options(name)))
        )
        asked[f"pair {number}: {said}"] = request(wish, name=f"pair{number}")
    asked |= {each["name"]: each for each in EXTREMES}
    found = {title: DeploymentRequest.model_validate(one) for title, one in asked.items()}
    assert not any(admission.errors(one, PLATFORM) for one in found.values())
    return found


@cache
def plans() -> Mapping[str, Plan]:
    """Return the plan of each, with everything observed."""
    seen = observed(PLATFORM)
    return {title: plan(spec_of(one), PLATFORM, seen) for title, one in orders().items()}


@cache
def everything() -> tuple[Sent, ...]:
    """Return every call that carrying the plans out may send to Google, in order."""
    return tuple(
        Sent(
            order=title,
            step=step.name,
            method=call.method,
            url=call.url,
            body=call.body,
        )
        for title, made in plans().items()
        for part in made.parts
        for step in part.steps
        for call in _calls(step)
        if call.auth == "OAuth2"
    )


def _calls(step: Resource | Grant) -> Iterator[Request]:
    if isinstance(step, Grant):
        yield step.read
        yield Request(method=step.write.method, url=step.write.url)
        return
    yield Request(method="GET", url=step.url)
    yield step.create
    if step.update is not None:
        yield step.update
    yield from step.remove


def grants() -> tuple[tuple[str, Grant], ...]:
    """Return every grant, and of which deployment it is."""
    return tuple(
        (title, step)
        for title, made in plans().items()
        for part in made.parts
        for step in part.steps
        if isinstance(step, Grant)
    )


def sent(pattern: str, *methods: str) -> tuple[Sent, ...]:
    """Return the calls whose address matches, those with a body unless methods are named."""
    found = tuple(
        call
        for call in everything()
        if re.search(pattern, call.url)
        and (call.method in methods if methods else call.body is not None)
    )
    assert found, f"no plan sends {pattern}"
    return found


def never_sent(pattern: str, *methods: str) -> None:
    """Fail if any call has such an address, naming the first; any method unless some are named."""
    for call in everything():
        wrong = re.search(pattern, call.url) and (not methods or call.method in methods)
        assert not wrong, str(call)


def keys(value: Any) -> Iterator[str]:
    """Yield every name of a field, however deep."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from keys(item)
    elif isinstance(value, list):
        for item in value:
            yield from keys(item)


def leaves(value: Any) -> Iterator[Any]:
    """Yield every value that holds no others, however deep."""
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


def only(items: Iterable[Any]) -> Any:
    """Return the one thing that there is."""
    (found,) = items
    return found
