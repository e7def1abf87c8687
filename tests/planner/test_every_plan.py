"""What holds for every plan of every request that a platform admits."""

import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings

from planner import admission
from planner.plan import PARTS, plan, plan_part
from planner.target import Target
from schemas.claim import Claim
from schemas.deployment import Spec
from schemas.plan import Grant, PartPlan, Plan, Request, Resource
from schemas.platform import Platform
from tests.planner import discovery
from tests.planner.drawn import observed, orders

KIB = 1024
SECRETIVE = re.compile(r"password|secret|payload|private_?key|token", re.IGNORECASE)
RESOURCE_ROLES = {
    "roles/artifactregistry.reader",
    "roles/iam.serviceAccountTokenCreator",
    "roles/iam.serviceAccountUser",
    "roles/iap.httpsResourceAccessor",
    "roles/run.invoker",
    "roles/secretmanager.secretAccessor",
    "roles/secretmanager.secretVersionAdder",
    "roles/storage.objectUser",
}

every_order = given(orders())
thorough = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def made(order: tuple[Spec, Platform]) -> Plan:
    """Return the plan with everything observed."""
    return plan(*order, observed(order[1]))


def resources(compiled: Plan) -> Iterator[Resource]:
    """Yield the resources of all parts, in order."""
    for part in compiled.parts:
        yield from (step for step in part.steps if isinstance(step, Resource))


def grants(compiled: Plan) -> Iterator[Grant]:
    """Yield the grants of all parts, in order."""
    for part in compiled.parts:
        yield from (step for step in part.steps if isinstance(step, Grant))


def calls(compiled: Plan) -> Iterator[Request]:
    """Yield every call that carrying the plan out may send."""
    for part in compiled.parts:
        yield from (Request(method="GET", url=need.url) for need in part.needs)
    for resource in resources(compiled):
        yield Request(method="GET", url=resource.url)
        yield resource.create
        if resource.update is not None:
            yield resource.update
        yield from resource.remove
        if resource.contents is not None:
            yield Request(method="GET", url=resource.contents)
    for grant in grants(compiled):
        yield grant.read
        binding: dict[str, Any] = {"role": grant.role, "members": [grant.member]}
        if grant.condition is not None:
            binding["condition"] = grant.condition
        policy = {"version": 3, "etag": "BwXk", "bindings": [binding]}
        yield Request(
            method=grant.write.method,
            url=grant.write.url,
            body={"policy": policy} if grant.wrap else policy,
        )


def leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every scalar of a JSON document with the keys that lead to it."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, path)
    else:
        yield path, value


@thorough
@every_order
def test_google_knows_every_planned_call(order: tuple[Spec, Platform]) -> None:
    """Each method, parameter, field, type and enum of each call is in Google's documents."""
    _, platform = order
    for call in calls(made(order)):
        if call.auth == "OIDC":
            assert call.url == platform.functions.credentials
            continue
        discovery.check(call.method, call.url, call.body)


@thorough
@every_order
def test_the_same_order_gives_the_same_plan(order: tuple[Spec, Platform]) -> None:
    """Nothing but spec, platform and observed decides a plan."""
    spec, platform = order
    first = json.dumps(made(order).document())
    copies = (
        Spec.model_validate_json(json.dumps(spec.document())),
        Platform.model_validate_json(json.dumps(platform.document())),
    )
    assert json.dumps(made(copies).document()) == first


@thorough
@every_order
def test_one_part_at_a_time_is_the_whole_plan(order: tuple[Spec, Platform]) -> None:
    """What the workflow asks for part by part is what validate_only shows."""
    parts = tuple(plan_part(*order, part, observed(order[1])) for part in PARTS)
    assert made(order).parts == parts


@thorough
@every_order
def test_everything_made_is_taken_away_again(order: tuple[Spec, Platform]) -> None:
    """A resource is removed by itself, or with an earlier one that is, or kept for all."""
    removed: set[str] = set()
    for resource in resources(made(order)):
        if resource.keep:
            assert not resource.remove
            continue
        if resource.remove:
            assert resource.within is None
            # Settings cannot be deleted; they are gone when nothing of them shows.
            wanted = "DELETE" if resource.exists is None else "PATCH"
            assert resource.remove[-1].method == wanted
        else:
            assert resource.within in removed, resource.name
        removed.add(resource.name)


@thorough
@every_order
def test_every_step_has_a_name_of_its_own(order: tuple[Spec, Platform]) -> None:
    """Names are unique in the deployment: claims, events and errors speak of steps by name."""
    names = [one.name for part in made(order).parts for one in (*part.needs, *part.steps)]
    assert len(names) == len(set(names))


