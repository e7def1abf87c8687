"""Organisation policies: kept by their API, and in the way of the calls they forbid."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.org_policies.constraints import customer_id

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

HOST = "orgpolicy.googleapis.com"
POLICIES = f"{HOST}/v2/projects/berth-local/policies"
REGIONAL = "projects/berth-local/locations"
SECRETS = "secretmanager.googleapis.com/v1/projects/berth-local/secrets"
INSTANCES = "sqladmin.googleapis.com/v1/projects/berth-local/instances"
BUCKETS = "storage.googleapis.com/storage/v1/b"
ACCOUNTS = "iam.googleapis.com/v1/projects/berth-local/serviceAccounts"
SERVICES = f"run.googleapis.com/v2/{REGIONAL}/europe-west1/services"
WORKFLOWS = f"workflows.googleapis.com/v1/{REGIONAL}/us-east1/workflows"
MEMBERS = "iam.allowedPolicyMemberDomains"
PLACES = "gcp.resourceLocations"
AUTOMATIC: dict[str, Any] = {"replication": {"automatic": {}}}
IN_BELGIUM: dict[str, Any] = {
    "replication": {"userManaged": {"replicas": [{"location": "europe-west1"}]}}
}
INSTANCE: dict[str, Any] = {
    "name": "db",
    "region": "europe-west1",
    "databaseVersion": "POSTGRES_18",
    "settings": {"tier": "db-f1-micro", "edition": "ENTERPRISE"},
}
UNIFORM: dict[str, Any] = {"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": True}}}


@pytest.fixture(autouse=True)
def _enabled(cloud: Cloud) -> None:
    names = ("orgpolicy", "secretmanager", "sqladmin", "run", "workflows")
    cloud.enable(*(f"{name}.googleapis.com" for name in names))


def _policy(constraint: str, *rules: dict[str, Any]) -> dict[str, Any]:
    name = f"projects/berth-local/policies/{constraint}"
    return {"name": name, "spec": {"rules": list(rules)}}


def _bindings(*members: str) -> dict[str, Any]:
    return {"bindings": [{"role": "roles/secretmanager.viewer", "members": list(members)}]}


# -- the API ------------------------------------------------------------------------------


def test_a_policy_lives_and_dies(ask: Ask) -> None:
    """Created, read, changed, listed, deleted; names come back with the project's number."""
    made = ask("POST", POLICIES, _policy("sql.restrictPublicIp", {"enforce": True})).json()
    url = f"{HOST}/v2/{made['name']}"
    assert made["name"] == "projects/123456789012/policies/sql.restrictPublicIp"

    changed = {**made, "spec": {"rules": [{"enforce": False}]}}
    patched = ask("PATCH", url, changed).json()
    assert patched["spec"]["rules"] == [{"enforce": False}]
    assert ask("PATCH", url, changed).status == 409
    assert [one["name"] for one in ask("GET", POLICIES).json()["policies"]] == [made["name"]]
    assert ask("DELETE", url).status == 200
    assert ask("GET", url).status == 404
    assert ask("DELETE", url).status == 404


def test_what_was_never_set_has_an_effect_too(ask: Ask) -> None:
    """The effective policy of a constraint without a policy is its default."""
    found = ask("GET", f"{POLICIES}/sql.restrictPublicIp:getEffectivePolicy").json()
    places = ask("GET", f"{POLICIES}/{PLACES}:getEffectivePolicy").json()

    assert found["spec"]["rules"] == [{"enforce": False}]
    assert places["spec"]["rules"] == [{"allowAll": True}]
    assert ask("GET", f"{POLICIES}/{PLACES}").status == 404


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (_policy("sql.restrictPublicIp", {"values": {"allowedValues": ["x"]}}), 400),
        (_policy("sql.restrictPublicIp", {}), 400),
        (_policy(PLACES, {"enforce": True}), 400),
        (_policy(PLACES, {"allowAll": True, "denyAll": True}), 400),
        (_policy(PLACES, {"denyAll": True, "condition": {"expression": "x"}}), 400),
        (_policy("no.suchThing", {"enforce": True}), 404),
        ({"name": "projects/other/policies/sql.restrictPublicIp"}, 400),
        ({"name": "organizations/1/policies/sql.restrictPublicIp"}, 400),
        ({"spec": {}}, 400),
        ({**_policy(PLACES, {"denyAll": True}), "spec": {"reset": True, "rules": [{}]}}, 400),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(
    ask: Ask, body: dict[str, Any], status: int
) -> None:
    """Rules must be of the constraint's kind, and the constraint must exist."""
    assert ask("POST", POLICIES, body).status == status


