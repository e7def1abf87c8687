"""Schemas through Google's client: their life, and what topics that have one take."""

from __future__ import annotations

import base64
import io
import itertools
import json
from typing import TYPE_CHECKING, Any

import fastavro
import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    FailedPrecondition,
    InvalidArgument,
    MethodNotImplemented,
    NotFound,
    PermissionDenied,
)
from google.cloud.pubsub_v1 import PublisherClient, SchemaServiceClient
from google.pubsub_v1.types import Encoding, Schema, SchemaView

from localcloud.cloud import OWNER, Cloud

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from google.cloud.pubsub_v1 import SubscriberClient
    from google.oauth2.credentials import Credentials

PROJECT = "projects/berth-local"
_NUMBERS = itertools.count(1)


def _definition(*fields: str) -> str:
    described = [{"name": name, "type": "string"} for name in fields]
    return json.dumps({"type": "record", "name": "Made", "fields": described})


def _avro(*fields: str) -> Schema:
    return Schema(type_=Schema.Type.AVRO, definition=_definition(*fields))


@pytest.fixture(scope="module")
def schemas(token: Callable[[str], Credentials]) -> Iterator[SchemaServiceClient]:
    """Google's client of the schema service, as the project's owner."""
    with SchemaServiceClient(credentials=token(OWNER)) as made:
        yield made


@pytest.fixture
def schema(schemas: SchemaServiceClient) -> str:
    """A schema of records with one text, ``id``."""
    made = schemas.create_schema(
        parent=PROJECT, schema=_avro("id"), schema_id=f"sch-{next(_NUMBERS)}"
    )
    return str(made.name)


@pytest.fixture
def strict(publisher: PublisherClient, schema: str) -> Callable[..., str]:
    """Makes topics that take what the schema says."""

    def make(**more: Any) -> str:
        settings = {"schema": schema, "encoding": Encoding.JSON, **more}
        request = {"name": f"{PROJECT}/topics/top-{next(_NUMBERS)}", "schema_settings": settings}
        return str(publisher.create_topic(request=request).name)

    return make


def test_a_schema_has_revisions(schemas: SchemaServiceClient, schema: str) -> None:
    """The newest counts; each can be asked for; going back makes a new one."""
    first = schemas.get_schema(name=schema)
    second = schemas.commit_schema(name=schema, schema=_avro("id", "more"))
    back = schemas.rollback_schema(name=schema, revision_id=first.revision_id)

    revisions = list(schemas.list_schema_revisions(name=schema))
    assert [one.revision_id for one in revisions] == [
        back.revision_id,
        second.revision_id,
        first.revision_id,
    ]
    assert {one.definition for one in revisions} == {""}
    assert schemas.get_schema(name=schema).definition == _definition("id")
    earlier = schemas.get_schema(name=f"{schema}@{second.revision_id}")
    assert earlier.definition == _definition("id", "more")
    schemas.delete_schema_revision(name=f"{schema}@{second.revision_id}")
    with pytest.raises(NotFound):
        schemas.get_schema(name=f"{schema}@{second.revision_id}")


def test_lists_hide_definitions_unless_asked(schemas: SchemaServiceClient, schema: str) -> None:
    """BASIC is usual in lists, FULL in get."""
    basic = {one.name: one.definition for one in schemas.list_schemas(parent=PROJECT)}
    request = {"parent": PROJECT, "view": SchemaView.FULL}
    full = {one.name: one.definition for one in schemas.list_schemas(request=request)}

    assert (basic[schema], full[schema]) == ("", _definition("id"))


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (Schema(type_=Schema.Type.AVRO, definition="{"), "Invalid schema definition"),
        (Schema(type_=Schema.Type.AVRO, definition='{"type": "nonsense"}'), "Invalid schema"),
        (Schema(type_=Schema.Type.AVRO), "must not be empty"),
        (Schema(definition=_definition("id")), "type must be set"),
    ],
)
def test_what_is_no_schema_is_refused(
    schemas: SchemaServiceClient, schema: str, wanted: Schema, words: str
) -> None:
    """On creation, as a revision and when asked."""
    with pytest.raises(InvalidArgument, match=words):
        schemas.create_schema(parent=PROJECT, schema=wanted, schema_id="never")
    with pytest.raises(InvalidArgument, match=words):
        schemas.commit_schema(name=schema, schema=wanted)
    with pytest.raises(InvalidArgument, match=words):
        schemas.validate_schema(parent=PROJECT, schema=wanted)


