"""Cloud Functions v2: functions built from a zip and run as Cloud Run services."""

from localcloud.documents.protos import Protos
from localcloud.errors import not_found
from localcloud.iam.methods import iam_methods
from localcloud.service import Call, Resource, Service, page
from localcloud.services.cloudfunctions import builds, functions, sources
from localcloud.services.run import names

_AT = "cloudfunctions.projects.locations"


def _operation(call: Call) -> Resource:
    name = call.cloud.by_id(call["name"])
    found = call.store.find(name)
    if found is None:
        raise not_found(f"Operation {name} was not found")
    return found


def _operations(call: Call) -> Resource:
    parent = call.cloud.by_id(call["name"])
    return page(call, call.store.children(f"{parent}/operations/"), "operations")


def _runtimes(call: Call) -> Resource:
    del call
    found = [{"name": name, "stage": "GA", "environment": "GEN_2"} for name in builds.RUNTIMES]
    return {"runtimes": found}


_iam_handlers, _iam_permissions = iam_methods(
    f"{_AT}.functions", permission="cloudfunctions.functions", exists=functions.fetch
)

SERVICE = Service(
    "cloudfunctions",
    "v2",
    {
        f"{_AT}.list": names.locations,
        f"{_AT}.runtimes.list": _runtimes,
        f"{_AT}.functions.generateUploadUrl": sources.generate_upload_url,
        f"{_AT}.functions.create": functions.create,
        f"{_AT}.functions.get": functions.get,
        f"{_AT}.functions.list": functions.listed,
        f"{_AT}.functions.patch": functions.patch,
        f"{_AT}.functions.delete": functions.delete,
        f"{_AT}.operations.get": _operation,
        f"{_AT}.operations.list": _operations,
        **_iam_handlers,
    },
    protos=Protos("google.cloud.functions.v2", "google.cloud.functions_v2"),
    permissions={
        f"{_AT}.list": "cloudfunctions.locations.list",
        f"{_AT}.runtimes.list": "cloudfunctions.runtimes.list",
        f"{_AT}.functions.generateUploadUrl": "cloudfunctions.functions.sourceCodeSet",
        f"{_AT}.functions.create": "cloudfunctions.functions.create",
        f"{_AT}.functions.get": "cloudfunctions.functions.get",
        f"{_AT}.functions.list": "cloudfunctions.functions.list",
        f"{_AT}.functions.patch": "cloudfunctions.functions.update",
        f"{_AT}.functions.delete": "cloudfunctions.functions.delete",
        f"{_AT}.operations.get": "cloudfunctions.operations.get",
        f"{_AT}.operations.list": "cloudfunctions.operations.list",
        **_iam_permissions,
    },
    required={f"{_AT}.functions.create": ("buildConfig", "buildConfig.runtime")},
    # The upload URL is one of Cloud Storage's; see sources.UPLOAD.
    hosts=("storage.googleapis.com",),
    on_start=functions.resume,
    extra={sources.UPLOAD: sources.upload},
)

SERVICE_V1 = Service(
    "cloudfunctions",
    "v1",
    {
        # gcloud asks v1 where functions can be, and which are of the first generation: none
        "cloudfunctions.projects.locations.list": names.locations,
        "cloudfunctions.projects.locations.functions.list": lambda call: page(
            call, [], "functions"
        ),
    },
    permissions={
        "cloudfunctions.projects.locations.list": "cloudfunctions.locations.list",
        "cloudfunctions.projects.locations.functions.list": "cloudfunctions.functions.list",
    },
)
