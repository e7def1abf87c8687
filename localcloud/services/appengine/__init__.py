"""App Engine Admin API v1: the application, its services and versions; the table of its methods.

Versions of the flexible environment run a container of Artifact Registry; of the standard one only
static files are served, which is what a placeholder of the service ``default`` needs.
"""

from localcloud.service import Service
from localcloud.services.appengine import (
    applications,
    firewall,
    instances,
    locations,
    names,
    operations,
    services,
    traffic,
    versions,
)

__all__ = ["SERVICE"]

_APPS = "appengine.apps"
_VERSIONS = f"{_APPS}.services.versions"
_RULES = f"{_APPS}.firewall.ingressRules"

_METHODS = {
    f"{_APPS}.create": (applications.create, "appengine.applications.create"),
    f"{_APPS}.get": (applications.get, "appengine.applications.get"),
    f"{_APPS}.patch": (applications.patch, "appengine.applications.update"),
    f"{_APPS}.repair": (applications.repair, "appengine.applications.update"),
    f"{_APPS}.locations.get": (locations.get, "appengine.applications.get"),
    f"{_APPS}.locations.list": (locations.listed, "appengine.applications.get"),
    f"{_APPS}.operations.get": (operations.get, "appengine.operations.get"),
    f"{_APPS}.operations.list": (operations.listed, "appengine.operations.list"),
    f"{_APPS}.services.get": (services.get, "appengine.services.get"),
    f"{_APPS}.services.list": (services.listed, "appengine.services.list"),
    f"{_APPS}.services.patch": (traffic.patch, "appengine.services.update"),
    f"{_APPS}.services.delete": (services.delete, "appengine.services.delete"),
    f"{_VERSIONS}.create": (versions.create, "appengine.versions.create"),
    f"{_VERSIONS}.get": (versions.get, "appengine.versions.get"),
    f"{_VERSIONS}.list": (versions.listed, "appengine.versions.list"),
    f"{_VERSIONS}.patch": (versions.patch, "appengine.versions.update"),
    f"{_VERSIONS}.delete": (versions.delete, "appengine.versions.delete"),
    f"{_VERSIONS}.instances.get": (instances.get, "appengine.instances.get"),
    f"{_VERSIONS}.instances.list": (instances.listed, "appengine.instances.list"),
    f"{_VERSIONS}.instances.delete": (instances.delete, "appengine.instances.delete"),
    f"{_RULES}.batchUpdate": (firewall.batch_update, "appengine.applications.update"),
    f"{_RULES}.create": (firewall.create, "appengine.applications.update"),
    f"{_RULES}.delete": (firewall.delete, "appengine.applications.update"),
    f"{_RULES}.get": (firewall.get, "appengine.applications.get"),
    f"{_RULES}.list": (firewall.listed, "appengine.applications.get"),
    f"{_RULES}.patch": (firewall.patch, "appengine.applications.update"),
}

SERVICE = Service(
    "appengine",
    "v1",
    {method: handler for method, (handler, _) in _METHODS.items()},
    permissions={method: permission for method, (_, permission) in _METHODS.items()},
    resource=names.resource,
)