def test_protocol_buffers_are_refused_by_name(schemas: SchemaServiceClient) -> None:
    """UNIMPLEMENTED, so that nobody takes it for a mistake of his own."""
    wanted = Schema(type_=Schema.Type.PROTOCOL_BUFFER, definition="message M {}")
    with pytest.raises(MethodNotImplemented, match="PROTOCOL_BUFFER"):
        schemas.create_schema(parent=PROJECT, schema=wanted, schema_id="never")


def test_names_and_revisions_that_are_not_there(
    schemas: SchemaServiceClient, token: Callable[[str], Credentials], schema: str
) -> None:
    """Twice is ALREADY_EXISTS, absent is NOT_FOUND, the last revision stays, a stranger may not."""
    with pytest.raises(AlreadyExists):
        schemas.create_schema(
            parent=PROJECT, schema=_avro("id"), schema_id=schema.rpartition("/")[2]
        )
    with pytest.raises(InvalidArgument, match="Invalid resource name"):
        schemas.create_schema(parent=PROJECT, schema=_avro("id"), schema_id="x")
    with pytest.raises(NotFound):
        schemas.rollback_schema(name=schema, revision_id="00000000")
    with pytest.raises(NotFound):
        schemas.delete_schema(name=f"{schema}-absent")
    only = schemas.get_schema(name=schema).revision_id
    with pytest.raises(FailedPrecondition):
        schemas.delete_schema_revision(name=f"{schema}@{only}")
    stranger = SchemaServiceClient(credentials=token("stranger@example.com"))
    with stranger, pytest.raises(PermissionDenied, match=r"pubsub\.schemas\.get"):
        stranger.get_schema(name=schema)


@pytest.mark.parametrize(
    "data",
    [b"{}", b'{"id": 5}', b'{"id": "a", "more": "b"}', b'{"ID": "a"}', b"[]", b"not json", b"\xff"],
)
def test_a_topic_takes_only_what_its_schema_says(
    publisher: PublisherClient,
    schemas: SchemaServiceClient,
    schema: str,
    strict: Callable[..., str],
    data: bytes,
) -> None:
    """INVALID_ARGUMENT for the whole request, and the same when only asked."""
    topic = strict()
    with pytest.raises(InvalidArgument, match="Message failed schema validation"):
        publisher.publish(topic, data).result(30)
    with pytest.raises(InvalidArgument, match="Message failed schema validation"):
        schemas.validate_message(
            request={"parent": PROJECT, "name": schema, "message": data, "encoding": Encoding.JSON}
        )


@pytest.mark.parametrize("data", [b"", b"\x04a", b"\x02a!", b'{"id": "a"}'])
def test_a_binary_message_is_whole_and_nothing_more(
    schemas: SchemaServiceClient, schema: str, data: bytes
) -> None:
    """A byte too few or too many, and it is no message of the schema."""
    asked = {"parent": PROJECT, "name": schema, "encoding": Encoding.BINARY}
    schemas.validate_message(request={**asked, "message": b"\x02a"})
    with pytest.raises(InvalidArgument, match="Message failed schema validation"):
        schemas.validate_message(request={**asked, "message": data})


