"""What Cloud Run checks before it deploys: rights of the deployer, image, secrets."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError
from localcloud.machines.containers import private_networks, secret_values
from localcloud.machines.containers.workload import ContainerError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from localcloud.cloud import Cloud
    from localcloud.service import Call
    from localcloud.store import Resource

_REGISTRY = re.compile(
    r"(?P<region>[a-z0-9-]+)-docker\.pkg\.dev/(?P<project>[^/]+)/(?P<repo>[^/]+)/"
)


def default_account(cloud: Cloud) -> str:
    """Return the account a workload runs as when it names none."""
    return f"{cloud.number}-compute@developer.gserviceaccount.com"


def check_deployer(call: Call, template: Mapping[str, Any]) -> None:
    """Refuse a caller who may not act as the runtime account or read the images."""
    account = template["serviceAccount"]
    resource = f"projects/{call.cloud.project}/serviceAccounts/{account}"
    known = call.cloud.account_exists(account)
    if not known or not call.cloud.iam.allowed(
        call.caller.member, "iam.serviceAccounts.actAs", "iam", resource
    ):
        raise ApiError(
            403,
            f"Permission 'iam.serviceaccounts.actAs' denied on service account {account} "
            "(or it may not exist).",
        )
    for container in template["containers"]:
        image = container["image"]
        found = _REGISTRY.match(image)
        if found is None:
            continue
        repository = (
            f"projects/{found['project']}/locations/{found['region']}/repositories/{found['repo']}"
        )
        if not call.cloud.iam.allowed(
            call.caller.member,
            "artifactregistry.repositories.downloadArtifacts",
            "artifactregistry",
            repository,
        ):
            raise ApiError(
                403,
                f"User must have permission to read the image, {image}. Ensure that the provided "
                "container image URL is correct and that the above account has permission to "
                "access the image. If you just enabled the Cloud Run API, the permissions might "
                "take a few minutes to propagate.",
            )


def check_secrets(cloud: Cloud, template: Mapping[str, Any]) -> None:
    """Raise unless the runtime account can read every secret version the template names."""
    project, account = cloud.project, template["serviceAccount"]
    for place, secret, version in _secrets(template):
        try:
            full = secret_values.version_name(project, secret, version)
            secret_values.read(cloud, account, cloud.by_number(full))
        except secret_values.SecretError as error:
            raise ContainerError(
                f"{place}: {error}", reason="SECRETS_ACCESS_CHECK_FAILED"
            ) from error


def check_network(cloud: Cloud, template: Mapping[str, Any], region: str) -> None:
    """Raise unless the network is there that the template wants to be in."""
    wrong = private_networks.trouble(cloud, template.get("vpcAccess", {}), region)
    if wrong:
        raise ContainerError(wrong, reason="NETWORK_ACCESS_CHECK_FAILED")


def _secrets(template: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for at, container in enumerate(template["containers"]):
        for index, variable in enumerate(container.get("env", [])):
            reference = variable.get("valueSource", {}).get("secretKeyRef")
            if reference is not None:
                place = f"spec.template.spec.containers[{at}].env[{index}]"
                version = reference.get("version", "latest")
                yield f"{place}.value_from.secret_key_ref.name", reference["secret"], version
    for at, volume in enumerate(template.get("volumes", [])):
        source = volume.get("secret")
        for index, item in enumerate((source or {}).get("items") or ([{}] if source else [])):
            place = f"spec.template.spec.volumes[{at}].secret.items[{index}]"
            assert source is not None
            yield place, source["secret"], item.get("version", "latest")


def resolve_images(cloud: Cloud, template: Mapping[str, Any]) -> list[Resource]:
    """Return every container's image by digest; a tag moved later changes no revision."""
    statuses: list[Resource] = []
    for container in template["containers"]:
        reference = container["image"]
        digest = _digest(cloud, reference)
        if digest is None:
            raise ContainerError(f"Image '{reference}' not found.", reason="CONTAINER_MISSING")
        repository = re.sub(r"(@sha256:.*|:[^/:]*)$", "", reference)
        statuses.append(
            {"name": container.get("name", ""), "imageDigest": f"{repository}@{digest}"}
        )
    return statuses


def _digest(cloud: Cloud, reference: str) -> str | None:
    built = cloud.store.of("cloudfunctions").find(f"images/{reference}")
    if built is not None:
        return str(built["digest"])
    image = cloud.images.find(reference)
    return None if image is None else str(image.digest)
