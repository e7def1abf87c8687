"""Google's discovery documents as judges of planned calls; independent of the local cloud's code."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import googleapiclient.discovery_cache

DOCUMENTS = Path(googleapiclient.discovery_cache.__file__).parent / "documents"
APIS = {
    "appengine.googleapis.com": "appengine.v1",
    "artifactregistry.googleapis.com": "artifactregistry.v1",
    "certificatemanager.googleapis.com": "certificatemanager.v1",
    "cloudbuild.googleapis.com": "cloudbuild.v1",
    "cloudresourcemanager.googleapis.com": "cloudresourcemanager.v3",
    "compute.googleapis.com": "compute.v1",
    "dns.googleapis.com": "dns.v1",
    "iam.googleapis.com": "iam.v1",
    "iap.googleapis.com": "iap.v1",
    "run.googleapis.com": "run.v2",
    "secretmanager.googleapis.com": "secretmanager.v1",
    "servicenetworking.googleapis.com": "servicenetworking.v1",
    "sqladmin.googleapis.com": "sqladmin.v1",
    "storage.googleapis.com": "storage.v1",
}
SCALARS: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
}
NUMERIC_STRINGS = {"int64", "uint64"}


class MismatchError(AssertionError):
    """A planned call is not what Google's document says."""


@cache
def document(name: str) -> dict[str, Any]:
    """Return one discovery document."""
    found: dict[str, Any] = json.loads((DOCUMENTS / f"{name}.json").read_text(encoding="utf-8"))
    return found


def methods(node: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every method below `node`."""
    yield from node.get("methods", {}).values()
    for child in node.get("resources", {}).values():
        yield from methods(child)


@cache
def routes(name: str) -> tuple[tuple[str, re.Pattern[str], dict[str, Any]], ...]:
    """Return verb, path and method of everything the API `name` can do."""
    found = document(name)
    prefix = "/" + found.get("servicePath", "")
    return tuple(
        (method["httpMethod"], _pattern(prefix + method["path"], method), method)
        for method in methods(found)
    )


def _pattern(path: str, method: Mapping[str, Any]) -> re.Pattern[str]:
    text = ""
    for piece in re.split(r"(\{\+?[^}]+\})", path):
        if not piece.startswith("{"):
            text += re.escape(piece)
            continue
        parameter = method["parameters"][piece.strip("{+}")]
        wanted = parameter.get("pattern", "^[^/]+$").removeprefix("^").removesuffix("$")
        # What follows a colon is the name of a custom method, never part of a resource's name.
        text += wanted.replace("[^/]+", "[^/:]+")
    return re.compile(text)


def method_of(verb: str, url: str) -> dict[str, Any]:
    """Return the method that `verb` on `url` calls, its query checked."""
    parts = urlsplit(url)
    if parts.hostname not in APIS:
        raise MismatchError(f"no API is known at {parts.hostname}")
    path = unquote(parts.path)
    for known, pattern, method in routes(APIS[parts.hostname]):
        if known == verb and pattern.fullmatch(path):
            _check_query(parts.query, method)
            return method
    raise MismatchError(f"no method is called by {verb} {url}")


def _check_query(query: str, method: Mapping[str, Any]) -> None:
    known = {
        name: parameter
        for name, parameter in method.get("parameters", {}).items()
        if parameter["location"] == "query"
    }
    given = dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query)))
    unknown = given.keys() - known.keys()
    missing = {
        name for name, parameter in known.items() if parameter.get("required")
    } - given.keys()
    if unknown or missing:
        raise MismatchError(
            f"{method['id']}: unknown parameters {sorted(unknown)}, missing {sorted(missing)}"
        )


def check(verb: str, url: str, body: Any) -> str:
    """Return the id of the method that is called; raise if the call is not what it takes."""
    method = method_of(verb, url)
    reference = method.get("request", {}).get("$ref")
    if reference is None:
        if body is not None:
            raise MismatchError(f"{method['id']} takes no body")
    elif body is not None:
        schemas = document(APIS[str(urlsplit(url).hostname)])["schemas"]
        _check_value(body, schemas[reference], schemas=schemas, at=method["id"])
    return str(method["id"])


def _check_value(
    value: Any, schema: Mapping[str, Any], *, schemas: Mapping[str, Any], at: str
) -> None:
    schema = schemas[schema["$ref"]] if "$ref" in schema else schema
    if schema.get("readOnly") or schema.get("deprecated"):
        raise MismatchError(f"{at} is output only or deprecated")
    kind = schema["type"]
    if kind == "object":
        _check_object(value, schema, schemas=schemas, at=at)
    elif kind == "array":
        if not isinstance(value, list):
            raise MismatchError(f"{at} must be a list, is {value!r}")
        for index, item in enumerate(value):
            _check_value(item, schema["items"], schemas=schemas, at=f"{at}[{index}]")
    else:
        _check_scalar(value, schema, at=at)


def _check_object(
    value: Any, schema: Mapping[str, Any], *, schemas: Mapping[str, Any], at: str
) -> None:
    if not isinstance(value, dict):
        raise MismatchError(f"{at} must be an object, is {value!r}")
    properties, rest = schema.get("properties", {}), schema.get("additionalProperties")
    for key, item in value.items():
        inner = properties.get(key, rest)
        if inner is None:
            raise MismatchError(f"{at} has no field {key}")
        _check_value(item, inner, schemas=schemas, at=f"{at}.{key}")


def _check_scalar(value: Any, schema: Mapping[str, Any], *, at: str) -> None:
    kind = schema["type"]
    wanted = SCALARS[kind]
    if not isinstance(value, wanted) or (kind != "boolean" and isinstance(value, bool)):
        raise MismatchError(f"{at} must be {kind}, is {value!r}")
    if "enum" in schema and value not in schema["enum"]:
        raise MismatchError(f"{at} must be one of {schema['enum']}, is {value!r}")
    if schema.get("format") in NUMERIC_STRINGS and not re.fullmatch(r"-?\d+", str(value)):
        raise MismatchError(f"{at} must be a number in a string, is {value!r}")
    if schema.get("format") == "google-duration" and not re.fullmatch(r"\d+(\.\d+)?s", str(value)):
        raise MismatchError(f"{at} must be a duration, is {value!r}")
