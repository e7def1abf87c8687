"""Substitutions of a build: $NAME and ${NAME}, checked both ways unless loose ones are allowed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from localcloud.errors import invalid
from localcloud.services.cloudbuild import expansions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from localcloud.service import Resource

KEY = re.compile(r"_[A-Z0-9_]+")
USE = re.compile(r"\$\$|\$([A-Z_][A-Z0-9_]*)|\$\{([A-Z_][A-Z0-9_]*)\}")
# With dynamicSubstitutions something may stand behind the name, as in bash.
DYNAMIC = re.compile(r"\$\$|\$([A-Z_][A-Z0-9_]*)|\$\{([A-Z_][A-Z0-9_]*)([^{}]*)\}")
BUILT_IN = (
    "PROJECT_ID",
    "PROJECT_NUMBER",
    "BUILD_ID",
    "LOCATION",
    "SERVICE_ACCOUNT",
    "SERVICE_ACCOUNT_EMAIL",
)
# Only a trigger gives these a value; in other builds they are empty.
OF_TRIGGERS = (
    "BRANCH_NAME",
    "COMMIT_SHA",
    "REPO_FULL_NAME",
    "REPO_NAME",
    "REVISION_ID",
    "SHORT_SHA",
    "TAG_NAME",
    "TRIGGER_BUILD_CONFIG_PATH",
    "TRIGGER_NAME",
)
STEP_FIELDS = ("name", "args", "env", "id", "dir", "entrypoint", "waitFor", "secretEnv")
BUILD_FIELDS = ("images", "tags", "artifacts", "availableSecrets")


def check(build: Resource) -> None:
    """Refuse keys nobody uses and uses nobody gives a value, unless ALLOW_LOOSE."""
    given = build.get("substitutions", {})
    for key in given:
        if not KEY.fullmatch(key):
            raise invalid(
                f"invalid build: invalid value for 'build.substitutions': key {key!r} must begin "
                "with an underscore and use only upper case letters, digits and underscores"
            )
    if build.get("options", {}).get("substitutionOption") == "ALLOW_LOOSE":
        return
    pattern = DYNAMIC if _dynamic(build) else USE
    wanted: list[Any] = [_of_build(build), *map(_of_step, build["steps"])]
    if _dynamic(build):
        wanted.append(list(given.values()))
        put_in(build, {})  # a form that cannot be expanded is refused here
    used = _used(wanted, pattern)
    mapped = any(one.get("automapSubstitutions") for one in (*build["steps"], *_options(build)))
    for key in () if mapped else sorted(given.keys() - used):
        raise invalid(
            f"invalid build: invalid value for 'build.substitutions': key in the substitution data "
            f'"{key}" is not matched in the template'
        )
    for key in sorted(used - given.keys() - {*BUILT_IN, *OF_TRIGGERS}):
        raise invalid(
            f"invalid build: invalid value for 'build.substitutions': key in the template "
            f'"{key}" is not a valid built-in substitution'
        )


def put_in(build: Resource, values: Mapping[str, str]) -> Resource:
    """Return the build with every use replaced; unknown ones become empty."""
    known = known_values(build, values)
    pattern = DYNAMIC if _dynamic(build) else USE

    def replace(match: re.Match[str]) -> str:
        return _put(match, known.get(match[1] or match[2], ""))

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            return pattern.sub(replace, value)
        if isinstance(value, list):
            return [walk(item) for item in value]
        if isinstance(value, dict):
            return {key: walk(item) for key, item in value.items()}
        return value

    return {
        **build,
        **walk(_of_build(build)),
        "steps": [{**step, **walk(_of_step(step))} for step in build["steps"]],
    }


def known_values(build: Resource, values: Mapping[str, str]) -> dict[str, str]:
    """Return every substitution's value; dynamic ones may be made of others."""
    known: dict[str, str] = {**build.get("substitutions", {}), **values}
    if not _dynamic(build):
        return known

    def value(key: str, seen: tuple[str, ...]) -> str:
        if key in seen:
            raise invalid(
                f"invalid build: the substitutions {', '.join(seen)} go round in a circle"
            )

        def inner(match: re.Match[str]) -> str:
            return _put(
                match, value(match[1] or match[2], (*seen, key)) if match[0] != "$$" else ""
            )

        return DYNAMIC.sub(inner, known.get(key, ""))

    return {key: value(key, ()) for key in known}


def _put(match: re.Match[str], value: str) -> str:
    if match[0] == "$$":
        return "$"
    how = match[3] if match.re is DYNAMIC else ""
    return expansions.apply(value, how or "")


def _options(build: Resource) -> list[Resource]:
    return [build.get("options", {})]


def _dynamic(build: Resource) -> bool:
    return bool(build.get("options", {}).get("dynamicSubstitutions"))


def _of_build(build: Resource) -> Resource:
    found = {field: build[field] for field in BUILD_FIELDS if field in build}
    if "env" in build.get("options", {}):
        found["options"] = build["options"]
    return found


def _of_step(step: Resource) -> Resource:
    return {field: step[field] for field in STEP_FIELDS if field in step}


def _used(value: Any, pattern: re.Pattern[str]) -> set[str]:
    if isinstance(value, str):
        return {found[1] or found[2] for found in pattern.finditer(value) if found[0] != "$$"}
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return {key for item in value for key in _used(item, pattern)}
    return set()
