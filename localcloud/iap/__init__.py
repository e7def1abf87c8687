"""Identity-Aware Proxy: who may pass to what stands behind it, and with which identity.

``authorize`` is all that a front end needs: Cloud Run's, App Engine's, a load balancer's.
"""

from localcloud.iap.gate import authorize
from localcloud.iap.guarded import (
    Admitted,
    Asked,
    Guarded,
    Refusal,
    agent,
    app_engine,
    backend_service,
    cloud_run,
)

__all__ = [
    "Admitted",
    "Asked",
    "Guarded",
    "Refusal",
    "agent",
    "app_engine",
    "authorize",
    "backend_service",
    "cloud_run",
]
