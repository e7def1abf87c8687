"""Remedies for what any API may say, for organisation policies, and for our own refusals."""

from planner.remedies.remedy import AGAIN, INSTALL, Remedy

OWN = (
    Remedy(
        kind="dns-record-taken",
        title="A DNS record leads elsewhere",
        tags=("NotOurs",),
        says=r"dns\.googleapis\.com",
        status=409,
        resumable=True,
        remedy="Berth overwrites no record. Remove it from the zone if nobody needs it, choose "
        "another domain, or leave load_balancer.dns_zone out and make the records yourself. "
        + AGAIN,
    ),
    Remedy(
        kind="not-ours",
        title="A resource that is not ours is in the way",
        tags=("NotOurs",),
        status=409,
        remedy="Berth changed nothing about it. Choose another name for the deployment, or "
        "remove the resource if nobody needs it; then send the request again.",
    ),
    Remedy(
        kind="not-as-needed",
        title="Something that is there already is not as needed",
        tags=("NotAsNeeded",),
        status=409,
        resumable=True,
        remedy="Berth changed nothing about it: it is not Berth's to change, or cannot be changed. "
        "The cause says how it is and what can be done. " + AGAIN,
    ),
    Remedy(
        kind="verify-failed",
        title="The server does not pass the proof",
        tags=("VerifyFailed",),
        resumable=True,
        remedy="The server runs, but a check from outside failed. Look at its log for the time "
        "of the failure. " + AGAIN,
    ),
    Remedy(
        kind="certificate-forbidden",
        title="The domain forbids its certificate",
        tags=("CertificateFailed",),
        says=r"\bCAA\b",
        remedy="A CAA record of the domain, or of one above it, names other authorities. Add "
        '0 issue "pki.goog" to it; Google then tries again by itself, and Berth goes on watching.',
    ),
    Remedy(
        kind="certificate-rate",
        title="Too many certificates for the domain",
        tags=("CertificateFailed",),
        says=r"RATE_LIMITED",
        status=503,
        remedy="Authorities issue only so many certificates for a registered domain in a week. "
        "Google tries again by itself, and Berth goes on watching.",
    ),
    Remedy(
        kind="certificate-failed",
        title="The certificate is not issued",
        tags=("CertificateFailed",),
        resumable=True,
        remedy="Compare the domain's CNAME with the one that GET shows in dns_records; where the "
        "zone is in this project, see that the domain's parent delegates to its name servers. "
        "Berth goes on watching for 30 days; after that send the same request again.",
    ),
    Remedy(
        kind="domain-ipv6",
        title="An AAAA record leads the domain elsewhere",
        tags=("DomainNotProved",),
        says=r"has an AAAA record",
        resumable=True,
        remedy="Remove the AAAA record where the domain is kept: the load balancer has an IPv4 "
        "address only, and whoever has IPv6 tries the other one first. Nothing was removed; Berth "
        "goes on trying, and says READY when the domain works.",
    ),
    Remedy(
        kind="domain-not-working",
        title="The domain does not lead to the server",
        tags=("DomainNotProved",),
        resumable=True,
        remedy="See that the domain's A record is the one that GET shows in dns_records, that no "
        "AAAA record leads elsewhere, and that the load balancer lets verify come. Nothing was "
        "removed; Berth goes on trying, and says READY when the domain works.",
    ),
    Remedy(
        kind="superseded",
        title="Another execution has taken over",
        tags=("LeaseLost", "LeaseHeld"),
        status=409,
        resumable=True,
        remedy="Another execution works on the same deployment; GET shows how far it is. If it "
        "no longer runs, send the request again.",
    ),
    Remedy(
        kind="no-spec",
        title="There is no such deployment",
        tags=("NoSpec",),
        status=404,
        remedy="The deployment's spec.json is gone from the registry bucket. POST the deployment "
        "again, or restore an older version of the object.",
    ),
)

