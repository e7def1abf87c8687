"""What the command line asks a running daemon, over its own HTTP port."""

from __future__ import annotations

import hmac
import json
from typing import TYPE_CHECKING, Any

from localcloud.transport import Request, Response, json_response

if TYPE_CHECKING:
    from collections.abc import Callable

    from localcloud.cloud import Cloud

HOST = "control.localcloud"


class Control:
    """Answers only callers that know the key in the state folder."""

    host = HOST

    def __init__(self, cloud: Cloud, key: str) -> None:
        """Serve one cloud."""
        self._cloud = cloud
        self._key = key
        self._table: dict[str, Callable[[dict[str, Any]], Any]] = {
            "/environment": lambda given: cloud.environment(
                given["account"], network=given.get("network")
            ),
            "/link": lambda given: {
                "link": cloud.ingress.link(given["url"], account=given.get("account"))
            },
            "/faults": lambda given: cloud.plan(given["verb"], given.get("given", {})),
            "/group": lambda given: cloud.iam.groups.set(given["email"], given["members"]),
            "/record": lambda given: cloud.resolver.publish(
                given["name"], given["type"], *given["data"]
            ),
            "/calls": lambda _: [vars(record) for record in cloud.calls],
        }

    def handle(self, request: Request) -> Response:
        """Answer one question."""
        if not hmac.compare_digest(request.headers.get("x-key", ""), self._key):
            return json_response(403, {"error": "wrong key"})
        answer = self._table.get(request.path)
        if answer is None:
            return json_response(404, {"error": f"known: {', '.join(self._table)}"})
        given = json.loads(request.body or b"{}")
        try:
            return json_response(200, answer(given))
        except (LookupError, ValueError) as error:
            return json_response(400, {"error": str(error)})
