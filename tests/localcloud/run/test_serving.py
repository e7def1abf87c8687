"""A deployed service runs real processes, and only those who may call it reach them."""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

from tests.localcloud.run.echo import ACCOUNT, PARENT, Caller, service


def test_first(cloud, owner):
    operation = owner.deploy("hello", {**service(), "invokerIamDisabled": True})
    print(operation)
    made = operation["response"]
    answer = cloud.request("GET", made["urls"][0] + "/x?y=1")
    print(answer.status, answer.text[:3000])
    answer = cloud.request("GET", made["uri"] + "/log")
    assert answer.status == 200
