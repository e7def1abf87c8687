"""What a team brings itself before it asks: OAuth clients, DNS zones, networks, accounts.

Each step is shown as the gcloud command that does it and done by the call behind that command, so
that gcloud need not be here. What is there already stays as it is.
"""

import base64
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from examples.project import SECRETS, Project

IAM = "https://iam.googleapis.com/v1"
COMPUTE = "https://compute.googleapis.com/compute/v1"
DNS = "https://dns.googleapis.com/dns/v1"
TRAINING = "wine-training"
"""The account that trainings come as where the request asks for none."""

EXISTS = 409
MISSING = 404


@dataclass(frozen=True)
class Step:
    """One thing to do first."""

    why: str
    command: str
    run: Callable[[], Any]


def steps(request: dict[str, Any], project: Project, person: str) -> Iterator[Step]:
    """Give what a request needs that is the team's to bring."""
    access = request.get("access", {})
    client = access.get("oauth_client") or (access.get("iap") or {}).get("oauth_client")
    if client:
        yield from _client(client, project)
    if (network := request.get("network")) is not None:
        yield _network(network.get("name", "default"), project)
    balancer = request.get("load_balancer") or {}
    if balancer.get("dns_zone"):
        yield _zone(balancer["dns_zone"], balancer["domain"], project)
    if training_account(request, project) == own_account(project):
        yield from _account(project, person)


def training_account(request: dict[str, Any], project: Project) -> str | None:
    """Return the account that trainings come as; None where a login is all that is asked."""
    access = request.get("access", {})
    if request.get("training_account") is not None:
        return f"mlflow-{request['name']}-train@{project.name}.iam.gserviceaccount.com"
    if access.get("mode") == "basic_auth" and access.get("iap") is None:
        return None
    return own_account(project)


def own_account(project: Project) -> str:
    """Return the address of the account that this script makes where Berth makes none."""
    return f"{TRAINING}@{project.name}.iam.gserviceaccount.com"


def personal(request: dict[str, Any], project: Project, address: str) -> dict[str, Any]:
    """Return the request with what only those who send it know: their account, their address."""
    made = {**request}
    if training_account(request, project) == own_account(project):
        member = f"serviceAccount:{own_account(project)}"
        made["access"] = _with_member(request.get("access", {"mode": "iam"}), member)
    balancer = request.get("load_balancer") or {}
    if balancer.get("allowed_ranges"):
        ranges = [*balancer["allowed_ranges"], address]
        made["load_balancer"] = {**balancer, "allowed_ranges": ranges}
    return made


def _with_member(access: dict[str, Any], member: str) -> dict[str, Any]:
    if access.get("iap"):
        return {**access, "iap": _with_member(access["iap"], member)}
    return {**access, "members": [*access.get("members", []), member]}


def _client(client: dict[str, str], project: Project) -> Iterator[Step]:
    """Keep a client's id and secret; the client itself is made in the console, by hand."""
    values = {
        client["id_secret"]: "stand-in.apps.googleusercontent.com",
        client["secret_secret"]: secrets.token_urlsafe(),
    }
    reader = f"serviceAccount:berth-credentials@{project.name}.iam.gserviceaccount.com"
    for name, value in values.items():
        yield Step(
            "an OAuth client is made in the console; here are stand-ins for its id and secret",
            f"printf %s VALUE | gcloud secrets create {name} --replication-policy=automatic --data-file=-",
            partial(_keep, project, name, value),
        )
    for name in values:
        yield Step(
            "Berth reads them when it makes the deployment",
            f"gcloud secrets add-iam-policy-binding {name} --member={reader} "
            "--role=roles/secretmanager.secretAccessor",
            partial(
                project.let,
                f"{SECRETS}/projects/{project.name}/secrets/{name}",
                "roles/secretmanager.secretAccessor",
                reader,
            ),
        )


def _keep(project: Project, name: str, value: str) -> None:
    parent = f"{SECRETS}/projects/{project.name}/secrets"
    body: dict[str, Any] = {"replication": {"automatic": {}}}
    project.call("POST", f"{parent}?secretId={name}", body, fine=(EXISTS,))
    if not project.answers(f"{parent}/{name}/versions/latest"):
        data = base64.b64encode(value.encode()).decode()
        project.call("POST", f"{parent}/{name}:addVersion", {"payload": {"data": data}})


def _network(name: str, project: Project) -> Step:
    networks = f"{COMPUTE}/projects/{project.name}/global/networks"

    def make() -> None:
        if not project.answers(f"{networks}/{name}"):
            made = project.call("POST", networks, {"name": name, "autoCreateSubnetworks": True})
            project.call(
                "POST",
                f"{COMPUTE}/projects/{project.name}/global/operations/{made['name']}/wait",
            )

    return Step(
        "the database gets its only address in this network",
        f"gcloud compute networks describe {name} || "
        f"gcloud compute networks create {name} --subnet-mode=auto",
        make,
    )


def _zone(zone: str, domain: str, project: Project) -> Step:
    name = f"{domain.split('.', maxsplit=1)[1]}."
    body = {"name": zone, "dnsName": name, "description": "Names of tracking servers"}
    return Step(
        f"the records of {domain} go into a zone of ours, which its parent delegates to",
        f"gcloud dns managed-zones create {zone} --dns-name={name} "
        f"--description='{body['description']}'",
        lambda: project.call(
            "POST", f"{DNS}/projects/{project.name}/managedZones", body, fine=(EXISTS,)
        ),
    )


def _account(project: Project, person: str) -> Iterator[Step]:
    accounts = f"{IAM}/projects/{project.name}/serviceAccounts"
    url = f"{accounts}/{own_account(project)}"
    body = {"accountId": TRAINING, "serviceAccount": {"displayName": "Trainings on wine"}}
    yield Step(
        "trainings come as an account of their own",
        f"gcloud iam service-accounts create {TRAINING} --display-name='Trainings on wine'",
        lambda: project.call("POST", accounts, body, fine=(EXISTS,)),
    )
    yield Step(
        "who trains on a laptop makes tokens for it; nobody gets a key",
        f"gcloud iam service-accounts add-iam-policy-binding {own_account(project)} "
        f"--member=user:{person} --role=roles/iam.serviceAccountTokenCreator",
        lambda: project.let(
            url, "roles/iam.serviceAccountTokenCreator", f"user:{person}", read="POST"
        ),
    )
