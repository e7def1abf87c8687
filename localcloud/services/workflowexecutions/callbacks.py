"""Callback endpoints: made by executions, called by others, listed by operators."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

from localcloud.errors import ApiError, not_found
from localcloud.identity.principals import unauthenticated
from localcloud.service import Call, Resource, page
from localcloud.services.workflowexecutions.records import CALLBACKS, drop
from localcloud.workflows.effects import CallbackReceived
from localcloud.workflows.stdlib.events import METHODS
from localcloud.workflows.values import from_json

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.workflows.running.machine import Execution

_HOST = "https://workflowexecutions.googleapis.com/v1/"


def create(cloud: Cloud, execution: str, method: str) -> str:
    """Make an endpoint and give its URL."""
    key = f"{execution}/callbacks/{uuid.uuid4()}"
    cloud.store.of(CALLBACKS).create(key, {"method": method, "early": []})
    return _HOST + cloud.by_number(key)


def _key(cloud: Cloud, url: str) -> str:
    return cloud.by_id(url.removeprefix(_HOST))


def journalled(cloud: Cloud, event: Resource) -> None:
    """Forget a call that is now in the journal of its execution; until then it is kept here."""
    url, _, _ = str(event["http_request"]["url"]).partition("?")
    same = (event["received_time"], event["http_request"])
    collection = cloud.store.of(CALLBACKS)
    record = collection.find(_key(cloud, url))
    if record is None:
        return
    for place, early in enumerate(record["early"]):
        if (early["received_time"], early["http_request"]) == same:
            del record["early"][place]
            collection.put(_key(cloud, url), record)
            return


def forget(cloud: Cloud, execution: str) -> None:
    """Remove the endpoints of an execution that has ended."""
    drop(cloud, CALLBACKS, execution)


def restore(cloud: Cloud, execution: str, running: Execution) -> None:
    """Give a resumed execution the calls that came before anybody waited for them."""
    for key, record in cloud.store.of(CALLBACKS).under(f"{execution}/callbacks/"):
        for early in record["early"]:
            running.receive_callback(_HOST + cloud.by_number(key), CallbackReceived(**early))


def list_callbacks(call: Call) -> Resource:
    """List the endpoints of an execution that runs."""
    from localcloud.services.workflowexecutions.runner import runner_of

    parent = call.cloud.by_id(call["parent"])
    if call.store.find(parent) is None:
        raise not_found(f"Resource '{call.cloud.by_number(parent)}' was not found")
    running = runner_of(call.cloud).running.get(parent)
    found: list[Resource] = []
    for key, record in sorted(
        call.cloud.store.of(CALLBACKS).under(f"{parent}/callbacks/"), key=lambda one: one[0]
    ):
        if running is None:
            break
        name = call.cloud.by_number(key)
        found.append(
            {
                "name": name,
                "method": record["method"],
                "availablePayloads": [str(n) for n in range(len(record["early"]))],
                "waiters": str(running.waiters(_HOST + name)),
            }
        )
    return page(call, found, "callbacks", default=100, most=100)


def receive(call: Call) -> Resource:
    """Take a call of an endpoint and hand it to the execution."""
    from localcloud.services.workflowexecutions.runner import runner_of

    cloud = call.cloud
    key = cloud.by_id(urlsplit(call.url).path.removeprefix("/v1/"))
    execution = key.partition("/callbacks/")[0]
    if call.caller.anonymous:
        raise unauthenticated(missing=True)
    cloud.iam.check(call.caller.member, "workflows.callbacks.send", "workflows", execution)
    record = cloud.store.of(CALLBACKS).find(key)
    running = runner_of(cloud).running.get(execution)
    if record is None or running is None:
        raise not_found(f"Resource '{cloud.by_number(key)}' was not found")
    if call.http_method != record["method"]:
        raise ApiError(405, f"the callback takes {record['method']}", status="INVALID_ARGUMENT")
    event: dict[str, Any] = {
        "received_time": call.now,
        "http_request": {
            "body": _body(call),
            "headers": _headers(call),
            "method": call.http_method,
            "query": dict(parse_qsl(urlsplit(call.url).query)),
            "url": call.url,
        },
    }
    # Kept before it is acknowledged: it must not be lost, whatever ends this process.
    cloud.store.of(CALLBACKS).update(
        key, lambda found: {**found, "early": [*found["early"], event]}
    )
    running.receive_callback(_HOST + cloud.by_number(key), CallbackReceived(**event))
    return {}


def _body(call: Call) -> Any:
    content = call.upload.path.read_bytes() if call.upload is not None else call.raw
    if not content:
        return None
    if call.headers.get("content-type", "").startswith("application/json"):
        try:
            return from_json(content)
        except ValueError:
            return content.decode(errors="replace")
    return content.decode(errors="replace")


def _headers(call: Call) -> dict[str, str]:
    """Give the headers in canonical case, without the caller's credentials."""
    return {
        "-".join(part.capitalize() for part in name.split("-")): value
        for name, value in call.headers.items()
        if name != "authorization"
    }


_PATH = (
    "/v1/projects/{project}/locations/{location}/workflows/{workflow}"
    "/executions/{execution}/callbacks/{callback}"
)
ROUTES = {f"{method} {_PATH}": receive for method in METHODS}
