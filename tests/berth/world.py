"""A tracking server behind each of the doors of the local cloud, and a training that uses it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException

from berth.mlflow_auth import BerthAuthProvider
from localcloud.cloud import Cloud
from localcloud.services import iam, iamcredentials, iap, run, secretmanager, serviceusage
from localcloud.services import logging as cloudlogging
from tests.berth.mini_tracking import PARTS, MiniTracking
from tests.localcloud.iap.guarded import AGENT, HOST, admit
from tests.localcloud.run.echo import ACCOUNT, PARENT, Caller, add_account, build, service

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from localcloud.clock import Clock, VirtualClock

    Door = Callable[[Cloud, VirtualClock], None]

URL = f"https://{HOST}"
TRAINER = "trainer@berth-local.iam.gserviceaccount.com"
STRANGER = "stranger@berth-local.iam.gserviceaccount.com"
ANA = "ana@example.com"
PROVIDER = "berth-virtual"
_SERVICE = f"//run.googleapis.com/{PARENT}/services/hello"
_CREATOR = "roles/iam.serviceAccountTokenCreator"


class VirtualProvider(BerthAuthProvider):
    """The plugin on the test's clock, by another name than the one that is installed."""

    def get_name(self) -> str:
        """Return what MLFLOW_TRACKING_AUTH says in these tests."""
        return PROVIDER


def open_cloud(folder: Path, clock: Clock) -> Cloud:
    """Open a cloud on paper with the APIs these tests need."""
    modules = (cloudlogging, iam, iamcredentials, iap, run, secretmanager, serviceusage)
    apis = [module.SERVICE for module in modules]
    apis += [iap.SERVICE_V1BETA1, serviceusage.SERVICE_V1BETA1]
    return Cloud(folder / "state", clock=clock, only=apis, machines="paper")


def found(folder: Path, clock: Clock) -> None:
    """Make a project with three accounts and an image, and all the keys it takes."""
    cloud = open_cloud(folder, clock)
    cloud.enable("run.googleapis.com", "iap.googleapis.com", "iamcredentials.googleapis.com")
    for email in (ACCOUNT, TRAINER, STRANGER):
        add_account(cloud, email)
        cloud.tokens.accounts.sign_jwt(email, {})
    build(cloud, folder)
    cloud.tokens.id_token(TRAINER, URL)
    with cloud.serve() as serving:
        assert serving.bundle.exists()
        for host in (HOST, "iamcredentials.googleapis.com"):
            serving.authority.context(host)
    cloud.close()


def trust(cloud: Cloud, member: str, account: str = TRAINER) -> None:
    """Let somebody make tokens of an account."""
    full = f"//iam.googleapis.com/projects/berth-local/serviceAccounts/{account}"
    cloud.grant(member, _CREATOR, on=full)


def _put_up(cloud: Cloud, **more: object) -> None:
    answer = Caller(cloud)("POST", f"{PARENT}/services?serviceId=hello", {**service(), **more})
    assert answer.status == 200, answer.text


def behind_iam(cloud: Cloud, clock: VirtualClock) -> None:
    """Put the service behind Cloud Run's own check; the trainer is a member."""
    _put_up(cloud)
    clock.run_until_idle()
    cloud.grant(f"serviceAccount:{TRAINER}", "roles/run.invoker", on=_SERVICE)


def behind_iap(cloud: Cloud, clock: VirtualClock) -> None:
    """Put the service behind IAP with Google's own client; the trainer is a member."""
    _put_up(cloud, iapEnabled=True)
    clock.run_until_idle()
    owner = Caller(cloud)
    owner(
        "POST",
        "https://serviceusage.googleapis.com/v1beta1/projects/123456789012/services/"
        "iap.googleapis.com:generateServiceIdentity",
    )
    clock.run_until_idle()
    cloud.grant(f"serviceAccount:{AGENT}", "roles/run.invoker", on=_SERVICE)
    assert admit(owner, f"serviceAccount:{TRAINER}").status == 200


@dataclass
class World:
    """What a test has: the cloud, its clock, the server behind the door, MLflow's client."""

    cloud: Cloud
    clock: VirtualClock
    server: MiniTracking
    become: Callable[[str], None]
    """Be on a machine whose metadata server speaks for this account; empty: on none of Google's."""

    def client(self, url: str = URL) -> MlflowClient:
        """Return MLflow's client, as a program has it that was told this URL."""
        os.environ["MLFLOW_TRACKING_URI"] = url
        return MlflowClient()

    def refusal(self, url: str = URL) -> str:
        """Return why MLflow's client cannot begin a run; the server has heard nothing of it."""
        with pytest.raises(MlflowException) as caught:
            self.client(url).create_run("0")
        assert self.server.tokens == []
        return str(caught.value)

    def stand(self, door: Door) -> None:
        """Put the tracking server behind a door, and the bucket beside it."""
        door(self.cloud, self.clock)
        self.cloud.ingress.mount(HOST, self.server)
        self.cloud.ingress.mount(PARTS.removeprefix("https://"), self.server.take_part)
