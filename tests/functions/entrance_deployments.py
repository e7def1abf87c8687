"""A verify function of its own, a deployment of each access mode, and servers to put behind their doors."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from localcloud.cloud import Cloud
from localcloud.services import iam, iamcredentials, secretmanager, storage
from tests.functions.berth import Berth
from tests.functions.doorstep import keep_password, mlflow, names, settle, target
from tests.functions.entrance_doors import Door, Iap, InvokerCheck, OAuth2Proxy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functions.tracking import Tracking

CLIENT = {"id_secret": "client-id", "secret_secret": "client-secret"}
ACCESS: dict[str, Any] = {
    "iam": {"mode": "iam"},
    "iap": {"mode": "iap"},
    "both": {"mode": "basic_auth", "iap": {}},
    "proxy": {
        "mode": "oauth2_proxy",
        "oauth_client": CLIENT,
        "email_domains": ["example.com"],
    },
}
DOORS: dict[str, type[Door]] = {
    "iam": InvokerCheck,
    "iap": Iap,
    "both": Iap,
    "proxy": OAuth2Proxy,
}
BALANCER = {"domain": "mlflow.risk.example.com"}


@dataclass
class Served:
    """What answers at the addresses of a deployment."""

    door: Door
    tracking: Tracking


@contextmanager
def deployments(folder: Path) -> Iterator[Berth]:
    """Keep the verify function running, beside a deployment of each access mode."""
    services = [storage.SERVICE, secretmanager.SERVICE, iam.SERVICE, iamcredentials.SERVICE]
    cloud = Cloud(folder / "state", machines="paper", only=services)
    with cloud.serve():
        made = Berth(cloud, folder)
        made.found(cloud.project)
        settle(made)
        for name, access in ACCESS.items():
            made.wish(name, access=access)
            made.wish(f"{name}-behind", access=access, load_balancer=BALANCER)
        made.wish("inside", serving={"platform": "cloud_run", "ingress": "internal"})
        made.wish("ranges", load_balancer={**BALANCER, "allowed_ranges": ["203.0.113.0/24"]})
        accounts = f"{cloud.project}.iam.gserviceaccount.com"
        made.wish("open-to-all", access={**ACCESS["proxy"], "email_domains": [accounts]})
        for name in ("both", "both-behind"):
            keep_password(made, name)
        made.start("verify", account=names(cloud).account("verify"))
        yield made
        made.stop()
    cloud.close()


def serve(berth: Berth, name: str, *faults: str, hosts: tuple[str, ...] = ()) -> Served:
    """Let a server answer behind its door, at the addresses of a deployment or at others."""
    mode = name.removesuffix("-behind")
    mode = mode if mode in DOORS else "proxy" if mode == "open-to-all" else "iam"
    of_server = {fault for fault in faults if fault.startswith(("parts", "too few", "no login"))}
    tracking = mlflow(berth, login=mode == "both" and "no login" not in faults, faults=of_server)
    members = {names(berth.cloud).account("verify")}
    door = DOORS[mode](berth.cloud, members, tracking, set(faults) - of_server)
    for host in hosts or target(berth, name).own_hosts:
        berth.cloud.ingress.mount(host, door)
    return Served(door, tracking)
