"""Options that exclude each other: refused when the request is read, with words that help."""

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import ValidationError

from planner.target import SECRETS
from schemas import contradictions
from schemas.clashes import OUR_SECRETS
from schemas.contradictions import Contradiction
from schemas.deployment import DeploymentRequest
from schemas.problem import from_validation_error

SMALLEST = {"name": "fraud", "team": "risk"}
DEDICATED = {"placement": "dedicated"}
FLEX = {"platform": "app_engine"}
ON_FLEX = {"serving": FLEX, "access": {"mode": "iap"}}
CLIENT = {"id_secret": "client-id", "secret_secret": "client-secret"}
PROXY = {"mode": "oauth2_proxy", "oauth_client": CLIENT}
DOMAIN = "mlflow.risk.example.com"
OFFICE = "203.0.113.0/24"


@dataclass(frozen=True, kw_only=True)
class Example:
    """One request that contradicts itself, and its neighbour that does not."""

    asked: dict[str, Any]
    """What the request says besides name and team."""
    places: set[str]
    way_out: str
    instead: dict[str, Any]
    """What the message's way out makes of it."""


def iap(**more: Any) -> dict[str, Any]:
    """Return a request for IAP."""
    return {"access": {"mode": "iap", **more}}


def behind_iap(**more: Any) -> dict[str, Any]:
    """Return a request for MLflow's login with IAP before it."""
    return {"access": {"mode": "basic_auth", "iap": more}}


def balanced(**more: Any) -> dict[str, Any]:
    """Return a request for a load balancer."""
    return {"load_balancer": {"domain": DOMAIN, **more}}


def on_cloud_run(**more: Any) -> dict[str, Any]:
    """Return a request for Cloud Run."""
    return {"serving": {"platform": "cloud_run", **more}}


def on_flex(**more: Any) -> dict[str, Any]:
    """Return a request for App Engine."""
    return {**ON_FLEX, "serving": {**FLEX, **more}}


