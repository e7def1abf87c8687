"""Which calls organisation policies forbid, and in which words: a table from method to checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError
from localcloud.org_policies.constraints import customer_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from localcloud.cloud import Cloud
    from localcloud.service import Call, Service

_PUBLIC = frozenset({"allUsers", "allAuthenticatedUsers"})
_INGRESS = {
    "INGRESS_TRAFFIC_ALL": "all",
    "INGRESS_TRAFFIC_INTERNAL_ONLY": "internal",
    "INGRESS_TRAFFIC_INTERNAL_LOAD_BALANCER": "internal-and-cloud-load-balancing",
}


def check(call: Call) -> None:
    """Refuse a call that a policy of the organisation forbids."""
    check_service(call.cloud, call.service)
    for test in CHECKS.get(call.method, ()):
        test(call)
    if call.method.endswith(".setIamPolicy"):
        _member_domains(call)


def check_service(cloud: Cloud, service: Service) -> None:
    """Refuse whatever is asked of an API that may not be used."""
    if not cloud.constraints.permits("gcp.restrictServiceUsage", service.host):
        raise ApiError(
            403,
            "Request is disallowed by organization's constraints/gcp.restrictServiceUsage "
            f"constraint for 'projects/{cloud.number}' attempting to use service '{service.host}'.",
        )


def _member_domains(call: Call) -> None:
    constraints, added = call.cloud.constraints, set(_added(call))
    foreign = [
        member
        for member in added
        if not constraints.permits("iam.allowedPolicyMemberDomains", *_customers(call, member))
    ]
    if foreign:
        raise _violated(
            call,
            "iam.allowedPolicyMemberDomains",
            "One or more users named in the policy do not belong to a permitted customer, perhaps "
            "due to an organization policy.",
        )


def _added(call: Call) -> Iterator[str]:
    """Give the members that a new policy has and the present one has not."""
    policy = call.body.get("policy", call.body)
    present = call.cloud.iam.policy(f"//{call.service.host}/{call.resource}")
    held = {member for item in present.get("bindings", []) for member in item["members"]}
    for binding in policy.get("bindings", []):
        yield from (member for member in binding.get("members", []) if member not in held)


def _customers(call: Call, member: str) -> tuple[str, ...]:
    """Give the spellings under which a policy may permit a member; none for everybody."""
    kind, _, who = member.partition(":")
    domain = who.rpartition("@")[2]
    if kind == "serviceAccount":
        cloud = call.cloud
        own = domain == f"{cloud.project}.iam.gserviceaccount.com" or cloud.number in who
        # accounts of the project belong to the organisation that the policy speaks of
        return _every(call) if own else (member,)
    if kind in {"user", "group", "domain"} and domain:
        return (customer_id(domain), domain)
    if kind.startswith(("project", "deleted")):
        return _every(call)
    return (member,)


def _every(call: Call) -> tuple[str, ...]:
    rules = call.cloud.constraints.rules("iam.allowedPolicyMemberDomains")
    return tuple(v for rule in rules for v in rule.get("values", {}).get("allowedValues", []))


def _public_bucket(call: Call) -> None:
    enforced = call.cloud.constraints.enforced("storage.publicAccessPrevention")
    if enforced and _PUBLIC & set(_added(call)):
        raise ApiError(
            412,
            "The member bindings allUsers and allAuthenticatedUsers are not allowed since public "
            "access prevention is enforced.",
            reason="conditionNotMet",
        )


def _bucket_access(call: Call) -> None:
    # a patch may set any of this to null
    configuration = call.body.get("iamConfiguration") or {}
    found = configuration.get("uniformBucketLevelAccess") or {}
    wanted = found.get("enabled", None if call.http_method == "PATCH" else False)
    constraint = "storage.uniformBucketLevelAccess"
    if wanted is False and call.cloud.constraints.enforced(constraint):
        raise ApiError(
            412, f"Request violates constraint 'constraints/{constraint}'", reason="conditionNotMet"
        )


def _bucket_location(call: Call) -> None:
    place = call.body.get("location", "US").lower()
    if not call.cloud.constraints.permits("gcp.resourceLocations", place):
        raise ApiError(
            412,
            f"'{place}' violates constraint 'constraints/gcp.resourceLocations'",
            reason="conditionNotMet",
        )


def _secret_location(call: Call) -> None:
    replication = call.body.get("replication", {})
    places = [one.get("location") for one in replication.get("userManaged", {}).get("replicas", [])]
    for place in places or ["global"]:
        _placed(call, str(place), "secret")


def _location(kind: str) -> Callable[[Call], None]:
    def test(call: Call) -> None:
        _placed(call, str(call["parent"]).rpartition("/locations/")[2], kind)

    return test


def _placed(call: Call, place: str, kind: str) -> None:
    constraint = "gcp.resourceLocations"
    if not call.cloud.constraints.permits(constraint, place):
        raise _violated(
            call,
            constraint,
            f"Constraint constraints/{constraint} violated for "
            f"[orgpolicy:projects/{call.cloud.number}] attempting to create a {kind} in [{place}].",
        )


def _instance_location(call: Call) -> None:
    place = call.body.get("region", "us-central1")
    if not call.cloud.constraints.permits("gcp.resourceLocations", place):
        raise _sql(call, "region", "gcp.resourceLocations")


def _instance_address(call: Call) -> None:
    address = (call.body.get("settings") or {}).get("ipConfiguration") or {}
    # a new instance has a public address unless it is told not to
    wanted = address.get("ipv4Enabled", call.method.endswith("insert"))
    if wanted and call.cloud.constraints.enforced("sql.restrictPublicIp"):
        raise _sql(call, "external IP", "sql.restrictPublicIp")


def _sql(call: Call, what: str, constraint: str) -> ApiError:
    return ApiError(
        400,
        f"Invalid request: Organization Policy check failure: the {what} of this instance violates "
        f"the constraints/{constraint} enforced at the {call.cloud.number} project.",
        reason="invalid",
    )


def _ingress(call: Call) -> None:
    default = None if call.http_method == "PATCH" else "INGRESS_TRAFFIC_ALL"
    wanted = _INGRESS.get(call.body.get("ingress", default) or "")
    constraint = "run.allowedIngress"
    if wanted is not None and not call.cloud.constraints.permits(constraint, wanted):
        raise _violated(
            call,
            constraint,
            f"Constraint constraints/{constraint} violated for projects/{call.cloud.number} "
            f"attempting to set ingress to '{wanted}'.",
        )


def _invoker_iam(call: Call) -> None:
    constraint = "run.managed.requireInvokerIam"
    if call.body.get("invokerIamDisabled") and call.cloud.constraints.enforced(constraint):
        raise _violated(
            call,
            constraint,
            f"Operation denied by org policy on resource 'projects/{call.cloud.number}': the "
            f"service violates constraints/{constraint}.",
        )


def _switched(constraint: str, words: str) -> Callable[[Call], None]:
    def test(call: Call) -> None:
        if call.cloud.constraints.enforced(constraint):
            raise _violated(call, constraint, words)

    return test


def _violated(call: Call, constraint: str, words: str) -> ApiError:
    legacy = call.service.errors == "legacy"
    violation = {
        "type": f"constraints/{constraint}",
        "subject": f"orgpolicy:projects/{call.cloud.number}",
        "description": words,
    }
    detail: dict[str, Any] = {
        "@type": "type.googleapis.com/google.rpc.PreconditionFailure",
        "violations": [violation],
    }
    return ApiError(
        412 if legacy else 400,
        words,
        status="FAILED_PRECONDITION",
        reason="conditionNotMet" if legacy else None,
        details=[detail],
    )


_RUN = "run.projects.locations."

CHECKS: dict[str, tuple[Callable[[Call], None], ...]] = {
    "artifactregistry.projects.locations.repositories.create": (_location("repository"),),
    "cloudfunctions.projects.locations.functions.create": (_location("function"),),
    "iam.projects.serviceAccounts.create": (
        _switched(
            "iam.disableServiceAccountCreation",
            "Service account creation is not allowed on this project.",
        ),
    ),
    "iam.projects.serviceAccounts.keys.create": (
        _switched(
            "iam.disableServiceAccountKeyCreation",
            "Key creation is not allowed on this service account.",
        ),
    ),
    "iam.projects.serviceAccounts.keys.upload": (
        _switched(
            "iam.disableServiceAccountKeyUpload",
            "Key upload is not allowed on this service account.",
        ),
    ),
    "secretmanager.projects.secrets.create": (_secret_location,),
    "sql.instances.insert": (_instance_address, _instance_location),
    "sql.instances.patch": (_instance_address,),
    "sql.instances.update": (_instance_address,),
    "storage.buckets.insert": (_bucket_location, _bucket_access),
    "storage.buckets.patch": (_bucket_access,),
    "storage.buckets.update": (_bucket_access,),
    "storage.buckets.setIamPolicy": (_public_bucket,),
    _RUN + "jobs.create": (_location("job"),),
    _RUN + "services.create": (_location("service"), _ingress, _invoker_iam),
    _RUN + "services.patch": (_ingress, _invoker_iam),
    "workflows.projects.locations.workflows.create": (_location("workflow"),),
}
"""What is asked before a method's handler; every setIamPolicy is asked about members besides."""
