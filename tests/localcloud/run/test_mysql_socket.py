"""A container logs in to a real MySQL instance through its Cloud SQL volume."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.machines.databases.contract import Login
from localcloud.machines.databases.mysql_programs import Programs
from tests.localcloud.run.echo import ACCOUNT, Caller
from tests.localcloud.run.test_volumes import read, with_volume

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

MISSING = Programs().refusal("MYSQL_8_4")
CLIENT = shutil.which("mariadb")
pytestmark = [
    pytest.mark.skipif(MISSING is not None, reason=MISSING or ""),
    pytest.mark.skipif(CLIENT is None, reason="no client mariadb: install mariadb-client-core"),
]

SQL = "berth-local:europe-west1:shop"
LOGIN = f"mariadb --no-defaults -S /cloudsql/{SQL} -u app"


def test_a_container_logs_in_with_a_password(cloud: Cloud, owner: Caller) -> None:
    """MySQL's clients take /cloudsql/P:R:I for the socket; only the password opens it."""
    instance = {"name": "shop", "databaseVersion": "MYSQL_8_4"}
    cloud.store.of("sqladmin").put("projects/berth-local/instances/shop", instance)
    cloud.grant(f"serviceAccount:{ACCOUNT}", "roles/cloudsql.client")
    databases: Any = cloud.machines.databases
    databases.create(SQL, "MYSQL_8_4", options={})
    databases.set_user(SQL, Login("app", password="secret"))
    body = with_volume({"cloudSqlInstance": {"instances": [SQL]}}, "/cloudsql")
    body["template"]["containers"][0]["command"] = ["sh", "-c"]
    start = f"{LOGIN} -psecret -Ne 'SELECT CURRENT_USER()' > /tmp/said 2>&1; "
    start += f"{LOGIN} -pwrong -e 'SELECT 1' > /tmp/denied 2>&1; exec python3 -S /app/serve.py"
    body["template"]["containers"][0]["args"] = [start]
    try:
        owner.deploy("hello", body)

        assert read(cloud, "/tmp/said").endswith("app@%\n")  # noqa: S108 - inside the box
        assert "Access denied" in read(cloud, "/tmp/denied")  # noqa: S108 - inside the box
    finally:
        databases.delete(SQL)
