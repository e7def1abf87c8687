"""What is checked when a workflow is deployed: its source, its account, its environment."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud import labels
from localcloud.errors import ApiError, invalid, precondition
from localcloud.workflows.code.compiler import compiled
from localcloud.workflows.errors import DeployError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from localcloud.service import Call, Resource

_ENV_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_ENV_RESERVED = ("GOOGLE", "WORKFLOWS")
_ENV_MOST = 20
_ENV_BYTES = 4096
_KEY = re.compile(
    r"projects/[^/]+/locations/(?P<place>[^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+(/cryptoKeyVersions/[^/]+)?"
)
_DESCRIPTION_MOST = 1000


def check_deployment(call: Call, workflow: Resource) -> Resource:
    """Give the workflow as it will be stored, or refuse it."""
    try:
        compiled(workflow.get("sourceContents", ""))
    except DeployError as error:
        raise invalid(str(error)) from error
    check_labels(workflow.get("labels", {}))
    _check_environment(workflow.get("userEnvVars", {}))
    if len(workflow.get("description", "")) > _DESCRIPTION_MOST:
        raise invalid(f"description is longer than {_DESCRIPTION_MOST} characters")
    _check_key(call, workflow.get("cryptoKeyName"))
    email = _account(call, workflow.get("serviceAccount"))
    return {**workflow, "serviceAccount": f"projects/{call.cloud.project}/serviceAccounts/{email}"}


def stated(body: Resource, fields: Sequence[str]) -> Resource:
    """Give the fields that were really set; what has its default is as if it had not been sent."""
    found = {key: body[key] for key in fields if key in body}
    return {
        key: value
        for key, value in found.items()
        if value not in (None, "", False, {}) and not str(value).endswith("_LEVEL_UNSPECIFIED")
    }


def check_labels(sent: dict[str, str]) -> None:
    """Refuse labels beyond Google's limits."""
    if len(sent) > labels.MOST:
        raise invalid(f"{len(sent)} labels, at most {labels.MOST} allowed")
    unfit = labels.unfit(sent)
    if unfit is not None:
        raise invalid(
            f"label {unfit[0]!r}: {unfit[1]!r} must be lower-case letters, digits, underscores and "
            "dashes, at most 63 of them, and the key must begin with a letter"
        )


def _check_key(call: Call, key: str | None) -> None:
    """Refuse every key: there is no Cloud KMS here, so nothing could be encrypted with one."""
    if not key:
        return
    found = _KEY.fullmatch(key)
    if found is None:
        raise invalid(
            f"crypto_key_name {key!r} does not match projects/*/locations/*/keyRings/*/cryptoKeys/*"
        )
    location = str(call.get("name") or call["parent"]).split("/")[3]
    if found["place"] != location:
        raise invalid(f"crypto_key_name {key!r} is not in the location of the workflow: {location}")
    raise precondition(f"Cloud KMS key {key} cannot be used: the local cloud has no Cloud KMS.")


def _check_environment(variables: dict[str, str]) -> None:
    if len(variables) > _ENV_MOST:
        raise invalid(f"{len(variables)} user environment variables, at most {_ENV_MOST} allowed")
    for name, value in variables.items():
        if not _ENV_NAME.fullmatch(name):
            raise invalid(f"environment variable name {name!r} is invalid")
        if name.startswith(_ENV_RESERVED):
            raise invalid(f"environment variable {name!r} must not begin with GOOGLE or WORKFLOWS")
        if len(value.encode()) > _ENV_BYTES:
            raise invalid(f"environment variable {name!r} is larger than {_ENV_BYTES} bytes")


def _account(call: Call, given: str | None) -> str:
    """Give the e-mail of the account a workflow runs as; the caller must be allowed to use it."""
    default = f"{call.cloud.number}-compute@developer.gserviceaccount.com"
    email = _email(call, given.rpartition("/")[2]) if given else default
    resource = f"projects/{call.cloud.project}/serviceAccounts/{email}"
    allowed = call.cloud.iam.allowed(
        call.caller.member, "iam.serviceAccounts.actAs", "iam", resource
    )
    if not call.cloud.account_exists(email) or not allowed:
        raise ApiError(
            403,
            f"Permission 'iam.serviceaccounts.actAs' denied on service account {email} "
            "(or it may not exist).",
        )
    return email


def _email(call: Call, account: str) -> str:
    """Give an account's e-mail; it may be given by its number."""
    if not account.isdigit():
        return account
    accounts = call.cloud.store.of("iam").children(
        f"projects/{call.cloud.project}/serviceAccounts/"
    )
    found = [str(one["email"]) for one in accounts if one["uniqueId"] == account]
    return found[0] if found else account
