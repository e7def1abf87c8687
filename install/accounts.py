"""The service accounts Berth runs as, and exactly what each may do.

Wherever the API has policies on its resources, the role is bound there; what has to be on the
project is narrowed by a condition or by a role of our own. docs/operations.md has the same as a table.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from install.names import ACCOUNTS, REPOSITORY, Names
from install.rows import Binding, Policy, Resource

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


GRANTABLE = ("roles/cloudsql.client", "roles/logging.logWriter")
"""What the workflow may grant on the project, to the accounts of tracking servers: neither can be
bound on anything smaller."""


@dataclass(frozen=True)
class Right:
    """One role of one account; `on` names one of the policies below."""

    account: str
    role: str
    on: str
    condition: tuple[str, str] | None = None


def rights(names: Names) -> tuple[Right, ...]:
    """Return what each account may do."""
    own = f"projects/{names.project}/roles"
    buckets = f"resource.name.startsWith('projects/_/buckets/{names.project}-mlflow-')"
    secrets = f"resource.name.startsWith('projects/{names.number}/secrets/mlflow-')"
    uploads = "resource.name.startsWith('projects/_/buckets/gcf-v2-')"
    # Google makes this repository with the first function, so nothing can be bound on it before.
    pages = f"resource.name.startsWith('{names.location}/repositories/gae-standard')"
    built = f"resource.name.startsWith('{names.location}/repositories/gcf-artifacts')"
    roles_of_servers = ", ".join(f"'{role}'" for role in GRANTABLE)
    grantable = (
        "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', [])"
        f".hasOnly([{roles_of_servers}])"
    )
    return (
        Right("api", "roles/storage.objectUser", "registry"),
        Right("api", "roles/pubsub.publisher", "topic"),
        Right("api", f"{own}/berthExecutions", "project"),
        Right("api", f"{own}/berthBuildCanceller", "project"),
        Right("api", f"{own}/berthGround", "project"),
        Right("plan", "roles/storage.objectViewer", "registry"),
        Right("credentials", "roles/storage.objectViewer", "registry"),
        Right("credentials", f"{own}/berthDatabaseUsers", "project"),
        Right("credentials", f"{own}/berthSignIn", "project"),
        Right("verify", "roles/storage.objectViewer", "registry"),
        # IAP lets in whoever signs for himself; so verify does, once as a member and once as the
        # stranger. Where Google's own tokens are asked for, it needs one of the stranger's.
        Right("verify", f"{own}/berthSigner", "verify"),
        Right("verify", f"{own}/berthSigner", "stranger"),
        Right("verify", "roles/iam.serviceAccountOpenIdTokenCreator", "stranger"),
        Right("workflow", "roles/storage.objectUser", "registry"),
        Right("workflow", "roles/pubsub.publisher", "topic"),
        Right("workflow", "roles/artifactregistry.reader", "images"),
        Right("workflow", f"{own}/berthImagePolicies", "images"),
        Right("workflow", "roles/iam.serviceAccountUser", "build"),
        Right("workflow", "roles/cloudbuild.builds.editor", "project"),
        Right("workflow", "roles/logging.logWriter", "project"),
        Right("workflow", f"{own}/berthSuccession", "project"),
        Right("workflow", f"{own}/berthServers", "project"),
        Right("workflow", f"{own}/berthDatabases", "project"),
        Right("workflow", f"{own}/berthServiceAccounts", "project"),
        Right("workflow", f"{own}/berthCreator", "project"),
        Right("workflow", f"{own}/berthEntrances", "project"),
        Right("workflow", f"{own}/berthApplications", "project"),
        Right("workflow", f"{own}/berthGround", "project"),
        Right("workflow", f"{own}/berthNetworks", "project"),
        Right("workflow", f"{own}/berthLoadBalancers", "project"),
        Right("workflow", f"{own}/berthRecords", "project"),
        Right("workflow", "roles/storage.admin", "project", ("berth-buckets", buckets)),
        Right("workflow", f"{own}/berthSecrets", "project", ("berth-secrets", secrets)),
        Right(
            "workflow",
            "roles/resourcemanager.projectIamAdmin",
            "project",
            ("berth-grants", grantable),
        ),
        Right("build", "roles/artifactregistry.writer", "images"),
        Right("build", "roles/storage.objectViewer", "source"),
        Right("build", "roles/storage.objectViewer", "project", ("berth-uploads", uploads)),
        Right("build", "roles/artifactregistry.writer", "project", ("berth-functions", built)),
        Right("build", "roles/logging.logWriter", "project"),
        # Google builds even a page without a program, as the account it runs as.
        Right("workflow", "roles/iam.serviceAccountUser", "app-engine"),
        Right("app-engine", "roles/storage.objectViewer", "source"),
        Right("app-engine", "roles/logging.logWriter", "project"),
        Right(
            "app-engine",
            "roles/artifactregistry.createOnPushWriter",
            "project",
            ("berth-pages", pages),
        ),
    )


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


def bindings(names: Names) -> Iterator[Binding]:
    """Yield every right as a binding in the policy it belongs to."""
    places = policies(names)
    for right in rights(names):
        where, policy = places[right.on]
        condition = None
        if right.condition is not None:
            condition = {"title": right.condition[0], "expression": right.condition[1]}
        yield Binding(
            policy=policy,
            where=where,
            role=right.role,
            member=names.member(right.account),
            condition=condition,
        )


def policies(names: Names) -> dict[str, tuple[str, Policy]]:
    """Return the policies that rights are bound in, by short name."""
    projects = f"https://cloudresourcemanager.googleapis.com/v3/projects/{names.project}"
    repository = (
        f"https://artifactregistry.googleapis.com/v1/{names.location}/repositories/{REPOSITORY}"
    )
    accounts = f"https://iam.googleapis.com/v1/projects/{names.project}/serviceAccounts"
    return {
        "project": (
            "the project",
            Policy(
                read_method="POST",
                read_url=f"{projects}:getIamPolicy",
                read_body={"options": {"requestedPolicyVersion": 3}},
                write_method="POST",
                write_url=f"{projects}:setIamPolicy",
            ),
        ),
        "registry": (f"bucket {names.registry}", _bucket(names.registry)),
        "source": (f"bucket {names.source}", _bucket(names.source)),
        "topic": ("the topic", on(f"https://pubsub.googleapis.com/v1/{names.topic}")),
        "images": ("the image repository", on(repository)),
        **{
            name: (
                f"service account berth-{name}",
                on(f"{accounts}/{names.account(name)}", read_method="POST"),
            )
            for name in ("app-engine", "build", "stranger", "verify")
        },
    }


def on(url: str, *, read_method: str = "GET") -> Policy:
    """Return the policy of a resource, as most APIs have it."""
    return Policy(
        read_method=read_method,
        read_url=f"{url}:getIamPolicy?options.requestedPolicyVersion=3",
        write_method="POST",
        write_url=f"{url}:setIamPolicy",
    )


def _bucket(name: str) -> Policy:
    url = f"https://storage.googleapis.com/storage/v1/b/{name}/iam"
    return Policy(
        read_method="GET",
        read_url=f"{url}?optionsRequestedPolicyVersion=3",
        write_method="PUT",
        write_url=url,
        wrap=False,
    )
