"""IAM: service accounts and their policies; custom and predefined roles."""

from __future__ import annotations

from localcloud.service import Service
from localcloud.services._accounts import ACCOUNT_HANDLERS, ACCOUNT_PERMISSIONS, iam_resource
from localcloud.services._custom_roles import ROLE_HANDLERS, ROLE_PERMISSIONS

SERVICE = Service(
    "iam",
    "v1",
    {**ACCOUNT_HANDLERS, **ROLE_HANDLERS},
    permissions={**ACCOUNT_PERMISSIONS, **ROLE_PERMISSIONS},
    required={
        "iam.projects.serviceAccounts.create": ("accountId",),
        "iam.projects.serviceAccounts.setIamPolicy": ("policy",),
        "iam.projects.roles.create": ("roleId", "role"),
    },
    resource=iam_resource,
)