EXAMPLES = [
    Example(
        asked={"highly_available": True, "size": "medium"},
        places={"/highly_available", "/placement"},
        way_out="use placement dedicated with size medium or large",
        instead={"highly_available": True, "size": "medium", **DEDICATED},
    ),
    Example(
        asked={"highly_available": True, **DEDICATED},
        places={"/highly_available", "/size"},
        way_out="use size medium or large",
        instead={"highly_available": True, "size": "large", **DEDICATED},
    ),
    Example(
        asked={"database": {"engine": "mysql"}},
        places={"/database/engine", "/placement"},
        way_out="use placement dedicated, or database.engine postgresql",
        instead={"database": {"engine": "mysql"}, **DEDICATED},
    ),
    Example(
        asked={"database": {"engine": "postgresql", "version": "16"}},
        places={"/database/version", "/placement"},
        way_out="use placement dedicated, or database.version 18",
        instead={"database": {"engine": "postgresql", "version": "16"}, **DEDICATED},
    ),
    Example(
        asked={"network": {"name": "shared"}},
        places={"/network", "/placement"},
        way_out="use placement dedicated, or network null",
        instead={"network": {"name": "shared"}, **DEDICATED},
    ),
    Example(
        asked={
            "database": {"engine": "mysql"},
            "access": {"mode": "basic_auth"},
            **DEDICATED,
        },
        places={"/access/mode", "/database/engine"},
        way_out="use access.mode iap (on Cloud Run iam, too), or database.engine postgresql",
        instead={"database": {"engine": "mysql"}, "access": {"mode": "iam"}, **DEDICATED},
    ),
    Example(
        asked=on_cloud_run(min_instances=3, max_instances=2),
        places={"/serving/min_instances", "/serving/max_instances"},
        way_out="min_instances must be at most 2, or max_instances at least 3",
        instead=on_cloud_run(min_instances=3, max_instances=3),
    ),
    Example(
        asked=on_flex(min_instances=2, max_instances=1),
        places={"/serving/min_instances", "/serving/max_instances"},
        way_out="min_instances must be at most 1, or max_instances at least 2",
        instead=on_flex(min_instances=1, max_instances=1),
    ),
    Example(
        asked=on_flex(instances=1, min_instances=1),
        places={"/serving/instances", "/serving/min_instances"},
        way_out="leave one of them out",
        instead=on_flex(min_instances=1),
    ),
    Example(
        asked=on_flex(instances=1, max_instances=2),
        places={"/serving/instances", "/serving/max_instances"},
        way_out="leave one of them out",
        instead=on_flex(instances=1),
    ),
    Example(
        asked=on_flex(instances=1, target_cpu=0.6),
        places={"/serving/instances", "/serving/target_cpu"},
        way_out="leave one of them out",
        instead=on_flex(target_cpu=0.6),
    ),
    Example(
        asked={"serving": FLEX},
        places={"/serving/platform", "/access/mode"},
        way_out="only Cloud Run checks callers by IAM itself; use access.mode iap",
        instead=ON_FLEX,
    ),
    Example(
        asked={"serving": FLEX, "access": {"mode": "basic_auth"}},
        places={"/serving/platform", "/access/mode"},
        way_out="give access.iap with the members whom it lets through",
        instead={"serving": FLEX, **behind_iap()},
    ),
    Example(
        asked={"serving": FLEX, "access": PROXY},
        places={"/serving/platform", "/access/mode"},
        way_out="use access.mode iap, or serving.platform cloud_run",
        instead={**on_cloud_run(), "access": PROXY},
    ),
    Example(
        asked={**on_cloud_run(ingress="internal"), **balanced()},
        places={"/serving/ingress", "/load_balancer"},
        way_out="use load_balancer null, or serving.ingress all",
        instead={**on_cloud_run(ingress="all"), **balanced()},
    ),
    Example(
        asked=iap(guard="load_balancer"),
        places={"/access/guard", "/load_balancer"},
        way_out="use guard service, or give a load_balancer",
        instead={**iap(guard="load_balancer"), **balanced()},
    ),
    Example(
        asked=behind_iap(guard="load_balancer"),
        places={"/access/iap/guard", "/load_balancer"},
        way_out="use guard service, or give a load_balancer",
        instead=behind_iap(guard="service"),
    ),
    Example(
        asked={"serving": FLEX, **iap(guard="load_balancer"), **balanced()},
        places={"/access/guard", "/serving/platform"},
        way_out="use guard service, or serving.platform cloud_run",
        instead={"serving": FLEX, **iap(guard="service"), **balanced()},
    ),
    Example(
        asked={"training_account": {}, "access": {"mode": "basic_auth"}},
        places={"/training_account", "/access/mode"},
        way_out="use access.mode iap (on Cloud Run iam, too), or training_account null",
        instead={"training_account": {}, **iap()},
    ),
    Example(
        asked={"name": "a" * 18, "training_account": {}},
        places={"/name", "/training_account"},
        way_out="use a name of at most 17 characters",
        instead={"name": "a" * 17, "training_account": {}},
    ),
    Example(
        asked=iap(oauth_client={"id_secret": "client", "secret_secret": "client"}),
        places={"/access/oauth_client/id_secret", "/access/oauth_client/secret_secret"},
        way_out="keep each in a secret of its own and name both",
        instead=iap(oauth_client=CLIENT),
    ),
    Example(
        asked={
            "access": {
                **PROXY,
                "oauth_client": {**CLIENT, "secret_secret": "mlflow-other-db-password"},
            }
        },
        places={"/access/oauth_client", "/access/mode"},
        way_out="make secrets of your own for the client's id and secret",
        instead={"access": PROXY},
    ),
    Example(
        asked=iap(
            members=["user:ben@partner.example.org", "user:ana@example.com"],
            allowed_domains=["example.com"],
        ),
        places={"/access/members", "/access/allowed_domains"},
        way_out="members with user:ben@partner.example.org and allowed_domains",
        instead=iap(
            members=["user:ben@partner.example.org", "user:ana@example.com"],
            allowed_domains=["example.com", "partner.example.org"],
        ),
    ),
    Example(
        asked=behind_iap(members=["user:a@b.de"], allowed_domains=["b.com"]),
        places={"/access/iap/members", "/access/iap/allowed_domains"},
        way_out="members with user:a@b.de and allowed_domains",
        instead=behind_iap(members=["user:a@b.de"], allowed_domains=["b.de"]),
    ),
    Example(
        asked=iap(members=["domain:sub.example.com"], allowed_domains=["example.com"]),
        places={"/access/members", "/access/allowed_domains"},
        way_out="add it to allowed_domains, or take the member out",
        instead=iap(members=["domain:example.com"], allowed_domains=["example.com"]),
    ),
    Example(
        asked={"access": {**PROXY, "email_domains": ["gmail.com", "example.com"]}},
        places={"/access/email_domains", "/access/mode"},
        way_out="name single people of gmail.com in members",
        instead={
            "access": {
                **PROXY,
                "email_domains": ["example.com"],
                "members": ["user:ana@gmail.com"],
            }
        },
    ),
    Example(
        asked={
            "access": {
                **PROXY,
                "extra_issuers": [
                    "https://accounts.google.com=32555940559.apps.googleusercontent.com"
                ],
            }
        },
        places={"/access/extra_issuers", "/access/mode"},
        way_out="leave it out, since tokens made out for the server's own address are taken",
        instead={
            "access": {**PROXY, "extra_issuers": ["https://accounts.google.com=wine-trainings"]}
        },
    ),
    Example(
        asked={"access": {"mode": "iam", "members": ["domain:gmail.com"]}},
        places={"/access/members", "/access/mode"},
        way_out="name people as user:somebody@…, or a group",
        instead={"access": {"mode": "iam", "members": ["user:ana@gmail.com"]}},
    ),
    Example(
        asked=behind_iap(members=["domain:gmail.com"]),
        places={"/access/iap/members", "/access/mode"},
        way_out="name people as user:somebody@…, or a group",
        instead={"access": {"mode": "basic_auth"}},
    ),
    Example(
        asked={"training_account": {"impersonated_by": ["domain:GMail.com"]}},
        places={"/training_account/impersonated_by", "/access/mode"},
        way_out="name people as user:somebody@…, or a group",
        instead={"training_account": {"impersonated_by": ["group:risk@example.com"]}},
    ),
    Example(
        asked={"load_balancer": {"domain": "mlflow-fraud-123456789012.europe-west1.run.app"}},
        places={"/load_balancer", "/load_balancer/domain"},
        way_out="use a domain that is yours, or load_balancer null",
        instead={"load_balancer": {"domain": "mlflow.notrun.app"}},
    ),
    Example(
        asked=balanced(allowed_ranges=[OFFICE, "192.168.7.0/24"]),
        places={"/load_balancer", "/load_balancer/allowed_ranges"},
        way_out="allowed_ranges with 192.168.7.0/24 contradict",
        instead=balanced(allowed_ranges=[OFFICE]),
    ),
    Example(
        asked=balanced(allowed_ranges=["2001:db8::/32"]),
        places={"/load_balancer", "/load_balancer/allowed_ranges"},
        way_out="use the IPv4 ranges of your network, too",
        instead=balanced(allowed_ranges=["2001:db8::/32", OFFICE]),
    ),
]


