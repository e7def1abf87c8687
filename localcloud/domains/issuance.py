"""The certificate authority behind managed certificates: who owns a domain gets one for it.

A domain's owner is whoever controls its names: either the CNAME of a DNS authorisation is there, or
the domain leads to a load balancer that shows the certificate. Whenever any of that changes,
``consider`` looks again; issuing then takes its time on the cloud's clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from localcloud.faults import latency

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cloud import Cloud
    from localcloud.store import Resource

MANAGER, COMPUTE = "certificatemanager", "compute"
_ISSUERS = ("pki.goog", "letsencrypt.org")
_MAPS = "//certificatemanager.googleapis.com/"
_DAYS = 90
_SSL_STATUS = {"": "PROVISIONING", "CONFIG": "FAILED_NOT_VISIBLE", "CAA": "FAILED_CAA_FORBIDDEN"}


class Issuance:
    """Issues managed certificates of both kinds."""

    def __init__(self, cloud: Cloud) -> None:
        """Serve one cloud."""
        self._cloud = cloud

    def consider(self) -> None:
        """See which certificates could be issued now, and issue them a while later."""
        for api, name, stored in list(self._waiting()):
            troubles = self._troubles(api, name, stored)
            self._note(api, name, troubles)
            if not any(troubles.values()):
                wait = self._cloud.latency.get(latency.ISSUANCE, 0.0)
                self._cloud.clock.call_later(wait, partial(self._issue, api, name))

    def _waiting(self) -> Iterator[tuple[str, str, Resource]]:
        place = f"projects/{self._cloud.project}"
        folders = {MANAGER: f"{place}/locations/global/certificates/"}
        folders[COMPUTE] = f"{place}/global/sslCertificates/"
        for api, folder in folders.items():
            for name, stored in self._cloud.store.of(api).under(folder):
                if _state(api, stored) == "PROVISIONING":
                    yield api, name, stored

    def _issue(self, api: str, name: str) -> None:
        """Issue a certificate, if it is still there and its domains are still right."""
        collection = self._cloud.store.of(api)
        with self._cloud.store.lock():
            stored = collection.find(name)
            if stored is None or _state(api, stored) != "PROVISIONING":
                return
            if any(self._troubles(api, name, stored).values()):
                return
            begun = datetime.fromtimestamp(self._cloud.clock.now(), UTC)
            end = (begun + timedelta(days=_DAYS)).strftime("%Y-%m-%dT%H:%M:%SZ")
            collection.put(name, {**_ACTIVE[api](stored), "expireTime": end})

    def _note(self, api: str, name: str, troubles: dict[str, str]) -> None:
        """Write down what keeps a certificate from being issued, if that is news."""
        collection = self._cloud.store.of(api)
        with self._cloud.store.lock():
            stored = collection.find(name)
            if stored is None or _state(api, stored) != "PROVISIONING":
                return
            after = _WAITING[api](stored, troubles)
            if after != stored:
                collection.put(name, after)

    # -- who owns a domain ------------------------------------------------------------------

    def _troubles(self, api: str, name: str, stored: Resource) -> dict[str, str]:
        """Say for each domain what is wrong with it: CONFIG, CAA, or nothing."""
        managed = stored["managed"]
        found = {}
        for domain in managed["domains"]:
            owned = self._authorised(managed.get("dnsAuthorizations", []), domain) or (
                not managed.get("dnsAuthorizations") and self._shown(api, name, domain)
            )
            if not owned:
                found[domain] = "CONFIG"
            else:
                found[domain] = "" if self._may_be_issued(domain) else "CAA"
        return found

    def _authorised(self, authorizations: list[str], domain: str) -> bool:
        for link in authorizations:
            given = self._cloud.store.of(MANAGER).find(link)
            if given is not None and given["domain"] == domain.removeprefix("*."):
                record = given["dnsResourceRecord"]
                return record["data"] in self._cloud.resolver.records(record["name"], "CNAME")
        return False

    def _shown(self, api: str, name: str, domain: str) -> bool:
        """Tell whether a domain leads to a load balancer that shows the certificate."""
        addresses = set(self._cloud.resolver.lookup(domain, "A"))
        compute = self._cloud.store.of(COMPUTE)
        place = f"projects/{self._cloud.project}/global/"
        for rule in compute.children(f"{place}forwardingRules/"):
            proxy = compute.find(f"{place}targetHttpsProxies/{rule['target'].rpartition('/')[2]}")
            at_https = "/targetHttpsProxies/" in rule["target"]
            if not at_https or proxy is None or rule["IPAddress"] not in addresses:
                continue
            if api == COMPUTE and any(
                link.endswith(f"/{name}") for link in proxy.get("sslCertificates", [])
            ):
                return True
            maps = proxy.get("certificateMap", "").removeprefix(_MAPS)
            entries = self._cloud.store.of(MANAGER).under(f"{maps}/certificateMapEntries/")
            if maps and any(name in entry["certificates"] for _, entry in entries):
                return True
        return False

    def _may_be_issued(self, domain: str) -> bool:
        """Ask the closest CAA records above a domain, as RFC 8659 has it."""
        labels = domain.removeprefix("*.").split(".")
        for at in range(len(labels) - 1):
            records = self._cloud.resolver.lookup(".".join(labels[at:]), "CAA")
            issue = [data.split(maxsplit=2) for data in records]
            named = [
                part[2].strip('"').partition(";")[0].strip() for part in issue if part[1] == "issue"
            ]
            if records:
                return not named or any(one in _ISSUERS for one in named)
        return True


def _state(api: str, stored: Resource) -> str:
    return str(stored.get("managed", {}).get("state" if api == MANAGER else "status", ""))


def _manager_active(stored: Resource) -> Resource:
    domains = stored["managed"]["domains"]
    managed = {
        **{name: value for name, value in stored["managed"].items() if name != "provisioningIssue"},
        "state": "ACTIVE",
        "authorizationAttemptInfo": [{"domain": one, "state": "AUTHORIZED"} for one in domains],
    }
    return {**stored, "managed": managed}


def _compute_active(stored: Resource) -> Resource:
    domains = stored["managed"]["domains"]
    managed = {
        "domains": domains,
        "status": "ACTIVE",
        "domainStatus": dict.fromkeys(domains, "ACTIVE"),
    }
    return {**stored, "managed": managed, "subjectAlternativeNames": domains}


def _manager_waiting(stored: Resource, troubles: dict[str, str]) -> Resource:
    attempts: list[Resource] = []
    for domain, trouble in troubles.items():
        attempt: Resource = {"domain": domain, "state": "AUTHORIZING"}
        if trouble:
            attempt |= {"state": "FAILED", "failureReason": trouble}
        attempts.append(attempt)
    managed = {
        **{name: value for name, value in stored["managed"].items() if name != "provisioningIssue"},
        "authorizationAttemptInfo": attempts,
    }
    if any(troubles.values()):
        managed["provisioningIssue"] = {
            "reason": "AUTHORIZATION_ISSUE",
            "details": "Some domains could not be authorized; see authorizationAttemptInfo.",
        }
    return {**stored, "managed": managed}


def _compute_waiting(stored: Resource, troubles: dict[str, str]) -> Resource:
    statuses = {domain: _SSL_STATUS[trouble] for domain, trouble in troubles.items()}
    return {**stored, "managed": {**stored["managed"], "domainStatus": statuses}}


_ACTIVE = {MANAGER: _manager_active, COMPUTE: _compute_active}
_WAITING = {MANAGER: _manager_waiting, COMPUTE: _compute_waiting}
