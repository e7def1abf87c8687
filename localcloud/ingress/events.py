"""Pushed messages as CloudEvents: what Google's front end makes of a push for an event trigger."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from localcloud.services.cloudfunctions import triggers
from localcloud.transport import Response

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.ingress.hosts import Route

_MODE, _CUSTOM = "__GCP_CloudEventsMode", "CUSTOM_PUBSUB_"
_BAD = 400


def headers_of(target: str, body: bytes) -> dict[str, str]:
    """Return the CloudEvents headers of a push, in binary mode; none when it is no event's push."""
    mode = parse_qs(target.partition("?")[2]).get(_MODE, [""])[0]
    if not mode.startswith(_CUSTOM):
        return {}
    try:
        message = json.loads(body)["message"]
        ident, when = str(message["messageId"]), str(message["publishTime"])
    except (ValueError, KeyError, TypeError):
        return {}
    return {
        "ce-specversion": "1.0",
        "ce-id": ident,
        "ce-type": triggers.PUBLISHED,
        "ce-source": f"//pubsub.googleapis.com/{mode.removeprefix(_CUSTOM)}",
        "ce-time": when,
    }


def settled(cloud: Cloud, route: Route | None, answer: Response) -> Response:
    """Return what Pub/Sub is told: without retries, a function's failure ends the event."""
    if route is None or answer.status < _BAD:
        return answer
    function = cloud.store.of("cloudfunctions").find(
        route.name.replace("/services/", "/functions/")
    )
    return Response(204, {}) if triggers.forgives(function) else answer
