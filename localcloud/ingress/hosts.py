"""Which service and revision a host name means."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.ingress import appspot
from localcloud.services.run import names, traffic

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.store import Resource

_FUNCTION_HOST = re.compile(
    r"(?P<region>[a-z0-9-]+?)-(?P<project>[a-z][a-z0-9-]+)\.cloudfunctions\.net"
)
_TAG = "---"
_HASHED = "a.run.app"
_REGION_OF_CODE = {code: region for region, code in names.REGION_CODES.items()}


@dataclass(frozen=True)
class Route:
    """Where a request goes."""

    service: Resource
    revision: str
    path: str  # of the request, without a function's name

    @property
    def name(self) -> str:
        """The service's full name."""
        return str(self.service["name"])

    def audiences(self, number: str) -> set[str]:
        """Return what the audience of an ID token may be."""
        urls = {f"https://{host}" for host in names.hosts(self.name, number)}
        functions = (
            f"https://{self.service['name'].split('/')[3]}-{self.service['name'].split('/')[1]}"
        )
        urls.add(f"{functions}.cloudfunctions.net/{self.name.rpartition('/')[2]}")
        return urls | set(self.service.get("customAudiences", []))


class Hosts:
    """Finds the route of a request by its host."""

    def __init__(self, cloud: Cloud) -> None:
        """Look into the store of *cloud*."""
        self._cloud = cloud
        # Weighted choice between revisions; nothing secret hangs on it.
        self._dice = random.Random(0)  # noqa: S311 - see above

    def find(self, host: str, path: str, *, client: str = "", cookies: str = "") -> Route | None:
        """Return the route; None when no service has that host.

        The client's address and cookies matter where App Engine splits traffic by them.
        """
        host = host.partition(":")[0].lower()
        if host.endswith(".appspot.com"):
            found = appspot.find(self._cloud, host, self._dice, client=client, cookies=cookies)
            return None if found is None else Route(*found, path)
        if host.endswith(".cloudfunctions.net"):
            return self._function(host, path)
        tag, service = self._service(host)
        if service is None or service.get("defaultUriDisabled"):
            return None
        revision = traffic.tagged(service, tag) if tag else self.by_share(service)
        return None if tag and revision is None else Route(service, revision or "", path)

    def is_closed(self, host: str) -> bool:
        """Tell whether a host was a service's default address, and is switched off."""
        if not host.endswith(".run.app"):
            return False
        service = self._service(host)[1]
        return bool(service and service.get("defaultUriDisabled"))

    def _service(self, host: str) -> tuple[str, Resource | None]:
        label, _, domain = host.partition(".")
        tag, separator, rest = label.partition(_TAG)
        if not separator:
            tag, rest = "", label
        short, region = self._hashed(rest) if domain == _HASHED else self._numbered(rest, domain)
        if region not in names.REGION_CODES:
            return tag, None
        name = f"projects/{self._cloud.project}/locations/{region}/services/{short}"
        return tag, self._cloud.store.of("run").find(name)

    def _hashed(self, label: str) -> tuple[str, str]:
        """Read SERVICE-HASH-CODE; an empty region when it is none of this project's."""
        head, _, rest = label.rpartition("-")
        short = head.rpartition("-")[0]
        region = _REGION_OF_CODE.get(rest, "")
        wanted = names.region_hash(self._cloud.project, region)
        return (short, region) if label == f"{short}-{wanted}-{rest}" else ("", "")

    def _numbered(self, label: str, domain: str) -> tuple[str, str]:
        """Read SERVICE-NUMBER under REGION.run.app."""
        short, _, number = label.rpartition("-")
        region = domain.removesuffix(".run.app")
        return (short, region) if number == self._cloud.number else ("", "")

    def _function(self, host: str, path: str) -> Route | None:
        found = _FUNCTION_HOST.fullmatch(host)
        short = path.split("/")[1]
        if found is None or not short:
            return None
        region = found["region"]
        project = found["project"]
        for code in names.REGION_CODES:  # a region's own hyphens make the split ambiguous
            if f"{region}-{project}".startswith(f"{code}-"):
                region, project = code, f"{region}-{project}".removeprefix(f"{code}-")
                break
        name = f"projects/{project}/locations/{region}/functions/{short}"
        function = self._cloud.store.of("cloudfunctions").find(name)
        service = function and self._cloud.store.of("run").find(
            function["serviceConfig"]["service"]
        )
        if not service:
            return None
        below = "/" + path[1:].partition("/")[2]
        return Route(service, self.by_share(service), below)

    def by_share(self, service: Resource) -> str:
        """Choose a revision by the shares of the traffic; empty when none has any."""
        shares = traffic.shares(service)
        if len(shares) == 1:
            return shares[0][0]
        if not shares:
            return ""
        revisions, weights = zip(*shares, strict=True)
        return str(self._dice.choices(revisions, weights)[0])
