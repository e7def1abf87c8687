"""The load balancer's bodies: what Google wants said, and what it refuses when it is said."""

from typing import Any

import pytest

from planner import admission
from planner.observed import NotObservedError
from planner.plan import plan_part
from schemas.deployment import DeploymentRequest
from schemas.plan import PartPlan, Resource
from schemas.platform import Platform
from tests.planner.compiled import body, names, part, resource
from tests.planner.conftest import platform_of
from tests.planner.drawn import observed, spec_of

DOMAIN = "mlflow.risk.example.com"
OURS = {"domain": DOMAIN, "dns_zone": "risk"}
RANGES = tuple(f"198.51.{number}.0/24" for number in range(23))
GLOBAL = "https://www.googleapis.com/compute/v1/projects/acme-mlflow/global"


@pytest.fixture
def guarded() -> Platform:
    """A platform that knows from where verify calls."""
    return platform_of(verify_ranges=("203.0.113.7/32",))


def balancer(platform: Platform, name: str = "load_balancer", **more: Any) -> PartPlan:
    """Return a part of a deployment behind a load balancer."""
    return part(platform, name, **{"load_balancer": OURS, **more})


def policy(plan: PartPlan) -> Resource:
    """Return the step that makes the security policy."""
    (found,) = (step for step in plan.steps if step.name.startswith("policy_"))
    assert isinstance(found, Resource)
    return found


def test_without_a_load_balancer_there_is_nothing(platform: Platform) -> None:
    """Most deployments have none, and nothing is reported of parts without steps."""
    for name in ("network", "domain", "load_balancer"):
        assert part(platform, name).steps == ()


def test_what_others_must_know_comes_before_the_rest(platform: Platform) -> None:
    """The address and the authorisation are made first, and say what they are."""
    plan = balancer(platform, "network")

    assert names(plan) == ["address", "dns_authorization"]
    assert body(plan, "dns_authorization")["type"] == "FIXED_RECORD"
    assert set(resource(plan, "address").outputs) == {"address"}
    assert set(resource(plan, "dns_authorization").outputs) == {
        "dns_record_name",
        "dns_record_data",
    }


def test_each_step_needs_only_what_stands_before_it(guarded: Platform) -> None:
    """In this order nothing is used before it is there, and backwards nothing is still in use."""
    plan = balancer(guarded, load_balancer={**OURS, "allowed_ranges": RANGES})

    steps = [name.split("_")[0] if name.startswith("policy_") else name for name in names(plan)]

    assert steps == [
        "policy",
        "endpoint_group",
        "backend_service",
        "backend_policy",
        "url_map",
        "certificate",
        "certificate_map",
        "certificate_map_entry",
        "https_proxy",
        "forwarding_rule",
    ]


def test_every_resource_of_compute_engine_says_whose_it_is(guarded: Platform) -> None:
    """Labels cannot be given at creation, so the description carries the mark."""
    plan = balancer(guarded, load_balancer={**OURS, "allowed_ranges": RANGES})
    made = [
        step
        for step in plan.steps
        if isinstance(step, Resource) and step.url.startswith("https://compute.")
    ]

    for step in made:
        assert step.mark is not None
        assert (step.mark.path, step.mark.value) == (
            ("description",),
            "managed-by=berth;berth-deployment=demo",
        )
        assert "labels" not in (step.create.body or {})
        assert "requestId" not in step.create.url
        assert step.operation is not None
        assert step.operation.dialect == "status"
        where = "regions/europe-west1" if "/regions/" in step.url else "global"
        assert step.operation.base.endswith(f"/{where}/operations/")


def test_a_rule_holds_ten_ranges_and_the_last_one_refuses(guarded: Platform) -> None:
    """Google takes ten ranges to a rule, and without a last rule it would add one that allows all."""
    plan = balancer(guarded, load_balancer={**OURS, "allowed_ranges": RANGES})
    made = policy(plan).create.body
    assert made is not None

    ranges = [rule["match"]["config"]["srcIpRanges"] for rule in made["rules"]]

    assert [len(one) for one in ranges] == [10, 10, 3, 1, 1]
    assert ranges[3] == ["203.0.113.7/32"]
    assert sorted(one for rule in ranges[:3] for one in rule) == sorted(RANGES)
    assert len({rule["priority"] for rule in made["rules"]}) == 5
    assert (made["rules"][-1]["priority"], made["rules"][-1]["action"]) == (2147483647, "deny(403)")
    assert ranges[-1] == ["*"]
    assert {rule["action"] for rule in made["rules"][:-1]} == {"allow"}


def test_other_rules_are_another_policy(guarded: Platform) -> None:
    """A policy is never patched: its name and its step carry a digest of its rules."""
    one = policy(balancer(guarded, load_balancer={**OURS, "allowed_ranges": RANGES}))
    other = policy(balancer(guarded, load_balancer={**OURS, "allowed_ranges": RANGES[1:]}))

    assert one.url != other.url
    assert one.name != other.name
    assert one.update is None


def test_without_ranges_there_is_no_policy(guarded: Platform) -> None:
    """One that allows all would cost money and change nothing."""
    assert not any("policy" in name for name in names(balancer(guarded)))


