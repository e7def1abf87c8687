"""Push subscriptions: messages sent to an endpoint, acknowledged by its answer."""

from __future__ import annotations

import functools
import json
import logging
import re
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from localcloud.transport import ConnectionFailed

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.services.pubsub.broker import Broker
    from localcloud.services.pubsub.queue import Handed

log = logging.getLogger(__name__)

_ACKNOWLEDGES = {102, 200, 201, 202, 204}
_MOST_OUT = 20
"""How many requests to one endpoint are under way at once."""

_SAYS = {"User-Agent": "CloudPubSub-Google", "From": "noreply@google.com"}

_HEADER = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+:[ -~]*")
"""Attributes that can be HTTP headers; the others stay behind."""

_LOOPBACK = {"127.0.0.1", "localhost", "::1"}


class Pushers:
    """Sends out what push subscriptions hold, on the clock's own threads."""

    def __init__(self, cloud: Cloud, broker: Broker) -> None:
        """Serve one cloud's broker."""
        self._cloud = cloud
        self._broker = broker
        self._out: dict[str, int] = {}
        self._watched: set[str] = set()
        self._closed = False

    def resume(self) -> None:
        """Watch all subscriptions there are."""
        for name in list(self._broker.subscriptions):
            self.watch(name)

    def watch(self, name: str) -> None:
        """Send what a subscription has whenever it has something, if it pushes."""
        with self._broker.lock:
            if name not in self._watched:
                self._watched.add(name)
                self._broker.listen(name, lambda: self._look(name))
            self._look(name)

    def close(self) -> None:
        """Send nothing more."""
        self._closed = True

    def _look(self, name: str) -> None:
        """Hand the sending to the clock: whoever calls holds the broker's lock."""
        if self._closed:
            return
        subscription = self._broker.subscriptions.get(name)
        if subscription is None:
            self._watched.discard(name)
            return
        if not subscription.resource["pushConfig"].get("pushEndpoint"):
            return
        room = _MOST_OUT - self._out.get(name, 0)
        # A lease outlasts the request, so that nobody else gets the message meanwhile.
        lease = subscription.lease_seconds + 5
        for handed in subscription.take(room, lease=lease, one_each=True):
            self._out[name] = self._out.get(name, 0) + 1
            send = functools.partial(self._send, name, handed)
            self._cloud.clock.call_at(self._cloud.clock.now(), send)

    def _send(self, name: str, handed: Handed) -> None:
        with self._broker.lock:
            subscription = self._broker.subscriptions.get(name)
            resource = None if subscription is None else dict(subscription.resource)
        taken = False
        if resource is not None and not self._closed:
            taken = self._deliver(resource, handed)
        with self._broker.lock:
            self._out[name] -= 1
            if name not in self._broker.subscriptions or self._closed:
                return
            if taken:
                self._broker.acknowledge(name, [handed.ack_id])
            else:
                self._broker.extend(name, [handed.ack_id], 0)
            self._look(name)

    def _deliver(self, resource: dict[str, Any], handed: Handed) -> bool:
        config = resource["pushConfig"]
        endpoint = config["pushEndpoint"]
        headers, body = _wrapped(resource, handed)
        if config.get("noWrapper") is not None:
            headers, body = _bare(resource, handed)
        headers |= _SAYS
        token = config.get("oidcToken")
        if token:
            audience = token.get("audience") or endpoint
            minted = self._cloud.tokens.id_token(token["serviceAccountEmail"], audience)
            headers["Authorization"] = f"Bearer {minted}"
        span = float(resource["ackDeadlineSeconds"])
        try:
            status = self._post(endpoint, headers, body, span)
        except (ConnectionFailed, OSError) as error:
            log.info("push to %s failed: %s", endpoint, error)
            return False
        return status in _ACKNOWLEDGES

    def _post(self, endpoint: str, headers: dict[str, str], body: bytes, span: float) -> int:
        parts = urlsplit(endpoint)
        if parts.scheme == "http" and parts.hostname in _LOOPBACK:
            return _post_directly(endpoint, headers, body, span)
        return self._cloud.request(
            "POST", endpoint, headers=headers, body=body, timeout=span, inside=True
        ).status


def _post_directly(endpoint: str, headers: dict[str, str], body: bytes, span: float) -> int:
    """Send to a listener of this machine, past any proxy of the environment."""
    parts = urlsplit(endpoint)
    connection = HTTPConnection(parts.hostname or "", parts.port, timeout=span)
    try:
        target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
        connection.request("POST", target, body, headers)
        return connection.getresponse().status
    except HTTPException as error:
        raise ConnectionFailed(str(error)) from error
    finally:
        connection.close()


def _wrapped(resource: dict[str, Any], handed: Handed) -> tuple[dict[str, str], bytes]:
    message = handed.message.shown()
    # Google sends both spellings.
    message |= {"message_id": message["messageId"], "publish_time": message["publishTime"]}
    envelope = {"message": message, "subscription": resource["name"]}
    if resource.get("deadLetterPolicy"):
        envelope["deliveryAttempt"] = handed.attempt
    return {"Content-Type": "application/json"}, json.dumps(envelope).encode()


def _bare(resource: dict[str, Any], handed: Handed) -> tuple[dict[str, str], bytes]:
    message = handed.message
    headers: dict[str, str] = {}
    if resource["pushConfig"]["noWrapper"].get("writeMetadata"):
        shown = message.shown()
        headers = {
            "x-goog-pubsub-subscription-name": resource["name"],
            "x-goog-pubsub-message-id": shown["messageId"],
            "x-goog-pubsub-publish-time": shown["publishTime"],
        }
        if message.key:
            headers["x-goog-pubsub-ordering-key"] = message.key
        headers |= {k: v for k, v in message.attributes.items() if _HEADER.fullmatch(f"{k}:{v}")}
    if not any(name.lower() == "content-type" for name in headers):
        headers["Content-Type"] = "application/json"
    return headers, message.data
