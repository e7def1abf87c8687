"""Push: what an endpoint gets, whose token it carries, and what its answers mean."""

from __future__ import annotations

import base64
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest
from google.auth.transport import requests as transport
from google.oauth2 import id_token

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER, Cloud
from localcloud.services.pubsub import SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.transport import Response

HOST = "https://pubsub.googleapis.com/v1/projects/berth-local"
TOPIC = "projects/berth-local/topics/news"
SUB = "projects/berth-local/subscriptions/push"
PUSHER = "pusher@berth-local.iam.gserviceaccount.com"


class Endpoint:
    """A web server on loopback that notes what it gets and answers as it is told."""

    def __init__(self) -> None:
        """Listen on any free port."""
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[int] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                endpoint.requests.append((headers, body))
                self.send_response(endpoint.answers.pop(0) if endpoint.answers else 204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/in"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def envelopes(self) -> list[dict[str, Any]]:
        """Give the bodies as JSON."""
        return [json.loads(body) for _, body in self.requests]


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """An endpoint that says 204 to everything unless told otherwise."""
    made = Endpoint()
    yield made
    made.close()


class PubSub:
    """A cloud on a standing clock with one topic, spoken to over REST."""

    def __init__(self, folder: Path) -> None:
        """Open the state in ``folder``."""
        # The present, for libraries that check tokens by the machine's own time.
        self.clock = VirtualClock(time.time())
        self.cloud = Cloud(folder, clock=self.clock, only=[SERVICE])
        self.cloud.start()

    def ask(self, verb: str, path: str, body: dict[str, Any] | None = None) -> Response:
        """Make one call as the owner."""
        headers = {
            "authorization": f"Bearer {self.cloud.tokens.access_token(OWNER)}",
            "content-type": "application/json",
        }
        sent = json.dumps(body or {}).encode() if body is not None else b""
        return self.cloud.request(verb, f"{HOST}/{path}", headers=headers, body=sent)

    def subscribe(self, push: dict[str, Any], **more: Any) -> Response:
        """Make a push subscription."""
        body = {"topic": TOPIC, "pushConfig": push, **more}
        return self.ask("PUT", "subscriptions/push", body)

    def publish(self, text: str, **more: Any) -> None:
        """Publish one message and let what is due happen."""
        data = base64.b64encode(text.encode()).decode()
        answer = self.ask("POST", "topics/news:publish", {"messages": [{"data": data, **more}]})
        assert answer.status == 200
        self.clock.advance(0)


@pytest.fixture
def pubsub(tmp_path: Path) -> Iterator[PubSub]:
    """A new cloud with a topic."""
    made = PubSub(tmp_path / "state")
    assert made.ask("PUT", "topics/news", {}).status == 200
    yield made
    made.cloud.close()


def test_an_endpoint_gets_the_envelope(pubsub: PubSub, endpoint: Endpoint) -> None:
    """The message in base64 with both spellings of number and time, and the subscription."""
    assert pubsub.subscribe({"pushEndpoint": endpoint.url}).status == 200
    pubsub.publish("hello", attributes={"team": "risk"}, orderingKey="k")

    (envelope,) = endpoint.envelopes()
    message = envelope["message"]
    assert base64.b64decode(message["data"]) == b"hello"
    assert message["attributes"] == {"team": "risk"}
    assert message["orderingKey"] == "k"
    assert message["messageId"] == message["message_id"]
    assert message["publishTime"] == message["publish_time"]
    assert envelope["subscription"] == SUB
    assert "authorization" not in endpoint.requests[0][0]
    assert endpoint.requests[0][0]["content-type"] == "application/json"


def test_an_acknowledged_push_is_done(pubsub: PubSub, endpoint: Endpoint) -> None:
    """An answer of the 200 family ends it."""
    pubsub.subscribe({"pushEndpoint": endpoint.url})
    pubsub.publish("once")

    pubsub.clock.advance(3600)

    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("answer", [400, 404, 500, 503, 302])
def test_any_other_answer_repeats(pubsub: PubSub, endpoint: Endpoint, answer: int) -> None:
    """The message comes again, ever more slowly, until it is taken."""
    endpoint.answers = [answer] * 3
    pubsub.subscribe({"pushEndpoint": endpoint.url})
    pubsub.publish("again")

    assert len(endpoint.requests) == 1
    pubsub.clock.advance(60)

    assert len(endpoint.requests) == 4


def test_an_endpoint_that_is_not_there_is_tried_again(pubsub: PubSub, endpoint: Endpoint) -> None:
    """A refused connection loses nothing."""
    pubsub.subscribe({"pushEndpoint": "https://nowhere.example.com/"})
    pubsub.publish("patient")
    pubsub.clock.advance(5)

    push = {"pushConfig": {"pushEndpoint": endpoint.url}}
    assert pubsub.ask("POST", "subscriptions/push:modifyPushConfig", push).status == 200
    pubsub.clock.advance(120)

    assert len(endpoint.requests) == 1


def test_a_retry_policy_counts_for_pushes(pubsub: PubSub, endpoint: Endpoint) -> None:
    """The minimum backoff is kept."""
    endpoint.answers = [500]
    policy = {"minimumBackoff": "30s", "maximumBackoff": "60s"}
    pubsub.subscribe({"pushEndpoint": endpoint.url}, retryPolicy=policy)
    pubsub.publish("later")

    pubsub.clock.advance(29)
    assert len(endpoint.requests) == 1
    pubsub.clock.advance(2)

    assert len(endpoint.requests) == 2


def test_a_push_carries_a_token_google_would_verify(
    pubsub: PubSub, endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The token is the account's, for the audience, and Google's own library accepts it."""
    accounts = pubsub.cloud.store.of("iam")
    accounts.put(f"projects/berth-local/serviceAccounts/{PUSHER}", {"email": PUSHER})
    oidc = {"serviceAccountEmail": PUSHER, "audience": "berth"}
    assert pubsub.subscribe({"pushEndpoint": endpoint.url, "oidcToken": oidc}).status == 200
    pubsub.publish("signed")

    (headers, _), *_ = endpoint.requests
    token = headers["authorization"].removeprefix("Bearer ")
    with pubsub.cloud.serve():
        for name, value in pubsub.cloud.environment(OWNER).items():
            monkeypatch.setenv(name, value)
        claims = id_token.verify_oauth2_token(token, transport.Request(), audience="berth")  # type: ignore[no-untyped-call]

    assert claims["email"] == PUSHER
    assert claims["email_verified"]


def test_an_account_that_is_not_there_cannot_push(pubsub: PubSub, endpoint: Endpoint) -> None:
    """A push subscription with an unknown account is refused."""
    oidc = {"serviceAccountEmail": PUSHER}
    answer = pubsub.subscribe({"pushEndpoint": endpoint.url, "oidcToken": oidc})

    assert answer.status == 404
    assert PUSHER in answer.text


def test_an_unwrapped_push_is_the_message_itself(pubsub: PubSub, endpoint: Endpoint) -> None:
    """The body is the data; with metadata, the rest is in headers."""
    push = {"pushEndpoint": endpoint.url, "noWrapper": {"writeMetadata": True}}
    pubsub.subscribe(push)
    pubsub.publish('{"a": 1}', attributes={"ce-id": "7", "bad key": "x", "bad": "ä"})

    headers, body = endpoint.requests[0]
    assert body == b'{"a": 1}'
    assert headers["ce-id"] == "7"
    assert headers["x-goog-pubsub-subscription-name"] == SUB
    assert int(headers["x-goog-pubsub-message-id"]) > 0
    assert "bad" not in headers


def test_unwrapped_without_metadata_says_nothing_else(pubsub: PubSub, endpoint: Endpoint) -> None:
    """Only the data is sent."""
    pubsub.subscribe({"pushEndpoint": endpoint.url, "noWrapper": {}})
    pubsub.publish("bare", attributes={"ce-id": "7"})

    headers, body = endpoint.requests[0]
    assert body == b"bare"
    assert "ce-id" not in headers


def test_a_key_is_pushed_in_order(pubsub: PubSub, endpoint: Endpoint) -> None:
    """Nothing follows a message that was not taken."""
    endpoint.answers = [500, 500]
    pubsub.subscribe({"pushEndpoint": endpoint.url}, enableMessageOrdering=True)
    for text in ("1", "2"):
        pubsub.publish(text, orderingKey="k")
    pubsub.clock.advance(60)

    texts = [base64.b64decode(e["message"]["data"]) for e in endpoint.envelopes()]
    assert texts == [b"1", b"1", b"1", b"2"]


def test_a_push_subscription_cannot_be_pulled(pubsub: PubSub, endpoint: Endpoint) -> None:
    """FAILED_PRECONDITION, until it is made a pull subscription."""
    pubsub.subscribe({"pushEndpoint": endpoint.url})
    pull = ("POST", "subscriptions/push:pull", {"maxMessages": 1})
    answer = pubsub.ask(*pull)
    assert (answer.status, answer.json()["error"]["status"]) == (400, "FAILED_PRECONDITION")

    pubsub.ask("POST", "subscriptions/push:modifyPushConfig", {"pushConfig": {}})

    assert pubsub.ask(*pull).status == 200


def test_pushing_goes_on_after_a_restart(tmp_path: Path, endpoint: Endpoint) -> None:
    """What the endpoint had not taken is pushed by the next process."""
    first = PubSub(tmp_path / "state")
    first.ask("PUT", "topics/news", {})
    endpoint.answers = [500]
    first.subscribe({"pushEndpoint": endpoint.url})
    first.publish("survivor")
    first.cloud.close()
    assert len(endpoint.requests) == 1

    second = PubSub(tmp_path / "state")
    second.clock.advance(1)
    second.cloud.close()

    assert len(endpoint.requests) == 2
