"""Plans carried out on the local cloud, without the workflow: are they right in themselves?"""

import base64
import contextlib
import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from planner.plan import PARTS, plan_part
from schemas.claim import Claim
from schemas.deployment import DeploymentRequest, Spec
from schemas.platform import Platform
from tests.planner.compiled import CLIENT
from tests.planner.conftest import platform_of
from tests.planner.drawn import spec_of
from tests.planner.executor import Executor, RefusedError

PROJECT = "berth-local"
APIS = (
    "artifactregistry",
    "certificatemanager",
    "cloudbuild",
    "cloudresourcemanager",
    "compute",
    "dns",
    "iam",
    "iap",
    "run",
    "secretmanager",
    "serviceusage",
    "sqladmin",
    "storage",
)
SQL = f"https://sqladmin.googleapis.com/v1/projects/{PROJECT}/instances"


@pytest.fixture
def executor(tmp_path: Path) -> Iterator[Executor]:
    """An empty project with the APIs enabled, and who carries plans out in it."""
    clock = VirtualClock()
    cloud = Cloud(tmp_path / "state", clock=clock, project=PROJECT)
    for api in APIS:
        cloud.enable(f"{api}.googleapis.com")
    with contextlib.closing(cloud):
        yield Executor(cloud, clock)


@pytest.fixture
def berth(executor: Executor) -> Platform:
    """What install would have made: accounts, image repository, source, pool."""
    base = platform_of()
    document = base.model_dump_json().replace("acme-mlflow", PROJECT)
    found = Platform.model_validate_json(document)
    for email in found.accounts.document().values():
        executor.must(
            "POST",
            f"https://iam.googleapis.com/v1/projects/{PROJECT}/serviceAccounts",
            {"accountId": email.split("@")[0]},
        )
    repositories = (
        f"https://artifactregistry.googleapis.com/v1/projects/{PROJECT}"
        "/locations/europe-west1/repositories"
    )
    executor.must("POST", f"{repositories}?repositoryId=berth", {"format": "DOCKER"})
    for role in ("artifactregistry.writer", "logging.logWriter", "storage.objectViewer"):
        executor.cloud.grant(f"serviceAccount:{found.accounts.build}", f"roles/{role}")
    images = upload_source(executor, found)
    executor.must(
        "POST",
        SQL,
        {
            "name": "berth-pool-1",
            "region": "europe-west1",
            "databaseVersion": "POSTGRES_18",
            "settings": {"tier": "db-custom-1-3840", "edition": "ENTERPRISE"},
        },
    )
    zone = {"name": "example-com", "dnsName": "example.com.", "description": ""}
    executor.must(
        "POST", f"https://dns.googleapis.com/dns/v1/projects/{PROJECT}/managedZones", zone
    )
    executor.must(
        "POST",
        f"https://serviceusage.googleapis.com/v1beta1/projects/{PROJECT}/services/"
        "iap.googleapis.com:generateServiceIdentity",
    )
    secrets = f"https://secretmanager.googleapis.com/v1/projects/{PROJECT}/secrets"
    for name in CLIENT.values():
        executor.must("POST", f"{secrets}?secretId={name}", {"replication": {"automatic": {}}})
        data = base64.b64encode(name.encode()).decode()
        executor.must("POST", f"{secrets}/{name}:addVersion", {"payload": {"data": data}})
    executor.clock.advance(3600)
    return found.model_copy(update={**images, "project_number": executor.cloud.number})