def test_a_policy_is_made_once(ask: Ask) -> None:
    """The second creation is 409."""
    body = _policy("sql.restrictPublicIp", {"enforce": True})
    ask("POST", POLICIES, body)

    assert ask("POST", POLICIES, body).status == 409


def test_who_owns_the_project_does_not_rule_the_organisation(cloud: Cloud, ask: Ask) -> None:
    """roles/owner reads policies and may not set them; the first owner is administrator too."""
    cloud.grant("user:ana@example.com", "roles/owner")
    body = _policy("sql.restrictPublicIp", {"enforce": True})

    refused = ask("POST", POLICIES, body, who="ana@example.com")

    assert refused.status == 403
    assert "orgpolicy.policies.create" in refused.json()["error"]["message"]
    assert ask("GET", POLICIES, who="ana@example.com").status == 200
    assert ask("POST", POLICIES, body).status == 200


def test_constraints_are_listed(ask: Ask) -> None:
    """Each with its kind."""
    url = f"{HOST}/v2/projects/berth-local/constraints"
    found = {one["name"].rpartition("/")[2]: one for one in ask("GET", url).json()["constraints"]}

    assert "booleanConstraint" in found["sql.restrictPublicIp"]
    assert found[PLACES]["listConstraint"] == {"supportsIn": True}


# -- what they forbid ---------------------------------------------------------------------


def test_a_policy_counts_after_a_while(cloud: Cloud, clock: VirtualClock, ask: Ask) -> None:
    """Until it has got around, the one before counts, and so when it is dropped."""
    cloud.delay("constraints", 75)
    cloud.constraints.set("iam.disableServiceAccountCreation")
    assert ask("POST", ACCOUNTS, {"accountId": "robot-one"}).status == 200

    clock.advance(76)
    assert ask("POST", ACCOUNTS, {"accountId": "robot-two"}).status == 400
    cloud.constraints.drop("iam.disableServiceAccountCreation")
    assert ask("POST", ACCOUNTS, {"accountId": "robot-two"}).status == 400
    clock.advance(76)
    assert ask("POST", ACCOUNTS, {"accountId": "robot-two"}).status == 200


@pytest.mark.parametrize(
    "member", ["allUsers", "allAuthenticatedUsers", "user:eve@else.where", "domain:else.where"]
)
def test_strangers_cannot_be_bound(cloud: Cloud, ask: Ask, member: str) -> None:
    """Domain restricted sharing refuses who is of no permitted customer."""
    ask("POST", f"{SECRETS}?secretId=a", AUTOMATIC)
    cloud.constraints.set(MEMBERS, allowed=[customer_id("example.com")])

    refused = ask("POST", f"{SECRETS}/a:setIamPolicy", {"policy": _bindings(member)})

    error = refused.json()["error"]
    assert (refused.status, error["status"]) == (400, "FAILED_PRECONDITION")
    assert error["message"] == (
        "One or more users named in the policy do not belong to a permitted customer, perhaps due "
        "to an organization policy."
    )
    violation = error["details"][0]["violations"][0]
    assert violation["type"] == "constraints/iam.allowedPolicyMemberDomains"


def test_own_people_and_accounts_can_be_bound(cloud: Cloud, ask: Ask, account: str) -> None:
    """The permitted customer's people, the project's accounts, and whoever was bound before."""
    ask("POST", f"{SECRETS}?secretId=a", AUTOMATIC)
    url = f"{SECRETS}/a:setIamPolicy"
    ask("POST", url, {"policy": _bindings("user:eve@else.where")})
    cloud.constraints.set(MEMBERS, allowed=[customer_id("example.com")])

    members = ("user:ana@example.com", f"serviceAccount:{account}", "user:eve@else.where")

    assert ask("POST", url, {"policy": _bindings(*members)}).status == 200
    stranger = "serviceAccount:robot@others.iam.gserviceaccount.com"
    assert ask("POST", url, {"policy": _bindings(stranger)}).status == 400


