"""Connectors: calls ``googleapis.SERVICE.VERSION...METHOD``, read from the discovery documents."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final
from urllib.parse import quote, urlencode

from googleapiclient.discovery_cache import get_static_doc

from localcloud.workflows.api_calls.connector_calls import Call, Deadline, call_api
from localcloud.workflows.api_calls.execution_calls import run_workflow, wait_for_execution
from localcloud.workflows.api_calls.http_calls import with_query
from localcloud.workflows.api_calls.job_waits import WAITS, wait_for
from localcloud.workflows.api_calls.polling import POLLED, wait_for_job, wait_for_operation
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.effects import Running
from localcloud.workflows.errors import DeployError, failure, type_error, value_error
from localcloud.workflows.values import expect_type, shown

# The APIs that have a connector. Those without one (iam, dns, artifactregistry, serviceusage ...)
# are called with http.* steps.
SERVICES: Final = frozenset(
    [
        "aiplatform",
        "batch",
        "bigquery",
        "bigquerydatatransfer",
        "cloudbuild",
        "cloudfunctions",
        "cloudresourcemanager",
        "cloudscheduler",
        "cloudtasks",
        "compute",
        "container",
        "dataflow",
        "documentai",
        "firestore",
        "forms",
        "gke",
        "integrations",
        "language",
        "ml",
        "pubsub",
        "run",
        "secretmanager",
        "sheets",
        "spanner",
        "sqladmin",
        "storage",
        "storagetransfer",
        "transcoder",
        "translate",
        "workflowexecutions",
        "workflows",
    ]
)
# Regional APIs whose host begins with the location, and the argument that names it.
# docs/reference/googleapis/aiplatform/v1/projects.locations.customJobs/create;
# docs/samples/workflows-connector-documentai, .../workflows-connector-integrations
_REGIONAL: Final = {
    ("run", "v1"): "location",
    ("aiplatform", "v1"): "region",
    ("aiplatform", "v1beta1"): "region",
    ("documentai", "v1"): "location",
    ("integrations", "v1"): "location",
}
_OWN_ARGUMENTS: Final = ("body", "connector_params")
_PLACEHOLDER: Final = re.compile(r"\{(\+?)([^}]+)\}")
_STRAY: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_CREATE_EXECUTION: Final = "workflowexecutions.projects.locations.workflows.executions.create"
_URL_SAFE: Final = "%/:@!$&'()*+,;=~-._"

Document = dict[str, Any]
Runner = Callable[[Frame, dict[str, Any]], Running]


@dataclass(frozen=True, slots=True)
class Connector:
    """A method that a call step can name: its arguments, and what it does."""

    name: str
    parameters: tuple[str, ...]
    required: tuple[str, ...]
    run: Runner
    # Those of the required ones that a map under ``query`` may hold as well.
    in_query: frozenset[str] = frozenset()


@lru_cache(maxsize=32)
def _document(service: str, version: str) -> Document | None:
    text = get_static_doc(service, version)
    return None if text is None else json.loads(text)


@lru_cache(maxsize=1024)
def find(name: str) -> Connector:
    """Find a connector; raise DeployError if there is none."""
    if name in HELPERS:
        return HELPERS[name]
    parts = name.split(".")
    if len(parts) < 4:  # noqa: PLR2004 - googleapis, service, version, method
        raise _unknown(name, "a connector is googleapis.SERVICE.VERSION.METHOD")
    _, service, version, *path, method_name = parts
    if service not in SERVICES:
        raise _unknown(name, f"there is no connector for '{service}'; use an http call")
    document = _document(service, version)
    if document is None:
        raise _unknown(name, f"API '{service}' has no version '{version}'")
    resource = document
    for part in path:
        resource = resource.get("resources", {}).get(part)
        if resource is None:
            raise _unknown(name, f"there is no resource '{part}'")
    method = resource.get("methods", {}).get(method_name)
    if method is None:
        choices = ", ".join(sorted(resource.get("methods", {}))) or "none"
        raise _unknown(name, f"methods here are: {choices}")
    return _connector(name, document, service, version, method)


def _unknown(name: str, reason: str) -> DeployError:
    return DeployError(f"unknown connector '{name}': {reason}")


def _connector(
    name: str, document: Document, service: str, version: str, method: Document
) -> Connector:
    own = method.get("parameters", {})
    # Google's Firestore sample passes further parameters of the method in a map, as http calls do.
    parameters = [*own, *document.get("parameters", {}), "connector_params", "query"]
    if "request" in method or "mediaUpload" in method:
        parameters.append("body")
    if "mediaUpload" in method:
        parameters.append("uploadType")
    region = _REGIONAL.get((service, version))
    if region is not None and region not in own:
        parameters.append(region)
    # A map may stand for all parameters with a common prefix (docs/tutorials/callbacks-firestore).
    parameters += [key.partition(".")[0] for key in own if "." in key]
    required = tuple(key for key, value in own.items() if value.get("required"))
    in_query = frozenset(key for key in required if own[key].get("location") == "query")
    target = _Method(document, service, version, method)
    return Connector(name, tuple(dict.fromkeys(parameters)), required, target.run, in_query)


@dataclass(frozen=True, slots=True)
class _Method:
    """One method of a discovery document."""

    document: Document
    service: str
    version: str
    method: Document

    def run(self, frame: Frame, arguments: dict[str, Any]) -> Running:
        """Call the method; wait for its operation if it has one."""
        call = Call.of(arguments.get("connector_params"))
        deadline = Deadline(frame, call.timeout)
        body = arguments.get("body")
        verb = self.method["httpMethod"]
        if "request" in self.method and body is None and verb != "GET":
            body = {}
        answer = yield from call_api(
            frame,
            verb,
            self.url(arguments),
            body,
            call=call,
            deadline=deadline,
            headers=self.upload_headers(arguments),
        )
        if call.skip_polling or verb == "GET":
            return answer
        returned = self.method.get("response", {}).get("$ref", "")
        if self.method["id"] == _CREATE_EXECUTION:
            return (yield from wait_for_execution(frame, answer, call, deadline))
        if returned.endswith("Operation") and self.service in POLLED and not self.on_operation():
            return (
                yield from wait_for_operation(
                    frame,
                    {**self.document, "rootUrl": self.root(arguments)},
                    answer,
                    arguments,
                    call=call,
                    deadline=deadline,
                )
            )
        if self.method["id"] in WAITS:
            root, wait = self.root(arguments), WAITS[self.method["id"]]
            return (yield from wait_for(frame, wait, root, answer, call=call, deadline=deadline))
        if returned == "Job" and self.service == "bigquery":
            return (yield from wait_for_job(frame, answer, call=call, deadline=deadline))
        return answer

    def upload_headers(self, arguments: dict[str, Any]) -> dict[str, str]:
        """Give the headers of an upload: a text is stored as it is, not as a JSON string."""
        kind = arguments.get("uploadType")
        if kind is None or "mediaUpload" not in self.method:
            return {}
        if kind != "media":
            raise value_error(f"uploadType must be 'media'; got: {shown(kind)}")
        is_text = type(arguments.get("body")) is str
        return {"Content-Type": "text/plain; charset=utf-8"} if is_text else {}

    def on_operation(self) -> bool:
        """Say whether the method belongs to operations themselves."""
        return "perations" in self.method["id"]

    def root(self, arguments: dict[str, Any]) -> str:
        """Give the root of the API: that of the location where the API is regional."""
        root = str(self.document["rootUrl"])
        region = _REGIONAL.get((self.service, self.version))
        if region is None or region in self.method.get("parameters", {}):
            return root
        location = arguments.get(region)
        if location is None:
            return root
        place: str = expect_type(location, str, region)
        return f"https://{quote(place)}-{root.removeprefix('https://')}"

    def url(self, arguments: dict[str, Any]) -> str:
        """Build the URL of a call."""
        path = self.method["path"]
        root = self.root(arguments)
        if arguments.get("uploadType") is not None and "mediaUpload" in self.method:
            url = root.rstrip("/") + self.method["mediaUpload"]["protocols"]["simple"]["path"]
        else:
            url = root + self.document.get("servicePath", "") + path
        own = self.method.get("parameters", {})
        in_path: set[str] = set()

        def fill(found: re.Match[str]) -> str:
            key = found.group(2)
            in_path.add(key)
            value = (
                expect_type(arguments[key], str, f"argument '{key}'")
                if isinstance(arguments[key], str)
                else _text(arguments[key], key)
            )
            # What must be encoded in a path (object names) is encoded by the author.
            return quote(value, safe=_URL_SAFE)

        url = _PLACEHOLDER.sub(fill, url)
        pairs = []
        elsewhere = {"query", _REGIONAL.get((self.service, self.version))} - own.keys()
        for key, value in _flat(arguments, own):
            if key in in_path or key in _OWN_ARGUMENTS or key in elsewhere or value is None:
                continue
            every = value if type(value) is list else [value]
            pairs += [(key, _text(item, key)) for item in every]
        if pairs:
            # Names of objects are encoded by the author wherever they stand, so escapes stay.
            safe = "%" if self.service == "storage" else ""
            pairs = [(key, _STRAY.sub("%25", value) if safe else value) for key, value in pairs]
            url = f"{url}?{urlencode(pairs, safe=safe, quote_via=quote)}"
        return url if "query" in own else with_query(url, arguments.get("query"))


def _flat(arguments: dict[str, Any], own: Document) -> Iterator[tuple[str, Any]]:
    """Give the arguments, those of a map under the dotted names of the discovery document."""
    for key, value in arguments.items():
        names = {name for name in own if name.startswith(f"{key}.")}
        if key in own or not names or value is None:
            yield key, value
            continue
        inner: dict[str, Any] = expect_type(value, dict, f"argument '{key}'")
        for name, item in inner.items():
            if f"{key}.{name}" not in names:
                raise value_error(f"argument '{key}' has no field '{name}'")
            yield f"{key}.{name}", item


def _text(value: Any, key: str) -> str:
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) in (str, int, float):
        return str(value)
    raise type_error(
        f"argument '{key}' must be a string, a number or a boolean; got: {shown(value)}"
    )


# -- helper methods, which no discovery document has -----------------------------------------


def _run_execution(frame: Frame, arguments: dict[str, Any]) -> Running:
    return (yield from run_workflow(frame, arguments, arguments.get("connector_params")))


def _secret_url(frame: Frame, arguments: dict[str, Any], rest: str) -> str:
    project = arguments.get("project_id")
    if project is None:
        project = frame.run.environment.get("GOOGLE_CLOUD_PROJECT_ID", "")
    secret: str = expect_type(arguments["secret_id"], str, "secret_id")
    project_id = _text(project, "project_id")
    return (
        "https://secretmanager.googleapis.com/v1/projects/"
        f"{quote(project_id)}/secrets/{quote(secret)}{rest}"
    )


def _access_string(frame: Frame, arguments: dict[str, Any]) -> Running:
    version = arguments.get("version")
    rest = f"/versions/{quote(_text('latest' if version is None else version, 'version'))}:access"
    url = _secret_url(frame, arguments, rest)
    call = Call.of(arguments.get("connector_params"))
    answer = yield from call_api(
        frame, "GET", url, None, call=call, deadline=Deadline(frame, call.timeout)
    )
    payload = answer.get("payload") if type(answer) is dict else None
    if type(payload) is not dict or type(payload.get("data", "")) is not str:
        raise failure("ResponseTypeError", "the response is not a secret version")
    try:
        return base64.b64decode(payload.get("data", "")).decode()
    except ValueError as error:
        raise value_error("the secret is not UTF-8 text") from error


def _add_version_string(frame: Frame, arguments: dict[str, Any]) -> Running:
    data: str = expect_type(arguments["data"], str, "data")
    body = {"payload": {"data": base64.b64encode(data.encode()).decode()}}
    url = _secret_url(frame, arguments, ":addVersion")
    call = Call.of(arguments.get("connector_params"))
    deadline = Deadline(frame, call.timeout)
    return (yield from call_api(frame, "POST", url, body, call=call, deadline=deadline))


def _helper(name: str, run: Runner, *parameters: str) -> Connector:
    names = (*(parameter.rstrip("?") for parameter in parameters), "connector_params")
    required = tuple(parameter for parameter in parameters if not parameter.endswith("?"))
    return Connector(name, names, required, run)


_RUN: Final = "projects.locations.workflows.executions.run"
HELPERS: Final[dict[str, Connector]] = {
    connector.name: connector
    for connector in (
        *(
            _helper(
                f"googleapis.workflowexecutions.{version}.{_RUN}",
                _run_execution,
                "workflow_id",
                "location?",
                "project_id?",
                "argument?",
            )
            for version in ("v1", "v1beta")
        ),
        *(
            _helper(
                f"googleapis.secretmanager.{version}.projects.secrets.addVersionString",
                _add_version_string,
                "secret_id",
                "project_id?",
                "data",
            )
            for version in ("v1", "v1beta1")
        ),
        *(
            _helper(
                f"googleapis.secretmanager.{version}.projects.secrets.versions.accessString",
                _access_string,
                "secret_id",
                "version?",
                "project_id?",
            )
            for version in ("v1", "v1beta1")
        ),
    )
}