def upload_source(executor: Executor, platform: Platform) -> dict[str, Any]:
    """Put an archive where the images say, and return them with its generation."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        text = b"FROM scratch\n"
        entry = tarfile.TarInfo("Dockerfile")
        entry.size = len(text)
        tar.addfile(entry, io.BytesIO(text))
    source = platform.images["3.17.2"]
    storage = "https://storage.googleapis.com"
    executor.must("POST", f"{storage}/storage/v1/b?project={PROJECT}", {"name": source.bucket})
    token = executor.cloud.tokens.access_token("owner@example.com")
    stored = executor.cloud.request(
        "POST",
        f"{storage}/upload/storage/v1/b/{source.bucket}/o?uploadType=media&name={source.object}",
        headers={"authorization": f"Bearer {token}", "content-type": "application/gzip"},
        body=archive.getvalue(),
    ).json()
    pinned = source.model_copy(update={"generation": stored["generation"]})
    return {"images": {"3.17.2": pinned}, "proxy_image": pinned}


def build(executor: Executor, spec: Spec, platform: Platform) -> list[Claim]:
    """Make every part in order and return the claims."""
    executor.observed["instance"] = (
        "berth-pool-1" if spec.request.placement == "pooled" else f"mlflow-demo-{spec.uid[:4]}"
    )
    claims = []
    for name in PARTS:
        part = plan_part(spec, platform, name, executor.observed)
        claims.append(Claim.of(part, deployment=spec.name, generation=spec.generation))
        executor.make(part)
    return claims


KINDS = [
    {"access": {"mode": "iam", "members": ["user:ana@example.com"]}},
    {"access": {"mode": "basic_auth"}, "labels": {"cost-center": "4711"}},
    {"access": {"mode": "iap", "members": ["user:ana@example.com"]}, "training_account": {}},
    {"access": {"mode": "iap", "oauth_client": CLIENT, "allowed_domains": ["example.com"]}},
    {"access": {"mode": "basic_auth", "iap": {"allowed_domains": ["example.com"]}}},
    {"access": {"mode": "oauth2_proxy", "oauth_client": CLIENT}, "training_account": {}},
    {"placement": "dedicated", "size": "medium", "highly_available": True},
    {"placement": "dedicated", "database": {"engine": "mysql"}},
    {"placement": "dedicated", "database": {"engine": "postgresql", "version": "16"}},
    {
        "load_balancer": {
            "domain": "mlflow-demo-1.example.com",
            "dns_zone": "example-com",
            "allowed_ranges": ["198.51.100.0/24"],
        }
    },
]


def spec_for(request: dict[str, Any]) -> Spec:
    """Return the spec of a deployment called demo."""
    return spec_of(DeploymentRequest.model_validate({"name": "demo", "team": "risk", **request}))


@pytest.mark.parametrize("request_", KINDS)
def test_a_plan_can_be_carried_out(
    executor: Executor, berth: Platform, request_: dict[str, Any]
) -> None:
    """Each call is taken, each wait ends, and the server's address is known at the end."""
    build(executor, spec_for(request_), berth)
    assert executor.observed["url"].startswith("https://mlflow-demo-")


@pytest.mark.parametrize("request_", KINDS)
def test_a_second_time_changes_nothing_but_what_is_always_applied(
    executor: Executor, berth: Platform, request_: dict[str, Any]
) -> None:
    """Marks and digests are found as they were planned: no drift, nothing foreign."""
    build(executor, spec_for(request_), berth)
    executor.changes.clear()
    build(executor, spec_for(request_), berth)
    always = {
        "database_user",
        "iap_settings",
        "migration",
        "oauth_client",
        "proxy_config",
        "proxy_members",
    }
    assert set(executor.changes) <= always


@pytest.mark.parametrize("request_", KINDS)
def test_the_claims_are_enough_to_leave_nothing_behind(
    executor: Executor, berth: Platform, request_: dict[str, Any]
) -> None:
    """Walked backwards, the claims take away whatever the plan made."""
    spec = spec_for(request_)
    before = project_policy(executor)
    claims = build(executor, spec, berth)
    for claim in reversed(claims):
        for step in reversed(claim.steps):
            executor.remove(step)
    for claim in claims:
        for step in claim.steps:
            if step.kind == "resource":
                assert executor.send("GET", step.url)[0] in {403, 404}, step.title
    assert project_policy(executor) == before


