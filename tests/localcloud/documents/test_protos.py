"""Google's clients over gRPC, their default, reach the handlers REST reaches, errors and all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.api_core import exceptions
from google.cloud import artifactregistry_v1, functions_v2, logging_v2, run_v2
from google.cloud.devtools import cloudbuild_v1
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2Client
from google.iam.v1 import iam_policy_pb2
from google.longrunning import operations_pb2

from localcloud.clock import RealClock
from localcloud.cloud import OWNER, Cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = "projects/berth-local"
PARENT = f"{PROJECT}/locations/europe-west1"
REPOSITORY = {"format_": "DOCKER"}
_APIS = ("run", "cloudfunctions", "cloudbuild", "artifactregistry", "logging")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A cloud with its doors open."""
    made = Cloud(tmp_path_factory.mktemp("state"), clock=RealClock())
    made.enable(*(f"{api}.googleapis.com" for api in _APIS))
    with made.serve():
        yield made
    made.close()


@pytest.fixture(scope="module")
def channel(cloud: Cloud) -> Iterator[Callable[..., grpc.Channel]]:
    """Opens a channel to an API's own host, as somebody."""
    opened: list[grpc.Channel] = []

    def to(api: str, who: str | None = OWNER) -> grpc.Channel:
        assert cloud.serving is not None
        port = cloud.serving.grpc_port_of(f"{api}.googleapis.com")
        opened.append(grpc.insecure_channel(f"127.0.0.1:{port}"))
        if who is None:
            return opened[-1]
        return grpc.intercept_channel(opened[-1], _Signs(cloud.tokens.access_token(who)))

    yield to
    for one in opened:
        one.close()


class _Signs(grpc.UnaryUnaryClientInterceptor):  # type: ignore[misc]  # grpc ships no types
    """Adds the caller's token, which Google's clients do over TLS only."""

    def __init__(self, token: str) -> None:
        self._token = token

    def intercept_unary_unary(self, going_on: Any, details: Any, request: Any) -> Any:
        """Go on with the token."""
        more = [*(details.metadata or ()), ("authorization", f"Bearer {self._token}")]
        return going_on(details._replace(metadata=more), request)


def client(kind: Any, channel: grpc.Channel) -> Any:
    """Make one of Google's clients on a channel."""
    return kind(transport=kind.get_transport_class("grpc")(channel=channel))


@pytest.fixture(scope="module")
def registry(channel: Callable[..., grpc.Channel]) -> Any:
    """Artifact Registry's client."""
    return client(artifactregistry_v1.ArtifactRegistryClient, channel("artifactregistry"))


@pytest.fixture(scope="module")
def services(channel: Callable[..., grpc.Channel]) -> Any:
    """Cloud Run's client."""
    return client(run_v2.ServicesClient, channel("run"))


def service(**changes: Any) -> run_v2.Service:
    """Return a service of an image that is not there."""
    image = "europe-west1-docker.pkg.dev/berth-local/apps/none:1"
    return run_v2.Service(template={"containers": [{"image": image}], **changes})


def test_operation_is_followed_to_its_end(registry: Any) -> None:
    """A long-running operation's result is the typed resource; the same name again is a conflict."""
    made = registry.create_repository(
        parent=PARENT, repository_id="apps", repository=REPOSITORY
    ).result(timeout=30)

    assert made.name == f"{PARENT}/repositories/apps"
    assert made.create_time is not None
    with pytest.raises(exceptions.AlreadyExists):
        registry.create_repository(parent=PARENT, repository_id="apps", repository=REPOSITORY)


def test_field_masks_and_nested_names_fit(registry: Any) -> None:
    """An update names its resource inside the message, and only what the mask says changes."""
    registry.create_repository(
        parent=PARENT, repository_id="masked", repository={**REPOSITORY, "labels": {"a": "b"}}
    ).result(timeout=30)

    changed = registry.update_repository(
        repository={"name": f"{PARENT}/repositories/masked", "description": "new"},
        update_mask={"paths": ["description"]},
    )

    assert (changed.description, dict(changed.labels)) == ("new", {"a": "b"})


def test_failed_operation_carries_code_and_message(services: Any) -> None:
    """What REST says in an operation's error, the client raises."""
    going = services.create_service(parent=PARENT, service_id="broken", service=service())

    with pytest.raises(exceptions.FailedPrecondition, match="not found"):
        going.result(timeout=30)


def test_dry_run_gives_the_resource_and_leaves_none(services: Any) -> None:
    """Durations, booleans in the query and messages in the body all get through."""
    request = run_v2.CreateServiceRequest(
        parent=PARENT, service_id="dry", service=service(timeout="30s"), validate_only=True
    )

    found = services.create_service(request).result(timeout=30)

    assert found.template.timeout.seconds == 30
    with pytest.raises(exceptions.NotFound):
        services.get_service(name=f"{PARENT}/services/dry")


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda run: run.get_service(name=f"{PARENT}/services/none"), exceptions.NotFound),
        (lambda run: run.get_service(name=""), exceptions.InvalidArgument),
        (lambda run: run.get_service(name="projects/p/nonsense"), exceptions.InvalidArgument),
        (
            lambda run: run.create_service(parent=PARENT, service_id="Bad_", service=service()),
            exceptions.InvalidArgument,
        ),
        (
            lambda run: run.create_service(parent=PARENT, service_id="x", service={}),
            exceptions.InvalidArgument,
        ),
    ],
)
def test_refusals_have_their_codes(
    services: Any, call: Callable[[Any], object], error: type[Exception]
) -> None:
    """Every refusal is the exception Google's client raises for it."""
    with pytest.raises(error):
        call(services)


