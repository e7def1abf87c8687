"""dns.google: Google's public resolver, asked over HTTPS in JSON.

It answers from what the world's name servers say here (resolver.py), in the form that
developers.google.com/speed/public-dns/docs/doh/json describes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from localcloud.transport import Request, Response, json_response

if TYPE_CHECKING:
    from localcloud.domains.resolver import Resolver

HOST = "dns.google"
_TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "CAA": 257}
_NO_SUCH_NAME, _TTL = 3, 300


class PublicDns:
    """Answers ``/resolve``."""

    def __init__(self, resolver: Resolver) -> None:
        """Answer from one resolver."""
        self._resolver = resolver

    def handle(self, request: Request) -> Response:
        """Answer one request."""
        asked = {key: values[-1] for key, values in parse_qs(urlsplit(request.url).query).items()}
        name, kind = asked.get("name", ""), asked.get("type", "A").upper()
        kind = next((one for one, number in _TYPES.items() if str(number) == kind), kind)
        if request.method != "GET" or request.path != "/resolve":
            return json_response(404, {"error": "not found"})
        if not name.strip(".") or kind not in _TYPES:
            return json_response(400, {"error": f"Invalid name or type: '{name}', '{kind}'"})
        full = name.lower().removesuffix(".") + "."
        return json_response(200, self._answer(full, kind))

    def _answer(self, name: str, kind: str) -> dict[str, object]:
        found = self._resolver.lookup(name, kind)
        alias = [] if kind == "CNAME" else self._resolver.records(name, "CNAME")
        records = [*(("CNAME", one) for one in alias), *((kind, one) for one in found)]
        known = any(self._resolver.lookup(name, one) for one in _TYPES)
        answer: dict[str, object] = {
            "Status": 0 if known else _NO_SUCH_NAME,
            "TC": False,
            "RD": True,
            "RA": True,
            "AD": False,
            "CD": False,
            "Question": [{"name": name, "type": _TYPES[kind]}],
        }
        if records:
            answer["Answer"] = [
                {"name": name, "type": _TYPES[one], "TTL": _TTL, "data": data}
                for one, data in records
            ]
        return answer
