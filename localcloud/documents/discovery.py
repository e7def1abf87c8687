"""Google's discovery documents, compiled: which methods an API has and what they accept."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

Schema = dict[str, Any]

_PLACEHOLDER = re.compile(r"\{(\+?)([^}*]+)(\*?)\}")
_ID = re.compile(r'"id": "([^":]+)"')
_NOISE = frozenset({"description", "enumDescriptions", "parameterOrder", "deprecated"})

# what Google takes although its document does not say so, because its own clients send it:
# google.auth.impersonated_credentials asks so for ID tokens
_UNLISTED: dict[str, dict[str, dict[str, Schema]]] = {
    "iamcredentials.v1.json": {"GenerateIdTokenRequest": {"useEmailAzp": {"type": "boolean"}}}
}

# parameters that gcloud sends to every list of Compute Engine, and only some methods name
_UNLISTED_PARAMETERS: dict[str, dict[str, Schema]] = {
    "compute.v1.json": {"returnPartialSuccess": {"type": "boolean", "location": "query"}}
}


@dataclass(frozen=True)
class Method:
    """One method of the document; what its URL looks like is worked out when it is first tried."""

    id: str
    http_method: str
    path: str
    rank: tuple[object, ...]
    parameters: dict[str, Schema]
    request: str | None
    response: str | None
    upload_paths: tuple[str, ...]
    downloads: bool
    scopes: frozenset[str] = frozenset()

    def match(self, path: str) -> dict[str, str] | None:
        """Give the raw path parameters if the path is this method's."""
        if self._segments is None:
            found = self._pattern.fullmatch(path)
            return None if found is None else found.groupdict()
        given = path.split("/")
        if len(given) != len(self._segments):
            return None
        params: dict[str, str] = {}
        for (literal, name), segment in zip(self._segments, given, strict=True):
            if name and segment:
                params[name] = segment
            elif segment != literal:
                return None
        return params

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return _compile(self.path, self.parameters)

    @cached_property
    def _segments(self) -> tuple[tuple[str | None, str], ...] | None:
        """Literal or parameter of each segment; None where only an expression can tell.

        Compute Engine has a thousand methods, all of this simple form: compiling an expression
        for each would take longer than most programs use the API.
        """
        parts: list[tuple[str | None, str]] = []
        for segment in self.path.split("/"):
            whole = _PLACEHOLDER.fullmatch(segment)
            if whole is not None and not (whole[1] or whole[3]):
                parts.append((None, _group(whole[2])))
            elif "{" in segment:
                return None
            else:
                parts.append((segment, ""))
        return tuple(parts)


class Document:
    """One discovery document; read when it is first needed."""

    def __init__(self, api: str, version: str) -> None:
        """Find the file; reading it can wait."""
        self.file = _folder() / f"{api}.{version}.json"
        if not self.file.exists():
            raise LookupError(f"there is no discovery document {api}.{version}")

    def names(self, method_id: str) -> bool:
        """Tell, without parsing the document, whether it has a method."""
        return method_id in self.ids

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of its methods, found without parsing it."""
        return frozenset(_ID.findall(self.file.read_text()))

    @cached_property
    def raw(self) -> dict[str, Any]:
        """The document without its prose, which is most of it."""
        document = json.loads(self.file.read_bytes())
        _strip(document)
        return dict(document)

    @property
    def title(self) -> str:
        """What the API is called, such as ``Secret Manager API``."""
        return str(self.raw["title"])

    @cached_property
    def schemas(self) -> dict[str, Schema]:
        """The message types by name."""
        found = dict(self.raw.get("schemas", {}))
        for name, fields in _UNLISTED.get(self.file.name, {}).items():
            found[name] = {**found[name], "properties": {**found[name]["properties"], **fields}}
        return found

    @cached_property
    def standard(self) -> dict[str, Schema]:
        """The parameters every method accepts."""
        return {**self.raw.get("parameters", {}), **_UNLISTED_PARAMETERS.get(self.file.name, {})}

    @cached_property
    def methods(self) -> dict[str, Method]:
        """The methods by id."""
        found = (self._method(raw) for raw in _walk(self.raw))
        return {method.id: method for method in found}

    @cached_property
    def routes(self) -> list[Method]:
        """The methods in the order their URLs must be tried: literal before parameter."""
        return sorted(self.methods.values(), key=lambda method: method.rank)

    def _method(self, raw: dict[str, Any]) -> Method:
        path = "/" + self.raw["servicePath"] + raw["path"]
        media = raw.get("mediaUpload", {}).get("protocols", {})
        parameters = raw.get("parameters", {})
        return Method(
            id=raw["id"],
            http_method=raw["httpMethod"],
            path=path,
            rank=_rank(path, parameters),
            parameters=parameters,
            request=raw.get("request", {}).get("$ref"),
            response=raw.get("response", {}).get("$ref"),
            upload_paths=tuple(protocol["path"] for protocol in media.values()),
            downloads=bool(raw.get("supportsMediaDownload")),
            scopes=frozenset(raw.get("scopes", ())),
        )


@cache
def document(api: str, version: str) -> Document:
    """Give the document of one version of one API."""
    return Document(api, version)


@cache
def _folder() -> Path:
    spec = find_spec("googleapiclient")
    if spec is None or spec.origin is None:
        raise LookupError("google-api-python-client is not installed; it holds the documents")
    return Path(spec.origin).parent / "discovery_cache" / "documents"


def _walk(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield from node.get("methods", {}).values()
    for child in node.get("resources", {}).values():
        yield from _walk(child)


def _strip(node: Any) -> None:
    if isinstance(node, list):
        for item in node:
            _strip(item)
    elif isinstance(node, dict):
        for key in _NOISE & node.keys():
            # a schema may have a property that is itself called "description"
            if not isinstance(node[key], dict):
                del node[key]
        for value in node.values():
            _strip(value)


def _compile(path: str, parameters: dict[str, Schema]) -> re.Pattern[str]:
    pieces: list[str] = []
    end = 0
    for found in _PLACEHOLDER.finditer(path):
        pieces.append(re.escape(path[end : found.start()]))
        name = found[2]
        inner = "[^/]+"
        if found[1]:
            inner = parameters.get(name, {}).get("pattern", ".+").removeprefix("^")
            inner = inner.removesuffix("$")
        elif found[3]:
            inner = ".*"
        pieces.append(f"(?P<{_group(name)}>{inner})")
        end = found.end()
    pieces.append(re.escape(path[end:]))
    return re.compile("".join(pieces))


def _group(name: str) -> str:
    # group names allow no dots or dashes; parameter names of path parameters have dots at most
    return name.replace(".", "__DOT__").replace("$", "__DOLLAR__")


def ungroup(name: str) -> str:
    """Turn a regular expression's group name back into the parameter's name."""
    return name.replace("__DOT__", ".").replace("__DOLLAR__", "$")


def _rank(path: str, parameters: dict[str, Schema]) -> tuple[object, ...]:
    expanded = _PLACEHOLDER.sub(
        lambda found: (
            parameters.get(found[2], {}).get("pattern", "*").strip("^$") if found[1] else "*"
        ),
        path,
    )
    last = expanded.rpartition("/")[2]
    verb = ":" in last
    # a set like [^/]+ is a parameter; a segment of plain letters is literal and goes first
    segments = re.sub(r"\[\^/\]\+", "*", expanded).split("/")
    return (not verb, tuple("*" in segment for segment in segments), -len(expanded), path)


def exists(api: str) -> bool:
    """Tell whether Google has an API of that name."""
    return any(_folder().glob(f"{api}.*.json"))
