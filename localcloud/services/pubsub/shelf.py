"""Schemas, their revisions, and what a topic with a schema takes.

Google's rules: cloud.google.com/pubsub/docs/schemas.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from localcloud.errors import ApiError, already_exists, invalid, not_found, precondition
from localcloud.services.pubsub import avro
from localcloud.services.pubsub.messages import Draft

if TYPE_CHECKING:
    from localcloud.clock import Clock
    from localcloud.services.pubsub.journal import Journal

Resource = dict[str, Any]

DELETED_SCHEMA = "_deleted-schema_"
"""What a topic shows as its schema once that is gone."""

_MOST_REVISIONS = 20


class Shelf:
    """All schemas of one cloud; the broker's lock is held by whoever calls.

    Args:
        journal: where they are written down.
        clock: the cloud's.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._revisions: dict[str, list[Resource]] = {
            stored["name"]: stored["revisions"] for stored in journal.resources("schema")
        }
        self._parsed: dict[str, avro.Parsed] = {}

    def names(self) -> list[str]:
        """Return the names of all schemas, sorted."""
        return sorted(self._revisions)

    def revisions(self, name: str) -> list[Resource]:
        """Return a schema's revisions, oldest first; 404 if there is no such schema."""
        plain = name.partition("@")[0]
        found = self._revisions.get(plain)
        if found is None:
            raise not_found(f"Resource not found (resource={plain.rpartition('/')[2]}).")
        return found

    def revision(self, name: str) -> Resource:
        """Return the newest revision, or the one that ``name@revision`` names."""
        wanted = name.partition("@")[2]
        found = [one for one in self.revisions(name) if wanted in {"", one["revisionId"]}]
        if not found:
            raise not_found(f"Resource not found (resource={name.rpartition('/')[2]}).")
        return found[-1]

    def add(self, name: str, sent: Resource) -> Resource:
        """Make a schema; 409 if there is one of that name."""
        if name in self._revisions:
            raise already_exists(
                f"Resource already exists in the project (resource={name.rpartition('/')[2]})."
            )
        check(sent)
        self._revisions[name] = []
        return self._append(name, sent)

    def commit(self, name: str, sent: Resource) -> Resource:
        """Add a revision, of the type that the schema has."""
        newest = self.revision(name)
        check(sent)
        if sent["type"] != newest["type"]:
            raise invalid("The type of a schema cannot be changed by a revision.")
        return self._append(newest["name"], sent)

    def roll_back(self, name: str, revision: str) -> Resource:
        """Add a revision that is a copy of an earlier one."""
        earlier = self.revision(f"{name}@{revision}")
        return self._append(earlier["name"], earlier)

    def drop_revision(self, name: str) -> Resource:
        """Delete one revision, unless it is the only one."""
        gone = self.revision(name)
        kept = [one for one in self.revisions(name) if one is not gone]
        if not kept:
            raise precondition("The only revision of a schema cannot be deleted.")
        self._write(gone["name"], kept)
        return kept[-1]

    def drop(self, name: str) -> None:
        """Delete a schema with all its revisions."""
        self.revisions(name)
        self._journal.remove(name)
        del self._revisions[name]

    def accept(self, settings: Resource, drafts: list[Draft]) -> list[Draft]:
        """Refuse messages that no allowed revision describes; note in the others which one did."""
        name, encoding = settings["schema"], settings["encoding"]
        if name not in self._revisions:
            raise invalid("Invalid data in message: the topic's schema has been deleted.")
        allowed = self._allowed(name, settings)
        return [self._accept_one(draft, name, encoding, allowed) for draft in drafts]

    def _accept_one(self, draft: Draft, name: str, encoding: str, allowed: list[Resource]) -> Draft:
        for revision in reversed(allowed):
            if avro.fits(self._definition(revision), draft.data, encoding):
                noted = {
                    "googclient_schemaencoding": encoding,
                    "googclient_schemaname": name,
                    "googclient_schemarevisionid": revision["revisionId"],
                }
                return Draft(draft.data, draft.attributes | noted, draft.key)
        raise invalid("Invalid data in message: Message failed schema validation.")

    def _allowed(self, name: str, settings: Resource) -> list[Resource]:
        revisions = self.revisions(name)
        numbers = [one["revisionId"] for one in revisions]
        first, last = settings.get("firstRevisionId"), settings.get("lastRevisionId")
        start = numbers.index(first) if first in numbers else 0
        end = numbers.index(last) if last in numbers else len(numbers) - 1
        return revisions[start : end + 1]

    def _definition(self, revision: Resource) -> avro.Parsed:
        number = revision["revisionId"]
        if number not in self._parsed:
            self._parsed[number] = avro.parsed(revision["definition"])
        return self._parsed[number]

    def _append(self, name: str, sent: Resource) -> Resource:
        made = {
            "name": name,
            "type": sent["type"],
            "definition": sent["definition"],
            "revisionId": os.urandom(4).hex(),
            "revisionCreateTime": self._clock.rfc3339(),
        }
        if len(self._revisions[name]) >= _MOST_REVISIONS:
            raise precondition(f"A schema has at most {_MOST_REVISIONS} revisions.")
        self._write(name, [*self._revisions[name], made])
        return made

    def _write(self, name: str, revisions: list[Resource]) -> None:
        self._journal.put("schema", {"name": name, "revisions": revisions})
        self._revisions[name] = revisions


def check(schema: Resource) -> avro.Parsed:
    """Refuse a schema that is none; protocol buffers are refused by name."""
    if schema.get("type") == "PROTOCOL_BUFFER":
        raise ApiError(
            501, "Schemas of type PROTOCOL_BUFFER are not known here.", status="UNIMPLEMENTED"
        )
    if schema.get("type") != "AVRO":
        raise invalid("The schema type must be set.")
    if not schema.get("definition"):
        raise invalid("The schema definition must not be empty.")
    return avro.parsed(schema["definition"])
