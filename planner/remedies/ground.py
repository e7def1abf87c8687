"""Remedies for what lies below a server: the App Engine application, and networks."""

from planner.remedies.remedy import AGAIN, INSTALL, Remedy

GROUND = (
    Remedy(
        kind="app-engine-image-unreadable",
        title="App Engine may not pull the image",
        api=r"^appengine\.",
        says=r"pulling the application's docker image",
        resumable=True,
        remedy="The server's account was let to the image repository minutes before, and Google did "
        "not know it yet. " + AGAIN,
    ),
    Remedy(
        kind="app-engine-not-healthy",
        title="The server does not become healthy on App Engine",
        api=r"^appengine\.",
        says=r"become healthy|APP_CONTAINER_CRASHED|application startup error|says \"STOPPED\"",
        resumable=True,
        remedy="Read the log of the version: its last lines say why. If nothing is there at all, "
        "the machines may have no way out of their network, or a firewall keeps Google's health "
        "checks from them. " + AGAIN,
    ),
    Remedy(
        kind="app-engine-busy",
        title="The App Engine application is busy",
        api=r"^appengine\.",
        says=r"already in progress",
        status=503,
        resumable=True,
        remedy="An application carries out one change at a time, and was not done with the others "
        "after half an hour. Send the same request again later.",
    ),
    Remedy(
        kind="app-engine-agent",
        title="App Engine's own account is not there yet",
        api=r"^appengine\.",
        says=r"unable to retrieve P4SA|CloudGaia",
        resumable=True,
        remedy="Google makes it when the API is switched on, which takes up to ten minutes; and "
        f"berth-app-engine must not be disabled. {INSTALL}. {AGAIN}",
    ),
    Remedy(
        kind="app-engine-place",
        title="App Engine is not in this region",
        api=r"^appengine\.",
        says=r"invalid location",
        status=400,
        remedy="Ask for another region, or for serving.platform cloud_run.",
    ),
    Remedy(
        kind="network-not-connected",
        title="The network is not connected with Google's services",
        api=r"^sqladmin\.",
        says=r"private services connection|NETWORK_NOT_PEERED",
        resumable=True,
        remedy="The connection was made minutes before, or somebody has taken it away. " + AGAIN,
    ),
    Remedy(
        kind="network-unknown",
        title="There is no such network",
        api=r"^(compute|servicenetworking)\.",
        says=r"networks/\S+ was not found",
        status=400,
        remedy="Name a VPC network of this project in network.name: "
        "gcloud compute networks list shows them.",
    ),
    Remedy(
        kind="range-taken",
        title="No addresses are left for a range",
        api=r"^compute\.",
        says=r"overlaps with|conflicts with the range|no range of this size",
        status=409,
        remedy="Ask who looks after the network to free a /20, or ask for another network.",
    ),
)
