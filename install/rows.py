"""Rows: the things an installation consists of. Each can look, and can bring itself about."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from install.errors import InstallError, InTheWayError, refused
from install.session import Session

State = Literal["absent", "different", "same"]
CONFLICTS = (409, 412)
CYCLES = 10


class Row(Protocol):
    """One thing to be there."""

    @property
    def title(self) -> str:
        """What it is, for people."""

    def look(self, session: Session) -> State:
        """Say whether it is there, and as it should be."""

    def make(self, session: Session, state: State) -> None:
        """Bring it about, or bring it to what it should be. May be repeated."""


@dataclass(frozen=True, kw_only=True)
class Resource:
    """Something with a URL of its own: it is looked up, created, or patched where it differs."""

    title: str
    url: str
    wanted: Mapping[str, Any]
    """What GET has to show. What the API adds of its own is none of our business."""
    create_method: str = "POST"
    create_url: str
    create_body: Mapping[str, Any] | None = None
    """What to create it with, when that is not just `wanted`."""
    update_method: str = "PATCH"
    update_url: str | None = None
    """None when it can only be as it is: a difference is then an error that names it."""
    update_body: Mapping[str, Any] | None = None
    mark: Mapping[str, Any] | None = None
    """What proves that one which is there is Berth's; without the mark nothing is changed."""
    operations: str | None = None
    """What comes before the name of an operation; None when the API answers at once."""

    def look(self, session: Session) -> State:
        """Compare what is there with what is wanted."""
        found = session.get(self.url)
        if found is None:
            return "absent"
        if self.mark is not None and not shows(found, self.mark):
            raise InstallError(
                f"{self.title} exists, but Berth did not make it: {self.url}\n"
                f"  what helps: remove it, or mark it as Berth's with {dict(self.mark)}"
            )
        return "same" if shows(found, self.wanted) else "different"

    def make(self, session: Session, state: State) -> None:
        """Create it, or patch it."""
        if state == "absent":
            self._create(session)
        elif self.update_url is None:
            raise InstallError(
                f"{self.title} is there, but not as it should be, and cannot be changed:\n"
                f"  {'; '.join(differences(session.get(self.url), self.wanted))}"
            )
        else:
            body = self.wanted if self.update_body is None else self.update_body
            self._finish(session, session.send(self.update_method, self.update_url, dict(body)))

    def _create(self, session: Session) -> None:
        body = self.wanted if self.create_body is None else self.create_body
        answer = session.ask(self.create_method, self.create_url, dict(body))
        if answer.status in CONFLICTS and settled(self, session):
            return
        if not answer.is_good:
            raise refused(self.create_method, self.create_url, answer)
        try:
            self._finish(session, answer.body)
        except InTheWayError:
            if not settled(self, session):
                raise

    def _finish(self, session: Session, answer: Any) -> None:
        if self.operations is not None:
            session.wait(self.title, answer, self.operations)


