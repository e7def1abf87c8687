"""Resource Manager: the one project there is, and its policy, in v1 and in v3."""

from __future__ import annotations

from localcloud.documents.protos import Protos
from localcloud.iam import ORGANIZATION, iam_methods
from localcloud.listing import filtered
from localcloud.service import PUBLIC, Call, Resource, Service, page


def get_v3(call: Call) -> Resource:
    """Show the project as v3 writes it."""
    stored = call.store.fetch(f"projects/{call.cloud.project}")
    return {
        "name": f"projects/{call.cloud.number}",
        "projectId": call.cloud.project,
        "displayName": call.cloud.project,
        "state": "ACTIVE",
        "createTime": stored["createTime"],
        "updateTime": stored["createTime"],
        "etag": 'W/"local"',
    }


def get_v1(call: Call) -> Resource:
    """Show the project as v1 writes it."""
    stored = call.store.fetch(f"projects/{call.cloud.project}")
    return {
        "projectNumber": call.cloud.number,
        "projectId": call.cloud.project,
        "name": call.cloud.project,
        "lifecycleState": "ACTIVE",
        "createTime": stored["createTime"],
    }


def list_v1(call: Call) -> Resource:
    """List the projects the caller may see."""
    return page(call, filtered(_visible(call, get_v1(call)), call.get("filter")), "projects")


def search_v3(call: Call) -> Resource:
    """Search the projects the caller may see."""
    return page(call, filtered(_visible(call, get_v3(call)), call.get("query")), "projects")


def ancestry_v1(call: Call) -> Resource:
    """Say what the project is in: the organisation, without folders between."""
    organization = ORGANIZATION.rpartition("/")[2]
    return {
        "ancestor": [
            {"resourceId": {"type": "project", "id": call.cloud.project}},
            {"resourceId": {"type": "organization", "id": organization}},
        ]
    }


def _visible(call: Call, project: Resource) -> list[Resource]:
    name = f"projects/{call.cloud.project}"
    allowed = call.cloud.iam.allowed(
        call.caller.member, "resourcemanager.projects.get", "cloudresourcemanager", name
    )
    return [project] if allowed else []


def project_name(call: Call) -> str:
    """Find the project a call is about; v1 names it without ``projects/``."""
    name = str(call.get("name") or call.get("resource") or call.get("projectId") or "")
    full = name if name.startswith("projects/") else f"projects/{name or call.cloud.project}"
    return call.cloud.by_id(full)


_HANDLERS, _PERMISSIONS = iam_methods(
    "cloudresourcemanager.projects",
    permission="resourcemanager.projects",
    exists=project_name,
    public=False,
)

SERVICE_V1 = Service(
    "cloudresourcemanager",
    "v1",
    {
        "cloudresourcemanager.projects.get": get_v1,
        "cloudresourcemanager.projects.getAncestry": ancestry_v1,
        "cloudresourcemanager.projects.list": list_v1,
        **_HANDLERS,
    },
    permissions={
        "cloudresourcemanager.projects.get": "resourcemanager.projects.get",
        "cloudresourcemanager.projects.getAncestry": "resourcemanager.projects.get",
        "cloudresourcemanager.projects.list": PUBLIC,
        **_PERMISSIONS,
    },
    required={"cloudresourcemanager.projects.setIamPolicy": ("policy",)},
    resource=project_name,
)

SERVICE_V3 = Service(
    "cloudresourcemanager",
    "v3",
    {
        "cloudresourcemanager.projects.get": get_v3,
        "cloudresourcemanager.projects.search": search_v3,
        **_HANDLERS,
    },
    protos=Protos("google.cloud.resourcemanager.v3", "google.cloud.resourcemanager_v3"),
    permissions={
        "cloudresourcemanager.projects.get": "resourcemanager.projects.get",
        "cloudresourcemanager.projects.search": PUBLIC,
        **_PERMISSIONS,
    },
    required={"cloudresourcemanager.projects.setIamPolicy": ("policy",)},
    resource=project_name,
)
