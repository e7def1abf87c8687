"""Identity-Aware Proxy: policies and settings of what it guards; the table of its methods.

The OAuth Admin API (brands and clients) was shut down: its methods still stand in the document, and
answer with a refusal (cloud.google.com/iap/docs/deprecations/migrate-oauth-client).
"""

from localcloud.service import PUBLIC, Service
from localcloud.services.iap import oauth_clients, policies, redirect, settings

__all__ = ["SERVICE", "SERVICE_V1BETA1"]

_POLICIES = {
    "iap.getIamPolicy": policies.get,
    "iap.setIamPolicy": policies.replace,
    "iap.testIamPermissions": policies.test,
}
_SETTINGS = {
    "iap.getIapSettings": settings.get,
    "iap.updateIapSettings": settings.update,
}
_BRANDS = "iap.projects.brands"
_GONE = dict.fromkeys(
    (
        f"{_BRANDS}.create",
        f"{_BRANDS}.get",
        f"{_BRANDS}.list",
        f"{_BRANDS}.identityAwareProxyClients.create",
        f"{_BRANDS}.identityAwareProxyClients.delete",
        f"{_BRANDS}.identityAwareProxyClients.get",
        f"{_BRANDS}.identityAwareProxyClients.list",
        f"{_BRANDS}.identityAwareProxyClients.resetSecret",
    ),
    oauth_clients.gone,
)

# Which permission is needed hangs on the kind of resource, so the handlers ask for it.
SERVICE = Service(
    "iap",
    "v1",
    {**_POLICIES, **_SETTINGS, **_GONE},
    permissions=dict.fromkeys((*_POLICIES, *_SETTINGS, *_GONE), PUBLIC),
    extra={"GET /v1/oauth/clientIds/{client}:handleRedirect": redirect.handle},
)

SERVICE_V1BETA1 = Service(
    "iap",
    "v1beta1",
    _POLICIES,
    permissions=dict.fromkeys(_POLICIES, PUBLIC),
)
