"""A program with Google's Cloud SQL Admin client, which speaks gRPC alone; says what it saw.

Run as a process of its own, with the default credentials of its environment.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from google.api_core import exceptions
from google.cloud import sqladmin_v1 as sql

P = "berth-local"


def done(operation: Any) -> Any:
    """Wait for an operation."""
    asked = sql.SqlOperationsGetRequest(project=P, operation=operation.name)
    for _ in range(600):
        found = sql.SqlOperationsServiceClient().get(request=asked)
        if found.status.name == "DONE":
            return found
        time.sleep(0.05)
    raise TimeoutError(operation.name)


def refusal(call: Any) -> list[str]:
    """Say how a call is refused."""
    try:
        call()
    except exceptions.GoogleAPICallError as error:
        return [type(error).__name__, str(error.message)]
    return ["answered"]


if __name__ == "__main__":
    instances = sql.SqlInstancesServiceClient()
    settings = sql.Settings(tier="db-g1-small", edition="ENTERPRISE", user_labels={"a": "b"})
    body = sql.DatabaseInstance(
        name="pool", region="europe-west1", database_version="POSTGRES_18", settings=settings
    )
    made = done(instances.insert(request=sql.SqlInstancesInsertRequest(project=P, body=body)))
    found = instances.get(request=sql.SqlInstancesGetRequest(project=P, instance="pool"))
    users = sql.SqlUsersServiceClient()
    backups = sql.SqlBackupsServiceClient()
    done(backups.create_backup(parent=f"projects/{P}", backup=sql.Backup(instance="pool")))
    asked = sql.GetConnectSettingsRequest(project=P, instance="pool")
    other = sql.SqlInstancesGetRequest(project=P, instance="other")
    replica = sql.SqlInstancesPromoteReplicaRequest(project=P, instance="pool")
    seen = {
        "operation": [made.operation_type.name, made.target_id],
        "instance": [found.state.name, dict(found.settings.user_labels)],
        "users": [
            one.name
            for one in users.list(request=sql.SqlUsersListRequest(project=P, instance="pool")).items
        ],
        "backups": [one.type_.name for one in backups.list_backups(parent=f"projects/{P}")],
        "connect": sql.SqlConnectServiceClient().get_connect_settings(request=asked).region,
        "refusals": [
            refusal(lambda: instances.get(request=other)),
            refusal(lambda: instances.promote_replica(request=replica)),
        ],
    }
    sys.stdout.write(json.dumps(seen))
