"""Methods for other kinds of instances: what Cloud SQL says to an instance that is none of them.

No instance here is a replica, an external primary or a SQL Server, so refusing is the whole answer.
Methods that would be possible and are not built are in no table: the router answers 501 with their name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.sqladmin.names import instance, invalid_request

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.service import Call, Resource

REPLICA = "The instance {name} is not a read replica."
EXTERNAL = "The instance {name} is not a replica of an external primary."
SQL_SERVER = "The operation is only for SQL Server instances; {name} is {version}."
MAINTENANCE = "No maintenance is scheduled for the instance {name}."
NO_KEY = "The instance {name} is not encrypted with a customer-managed key."
INTERNAL_CA = "The server CA mode of the instance {name} is GOOGLE_MANAGED_INTERNAL_CA."

WORDS = {
    "sql.instances.promoteReplica": (REPLICA, "cloudsql.instances.promoteReplica"),
    "sql.instances.switchover": (REPLICA, "cloudsql.instances.switchover"),
    "sql.instances.startReplica": (REPLICA, "cloudsql.instances.startReplica"),
    "sql.instances.stopReplica": (REPLICA, "cloudsql.instances.stopReplica"),
    "sql.projects.instances.resetReplicaSize": (REPLICA, "cloudsql.instances.update"),
    "sql.projects.instances.startExternalSync": (EXTERNAL, "cloudsql.instances.migrate"),
    "sql.projects.instances.verifyExternalSyncSettings": (EXTERNAL, "cloudsql.instances.migrate"),
    "sql.instances.acquireSsrsLease": (SQL_SERVER, "cloudsql.instances.acquireSsrsLease"),
    "sql.instances.releaseSsrsLease": (SQL_SERVER, "cloudsql.instances.releaseSsrsLease"),
    "sql.instances.addEntraIdCertificate": (SQL_SERVER, "cloudsql.instances.update"),
    "sql.instances.RotateEntraIdCertificate": (SQL_SERVER, "cloudsql.instances.update"),
    "sql.instances.ListEntraIdCertificates": (SQL_SERVER, "cloudsql.instances.get"),
    "sql.projects.instances.rescheduleMaintenance": (
        MAINTENANCE,
        "cloudsql.instances.rescheduleMaintenance",
    ),
    "sql.instances.reencrypt": (NO_KEY, "cloudsql.instances.reencrypt"),
    "sql.instances.addServerCertificate": (INTERNAL_CA, "cloudsql.instances.addServerCa"),
    "sql.instances.RotateServerCertificate": (INTERNAL_CA, "cloudsql.instances.rotateServerCa"),
    "sql.instances.ListServerCertificates": (INTERNAL_CA, "cloudsql.instances.listServerCas"),
}
"""Per method: what is said, and the permission without which not even that is."""


def methods() -> dict[str, tuple[Callable[[Call], Resource], str]]:
    """Make the handlers of all these methods."""
    return {method: (_refusing(words), permission) for method, (words, permission) in WORDS.items()}


def resolve(call: Call) -> Resource:
    """Find no instance by a DNS name: those are for Private Service Connect."""
    raise ApiError(404, f"No Cloud SQL instance has the DNS name {call['dnsName']}.")


def _refusing(words: str) -> Callable[[Call], Resource]:
    def refuse(call: Call) -> Resource:
        found = instance(call)
        said = words.format(name=found["name"], version=found["databaseVersion"])
        raise invalid_request(said, "invalidOperation")

    return refuse