def test_a_message_says_which_revision_it_is_of(
    publisher: PublisherClient,
    subscriber: SubscriberClient,
    schemas: SchemaServiceClient,
    schema: str,
    strict: Callable[..., str],
) -> None:
    """In JSON and in binary, by the newest revision that fits."""
    first = schemas.get_schema(name=schema).revision_id
    second = schemas.commit_schema(name=schema, schema=_avro("id", "more")).revision_id
    topic = strict()
    name = f"{PROJECT}/subscriptions/sub-{next(_NUMBERS)}"
    subscriber.create_subscription(name=name, topic=topic)
    publisher.publish(topic, b'{"id": "a"}').result(30)
    publisher.publish(topic, b'{"id": "a", "more": "b"}').result(30)
    publisher.update_topic(
        topic={"name": topic, "schema_settings": {"schema": schema, "encoding": Encoding.BINARY}},
        update_mask={"paths": ["schema_settings"]},
    )
    binary = io.BytesIO()
    fastavro.schemaless_writer(
        binary, json.loads(_definition("id", "more")), {"id": "a", "more": "b"}
    )
    publisher.publish(topic, binary.getvalue()).result(30)

    pulled = subscriber.pull(subscription=name, max_messages=10).received_messages
    noted = [dict(one.message.attributes) for one in pulled]
    assert [one["googclient_schemarevisionid"] for one in noted] == [first, second, second]
    assert [one["googclient_schemaencoding"] for one in noted] == ["JSON", "JSON", "BINARY"]
    assert {one["googclient_schemaname"] for one in noted} == {schema}


def test_a_topic_can_name_the_revisions_it_takes(
    publisher: PublisherClient,
    schemas: SchemaServiceClient,
    schema: str,
    strict: Callable[..., str],
) -> None:
    """What fits an earlier or a later one only is refused."""
    first = schemas.get_schema(name=schema).revision_id
    topic = strict(last_revision_id=first)
    schemas.commit_schema(name=schema, schema=_avro("id", "more"))

    publisher.publish(topic, b'{"id": "a"}').result(30)
    with pytest.raises(InvalidArgument):
        publisher.publish(topic, b'{"id": "a", "more": "b"}').result(30)
    with pytest.raises(NotFound):
        strict(first_revision_id="00000000")


def test_a_deleted_schema_closes_its_topics(
    publisher: PublisherClient,
    schemas: SchemaServiceClient,
    schema: str,
    strict: Callable[..., str],
) -> None:
    """They stay, say so, and take nothing."""
    topic = strict()
    schemas.delete_schema(name=schema)

    shown = publisher.get_topic(topic=topic)
    assert shown.schema_settings.schema == "_deleted-schema_"
    with pytest.raises(InvalidArgument):
        publisher.publish(topic, b'{"id": "a"}').result(30)
    with pytest.raises(NotFound):
        strict()


def test_schemas_survive_a_restart(tmp_path: Path) -> None:
    """Revisions in their order, over REST."""
    host = "https://pubsub.googleapis.com/v1/projects/berth-local"
    body = {"type": "AVRO", "definition": _definition("id")}

    def ask(cloud: Cloud, verb: str, path: str, sent: Any = None) -> Any:
        headers = {
            "authorization": f"Bearer {cloud.tokens.access_token(OWNER)}",
            "content-type": "application/json",
        }
        data = json.dumps(sent).encode() if sent is not None else b""
        return cloud.request(verb, f"{host}/{path}", headers=headers, body=data).json()

    first = Cloud(tmp_path)
    ask(first, "POST", "schemas?schemaId=kept", body)
    ask(first, "POST", "schemas/kept:commit", {"schema": body})
    before = ask(first, "GET", "schemas/kept:listRevisions")
    first.close()

    second = Cloud(tmp_path)
    after = ask(second, "GET", "schemas/kept:listRevisions")
    message = base64.b64encode(b"{}").decode()
    asked = {"name": f"{PROJECT}/schemas/kept", "message": message, "encoding": "JSON"}
    refused = ask(second, "POST", "schemas:validateMessage", asked)
    second.close()

    assert (len(after["schemas"]), after) == (2, before)
    assert refused["error"]["status"] == "INVALID_ARGUMENT"