def test_the_policy_is_attached_by_a_call_of_its_own(guarded: Platform) -> None:
    """The field is output only where the backend service is made."""
    plan = balancer(guarded, load_balancer={**OURS, "allowed_ranges": RANGES})
    step = resource(plan, "backend_policy")

    assert "securityPolicy" not in body(plan, "backend_service")
    assert step.create.url.endswith("/backendServices/mlflow-demo/setSecurityPolicy")
    assert step.exists is not None
    assert step.create.body == {"securityPolicy": step.exists.value}
    assert str(step.exists.value).rsplit("/", 1)[-1] == policy(plan).url.rsplit("/", 1)[-1]
    assert (step.remove, step.within) == ((), "backend_service")


def test_a_serverless_backend_has_no_port_timeout_or_health_check(platform: Platform) -> None:
    """Google refuses them, and wants the scheme said on both ends."""
    plan = balancer(platform)
    backend, rule = body(plan, "backend_service"), body(plan, "forwarding_rule")

    assert not {"timeoutSec", "portName", "healthChecks", "port"} & backend.keys()
    assert backend["loadBalancingScheme"] == rule["loadBalancingScheme"] == "EXTERNAL_MANAGED"
    assert backend["protocol"] == "HTTPS"
    assert backend["enableCDN"] is False
    assert backend["logConfig"]["enable"] is True
    assert (rule["IPProtocol"], rule["portRange"]) == ("TCP", "443-443")
    assert rule["IPAddress"] == f"{GLOBAL}/addresses/mlflow-demo"


@pytest.mark.parametrize(
    ("access", "asks"),
    [
        ({"mode": "iam"}, False),
        ({"mode": "basic_auth"}, False),
        ({"mode": "iap", "guard": "service"}, False),
        ({"mode": "iap", "guard": "load_balancer"}, True),
        ({"mode": "basic_auth", "iap": {"guard": "load_balancer"}}, True),
    ],
)
def test_iap_asks_before_the_backend_where_it_is_to(
    platform: Platform, access: dict[str, Any], *, asks: bool
) -> None:
    """Whatever the access mode is that has it."""
    asked = DeploymentRequest.model_validate(
        {"name": "demo", "team": "risk", "load_balancer": OURS, "access": access}
    )
    plan = plan_part(spec_of(asked), platform, "load_balancer", observed(platform))

    assert body(plan, "backend_service").get("iap") == ({"enabled": True} if asks else None)


def test_names_in_a_zone_end_with_a_dot(platform: Platform) -> None:
    """A name without one is refused, or worse."""
    plan = balancer(platform, "domain")

    for step, kind in (("a_record", "A"), ("cname_record", "CNAME")):
        record = body(plan, step)
        assert record["name"].endswith(".")
        assert record["type"] == kind
        assert resource(plan, step).spare
        assert resource(plan, step).mark is not None
    assert body(plan, "a_record")["rrdatas"] == ["203.0.113.10"]


def test_a_zone_elsewhere_is_left_to_the_team(platform: Platform) -> None:
    """No steps for the records, but they are known for whoever makes them."""
    plan = balancer(platform, load_balancer={"domain": DOMAIN})

    assert balancer(platform, "domain", load_balancer={"domain": DOMAIN}).steps == ()
    assert not any("record" in name for name in names(plan))
    assert plan.known["dns_records"][0] == f"{DOMAIN}. A 203.0.113.10"
    assert "CNAME" in plan.known["dns_records"][1]
    assert "dns_records" not in balancer(platform).known


def test_the_deployment_is_found_at_its_domain(platform: Platform) -> None:
    """Cloud Run's own address does not answer any more, and is not observed."""
    service = balancer(platform, "tracking_server")
    made = body(service, "service")

    assert balancer(platform).known["url"] == f"https://{DOMAIN}"
    assert resource(service, "service").outputs == {}
    assert made["ingress"] == "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER"
    assert made["defaultUriDisabled"] is True
    assert made["customAudiences"] == [f"https://{DOMAIN}"]


def test_the_certificate_is_not_waited_for(platform: Platform) -> None:
    """Being made is enough; its name is known for those who watch it."""
    step = resource(balancer(platform), "certificate")

    assert step.ready is None
    assert step.failed == ()
    assert step.outputs == {"certificate_name": ("name",)}


def test_records_need_what_the_part_before_has_learned(platform: Platform) -> None:
    """Asked for too early, the part says what is missing."""
    asked = DeploymentRequest.model_validate(
        {"name": "demo", "team": "risk", "load_balancer": OURS}
    )

    with pytest.raises(NotObservedError, match="address"):
        plan_part(spec_of(asked), platform, "domain", {})


def test_ranges_that_keep_the_proof_out_are_refused(platform: Platform, guarded: Platform) -> None:
    """Berth could never say that the domain works."""
    asked = DeploymentRequest.model_validate(
        {"name": "demo", "team": "risk", "load_balancer": {**OURS, "allowed_ranges": RANGES}}
    )

    (error,) = admission.errors(asked, platform)

    assert error.pointer == "/load_balancer/allowed_ranges"
    assert "--verify-range" in error.message
    assert admission.errors(asked, guarded) == ()
