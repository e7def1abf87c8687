"""IAM: service accounts, their keys and policies; custom and predefined roles."""

from __future__ import annotations

from localcloud.documents.protos import Protos
from localcloud.service import Service
from localcloud.services.iam.account_keys import KEY_HANDLERS, KEY_PERMISSIONS
from localcloud.services.iam.accounts import ACCOUNT_HANDLERS, ACCOUNT_PERMISSIONS, iam_resource
from localcloud.services.iam.custom_roles import ROLE_HANDLERS, ROLE_PERMISSIONS

_RPCS = {
    "ListServiceAccounts": "iam.projects.serviceAccounts.list",
    "GetServiceAccount": "iam.projects.serviceAccounts.get",
    "CreateServiceAccount": "iam.projects.serviceAccounts.create",
    "PatchServiceAccount": "iam.projects.serviceAccounts.patch",
    "DeleteServiceAccount": "iam.projects.serviceAccounts.delete",
    "UndeleteServiceAccount": "iam.projects.serviceAccounts.undelete",
    "EnableServiceAccount": "iam.projects.serviceAccounts.enable",
    "DisableServiceAccount": "iam.projects.serviceAccounts.disable",
    "ListServiceAccountKeys": "iam.projects.serviceAccounts.keys.list",
    "GetServiceAccountKey": "iam.projects.serviceAccounts.keys.get",
    "CreateServiceAccountKey": "iam.projects.serviceAccounts.keys.create",
    "DeleteServiceAccountKey": "iam.projects.serviceAccounts.keys.delete",
    "SetIamPolicy": "iam.projects.serviceAccounts.setIamPolicy",
    "GetIamPolicy": "iam.projects.serviceAccounts.getIamPolicy",
    "TestIamPermissions": "iam.projects.serviceAccounts.testIamPermissions",
    "ListRoles": "iam.roles.list",
    "CreateRole": "iam.projects.roles.create",
    "UpdateRole": "iam.projects.roles.patch",
    "DeleteRole": "iam.projects.roles.delete",
    "UndeleteRole": "iam.projects.roles.undelete",
}

SERVICE = Service(
    "iam",
    "v1",
    {**ACCOUNT_HANDLERS, **KEY_HANDLERS, **ROLE_HANDLERS},
    protos=Protos("google.iam.admin.v1", "google.cloud.iam_admin_v1", _RPCS),
    permissions={**ACCOUNT_PERMISSIONS, **KEY_PERMISSIONS, **ROLE_PERMISSIONS},
    required={
        "iam.projects.serviceAccounts.create": ("accountId",),
        "iam.projects.serviceAccounts.setIamPolicy": ("policy",),
        "iam.projects.serviceAccounts.keys.upload": ("publicKeyData",),
        "iam.projects.roles.create": ("roleId", "role"),
    },
    resource=iam_resource,
)
