"""Lives of deployments that together need every right there is: each is made, changed and removed."""

import base64
from typing import Any

from tests.workflows.balancers import make_zone, ours
from tests.workflows.berth import Berth, Outcome

CLIENT = {"id_secret": "team-client-id", "secret_secret": "team-client-secret"}

LIVES: dict[str, dict[str, Any]] = {
    "plain": {"training_account": {"impersonated_by": ["user:ana@example.com"]}},
    "private": {"placement": "dedicated", "network": {"name": "default"}},
    "login": {"access": {"mode": "basic_auth"}},
    "iap": {"access": {"mode": "iap", "oauth_client": CLIENT, "allowed_domains": ["example.com"]}},
    "front": {
        "access": {"mode": "basic_auth", "iap": {"guard": "load_balancer"}},
        "load_balancer": ours(allowed_ranges=["198.51.100.0/24"]),
    },
    "proxy": {"access": {"mode": "oauth2_proxy", "oauth_client": CLIENT}},
    "engine": {"serving": {"platform": "app_engine"}, "access": {"mode": "iap"}},
}

CHANGES: dict[str, dict[str, Any]] = {
    "front": {"load_balancer": ours(allowed_ranges=["203.0.113.0/24"])},
    "login": {"labels": {"cost-center": "4711"}},
}
"""What is asked for later; all others get a bigger size."""


def bring(berth: Berth) -> None:
    """Make what teams bring: the zone of their domain, and an OAuth client in two secrets."""
    make_zone(berth)
    project = berth.cloud.project
    secrets = f"https://secretmanager.googleapis.com/v1/projects/{project}/secrets"
    reader = f"serviceAccount:berth-credentials@{project}.iam.gserviceaccount.com"
    role = {"role": "roles/secretmanager.secretAccessor", "members": [reader]}
    for name in CLIENT.values():
        data = base64.b64encode(name.encode()).decode()
        berth.ask("POST", f"{secrets}?secretId={name}", {"replication": {"automatic": {}}})
        berth.ask("POST", f"{secrets}/{name}:addVersion", {"payload": {"data": data}})
        berth.ask("POST", f"{secrets}/{name}:setIamPolicy", {"policy": {"bindings": [role]}})


def begin(berth: Berth, life: str) -> Outcome:
    """Provision the deployment; what was made stays when it fails."""
    return berth.provision(life, **LIVES[life], on_failure="KEEP")


def change(berth: Berth, life: str) -> Outcome:
    """Ask for something else, and provision that."""
    wish = {**LIVES[life], **CHANGES.get(life, {"size": "medium"})}
    return berth.provision(life, **wish, on_failure="KEEP")
