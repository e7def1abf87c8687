"""The roles of our own: what the accounts need where Google's roles would give more."""

from collections.abc import Iterator, Mapping

from install.names import Names
from install.rows import Resource

SECRET_PERMISSIONS = (
    "secretmanager.secrets.delete",
    "secretmanager.secrets.get",
    "secretmanager.secrets.getIamPolicy",
    "secretmanager.secrets.setIamPolicy",
    "secretmanager.secrets.update",
    "secretmanager.versions.get",
)
"""Everything about a secret but its value: `secretmanager.versions.access` is missing on purpose."""

PARTS_OF_A_LOAD_BALANCER = {
    "backendServices": ("create", "delete", "get", "setSecurityPolicy", "use"),
    "globalAddresses": ("create", "delete", "get", "use"),
    "globalForwardingRules": ("create", "delete", "get"),
    "globalOperations": ("get",),
    "regionNetworkEndpointGroups": ("create", "delete", "get", "use"),
    "regionOperations": ("get",),
    "securityPolicies": ("create", "delete", "get", "use"),
    "targetHttpsProxies": ("create", "delete", "get", "use"),
    "urlMaps": ("create", "delete", "get", "use"),
}

PARTS_OF_A_CERTIFICATE = {
    "certmapentries": ("create", "delete", "get"),
    "certmaps": ("create", "delete", "get", "use"),
    "certs": ("create", "delete", "get", "use"),
    "dnsauthorizations": ("create", "delete", "get", "use"),
    "operations": ("get",),
}


def _each(api: str, table: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(f"{api}.{kind}.{verb}" for kind, verbs in table.items() for verb in verbs)


CUSTOM_ROLES: dict[str, tuple[str, tuple[str, ...]]] = {
    "berthBuildCanceller": (
        "Berth: cancel builds",
        ("cloudbuild.builds.get", "cloudbuild.builds.list", "cloudbuild.builds.update"),
    ),
    "berthExecutions": (
        "Berth: start, watch and cancel executions",
        (
            "workflows.executions.cancel",
            "workflows.executions.create",
            "workflows.executions.get",
        ),
    ),
    "berthSuccession": (
        "Berth: see whether an execution runs, and start the next one",
        ("workflows.executions.create", "workflows.executions.get"),
    ),
    "berthDatabaseUsers": (
        "Berth: database users and their rights",
        (
            "cloudsql.instances.executeSql",
            "cloudsql.instances.get",
            "cloudsql.instances.login",
            "cloudsql.users.create",
            "cloudsql.users.get",
            "cloudsql.users.list",
            "cloudsql.users.update",
        ),
    ),
    "berthDatabases": (
        "Berth: instances, databases and the removal of users",
        (
            "cloudsql.databases.create",
            "cloudsql.databases.delete",
            "cloudsql.databases.get",
            "cloudsql.instances.create",
            "cloudsql.instances.delete",
            "cloudsql.instances.get",
            "cloudsql.instances.update",
            "cloudsql.users.create",
            "cloudsql.users.delete",
            "cloudsql.users.get",
        ),
    ),
    "berthServiceAccounts": (
        "Berth: the accounts of tracking servers",
        (
            "iam.serviceAccounts.create",
            "iam.serviceAccounts.delete",
            "iam.serviceAccounts.get",
            "iam.serviceAccounts.getIamPolicy",
            "iam.serviceAccounts.setIamPolicy",
        ),
    ),
    "berthSigner": ("Berth: sign tokens as one account, for IAP", ("iam.serviceAccounts.signJwt",)),
    "berthImagePolicies": (
        "Berth: let a server's account pull the images",
        (
            "artifactregistry.repositories.getIamPolicy",
            "artifactregistry.repositories.setIamPolicy",
        ),
    ),
    "berthEntrances": (
        "Berth: who may pass Identity-Aware Proxy, and the removal of its settings",
        (
            "iap.webServices.getIamPolicy",
            "iap.webServices.getSettings",
            "iap.webServices.setIamPolicy",
            "iap.webServices.updateSettings",
        ),
    ),
    "berthSignIn": (
        "Berth: the OAuth client that Identity-Aware Proxy signs people in with",
        ("iap.webServices.getSettings", "iap.webServices.updateSettings"),
    ),
    "berthApplications": (
        "Berth: the App Engine application, its services and versions",
        (
            "appengine.applications.create",
            "appengine.applications.get",
            "appengine.operations.get",
            "appengine.operations.list",
            "appengine.services.delete",
            "appengine.services.get",
            "appengine.services.update",
            "appengine.versions.create",
            "appengine.versions.get",
        ),
    ),
    "berthNetworks": (
        "Berth: the way to databases with private addresses",
        (
            "compute.globalAddresses.create",
            "compute.globalAddresses.createInternal",
            "compute.globalAddresses.get",
            "compute.globalOperations.get",
            "compute.networks.use",
            "servicenetworking.operations.get",
            "servicenetworking.services.addPeering",
            "servicenetworking.services.get",
        ),
    ),
    "berthLoadBalancers": (
        "Berth: load balancers and their certificates",
        (
            *_each("compute", PARTS_OF_A_LOAD_BALANCER),
            *_each("certificatemanager", PARTS_OF_A_CERTIFICATE),
        ),
    ),
    "berthGround": (
        "Berth: see what requests are built upon",
        (
            "appengine.applications.get",
            "compute.globalAddresses.get",
            "compute.networks.get",
            "compute.subnetworks.get",
            "dns.managedZones.get",
            "dns.resourceRecordSets.get",
            "secretmanager.versions.get",
        ),
    ),
    "berthRecords": (
        "Berth: DNS records",
        (
            "dns.changes.create",
            "dns.resourceRecordSets.create",
            "dns.resourceRecordSets.delete",
            "dns.resourceRecordSets.get",
        ),
    ),
    "berthCreator": (
        "Berth: create buckets and secrets",
        ("secretmanager.secrets.create", "storage.buckets.create"),
    ),
    "berthSecrets": ("Berth: secrets without their values", SECRET_PERMISSIONS),
    "berthServers": (
        "Berth: Cloud Run services and jobs",
        (
            "run.jobs.create",
            "run.jobs.delete",
            "run.jobs.get",
            "run.jobs.run",
            "run.jobs.update",
            "run.operations.get",
            "run.services.create",
            "run.services.delete",
            "run.services.get",
            "run.services.getIamPolicy",
            "run.services.setIamPolicy",
            "run.services.update",
        ),
    ),
}


def roles(names: Names) -> Iterator[Resource]:
    """Yield the roles of our own."""
    base = f"https://iam.googleapis.com/v1/projects/{names.project}/roles"
    for role_id, (title, permissions) in CUSTOM_ROLES.items():
        role = {"title": title, "includedPermissions": sorted(permissions), "stage": "GA"}
        yield Resource(
            title=f"role {role_id}",
            url=f"{base}/{role_id}",
            wanted=role,
            create_url=base,
            create_body={"roleId": role_id, "role": role},
            update_url=f"{base}/{role_id}?updateMask=title,includedPermissions,stage",
        )