def test_buckets_refuse_strangers_with_412(cloud: Cloud, ask: Ask) -> None:
    """Cloud Storage has its own way of saying no."""
    ask("POST", f"{BUCKETS}?project=berth-local", {"name": "berth-bucket"})
    cloud.constraints.set(MEMBERS, allowed=["example.com"])
    binding = {"role": "roles/storage.objectViewer", "members": ["allUsers"]}

    refused = ask("PUT", f"{BUCKETS}/berth-bucket/iam", {"bindings": [binding]})

    assert refused.status == 412
    assert refused.json()["error"]["errors"][0]["reason"] == "conditionNotMet"


def test_a_bucket_cannot_be_opened_to_the_public(cloud: Cloud, ask: Ask) -> None:
    """Public access prevention refuses everybody, and nobody else."""
    ask("POST", f"{BUCKETS}?project=berth-local", {"name": "berth-bucket"})
    cloud.constraints.set("storage.publicAccessPrevention")

    def bind(member: str) -> int:
        binding = {"role": "roles/storage.objectViewer", "members": [member]}
        return ask("PUT", f"{BUCKETS}/berth-bucket/iam", {"bindings": [binding]}).status

    assert bind("allAuthenticatedUsers") == 412
    assert bind("user:eve@else.where") == 200


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        ({}, 400),
        ({"ipConfiguration": {"ipv4Enabled": True}}, 400),
        (
            {
                "ipConfiguration": {
                    "ipv4Enabled": False,
                    "privateNetwork": "projects/berth-local/global/networks/default",
                }
            },
            None,
        ),
    ],
)
def test_an_instance_cannot_have_a_public_address(
    cloud: Cloud, ask: Ask, settings: dict[str, Any], status: int | None
) -> None:
    """A public address is what an instance gets unless it is told not to."""
    cloud.constraints.set("sql.restrictPublicIp")
    body = {**INSTANCE, "settings": {**INSTANCE["settings"], **settings}}

    answer = ask("POST", INSTANCES, body)

    refused = "constraints/sql.restrictPublicIp enforced at the 123456789012" in answer.text
    assert refused is (status == 400)


@pytest.mark.parametrize(
    ("url", "body", "words"),
    [
        (f"{SECRETS}?secretId=a", AUTOMATIC, "attempting to create a secret in [global]"),
        (INSTANCES, {**INSTANCE, "region": "us-central1"}, "the region of this instance violates"),
        (f"{BUCKETS}?project=berth-local", {"name": "berth-b"}, "'us' violates constraint"),
        (f"{WORKFLOWS}?workflowId=w", {"sourceContents": "x"}, "workflow in [us-east1]"),
    ],
)
def test_things_are_made_in_permitted_places_only(
    cloud: Cloud, ask: Ask, url: str, body: dict[str, Any], words: str
) -> None:
    """Where a resource may be is asked when it is made, and said in each API's words."""
    cloud.constraints.set(PLACES, allowed=["in:eu-locations"])

    refused = ask("POST", url, body)

    assert refused.status in {400, 412}
    assert words in refused.json()["error"]["message"]
    assert PLACES in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("values", "permitted"),
    [
        (["in:eu-locations"], True),
        (["in:europe-locations"], True),
        (["in:europe-west1-locations"], True),
        (["europe-west1"], True),
        (["is:europe-west1"], True),
        (["in:us-locations"], False),
        (["europe-west2"], False),
        ([], True),
    ],
)
def test_places_have_several_names(
    cloud: Cloud, ask: Ask, values: list[str], *, permitted: bool
) -> None:
    """A region is in its own group and in its continent's."""
    cloud.constraints.set(PLACES, allowed=values)

    made = ask("POST", f"{SECRETS}?secretId=a", IN_BELGIUM)

    assert (made.status == 200) is permitted


