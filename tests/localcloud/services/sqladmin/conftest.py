"""Google's Cloud SQL client over a local cloud of paper, and an instance that is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud import wire
from tests.localcloud.services.sqladmin.sql_instances import P, body

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud


@pytest.fixture
def sql(cloud: Cloud) -> Any:
    """Return Google's client with the API enabled."""
    cloud.enable("sqladmin.googleapis.com")
    return wire.client(cloud, "sqladmin", "v1")


@pytest.fixture
def pool(sql: Any, clock: VirtualClock) -> Any:
    """Return the client with an instance that is ready."""
    sql.instances().insert(project=P, body=body()).execute()
    clock.run_until_idle()
    return sql