@thorough
@every_order
def test_what_can_carry_a_mark_carries_it(order: tuple[Spec, Platform]) -> None:
    """A resource just made shows its mark and its digest, so a repeat knows it as its own."""
    compiled = made(order)
    own: dict[str, Resource] = {}
    for resource in resources(compiled):
        if resource.digest or resource.url not in own:
            own[resource.url] = resource
    for resource in resources(compiled):
        if resource.mark is None:
            continue
        shown = own.get(resource.url, resource).create.body or {}
        if isinstance(shown.get("serviceAccount"), dict):
            shown = shown["serviceAccount"]
        for check in filter(None, (resource.mark, resource.digest)):
            value: Any = shown
            for key in check.path:
                value = value[key]
            assert value == check.value


@thorough
@every_order
def test_an_update_keeps_the_marks(order: tuple[Spec, Platform]) -> None:
    """A resource that was updated shows the new digest, so it is not updated for ever."""
    for resource in resources(made(order)):
        if resource.digest is None:
            continue
        assert resource.update is not None
        value: Any = resource.update.body
        for key in resource.digest.path:
            value = value[key]
        assert value == resource.digest.value


@thorough
@every_order
def test_no_plan_holds_a_secret(order: tuple[Spec, Platform]) -> None:
    """Passwords are neither sent nor set; the server gets the names of files."""
    for call in calls(made(order)):
        for path, _ in leaves(call.body):
            key = path.rsplit(".", 1)[-1]
            if ".envVariables." not in path:
                assert not SECRETIVE.search(key) or key == "secret", path
        for variable in environment(call.body):
            if not SECRETIVE.search(variable["name"]):
                continue
            if variable["name"].endswith("_FILE"):
                assert variable["value"].startswith("/secrets/")
            else:
                assert variable["name"].endswith("_SECRET")
                assert re.fullmatch(r"projects/\d+/secrets/[^/]+/versions/1", variable["value"])


def environment(body: Any) -> Iterator[dict[str, str]]:
    """Yield the environment variables of all containers in a body."""
    if isinstance(body, dict):
        for key, value in body.items():
            if key == "env" and isinstance(value, list):
                yield from value
            elif key == "envVariables":
                yield from ({"name": name, "value": text} for name, text in value.items())
            else:
                yield from environment(value)
    elif isinstance(body, list):
        for item in body:
            yield from environment(item)


@thorough
@every_order
def test_every_instance_body_says_its_edition(order: tuple[Spec, Platform]) -> None:
    """Without an edition Cloud SQL takes ENTERPRISE_PLUS and refuses the tier."""
    for call in calls(made(order)):
        if call.body is not None and "settings" in call.body:
            assert call.body["settings"]["edition"] == "ENTERPRISE"


@thorough
@every_order
def test_only_the_right_to_connect_is_bound_on_the_project(order: tuple[Spec, Platform]) -> None:
    """The server's one project binding is conditional on its instance and dropped at teardown."""
    spec, platform = order
    target = Target(spec, platform)
    server = f"serviceAccount:{target.service_account}"
    on_project = [grant for grant in grants(made(order)) if "/v3/projects/" in grant.write.url]
    logs = [grant for grant in on_project if grant.role == "roles/logging.logWriter"]
    # Only App Engine's machines write their log as the server's account.
    assert len(logs) == (target.request.serving.platform == "app_engine")
    assert all(grant.member == server and grant.drop for grant in logs)
    (connect,) = [grant for grant in on_project if grant not in logs]
    assert connect.role == "roles/cloudsql.client"
    assert connect.member == server
    assert connect.drop
    assert connect.condition is not None
    assert (
        f"'projects/{target.project}/instances/{target.instance}'"
        in connect.condition["expression"]
    )
    others = {grant.role for grant in grants(made(order)) if grant not in on_project}
    assert others <= RESOURCE_ROLES


@thorough
@every_order
def test_the_server_may_do_only_four_things(order: tuple[Spec, Platform]) -> None:
    """It connects to its instance, uses its bucket, reads its own secrets and signs as itself."""
    target = Target(*order)
    server = f"serviceAccount:{target.service_account}"
    for grant in grants(made(order)):
        if grant.member != server or "/v3/projects/" in grant.write.url:
            continue
        where = grant.write.url
        allowed = {
            # Its machines on App Engine pull the image themselves.
            "roles/artifactregistry.reader": "/repositories/berth:",
            "roles/iam.serviceAccountTokenCreator": f"/serviceAccounts/mlflow-{target.name}%40",
            "roles/storage.objectUser": f"/b/{target.bucket}/iam",
            "roles/secretmanager.secretAccessor": f"/secrets/mlflow-{target.name}-",
        }
        assert allowed[grant.role] in where


