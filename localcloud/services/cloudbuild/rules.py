"""What Cloud Build checks before it accepts a build, and what the local one cannot do."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from localcloud.clock import seconds
from localcloud.errors import ApiError, invalid
from localcloud.machines import images
from localcloud.services.cloudbuild import substitutions

if TYPE_CHECKING:
    from localcloud.service import Call, Resource

ACCOUNT = re.compile(r"projects/([^/]+)/serviceAccounts/([^/]+)")
TAG = re.compile(r"[\w][\w.-]{0,127}")
LONGEST_BUILD = 86400
LOGGING_RULE = (
    "if 'build.service_account' is specified, the build must either (a) specify "
    "'build.logs_bucket', (b) use the REGIONAL_USER_OWNED_BUCKET "
    "build.options.default_logs_bucket_behavior option, or (c) use either CLOUD_LOGGING_ONLY / NONE "
    "logging options"
)
NOT_BUILT = ("secrets", "dependencies", "gitConfig")
NOT_BUILT_OPTIONS = ("pool", "workerPool", "pubsubTopic")
NOT_BUILT_STEP = ("results",)


def check(call: Call, build: Resource) -> None:
    """Refuse a build Cloud Build would refuse, and one that cannot be carried out here."""
    _check_steps(build)
    _check_volumes(build)
    _check_objects(build)
    _check_secrets(build)
    _check_account(build)
    _check_limits(build)
    substitutions.check(build)
    _check_built(build)
    refusal = call.cloud.machines.builder.refusal(build)
    if refusal is not None:
        raise invalid(f"invalid build: {refusal}")


def _check_steps(build: Resource) -> None:
    if not build.get("steps"):
        raise invalid("invalid build: at least one build step is required")
    seen: set[str] = set()
    for number, step in enumerate(build["steps"]):
        if not step.get("name"):
            raise invalid(f"invalid build: build step {number}: .name is required")
        if "script" in step and ("args" in step or "entrypoint" in step):
            raise invalid(
                f"invalid build: build step {number}: script cannot be combined with args or "
                "entrypoint"
            )
        for name in step.get("waitFor", []):
            if name != "-" and name not in seen:
                raise invalid(
                    f"invalid build: build step {number}: wait_for names {name!r}, which is no id "
                    "of an earlier step"
                )
        own = step.get("id")
        if own in seen:
            raise invalid(f"invalid build: build step {number}: the id {own!r} is used twice")
        if own:
            seen.add(own)


def _check_volumes(build: Resource) -> None:
    """Refuse volumes without name or place, and those that only one step has."""
    everywhere = build.get("options", {}).get("volumes", [])
    counted: Counter[str] = Counter()
    for number, step in enumerate(build["steps"]):
        names: list[str] = []
        for volume in [*everywhere, *step.get("volumes", [])]:
            name, path = volume.get("name", ""), volume.get("path", "")
            if not name or name in names:
                raise invalid(
                    f"invalid build: build step {number}: a volume needs a name of its own: {name!r}"
                )
            if not path.startswith("/") or path.startswith("/workspace"):
                raise invalid(
                    f"invalid build: build step {number}: invalid path {path!r} of volume {name!r}"
                )
            names.append(name)
        counted.update(names)
    for name, count in counted.items():
        if count == 1 and len(build["steps"]) > 1:
            raise invalid(f"invalid build: volume {name!r} is used by one step only")


def _check_objects(build: Resource) -> None:
    wanted = build.get("artifacts", {}).get("objects")
    if wanted is None:
        return
    if not str(wanted.get("location", "")).startswith(("gs://", "$")):
        raise invalid("invalid build: artifacts.objects.location must begin with gs://")
    if not wanted.get("paths"):
        raise invalid("invalid build: artifacts.objects.paths must name at least one file")


def _check_secrets(build: Resource) -> None:
    known = {one.get("env") for one in build.get("availableSecrets", {}).get("secretManager", [])}
    wanted = {name for step in build["steps"] for name in step.get("secretEnv", [])}
    wanted |= set(build.get("options", {}).get("secretEnv", []))
    if undeclared := sorted(wanted - known):
        raise invalid(f"invalid build: secretEnv {undeclared[0]!r} is not in availableSecrets")
    if unused := sorted(str(name) for name in known - wanted):
        raise invalid(f"invalid build: the secret {unused[0]!r} is not used by any step")


def _check_account(build: Resource) -> None:
    account = build.get("serviceAccount")
    if account is None:
        return
    if not ACCOUNT.fullmatch(account):
        raise invalid(
            "invalid value for 'build.service_account': the service account must have the form "
            "projects/{PROJECT_ID}/serviceAccounts/{ACCOUNT}"
        )
    options = build.get("options", {})
    settled = (
        "logsBucket" in build
        or options.get("defaultLogsBucketBehavior") == "REGIONAL_USER_OWNED_BUCKET"
        or options.get("logging") in {"CLOUD_LOGGING_ONLY", "NONE"}
    )
    if not settled:
        raise invalid(LOGGING_RULE)


def _check_limits(build: Resource) -> None:
    for field in ("timeout", "queueTtl"):
        if field in build and not 0 < seconds(build[field]) <= LONGEST_BUILD:
            raise invalid(f"invalid build: {field} must be more than 0 and at most 24 hours")
    for name in build.get("images", []):
        if "$" not in name and images.parse(name) is None:
            raise invalid(
                f"invalid image name {name!r}: the local cloud pushes to "
                "REGION-docker.pkg.dev/PROJECT/REPOSITORY/IMAGE:TAG only"
            )
    for tag in build.get("tags", []):
        if "$" not in tag and not TAG.fullmatch(tag):
            raise invalid(f"invalid build: invalid tag {tag!r}")


def _check_built(build: Resource) -> None:
    """Refuse, rather than ignore, what the local Cloud Build does not do."""
    missing = [field for field in NOT_BUILT if build.get(field)]
    options = build.get("options", {})
    missing += [f"options.{field}" for field in NOT_BUILT_OPTIONS if options.get(field)]
    for number, step in enumerate(build["steps"]):
        missing += [f"steps[{number}].{field}" for field in NOT_BUILT_STEP if step.get(field)]
    missing += [f"source.{kind}" for kind in build.get("source", {}) if kind != "storageSource"]
    missing += [
        f"artifacts.{kind}"
        for kind in build.get("artifacts", {})
        if kind not in {"images", "objects"}
    ]
    if build.get("availableSecrets", {}).get("inline"):
        missing.append("availableSecrets.inline")
    if options.get("defaultLogsBucketBehavior") == "REGIONAL_USER_OWNED_BUCKET":
        missing.append("options.defaultLogsBucketBehavior")
    if missing:
        raise ApiError(501, f"The local cloud has no builds with {missing[0]}.")