def settled(row: Row, session: Session) -> bool:
    """Wait until a thing that is in the way turns out to be the row's own, finished; or not.

    An earlier attempt whose reply was lost is still being carried out, and nobody has told the
    name of its operation. So the thing itself is watched, as long as it is changing.
    """
    return session.watch(lambda: row.look(session) == "same")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Where a policy is read and written."""

    read_method: str
    read_url: str
    read_body: Mapping[str, Any] | None = None
    write_method: str
    write_url: str
    wrap: bool = True


@dataclass(frozen=True, kw_only=True)
class Binding:
    """One member holding one role in one policy."""

    policy: Policy
    where: str
    role: str
    member: str
    condition: Mapping[str, str] | None = None

    @property
    def title(self) -> str:
        """What it allows, for people."""
        return f"{self.member.split(':')[-1].split('@')[0]}: {self.role.split('/')[-1]} on {self.where}"

    def look(self, session: Session) -> State:
        """Look whether the member holds the role, under that condition."""
        policy = self._read(session)
        return "same" if self._holds(policy) else "absent"

    def make(self, session: Session, state: State) -> None:  # noqa: ARG002 - a row's signature
        """Read, change and write the policy under its etag; begin again when it has moved."""
        for _ in range(CYCLES):
            policy = self._read(session)
            if self._holds(policy):
                return
            entry: dict[str, Any] = {"role": self.role, "members": [self.member]}
            if self.condition is not None:
                entry["condition"] = dict(self.condition)
            changed = {**policy, "version": 3, "bindings": [*policy.get("bindings", []), entry]}
            body = {"policy": changed} if self.policy.wrap else changed
            answer = session.ask(self.policy.write_method, self.policy.write_url, body)
            if answer.status in CONFLICTS:
                continue
            if not answer.is_good:
                raise refused(self.policy.write_method, self.policy.write_url, answer)
            return
        raise InstallError(f"{self.title}: the policy changes all the time; run it again")

    def _read(self, session: Session) -> dict[str, Any]:
        body = None if self.policy.read_body is None else dict(self.policy.read_body)
        found = session.send(
            self.policy.read_method, self.policy.read_url, body, absent_is_none=True
        )
        return dict(found or {})

    def _holds(self, policy: Mapping[str, Any]) -> bool:
        return any(
            binding["role"] == self.role
            and self.member in binding.get("members", [])
            and _same_condition(binding.get("condition"), self.condition)
            for binding in policy.get("bindings", [])
        )


def _same_condition(found: Mapping[str, Any] | None, wanted: Mapping[str, str] | None) -> bool:
    if not found or not wanted:
        return not found and not wanted
    return found.get("expression") == wanted["expression"]


@dataclass(frozen=True, kw_only=True)
class Upload:
    """An object in a bucket with a certain content."""

    bucket: str
    name: str
    content: bytes
    content_type: str
    named_by_content: bool = False
    """Whether the name says what is in it, so that being there is enough."""

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"gs://{self.bucket}/{self.name}"

    @property
    def url(self) -> str:
        """Return where the object's metadata is."""
        quoted = self.name.replace("/", "%2F")
        return f"https://storage.googleapis.com/storage/v1/b/{self.bucket}/o/{quoted}"

    def look(self, session: Session) -> State:
        """Compare the checksum with the one of what is there."""
        found = session.get(self.url)
        if found is None:
            return "absent"
        if self.named_by_content:
            return "same"
        digest = hashlib.md5(self.content, usedforsecurity=False).digest()
        return "same" if found.get("md5Hash") == base64.b64encode(digest).decode() else "different"

    def make(self, session: Session, state: State) -> None:  # noqa: ARG002 - a row's signature
        """Upload it. The bucket is versioned, so nothing is lost."""
        quoted = self.name.replace("/", "%2F")
        session.send(
            "POST",
            f"https://storage.googleapis.com/upload/storage/v1/b/{self.bucket}/o"
            f"?uploadType=media&name={quoted}",
            self.content,
            headers={"Content-Type": self.content_type},
        )


def shows(found: Any, wanted: Any) -> bool:
    """Say whether everything wanted is in what was found."""
    return not differences(found, wanted)


def differences(found: Any, wanted: Any, path: str = "") -> list[str]:
    """Return, place by place, what is wanted and not found."""
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            return [] if not wanted else [f"{path or 'it'} is {found!r}, not {dict(wanted)!r}"]
        return [
            line
            for key, value in wanted.items()
            for line in differences(found.get(key), value, f"{path}.{key}".lstrip("."))
        ]
    if isinstance(wanted, list | tuple):
        if isinstance(found, list) and len(found) == len(wanted):
            return [
                line
                for number, (one, other) in enumerate(zip(found, wanted, strict=True))
                for line in differences(one, other, f"{path}[{number}]")
            ]
        return [] if not found and not wanted else [f"{path} is {found!r}, not {wanted!r}"]
    # An API leaves out what is false, zero or empty.
    if found is None and wanted in (False, 0, ""):
        return []
    return [] if found == wanted else [f"{path} is {found!r}, not {wanted!r}"]
