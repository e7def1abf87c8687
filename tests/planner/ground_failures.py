"""What goes wrong with App Engine and networks, as the workflow raises it."""

from typing import Any

from tests.planner.failures import SQL, http, operation, shown

APP = "https://appengine.googleapis.com/v1/apps/p/services/mlflow-demo/versions"
ADDRESSES = "https://compute.googleapis.com/compute/v1/projects/p/global/addresses"
CONNECTIONS = (
    "https://servicenetworking.googleapis.com/v1/services/servicenetworking.googleapis.com"
    "/connections"
)

KNOWN: list[tuple[dict[str, Any], str]] = [
    (
        operation(
            APP,
            "flex_await_healthy: There was an error while pulling the application's docker image: "
            "the image does not exist, or the service account does not have permission to pull it.",
        ),
        "app-engine-image-unreadable",
    ),
    (
        operation(APP, "Timed out waiting for the app infrastructure to become healthy."),
        "app-engine-not-healthy",
    ),
    (
        operation(APP, "Application startup error! Code: APP_CONTAINER_CRASHED"),
        "app-engine-not-healthy",
    ),
    (shown(APP, 'it says "STOPPED"'), "app-engine-not-healthy"),
    (
        http(APP, 409, "Cannot operate on apps/p because an operation is already in progress"),
        "app-engine-busy",
    ),
    (
        http(APP, 404, "Unable to retrieve P4SA: [service-1@gcp-gae-service] from GAIA."),
        "app-engine-agent",
    ),
    (http(APP, 400, "Invalid location 'mars-1' for an application"), "app-engine-place"),
    (
        http(SQL, 400, "The network default doesn't have at least 1 private services connection."),
        "network-not-connected",
    ),
    (
        http(ADDRESSES, 404, "The resource 'projects/p/global/networks/lab' was not found"),
        "network-unknown",
    ),
    (
        http(CONNECTIONS, 404, "The resource 'projects/p/global/networks/lab' was not found"),
        "network-unknown",
    ),
    (http(ADDRESSES, 400, "No range of this size is free."), "range-taken"),
]
