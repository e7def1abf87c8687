"""What goes wrong with domains, as the workflow raises it, for the remedies to recognise."""

from typing import Any

DNS = "https://dns.googleapis.com/dns/v1/projects/p/managedZones/z/rrsets"
ADDRESSES = "https://compute.googleapis.com/compute/v1/projects/p/global/addresses"
MANAGER = "https://certificatemanager.googleapis.com/v1/projects/p/locations/global"


def refused(url: str, code: int, message: str, *, status: str = "") -> dict[str, Any]:
    """Return what the workflow raises when Google refuses a call, or an operation fails (code 0)."""
    tags = ["HttpError" if code else "OperationFailed"]
    cause = {"tags": tags, "code": code, "status": status, "reason": "", "message": message}
    return {
        "tags": tags,
        "part": "domain",
        "step": "a_record",
        "message": f"making it - {message}",
        "cause": {**cause, "request": f"POST {url}"},
    }


def not_issued(reason: str, state: str = "PROVISIONING") -> dict[str, Any]:
    """Return what lib/certificate.yaml says of a certificate that is not issued."""
    words = f"the certificate is not issued - {state} {reason}"
    cause = {"code": 0, "status": state, "reason": reason, "message": words}
    return {
        "tags": ["CertificateFailed"],
        "part": "load_balancer",
        "step": "certificate",
        "message": words,
        "cause": {**cause, "request": f"GET {MANAGER}/certificates/mlflow-demo"},
    }


def said(tag: str, step: str, words: str) -> dict[str, Any]:
    """Return an error that is the workflow's own."""
    return {"tags": [tag], "part": "load_balancer", "step": step, "message": words, "cause": None}


KNOWN = [
    (
        refused(DNS, 404, "The 'parameters.managedZone' resource named 'z' does not exist."),
        "dns-zone-missing",
    ),
    (
        refused(DNS, 400, "a DNS name may have either one CNAME resource record set or others"),
        "dns-record-refused",
    ),
    (
        refused(
            f"{MANAGER}/dnsAuthorizations",
            409,
            "Another DnsAuthorization with a fixed record exists for the domain 'a.example.com'.",
            status="ALREADY_EXISTS",
        ),
        "domain-taken",
    ),
    (refused(ADDRESSES, 0, "Quota 'IN_USE_ADDRESSES' exceeded.", status="QUOTA_EXCEEDED"), "quota"),
    (refused(ADDRESSES, 403, "Quota 'STATIC_ADDRESSES' exceeded. Limit: 8.0 globally."), "quota"),
    (not_issued("CAA"), "certificate-forbidden"),
    (not_issued("RATE_LIMITED"), "certificate-rate"),
    (not_issued("CONFIG"), "certificate-failed"),
    (not_issued("", "FAILED"), "certificate-failed"),
    (
        said(
            "DomainNotProved",
            "domain",
            "the certificate is issued, but the domain does not work - not proved - domain leads "
            "here, a.example.com has an AAAA record, 2001:db8::1",
        ),
        "domain-ipv6",
    ),
    (
        said(
            "DomainNotProved",
            "domain",
            "the certificate is issued, but the domain does not work - no address",
        ),
        "domain-not-working",
    ),
    (
        said(
            "NotOurs",
            "a_record",
            "DNS record a.example.com. A exists, but this deployment did not make it "
            f'(it says ["192.0.2.99"]) - {DNS}/a.example.com./A',
        ),
        "dns-record-taken",
    ),
]
