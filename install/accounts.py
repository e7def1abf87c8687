"""The service accounts Berth runs as."""

from collections.abc import Iterator

from install.names import ACCOUNTS, Names
from install.rows import Resource

PURPOSES = {
    "api": "Berth: answers requests, starts workflows",
    "plan": "Berth: compiles the parts of a deployment",
    "credentials": "Berth: makes passwords and database users",
    "verify": "Berth: proves that a deployment works",
    "stranger": "Berth: may enter nowhere; verify proves with it that others cannot",
    "workflow": "Berth: makes and removes the resources of deployments",
    "build": "Berth: builds images and functions",
    "app-engine": "Berth: what the App Engine application and its first page run as",
}
DESCRIPTION = "managed-by=berth"


def accounts(names: Names) -> Iterator[Resource]:
    """Yield the service accounts."""
    base = f"https://iam.googleapis.com/v1/projects/{names.project}/serviceAccounts"
    for name in ACCOUNTS:
        account = {"displayName": PURPOSES[name], "description": DESCRIPTION}
        yield Resource(
            title=f"service account berth-{name}",
            url=f"{base}/{names.account(name)}",
            wanted=account,
            mark={"description": DESCRIPTION},
            create_url=base,
            create_body={"accountId": f"berth-{name}", "serviceAccount": account},
            update_url=f"{base}/{names.account(name)}",
            update_body={"serviceAccount": account, "updateMask": "displayName,description"},
        )