def test_who_may_not_is_told_which_permission(channel: Callable[..., grpc.Channel]) -> None:
    """The details of an error arrive as details."""
    stranger = client(run_v2.ServicesClient, channel("run", "stranger@example.com"))

    with pytest.raises(exceptions.PermissionDenied, match=r"run\.services\.list") as error:
        list(stranger.list_services(parent=PARENT))
    assert error.value.reason == "IAM_PERMISSION_DENIED"


def test_nobody_is_unauthenticated(channel: Callable[..., grpc.Channel]) -> None:
    """Without a token there is no answer but that."""
    nobody = client(run_v2.ServicesClient, channel("run", None))

    with pytest.raises(exceptions.Unauthenticated):
        nobody.get_service(name=f"{PARENT}/services/x")


def test_what_has_no_handler_is_unimplemented(channel: Callable[..., grpc.Channel]) -> None:
    """A method of the API that is not here says so."""
    pools = client(run_v2.WorkerPoolsClient, channel("run"))

    with pytest.raises(exceptions.MethodNotImplemented):
        list(pools.list_worker_pools(parent=PARENT))


def test_planned_fault_counts_for_grpc_too(cloud: Cloud, services: Any) -> None:
    """There is one pipeline: a fault planned by method id hits whichever door is used."""
    cloud.fail("run.projects.locations.services.list", 429)

    with pytest.raises(exceptions.ResourceExhausted):
        list(services.list_services(parent=PARENT, retry=None))
    assert cloud.unused_faults() == {}


@pytest.mark.parametrize(
    ("api", "path"),
    [
        ("run", "/google.longrunning.Operations/GetOperation"),
        ("artifactregistry", "/google.longrunning.Operations/GetOperation"),
        ("cloudfunctions", "/google.iam.v1.IAMPolicy/GetIamPolicy"),
    ],
)
def test_shared_interfaces_are_the_hosts_own(
    channel: Callable[..., grpc.Channel], api: str, path: str
) -> None:
    """Operations and policies are asked for by the same path everywhere; the host tells which."""
    name = f"{PARENT}/functions/none" if "IAM" in path else f"{PARENT}/operations/none"
    request: Any = operations_pb2.GetOperationRequest(name=name)
    if "IAM" in path:
        request = iam_policy_pb2.GetIamPolicyRequest(resource=name)

    with pytest.raises(grpc.RpcError) as error:
        channel(api).unary_unary(path)(request.SerializeToString())

    assert error.value.code() == grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("api", "path", "code"),
    [
        ("run", "/google.longrunning.Operations/GetOperation", "INVALID_ARGUMENT"),
        ("cloudfunctions", "/google.iam.v1.IAMPolicy/GetIamPolicy", "INVALID_ARGUMENT"),
        ("run", "/google.iam.v1.IAMPolicy/NoSuchMethod", "UNIMPLEMENTED"),
        ("cloudfunctions", "/google.longrunning.Operations/CancelOperation", "UNIMPLEMENTED"),
    ],
)
def test_shared_interfaces_take_names_of_the_host_only(
    channel: Callable[..., grpc.Channel], api: str, path: str, code: str
) -> None:
    """What is no name there is refused as that; what the API does not mix in is not there."""
    # the name is the first field of every such request
    request = operations_pb2.GetOperationRequest(name="projects/berth-local/nonsense")

    with pytest.raises(grpc.RpcError) as error:
        channel(api).unary_unary(path)(request.SerializeToString())

    assert error.value.code() == grpc.StatusCode[code]


def test_method_of_another_api_is_unknown_at_a_host(
    channel: Callable[..., grpc.Channel],
) -> None:
    """A host answers for its own API only."""
    functions = client(functions_v2.FunctionServiceClient, channel("run"))

    with pytest.raises(exceptions.MethodNotImplemented):
        functions.list_runtimes(parent=PARENT)


def test_message_that_is_none_is_refused(channel: Callable[..., grpc.Channel]) -> None:
    """Bytes that are no message end the call, not the door."""
    with pytest.raises(grpc.RpcError) as error:
        channel("run").unary_unary("/google.cloud.run.v2.Services/GetService")(b"\xff\xff\xff")

    assert error.value.code() == grpc.StatusCode.INTERNAL


def test_build_refused_by_name(channel: Callable[..., grpc.Channel]) -> None:
    """Cloud Build's client sees the sentence that names the image."""
    builds = client(cloudbuild_v1.CloudBuildClient, channel("cloudbuild"))

    with pytest.raises(exceptions.InvalidArgument, match="no builder image golang"):
        builds.create_build(project_id="berth-local", build={"steps": [{"name": "golang"}]})
    assert list(builds.list_builds(project_id="berth-local")) == []


def test_logs_written_are_logs_read(channel: Callable[..., grpc.Channel]) -> None:
    """A library without REST rules is answered by the document's: google-cloud-logging."""
    logs = client(LoggingServiceV2Client, channel("logging"))
    name = f"{PROJECT}/logs/mine"
    entry = logging_v2.types.LogEntry(text_payload="hello", severity="ERROR")

    logs.write_log_entries(log_name=name, resource={"type": "global"}, entries=[entry])

    found = list(logs.list_log_entries(resource_names=[PROJECT], filter=f'logName="{name}"'))
    assert [one.text_payload for one in found] == ["hello"]