def test_everything_can_be_denied(cloud: Cloud, ask: Ask) -> None:
    """A policy without values lets nothing through, set by the API or by a test."""
    cloud.constraints.set(PLACES)
    assert ask("POST", f"{SECRETS}?secretId=a", IN_BELGIUM).status == 400

    cloud.constraints.drop(PLACES)
    ask("POST", POLICIES, _policy(PLACES, {"denyAll": True}))
    assert ask("POST", f"{SECRETS}?secretId=a", IN_BELGIUM).status == 400


def test_what_is_denied_is_denied_although_it_is_allowed(cloud: Cloud, ask: Ask) -> None:
    """Denied values win."""
    cloud.constraints.set(PLACES, allowed=["in:eu-locations"], denied=["europe-west1"])

    assert ask("POST", f"{SECRETS}?secretId=a", IN_BELGIUM).status == 400


def test_keys_cannot_be_made_nor_uploaded(cloud: Cloud, ask: Ask, account: str) -> None:
    """Both are constraints of their own."""
    cloud.constraints.set("iam.disableServiceAccountKeyCreation")
    cloud.constraints.set("iam.disableServiceAccountKeyUpload")

    made = ask("POST", f"{ACCOUNTS}/{account}/keys", {})
    uploaded = ask("POST", f"{ACCOUNTS}/{account}/keys:upload", {"publicKeyData": "aGk="})

    error = made.json()["error"]
    assert error["message"] == "Key creation is not allowed on this service account."
    assert error["status"] == "FAILED_PRECONDITION"
    assert "upload is not allowed" in uploaded.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 412), ({"iamConfiguration": {}}, 412), (UNIFORM, 200)],
)
def test_buckets_must_have_uniform_access(
    cloud: Cloud, ask: Ask, body: dict[str, Any], status: int
) -> None:
    """A bucket with access control lists is refused when it is made."""
    cloud.constraints.set("storage.uniformBucketLevelAccess")

    made = ask("POST", f"{BUCKETS}?project=berth-local", {"name": "berth-b", **body})

    assert made.status == status


def test_uniform_access_cannot_be_given_up(cloud: Cloud, ask: Ask) -> None:
    """Nor can a bucket go back to lists later; other changes pass."""
    ask("POST", f"{BUCKETS}?project=berth-local", {"name": "berth-b", **UNIFORM})
    cloud.constraints.set("storage.uniformBucketLevelAccess")
    away = {"iamConfiguration": {"uniformBucketLevelAccess": {"enabled": False}}}

    assert ask("PATCH", f"{BUCKETS}/berth-b", away).status == 412
    assert ask("PATCH", f"{BUCKETS}/berth-b", {"labels": {"a": "b"}}).status == 200


@pytest.mark.parametrize(
    ("body", "constraint"),
    [
        ({}, "run.allowedIngress"),
        ({"ingress": "INGRESS_TRAFFIC_ALL"}, "run.allowedIngress"),
        (
            {"ingress": "INGRESS_TRAFFIC_INTERNAL_ONLY", "invokerIamDisabled": True},
            "run.managed.requireInvokerIam",
        ),
    ],
)
def test_services_keep_to_ingress_and_invoker_check(
    cloud: Cloud, ask: Ask, body: dict[str, Any], constraint: str
) -> None:
    """A service open to all networks, or to callers without a right, is refused."""
    cloud.constraints.set("run.allowedIngress", allowed=["internal"])
    cloud.constraints.set("run.managed.requireInvokerIam")
    template = {"containers": [{"image": "x"}]}

    refused = ask("POST", f"{SERVICES}?serviceId=s", {"template": template, **body})

    error = refused.json()["error"]
    assert (refused.status, error["status"]) == (400, "FAILED_PRECONDITION")
    assert f"constraints/{constraint}" in error["message"]


def test_apis_can_be_forbidden(cloud: Cloud, ask: Ask) -> None:
    """A restricted API answers 403 to everything."""
    cloud.constraints.set("gcp.restrictServiceUsage", denied=["secretmanager.googleapis.com"])

    refused = ask("GET", SECRETS)

    assert refused.status == 403
    assert "attempting to use service 'secretmanager.googleapis.com'" in refused.text


def test_a_test_can_only_set_what_exists(cloud: Cloud) -> None:
    """A misspelt constraint would otherwise forbid nothing."""
    with pytest.raises(LookupError, match="no constraint"):
        cloud.constraints.set("sql.restrictPublicIP")
