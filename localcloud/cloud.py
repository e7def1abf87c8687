"""The local cloud itself: one project, its APIs, and everything behind them."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING, Any

from localcloud import services
from localcloud.belongings import Belongings
from localcloud.calls import CallLog
from localcloud.clock import Clock, RealClock, VirtualClock
from localcloud.documents.router import Router
from localcloud.domains.public_dns import HOST as PUBLIC_DNS
from localcloud.domains.public_dns import PublicDns
from localcloud.doors.insiders import Insiders, UnknownNetworkError
from localcloud.faults import latency
from localcloud.faults.limits import Limits
from localcloud.faults.planned import Faults
from localcloud.faults.trouble import Trouble
from localcloud.iam import ORGANIZATION, Iam
from localcloud.identity.account_keys import AccountKeys
from localcloud.identity.issuer import Issuer
from localcloud.identity.principals import subject
from localcloud.identity.tokens import Tokens
from localcloud.machines import Machines
from localcloud.operations import Operations
from localcloud.org_policies.constraints import Constraints
from localcloud.pipeline import Pipeline
from localcloud.service import Service
from localcloud.store import Store
from localcloud.transport import ConnectionFailed, Request, Response

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from localcloud.doors.serving import Serving

__all__ = ["Cloud", "ConnectionFailed", "Response"]

OWNER = "owner@example.com"
"""Who has roles/owner in a new project."""

ALWAYS_ENABLED = (
    "serviceusage.googleapis.com",
    "cloudresourcemanager.googleapis.com",
    "iam.googleapis.com",
    "storage.googleapis.com",
    "pubsub.googleapis.com",
    "logging.googleapis.com",
)
"""APIs a new project has."""

RUN_HOSTS = (".run.app", ".cloudfunctions.net", ".appspot.com")
"""Hosts that services, functions and applications answer on, not APIs."""


class Cloud(Trouble):
    """A project on a Google Cloud of one machine.

    Use it in-process through ``request``; ``serve`` opens the doors for real clients.
    """

    def __init__(
        self,
        state: Path,
        *,
        project: str = "berth-local",
        region: str = "europe-west1",
        clock: Clock | None = None,
        machines: str | None = None,
        only: list[Service] | None = None,
        seed: int = 0,
    ) -> None:
        """Open the state in ``state``, making it if it is new.

        Args:
            state: a folder for everything that must survive a restart.
            project: the project ID.
            region: the default region.
            clock: real unless given.
            machines: ``real`` or ``paper``; by default paper on a virtual clock, else real.
            only: these services instead of all in ``localcloud/services``.
            seed: decides everything that happens by chance: faults and durations.
        """
        self.state = state
        self.project = project
        self.number = "123456789012"
        self.region = region
        self.clock = clock if clock is not None else RealClock()
        virtual = isinstance(self.clock, VirtualClock)
        self.latency: dict[str, float] = dict(latency.TYPICAL if virtual else latency.REAL)
        self.propagation = {"policies": 0.0, "services": 0.0, "constraints": 0.0}
        self.quotas: dict[str, int] = {"iam.serviceAccounts": 100}
        state.mkdir(parents=True, exist_ok=True)
        self.random = Random(seed)  # noqa: S311 - must repeat itself
        self.store = Store(state / "store.sqlite", now=self.clock.now)
        self.faults = Faults(self.random)
        self.limits = Limits(self.clock, consumer=self.number)
        self.calls = CallLog()
        self.tokens = Tokens(
            state / "keys",
            self.clock,
            usable=self.account_usable,
            accounts=AccountKeys(self.store.of("iam.keys"), self.clock, owner=self.account_id),
            revoked=self.store.of("tokens.revoked"),
        )
        self.iam = Iam(self)
        self.constraints = Constraints(self)
        self.machines = Machines(self, machines or ("paper" if virtual else "real"))
        self.operations = Operations(self)
        self.belongings = Belongings(self)
        self.insiders = Insiders(self._networks)
        self.services = only if only is not None else registered()
        self.router = Router(self.services)
        self.pipeline = Pipeline(self)
        self.serving: Serving | None = None
        # uploads whose request was cut off by the end of the last daemon
        shutil.rmtree(state / "spool", ignore_errors=True)
        self._found_project()
        self.operations.abandon_open()

    # -- life -----------------------------------------------------------------------------

    def start(self) -> None:
        """Bring back what was running when the cloud was last stopped."""
        for service in self.services:
            if service.on_start is not None:
                service.on_start(self)

    def close(self) -> None:
        """Stop every child and let go of the state."""
        for service in self.services:
            if service.on_stop is not None:
                service.on_stop(self)
        self.clock.close()
        if "balancer" in self.__dict__:
            self.balancer.close()
        if "ingress" in self.__dict__:
            close = getattr(self.ingress, "close", None)
            if close is not None:
                close()
        self.machines.close()
        self.store.close()

    # -- calls ----------------------------------------------------------------------------

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        timeout: float = 300.0,
        inside: bool = False,
        client: str = "127.0.0.1",
        network: str | None = None,
    ) -> Response:
        """Make one HTTP request in-process; ``inside`` when a service of Google's own makes it.

        ``client`` is the address it comes from, as firewalls see it, ``network`` the VPC network it
        comes from. Raises ConnectionFailed where no answer would come, TimeoutError where it came
        too late, LookupError when there is no such network.
        """
        self._check_network(network)
        inside = inside or network is not None
        request = Request(method, url, dict(headers or {}), body)
        if self.is_ingress(request.host):
            answer: Response = self.ingress.request(
                method,
                url,
                headers=request.headers,
                body=body,
                timeout=timeout,
                inside=inside,
                client=client,
            )
            return answer
        issuer = Issuer(self.tokens)
        if issuer.handles(request.host, request.path):
            return issuer.handle(request)
        if request.host == PUBLIC_DNS:
            return PublicDns(self.resolver).handle(request)
        if not self.router.serves(request.host):
            found: Response = self.balancer.request(
                method,
                url,
                headers=request.headers,
                body=body,
                timeout=timeout,
                client=client,
            )
            return found
        begun = self.clock.now()
        response = self.pipeline.handle(request)
        if self.clock.now() - begun > timeout:
            raise TimeoutError(f"no answer within {timeout:g} seconds")
        if response.download is not None:
            response.body = response.download.read()
            response.download = None
        return response

    def is_ingress(self, host: str) -> bool:
        """Tell whether a host is a service's or a function's rather than an API's."""
        return host.endswith(RUN_HOSTS)

    def serve(self, *, port: int = 0) -> Serving:
        """Open the doors for real clients: ``with cloud.serve() as serving: ...``."""
        # the doors need servers that in-process use does not; import them only here
        return importlib.import_module("localcloud.doors.serving").Serving(self, port=port)  # type: ignore[no-any-return]

    def environment(self, email: str, *, network: str | None = None) -> dict[str, str]:
        """Give the variables a child process needs to act here as ``email``; doors must be open.

        With ``network`` it acts from inside that VPC network.
        """
        self._check_network(network)
        if self.serving is None:
            raise LookupError("the doors are closed: use `with cloud.serve():`")
        make = importlib.import_module("localcloud.doors.serving").child_environment
        made: dict[str, str] = make(self, self.serving, email, network=network)
        return made

    @cached_property
    def ingress(self) -> Any:
        """What answers for run.app hosts."""
        return importlib.import_module("localcloud.ingress").Ingress(self)

    @cached_property
    def balancer(self) -> Any:
        """What answers where forwarding rules are."""
        return importlib.import_module("localcloud.balancer").Balancer(self)

    @cached_property
    def resolver(self) -> Any:
        """What the world's name servers say."""
        return importlib.import_module("localcloud.domains.resolver").Resolver(self)

    @cached_property
    def issuance(self) -> Any:
        """What issues managed certificates."""
        return importlib.import_module("localcloud.domains.issuance").Issuance(self)

    @cached_property
    def images(self) -> Any:
        """The container images of the project."""
        return importlib.import_module("localcloud.machines.images").Images(self)

    # -- names ----------------------------------------------------------------------------

    def by_id(self, name: str) -> str:
        """Write a resource name with the project ID, whichever way it came."""
        parts = name.split("/")
        if parts[0] == "projects" and len(parts) > 1 and parts[1] in {self.number, "-"}:
            parts[1] = self.project
        return "/".join(parts)

    def by_number(self, name: str) -> str:
        """Write a resource name with the project number, as Secret Manager does."""
        parts = self.by_id(name).split("/")
        if parts[0] == "projects" and len(parts) > 1 and parts[1] == self.project:
            parts[1] = self.number
        return "/".join(parts)

    def _networks(self) -> list[str]:
        """Name the VPC networks of the project."""
        names: list[str] = importlib.import_module("localcloud.services.compute.networks").known(
            self
        )
        return names

    def _check_network(self, network: str | None) -> None:
        if network is None:
            return
        try:
            self.insiders.check(network)
        except UnknownNetworkError as error:
            raise LookupError(str(error)) from None

    # -- accounts and APIs ----------------------------------------------------------------

    def account_exists(self, email: str) -> bool:
        """Tell whether a service account can be named in a policy: Google's own and others' can."""
        if not email.endswith(f"@{self.project}.iam.gserviceaccount.com"):
            return True
        return self._account(email) is not None

    def account_usable(self, email: str) -> bool:
        """Tell whether an identity's tokens are still good."""
        if not email.endswith(f"@{self.project}.iam.gserviceaccount.com"):
            return True
        account = self._account(email)
        return account is not None and not account.get("disabled", False)

    def account_id(self, email: str) -> str | None:
        """Give an account's unique id; a new account of an old name has another."""
        if not email.endswith(f"@{self.project}.iam.gserviceaccount.com"):
            return subject(email)
        account = self._account(email)
        return None if account is None else str(account["uniqueId"])

    def _account(self, email: str) -> dict[str, Any] | None:
        return self.store.of("iam").find(f"projects/{self.project}/serviceAccounts/{email}")

    def enabled(self, host: str) -> bool:
        """Tell whether an API is enabled in the project."""
        return self.store.of("serviceusage").find(self._service_name(host)) is not None

    def usable(self, host: str) -> bool:
        """Tell whether calls of an API are answered: a while after it was enabled."""
        found = self.store.of("serviceusage").find(self._service_name(host))
        delay = self.propagation["services"]
        return found is not None and found.get("since", 0.0) + delay <= self.clock.now()

    def enable(self, *hosts: str, since: float = 0.0) -> None:
        """Enable APIs, such as ``run.googleapis.com``, without a call; long ago, unless told."""
        for host in hosts:
            name = self._service_name(host)
            if not self.enabled(host):
                self.store.of("serviceusage").put(name, {"name": name, "since": since})

    def disable(self, *hosts: str) -> None:
        """Disable APIs without a call."""
        for host in hosts:
            if self.enabled(host):
                self.store.of("serviceusage").delete(self._service_name(host))

    def _service_name(self, host: str) -> str:
        return f"projects/{self.number}/services/{host}"

    def grant(self, member: str, role: str, *, on: str | None = None) -> None:
        """Add a binding without a call; on the project unless a full resource name is given."""
        full = on or f"//cloudresourcemanager.googleapis.com/projects/{self.project}"
        with self.store.lock():
            policy = self.iam.policy(full)
            policy.setdefault("bindings", []).append({"role": role, "members": [member]})
            self.iam.set_policy(full, policy)

    # -- logging --------------------------------------------------------------------------

    def log(self, entry: Mapping[str, Any]) -> None:
        """Write a log entry on behalf of a service; the project's default log unless it says."""
        write_entry = importlib.import_module("localcloud.services.logging").write_entry
        write_entry(self, dict(entry))

    def _found_project(self) -> None:
        if not self.iam.policy(ORGANIZATION).get("bindings"):
            self.grant(f"user:{OWNER}", "roles/orgpolicy.policyAdmin", on=ORGANIZATION)
        projects = self.store.of("cloudresourcemanager")
        name = f"projects/{self.project}"
        if projects.find(name) is not None:
            return
        with self.store.lock():
            projects.put(name, {"projectId": self.project, "createTime": self.clock.rfc3339()})
            self.enable(*ALWAYS_ENABLED)
            self.grant(f"user:{OWNER}", "roles/owner")


def registered() -> list[Service]:
    """Import every module of ``localcloud/services`` and collect what it declares."""
    found: list[Service] = []
    for module in sorted(pkgutil.iter_modules(services.__path__), key=lambda item: item.name):
        if module.name.startswith("_"):
            continue
        imported = importlib.import_module(f"localcloud.services.{module.name}")
        declared = [
            value
            for name, value in vars(imported).items()
            if isinstance(value, Service) and name.startswith("SERVICE")
        ]
        found.extend(declared)
    return found
