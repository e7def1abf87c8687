"""What the Cloud Run API refuses: bodies that make no sense, and callers without the right."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.localcloud.run.echo import ACCOUNT, IMAGE, PARENT, Caller, service

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

NAME = f"{PARENT}/services/hello"


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return a service with one field set; ``path`` is dotted, numbers are list indexes."""
    body: Any = json.loads(json.dumps(service()))
    target: Any = body
    *above, last = path.split(".")
    for part in above:
        target = target[int(part)] if part.isdigit() else target.setdefault(part, {})
    target[last] = value
    return dict(body)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("labels", {"run.googleapis.com/x": "1"}, "run.googleapis.com"),
        ("annotations", {"autoscaling.knative.dev/minScale": "1"}, "autoscaling.knative.dev"),
        ("template.annotations", {"serving.knative.dev/x": "1"}, "serving.knative.dev"),
        ("template.annotations", {"sub.cloud.googleapis.com/x": "1"}, "cloud.googleapis.com"),
        ("template.timeout", "3601s", "at most 3600"),
        ("template.timeout", "five", "uration"),
        ("template.containers", [], "at least one container"),
        ("template.containers.0.image", "", "image: must be set"),
        ("template.containers.0.env", [{"name": "PORT", "value": "1"}], "reserved env names"),
        ("template.containers.0.env", [{"name": "A"}, {"name": "A"}], "only once"),
        (
            "template.containers.0.env",
            [{"name": "A", "valueSource": {"secretKeyRef": {"secret": "s", "version": "new"}}}],
            "version number or 'latest'",
        ),
        ("template.containers.0.volumeMounts", [{"name": "x", "mountPath": "/x"}], "no volume"),
        ("template.containers.0.resources", {"limits": {"disk": "1"}}, "only cpu and memory"),
        ("template.containers.0.resources", {"limits": {"cpu": "3"}}, "for cpu: 3"),
        ("template.containers.0.resources", {"limits": {"cpu": "4"}}, "at least 2Gi"),
        ("template.containers.0.resources", {"limits": {"memory": "1X"}}, "for memory"),
        ("template.containers.0.resources", {"limits": {"memory": "5Gi"}}, "128Mi and 4Gi"),
        (
            "template.containers.0.resources",
            {"limits": {"cpu": "2000m", "memory": "9Gi"}},
            "128Mi and 8Gi",
        ),
        ("template.maxInstanceRequestConcurrency", 1001, "between 0 and 1000"),
        ("template.maxInstanceRequestConcurrency", -1, "between 0 and 1000"),
        ("template.containers.0.ports", [{"containerPort": 1}, {"containerPort": 2}], "single"),
        ("template.containers.0.ports", [{"name": "h3"}], "http1 or h2c"),
        ("template.containers.0.dependsOn", ["other"], "no other container"),
        ("template.containers.0.startupProbe", {"periodSeconds": 5}, "exactly one of"),
        (
            "template.containers.0.startupProbe",
            {"tcpSocket": {}, "periodSeconds": 2, "timeoutSeconds": 3},
            "timeout_seconds",
        ),
        (
            "template.containers.0.startupProbe",
            {"tcpSocket": {}, "periodSeconds": 10, "failureThreshold": 25},
            "at most 240",
        ),
        ("template.volumes", [{"name": "v"}], "exactly one source"),
        ("template.volumes", [{"emptyDir": {}}], "name: must be set"),
        (
            "template.volumes",
            [{"name": "v", "cloudSqlInstance": {"instances": ["pool"]}}],
            "no connection name",
        ),
        (
            "template.volumes",
            [{"name": "v", "secret": {"secret": "s", "items": [{"path": "../x"}]}}],
            "relative path",
        ),
        ("template.revision", "other-1", "start with the service's name"),
        ("template.nope", 1, "Cannot find field"),
        ("ingress", "INGRESS_TRAFFIC_SOME", "ingress"),
        ("traffic", [{"percent": 60}], "add up to 100"),
        (
            "traffic",
            [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "percent": 100,
              "revision": "hello-00009-xyz"}],
            "does not exist",
        ),
        ("description", "x" * 513, "512"),
    ],
)  # fmt: skip
def test_bad_service_is_refused(owner: Caller, path: str, value: Any, said: str) -> None:
    """What Cloud Run would refuse is refused, with 400 and the field's name."""
    answer = owner("POST", f"{PARENT}/services?serviceId=hello", changed(path, value))

    assert answer.status == 400
    assert said in answer.json()["error"]["message"]
    assert owner("GET", NAME).status == 404


@pytest.mark.parametrize("field", ["sshEnabled"])
def test_what_has_no_counterpart_says_so(owner: Caller, field: str) -> None:
    """A feature that only Google has is refused as not implemented, not ignored."""
    answer = owner("POST", f"{PARENT}/services?serviceId=hello", {**service(), field: True})

    assert answer.status == 501
    assert field in answer.text


class TestRights:
    """Who may deploy."""

    @pytest.fixture
    def developer(self, cloud: Cloud) -> Caller:
        """Return somebody with run.developer and nothing else."""
        cloud.grant("user:dev@example.com", "roles/run.developer")
        return Caller(cloud, "dev@example.com")

    def test_stranger_is_refused(self, cloud: Cloud) -> None:
        """Without run.services.create: 403 naming the permission."""
        answer = Caller(cloud, "nobody@example.com")(
            "POST", f"{PARENT}/services?serviceId=hello", service()
        )

        assert answer.status == 403
        assert "run.services.create" in answer.text

    def test_deployer_must_act_as_the_account(self, developer: Caller) -> None:
        """Without actAs: 403 naming the account."""
        answer = developer("POST", f"{PARENT}/services?serviceId=hello", service())

        assert answer.status == 403
        assert f"'iam.serviceaccounts.actAs' denied on service account {ACCOUNT}" in answer.text

    def test_unknown_account_looks_the_same(self, owner: Caller) -> None:
        """An account that does not exist is refused in the same words, even to the owner."""
        body = service(serviceAccount="ghost@berth-local.iam.gserviceaccount.com")

        answer = owner("POST", f"{PARENT}/services?serviceId=hello", body)

        assert answer.status == 403
        assert "or it may not exist" in answer.text

    def test_deployer_must_read_the_image(self, cloud: Cloud, developer: Caller) -> None:
        """Without downloadArtifacts on the repository: 403 naming the image."""
        cloud.grant("user:dev@example.com", "roles/iam.serviceAccountUser")

        answer = developer("POST", f"{PARENT}/services?serviceId=hello", service())

        assert answer.status == 403
        assert f"must have permission to read the image, {IMAGE}" in answer.text

    def test_three_roles_are_enough(self, cloud: Cloud, developer: Caller) -> None:
        """Developer, actAs on the account and reader on the repository deploy."""
        account = f"//iam.googleapis.com/projects/berth-local/serviceAccounts/{ACCOUNT}"
        cloud.grant("user:dev@example.com", "roles/iam.serviceAccountUser", on=account)
        repository = f"//artifactregistry.googleapis.com/{PARENT}/repositories/apps"
        cloud.grant("user:dev@example.com", "roles/artifactregistry.reader", on=repository)

        assert developer("POST", f"{PARENT}/services?serviceId=hello", service()).status == 200