POLICIES = (
    Remedy(
        kind="perimeter",
        title="A service perimeter is in the way",
        says=r"vpcServiceControlsUniqueIdentifier",
        status=403,
        resumable=True,
        remedy="Give the identifier in the cause to the perimeter's administrator, who can let "
        "Berth's accounts in. " + AGAIN,
    ),
    Remedy(
        kind="members-outside",
        title="The organisation does not admit a member",
        says=r"do not belong to a permitted customer|allowedPolicyMember",
        status=403,
        remedy="The organisation allows only members of its own domains. Take the outside "
        "members out of access.members, or ask the organisation's administrator to allow them.",
    ),
    Remedy(
        kind="public-service-forbidden",
        title="The organisation forbids services without Google's check",
        says=r"requireInvokerIam",
        status=403,
        remedy='Ask for access {"mode": "iam"} or {"mode": "iap"} instead of basic_auth or '
        "oauth2_proxy.",
    ),
    Remedy(
        kind="location-forbidden",
        title="The organisation forbids this location",
        says=r"gcp\.resourceLocations",
        status=403,
        remedy="Ask for a region that the organisation's policy gcp.resourceLocations allows.",
    ),
    Remedy(
        kind="public-address-forbidden",
        title="The organisation forbids databases with a public address",
        says=r"sql\.restrictPublicIp",
        status=403,
        remedy='Give the database a private address, with placement dedicated and "network": '
        '{"name": "default"} or another network of yours; or use placement pooled; or ask the '
        "organisation's administrator for an exception from sql.restrictPublicIp: the public "
        "address admits nobody without a connector.",
    ),
    Remedy(
        kind="policy-forbids",
        title="An organisation policy forbids it",
        says=r"constraints?/[a-z]+\.|organization policy|organization's policy",
        status=403,
        remedy="Show the cause to the organisation's administrator: it names the policy.",
    ),
)

ANY_API = (
    Remedy(
        kind="billing",
        title="The project has no billing account",
        says=r"requires billing|BILLING_DISABLED|billing account",
        status=403,
        resumable=True,
        remedy="Link a billing account to the project. " + AGAIN,
    ),
    Remedy(
        kind="api-disabled",
        title="An API is switched off",
        says=r"SERVICE_DISABLED|accessNotConfigured|has not been used in project",
        status=403,
        resumable=True,
        remedy=f"{INSTALL}, the APIs among it, and wait five minutes. {AGAIN}",
    ),
    Remedy(
        kind="rate",
        title="Too many calls in a short time",
        codes=(403, 429),
        says=r"rate_?limit|per minute|rateLimitExceeded",
        status=503,
        resumable=True,
        remedy="Wait a few minutes, then send the same request again; it goes on from where it "
        "stopped. If it comes back, ask Google for a higher rate.",
    ),
    Remedy(
        kind="quota",
        title="A quota is used up",
        says=r"RESOURCE_EXHAUSTED|quotas? ('[^']*' )?(were )?exceeded|quota exceeded|exceeded .*quota",
        status=503,
        resumable=True,
        remedy="Delete deployments that nobody needs, or ask Google for a higher quota (the cause "
        "names it). " + AGAIN,
    ),
    Remedy(
        kind="token-refused",
        title="Google does not accept the workflow's token",
        codes=(401,),
        status=502,
        resumable=True,
        remedy=f"One of Berth's service accounts is disabled or deleted. {INSTALL}. {AGAIN}",
    ),
)

LAST = (
    Remedy(
        kind="permission-missing",
        title="A permission is missing",
        codes=(0, 403),
        says=r"PERMISSION_DENIED|permission|forbidden|not authorized|does not have",
        status=403,
        resumable=True,
        remedy=f"The cause names the permission. {INSTALL}, its roles among it. {AGAIN}",
    ),
    Remedy(
        kind="timed-out",
        title="It took too long",
        tags=("TimedOut", "TimeoutError"),
        status=504,
        resumable=True,
        remedy="It may still come. " + AGAIN,
    ),
    Remedy(
        kind="unreachable",
        title="Google could not be reached",
        tags=("ConnectionError", "ConnectionFailedError"),
        status=503,
        resumable=True,
        remedy="Nobody knows whether the last call took effect; the next attempt looks first. "
        + AGAIN,
    ),
    Remedy(
        kind="server-fault",
        title="Google had a fault",
        codes=(500, 502, 503, 504),
        status=503,
        resumable=True,
        remedy="A fault on Google's side that outlasted the retries. " + AGAIN,
    ),
    Remedy(
        kind="too-big",
        title="The execution ran out of room",
        tags=("ResourceLimitError", "MemoryLimitExceededError", "RecursionError"),
        remedy="Report it with the execution's name: it is a mistake of Berth's, not of the "
        "request.",
    ),
    Remedy(
        kind="our-mistake",
        title="The workflow made a mistake",
        tags=("TypeError", "KeyError", "ValueError", "IndexError", "ZeroDivisionError"),
        remedy="Report it with the execution's name: it is a mistake of Berth's, not of the "
        "request.",
    ),
    Remedy(
        kind="refused",
        title="Google does not accept a call",
        codes=(400,),
        remedy="Report it with the cause: the plan should not have asked for this.",
    ),
    Remedy(
        kind="operation-failed",
        title="An operation failed",
        tags=("OperationFailed", "ResourceFailed"),
        resumable=True,
        remedy="The cause is all that Google says. " + AGAIN,
    ),
)
