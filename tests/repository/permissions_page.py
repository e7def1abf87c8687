"""Writes docs/permissions.md from what the planner grants: `make schemas` calls it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from planner.plan import plan
from schemas.deployment import DeploymentRequest
from schemas.plan import Grant
from tests.planner.conftest import platform_of
from tests.planner.drawn import observed, spec_of

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"

CLIENT = {"id_secret": "client-id", "secret_secret": "client-secret"}
ANA = ["user:ana@partner.example"]
BEN = ["user:ben@partner.example"]
RUN, ENGINE = {"platform": "cloud_run"}, {"platform": "app_engine"}
FRONT = {"load_balancer": {"domain": "mlflow.example.com"}}
COLUMNS: dict[str, dict[str, Any]] = {
    "Cloud Run, `iam`": {"serving": RUN, "access": {"mode": "iam", "members": ANA}},
    "`basic_auth`": {"serving": RUN, "access": {"mode": "basic_auth"}},
    "`iap`": {"serving": RUN, "access": {"mode": "iap", "members": ANA}},
    "`iap` at the load balancer": {
        "serving": RUN,
        "access": {"mode": "iap", "members": ANA, "guard": "load_balancer"},
        **FRONT,
    },
    "`basic_auth` behind IAP": {
        "serving": RUN,
        "access": {"mode": "basic_auth", "iap": {"members": ANA}},
    },
    "`oauth2_proxy`": {
        "serving": RUN,
        "access": {"mode": "oauth2_proxy", "oauth_client": CLIENT, "members": ANA},
    },
    "App Engine, `iap`": {"serving": ENGINE, "access": {"mode": "iap", "members": ANA}},
}
"""What is asked for, besides a name and a team."""

HOLDERS = {
    r"mlflow-demo@": "the server, `mlflow-NAME`",
    r"mlflow-demo-train@": "trainings, `mlflow-NAME-train`",
    r"berth-(\w+)@": r"`berth-\1`",
    r"gcp-sa-iap": "IAP's own account",
    r"ana@example\.com": "who asked",
    r"ana@partner": "each member, the one who asked among them",
    r"ben@partner": "each of `impersonated_by`",
}

PLACES = {
    r"/secrets/mlflow-demo-([-a-z]+):": r"secret `\1`",
    r"/b/[-a-z]+/iam": "its bucket",
    r"cloudresourcemanager": "project",
    r"serviceAccounts/mlflow-demo-train": "account `mlflow-NAME-train`",
    r"serviceAccounts/mlflow-demo%40": "account `mlflow-NAME`",
    r"/repositories/": "image repository",
    r"/iap_web/": "its IAP resource",
    r"run\.googleapis\.com": "its Cloud Run service",
}

SERVER = HOLDERS["mlflow-demo@"]
REASONS = {
    (SERVER, "storage.objectUser", "its bucket"): "artifacts go in and out through the server",
    (SERVER, "cloudsql.client", "project"): "the database; a condition names the one instance, "
    "since instances have no policies",
    (
        SERVER,
        "iam.serviceAccountTokenCreator",
        "account `mlflow-NAME`",
    ): "signs the addresses of the parts of big artifacts, where requests are bound to 32 MiB",
    (SERVER, "artifactregistry.reader", "image repository"): "App Engine pulls the image as the "
    "server; Cloud Run as itself",
    (SERVER, "logging.logWriter", "project"): "what it prints; on Cloud Run the platform writes it",
    (SERVER, "secretmanager.secretAccessor", "secret `db-password`"): "logs in to the database",
    (SERVER, "secretmanager.secretAccessor", "secret `admin-password`"): "the first login",
    (SERVER, "secretmanager.secretAccessor", "secret `flask-secret`"): "signs sessions of MLflow",
    (SERVER, "secretmanager.secretAccessor", "secret `proxy-config`"): "the proxy's configuration, "
    "with the client's and the cookies' secret",
    (SERVER, "secretmanager.secretAccessor", "secret `proxy-members`"): "whom the proxy lets in",
}
"""Why the server needs what it has; where it is bound tells how far it reaches."""


def held(column: str) -> Iterator[tuple[str, str, str]]:
    """Yield holder, role and place of each grant of a deployment."""
    platform = platform_of()
    wish = {"name": "demo", "team": "risk", "training_account": {"impersonated_by": BEN}}
    if COLUMNS[column]["access"]["mode"] == "basic_auth":
        wish.pop("training_account")
    request = DeploymentRequest.model_validate({**wish, **COLUMNS[column]})
    for part in plan(spec_of(request), platform, observed(platform)).parts:
        for step in part.steps:
            if isinstance(step, Grant):
                role = step.role.removeprefix("roles/")
                yield _called(HOLDERS, step.member), role, _called(PLACES, step.write.url)


def _called(table: dict[str, str], text: str) -> str:
    for pattern, words in table.items():
        found = re.search(pattern, text)
        if found is not None:
            return found.expand(words)
    raise LookupError(f"{text} has no name in docs/permissions.md yet")


def page() -> str:
    """Return the page: what every deployment grants, and to whom."""
    found = {column: set(held(column)) for column in COLUMNS}
    rows = sorted({row for rows in found.values() for row in rows})
    marks = {row: [("x" if row in found[column] else "") for column in COLUMNS] for row in rows}
    head = "| " + " | ".join(COLUMNS) + " |"
    lines = [
        "# What a deployment grants",
        "",
        "Written by `make schemas` from what the planner plans. All of it is made with the deployment and goes with it.",
        "What Berth's own accounts hold for good is in [operations.md](operations.md).",
        "",
        "## The server's account",
        "",
        "`mlflow-NAME`, no keys. Tests take them away and see what breaks (tests/workflows/test_rights.py, tests/end_to_end/test_server_rights.py).",
        "",
        f"| role | on {head} why |",
        "|---|---|" + "---|" * len(COLUMNS) + "---|",
    ]
    lines += [
        f"| `{row[1]}` | {row[2]} | {' | '.join(marks[row])} | {REASONS[row]} |"
        for row in rows
        if row[0] == SERVER
    ]
    lines += [
        "",
        "## Everybody else",
        "",
        f"| who | role | on {head}",
        "|---|---|---|" + "---|" * len(COLUMNS),
    ]
    lines += [
        f"| {row[0]} | `{row[1]}` | {row[2]} | {' | '.join(marks[row])} |"
        for row in rows
        if row[0] != SERVER
    ]
    return "\n".join([*lines, ""]).replace("|  |", "| |").replace("|  |", "| |")


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