def test_iap_remembers_nobody(executor: Executor, berth: Platform) -> None:
    """Members and settings are taken back while the service is there: at Google they may outlive it."""
    limited = {"mode": "iap", "oauth_client": CLIENT, "allowed_domains": ["example.com"]}
    claims = build(executor, spec_for({"access": limited, "training_account": {}}), berth)
    guarded = (
        f"https://iap.googleapis.com/v1/projects/{executor.cloud.number}/iap_web"
        "/cloud_run-europe-west1/services/mlflow-demo"
    )
    assert executor.must("POST", f"{guarded}:getIamPolicy", {})["bindings"]
    assert executor.must("GET", f"{guarded}:iapSettings")["accessSettings"]

    (access,) = (claim for claim in claims if claim.part == "access")
    for step in reversed(access.steps):
        executor.remove(step)

    assert not executor.must("POST", f"{guarded}:getIamPolicy", {}).get("bindings")
    assert "accessSettings" not in executor.must("GET", f"{guarded}:iapSettings")


def project_policy(executor: Executor) -> list[Any]:
    """Return the bindings of the project."""
    url = f"https://cloudresourcemanager.googleapis.com/v3/projects/{PROJECT}:getIamPolicy"
    options = {"options": {"requestedPolicyVersion": 3}}
    bindings: list[Any] = executor.must("POST", url, options)["bindings"]
    return sorted(bindings, key=str)


def test_what_somebody_else_made_is_not_taken_over(executor: Executor, berth: Platform) -> None:
    """A bucket of the right name without the mark stops the plan."""
    executor.must(
        "POST",
        f"https://storage.googleapis.com/storage/v1/b?project={PROJECT}",
        {"name": f"{PROJECT}-mlflow-demo"},
    )
    with pytest.raises(RefusedError, match="does not show"):
        build(executor, spec_for({}), berth)


def test_a_change_of_the_request_shows_as_drift(executor: Executor, berth: Platform) -> None:
    """A larger size changes the server and nothing beside it."""
    build(executor, spec_for({}), berth)
    executor.changes.clear()
    build(executor, spec_for({"size": "medium"}), berth)
    assert set(executor.changes) == {"database_user", "migrate_job", "migration", "service"}


def test_the_server_gets_the_rights_it_needs_and_no_others(
    executor: Executor, berth: Platform
) -> None:
    """It connects to its instance, reads its secret, uses its bucket; its neighbour's it does not."""
    build(executor, spec_for({}), berth)
    server = f"serviceAccount:mlflow-demo@{PROJECT}.iam.gserviceaccount.com"

    def may(permission: str, api: str, resource: str) -> bool:
        return executor.cloud.iam.allowed(server, permission, api, resource)

    instances = f"projects/{PROJECT}/instances"
    secrets = f"projects/{PROJECT}/secrets"
    buckets = "projects/_/buckets"
    assert may("cloudsql.instances.connect", "sqladmin", f"{instances}/berth-pool-1")
    assert not may("cloudsql.instances.connect", "sqladmin", f"{instances}/another")
    assert not may("cloudsql.instances.delete", "sqladmin", f"{instances}/berth-pool-1")
    value = "secretmanager.versions.access"
    assert may(value, "secretmanager", f"{secrets}/mlflow-demo-db-password/versions/1")
    assert not may(value, "secretmanager", f"{secrets}/mlflow-other-db-password/versions/1")
    assert may("storage.objects.create", "storage", f"{buckets}/{PROJECT}-mlflow-demo")
    assert not may("storage.buckets.setIamPolicy", "storage", f"{buckets}/{PROJECT}-mlflow-demo")
    assert not may("storage.objects.get", "storage", f"{buckets}/{PROJECT}-berth-source")
    assert not may(
        "resourcemanager.projects.setIamPolicy", "cloudresourcemanager", f"projects/{PROJECT}"
    )