@thorough
@every_order
def test_names_stay_within_googles_limits(order: tuple[Spec, Platform]) -> None:
    """The longest deployment name still gives names that every API takes."""
    target = Target(*order)
    assert re.fullmatch(r"[a-z]([-a-z0-9]*[a-z0-9])", target.account_id)
    assert 6 <= len(target.account_id) <= 30
    assert len(target.service) < 50
    assert len(target.job) < 50
    assert 3 <= len(target.bucket) <= 63
    assert "google" not in target.bucket
    assert not target.bucket.startswith("goog")
    assert len(f"{target.project}:{target.instance}") <= 98
    assert len(target.database) <= 63
    assert all(len(host.split(".")[0]) <= 63 for host in target.hosts)


@thorough
@every_order
def test_labels_stay_within_googles_limits(order: tuple[Spec, Platform]) -> None:
    """Label keys and values are what every API takes, at most 64 of them."""
    for call in calls(made(order)):
        body = call.body or {}
        for labels in (body.get("labels"), body.get("settings", {}).get("userLabels")):
            for key, value in (labels or {}).items():
                assert re.fullmatch(r"[a-z][-_a-z0-9]{0,62}", key)
                assert re.fullmatch(r"[-_a-z0-9]{0,63}", value)
            assert len(labels or {}) <= 64


@thorough
@every_order
def test_a_plan_fits_into_a_workflow(order: tuple[Spec, Platform]) -> None:
    """A workflow holds 512 KB of variables in all; no part comes near."""
    compiled = made(order)
    assert all(len(json.dumps(part.document())) < 64 * KIB for part in compiled.parts)
    assert len(json.dumps(compiled.document())) < 160 * KIB


@thorough
@every_order
def test_the_server_answers_to_exactly_its_own_hosts(order: tuple[Spec, Platform]) -> None:
    """Every real host name is allowed, and no pattern lets another host through."""
    target = Target(*order)
    server = plan_part(*order, "tracking_server", observed(order[1])).steps
    settings_of = {
        item["name"]: item["value"]
        for step in server
        if isinstance(step, Resource)
        for item in environment(step.create.body)
    }
    hosts = settings_of["MLFLOW_SERVER_ALLOWED_HOSTS"].split(",")
    origins = settings_of["MLFLOW_SERVER_CORS_ALLOWED_ORIGINS"].split(",")
    suffixes = order[1].regions[target.region].host_suffixes
    if target.request.load_balancer is not None:
        assert hosts == [target.request.load_balancer.domain]
    elif target.request.serving.platform == "app_engine":
        application = observed(order[1])["app_engine_host"]
        assert hosts == [f"mlflow-{target.name}-dot-{application}"]
    else:
        assert hosts == [f"mlflow-{target.name}{suffix}" for suffix in suffixes]
    assert origins == [f"https://{host}" for host in hosts]
    assert "*" not in "".join(hosts + origins)


@thorough
@every_order
def test_nothing_is_deployed_by_tag_or_by_latest(order: tuple[Spec, Platform]) -> None:
    """What runs is pinned: the image by digest, each secret by number."""
    for resource in resources(made(order)):
        for path, value in leaves(resource.create.body):
            if path.endswith((".containers.image", ".container.image")):
                assert re.search(r"@sha256:[0-9a-f]{64}$", value)
            if path.endswith(".secret.items.version"):
                assert value == "1"


@thorough
@every_order
def test_a_claim_covers_all_that_is_not_shared(order: tuple[Spec, Platform]) -> None:
    """What teardown needs is in the claim: every step but those that others use, too."""
    for part in made(order).parts:
        claim = Claim.of(part, deployment=order[0].name, generation=1)
        kept = {step.name for step in part.steps if isinstance(step, Resource) and step.keep}
        assert [step.name for step in claim.steps] == [
            step.name for step in part.steps if step.name not in kept
        ]
        assert Claim.model_validate_json(json.dumps(claim.document())) == claim


@thorough
@every_order
def test_what_is_drawn_is_admitted(order: tuple[Spec, Platform]) -> None:
    """The orders of these tests are ones that the api lets through."""
    assert admission.errors(order[0].request, order[1]) == ()


@thorough
@every_order
def test_a_dry_run_needs_nothing_observed(order: tuple[Spec, Platform]) -> None:
    """validate_only shows every part, with words where a value is not known yet."""
    compiled = plan(*order)
    assert [part.part for part in compiled.parts] == list(PARTS)
    text = json.dumps(compiled.document())
    assert "(known once the image is there)" in text


@thorough
@every_order
def test_a_plan_survives_its_journey_as_json(order: tuple[Spec, Platform]) -> None:
    """A part read back from JSON is the part that was written."""
    for part in made(order).parts:
        assert PartPlan.model_validate_json(json.dumps(part.document())) == part