def refused(asked: dict[str, Any]) -> dict[str, str]:
    """Return the message of each refusal, by place."""
    with pytest.raises(ValidationError) as caught:
        DeploymentRequest.model_validate({**SMALLEST, **asked})
    problem = from_validation_error(caught.value, DeploymentRequest)
    assert problem.status == 400
    return {error.pointer: error.message for error in problem.errors}


def rows_of(asked: dict[str, Any]) -> list[Contradiction]:
    """Return the rows of the table that a request meets."""
    met = refused(asked).values()
    return [
        row
        for row in contradictions.TABLE
        if any(message.endswith(row.message.rsplit("}", 1)[-1]) for message in met)
    ]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: " ".join(sorted(example.places)))
def test_a_contradiction_names_both_options_and_what_would_work(example: Example) -> None:
    """Both places are pointed at, with one message in whole words."""
    found = refused(example.asked)

    assert found.keys() == example.places
    (message,) = set(found.values())
    assert "contradict each other" in " ".join(message.split())
    assert example.way_out in message
    assert not set("{}<>") & set(message)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: " ".join(sorted(example.places)))
def test_the_way_out_of_a_contradiction_works(example: Example) -> None:
    """Whoever follows the message is not refused again."""
    assert DeploymentRequest.model_validate({**SMALLEST, **example.instead})


def test_every_contradiction_of_the_table_has_its_example() -> None:
    """A row that nobody ever met may be wrong."""
    met = [id(row) for example in EXAMPLES for row in rows_of(example.asked)]

    assert [row.message for row in contradictions.TABLE if id(row) not in met] == []


def test_there_are_as_many_as_were_promised() -> None:
    """Each row is another pair of options, or another reason."""
    assert len({row.message for row in contradictions.TABLE}) >= 25


def test_all_contradictions_are_said_at_once() -> None:
    """One answer, with each sentence at each of its places."""
    found = refused(
        {
            "highly_available": True,
            "database": {"engine": "mysql"},
            "access": {"mode": "basic_auth"},
            "network": {},
            "training_account": {},
        }
    )
    assert found.keys() == {
        "/highly_available",
        "/placement",
        "/size",
        "/database/engine",
        "/access/mode",
        "/network",
        "/training_account",
    }


@pytest.mark.parametrize(
    "asked",
    [
        {**on_cloud_run(ingress="internal"), "network": None},
        {**on_cloud_run(ingress="internal"), **iap()},
        {**on_cloud_run(ingress="internal"), "access": PROXY},
        {"access": PROXY},
        {**balanced(), "access": {"mode": "iam"}},
        {**balanced(), "access": {"mode": "basic_auth"}},
        on_cloud_run(cpu_always_allocated=True, min_instances=0, concurrency=1),
        iap(members=["group:risk@partner.example.org"], allowed_domains=["example.com"]),
        iap(members=["serviceAccount:a@p.iam.gserviceaccount.com"], allowed_domains=["b.de"]),
        {**on_flex(), "network": {"name": "own", "subnetwork": "flex"}, **DEDICATED},
        {**on_flex(), **balanced(allowed_ranges=[OFFICE])},
        {"database": {"engine": "mysql"}, "highly_available": True, "size": "large", **DEDICATED},
    ],
)
def test_what_google_allows_is_not_refused(asked: dict[str, Any]) -> None:
    """The table holds no more than it must."""
    assert DeploymentRequest.model_validate({**SMALLEST, **asked})


@pytest.mark.parametrize("purpose", SECRETS)
def test_no_secret_of_a_deployment_passes_for_a_client(purpose: str) -> None:
    """Whatever secrets the planner comes to make, nobody has them read for him."""
    assert OUR_SECRETS.fullmatch(f"mlflow-fraud-{purpose}")
