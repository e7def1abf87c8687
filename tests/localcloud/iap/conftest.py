"""A cloud on paper with one service behind IAP, a member and a training account."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import Cloud
from localcloud.services import iap, run, secretmanager, serviceusage
from localcloud.services import logging as cloudlogging
from tests.localcloud.iap.guarded import AGENT, HOST, MEMBER, TRAINER, admit, echo, put_up
from tests.localcloud.run.echo import ACCOUNT, PARENT, Caller, add_account, build

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def clock() -> VirtualClock:
    """Time under the test's control."""
    return VirtualClock()


@pytest.fixture
def bare(tmp_path: Path, clock: VirtualClock) -> Iterator[Cloud]:
    """A cloud with the service, and IAP's own account not made yet."""
    apis = [
        serviceusage.SERVICE,
        serviceusage.SERVICE_V1BETA1,
        *(module.SERVICE for module in (cloudlogging, iap, run, secretmanager)),
        iap.SERVICE_V1BETA1,
    ]
    made = Cloud(tmp_path / "state", clock=clock, only=apis)
    made.enable("run.googleapis.com", "iap.googleapis.com", "secretmanager.googleapis.com")
    add_account(made, ACCOUNT)
    add_account(made, TRAINER)
    build(made, tmp_path)
    put_up(Caller(made))
    clock.run_until_idle()
    made.ingress.mount(HOST, echo)
    yield made
    made.close()


@pytest.fixture
def cloud(bare: Cloud, clock: VirtualClock) -> Cloud:
    """A cloud whose service a member and a training account may enter."""
    owner = Caller(bare)
    owner(
        "POST",
        "https://serviceusage.googleapis.com/v1beta1/projects/123456789012/services/"
        "iap.googleapis.com:generateServiceIdentity",
    )
    clock.run_until_idle()
    full = f"//run.googleapis.com/{PARENT}/services/hello"
    bare.grant(f"serviceAccount:{AGENT}", "roles/run.invoker", on=full)
    assert admit(owner, f"user:{MEMBER}", f"serviceAccount:{TRAINER}").status == 200
    return bare


@pytest.fixture
def owner(bare: Cloud) -> Caller:
    """The project's owner."""
    return Caller(bare)
