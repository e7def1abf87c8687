"""What Berth reads about itself: platform.json and policy.yaml in the registry bucket."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import ValidationError

from install.errors import InstallError
from install.ground import SQL
from install.images import Source
from install.names import POOL, WORKFLOWS, Names
from install.rows import State, Upload
from install.session import Session
from schemas.access import member_of
from schemas.network import Network
from schemas.platform import Accounts, Platform
from schemas.policy import Policy


@dataclass(frozen=True, kw_only=True)
class PlatformDocument:
    """platform.json: what the other rows have made, as the functions need to know it."""

    names: Names
    sources: list[Source] = field(repr=False)
    proxy: Source = field(repr=False)
    pool: bool
    network: Network | None
    verify_ranges: tuple[str, ...]

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"gs://{self.names.registry}/platform.json"

    def look(self, session: Session) -> State:
        """Compare it with what is there now."""
        return self._upload(session).look(session)

    def make(self, session: Session, state: State) -> None:
        """Write it."""
        self._upload(session).make(session, state)

    def _upload(self, session: Session) -> Upload:
        text = json.dumps(self.platform(session).document(), indent=2, sort_keys=True)
        return Upload(
            bucket=self.names.registry,
            name="platform.json",
            content=text.encode(),
            content_type="application/json",
        )

    def platform(self, session: Session) -> Platform:
        """Return what there is: addresses and generations are read, not guessed."""
        names = self.names
        return Platform.model_validate(
            {
                "project_id": names.project,
                "project_number": names.number,
                "regions": {
                    names.region: {
                        "host_suffixes": self._host_suffixes(session),
                        "pool": self._pool(session),
                        "image_repository": names.image_repository,
                    }
                },
                "default_region": names.region,
                "registry_bucket": names.registry,
                "topic": names.topic,
                "accounts": {name: names.account(name) for name in Accounts.model_fields},
                "functions": {name: names.url(name) for name in ("plan", "credentials", "verify")},
                "workflows": {name: names.workflow(name) for name in WORKFLOWS},
                "images": {source.version: self._image(session, source) for source in self.sources},
                "proxy_image": self._image(session, self.proxy),
                "network": None if self.network is None else self.network.document(),
                "verify_ranges": self.verify_ranges,
            }
        )

    def _host_suffixes(self, session: Session) -> list[str]:
        """Return what follows a service's name in its addresses, read off our own api's.

        The second of the two addresses holds a hash that no formula gives.
        """
        service: Any = session.get(f"https://run.googleapis.com/v2/{self.names.service('api')}")
        urls = (service or {}).get("urls") or [self.names.url("api")]
        return [urlsplit(url).netloc.removeprefix("berth-api") for url in urls]

    def _pool(self, session: Session) -> dict[str, str] | None:
        if not self.pool:
            return None
        found = session.get(f"{SQL}/{self.names.project}/instances/{POOL}") or {}
        there = f"{self.names.project}:{self.names.region}:{POOL}"
        return {"instance": POOL, "connection_name": found.get("connectionName", there)}

    def _image(self, session: Session, source: Source) -> dict[str, str]:
        found = session.get(source.upload(self.names).url) or {}
        return {
            "digest": source.digest,
            "bucket": self.names.source,
            "object": source.object,
            "generation": str(found.get("generation", "0")),
        }


@dataclass(frozen=True, kw_only=True)
class PolicyDocument:
    """policy.yaml: the first one is written for the admin; later ones only when a file is given."""

    names: Names
    content: bytes | None
    """What a file says, as `checked` returned it."""
    admin: str | None

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"gs://{self.names.registry}/policy.yaml"

    def look(self, session: Session) -> State:
        """Compare it with the file; without a file, one that is there is right."""
        upload = self._upload(self._text())
        if self.content is None and session.get(upload.url) is not None:
            return "same"
        if not upload.content:
            raise InstallError(
                f"there is no {self.title} yet\n"
                "  what helps: --admin EMAIL for a first one, or --policy FILE"
            )
        return upload.look(session)

    def make(self, session: Session, state: State) -> None:
        """Write it."""
        self._upload(self._text()).make(session, state)

    def _upload(self, text: bytes) -> Upload:
        return Upload(
            bucket=self.names.registry,
            name="policy.yaml",
            content=text,
            content_type="application/yaml",
        )

    def _text(self) -> bytes:
        if self.content is not None:
            return self.content
        if self.admin is None:
            return b""
        first = {"admins": [member_of(self.admin)], "teams": {}}
        return yaml.safe_dump(first, sort_keys=False).encode()


def checked(file: Path) -> bytes:
    """Return what a policy file says.

    Raises:
        InstallError: It is no policy; uploaded, it would lock everybody out.
    """
    try:
        text = file.read_bytes()
        Policy.model_validate(yaml.safe_load(text) or {})
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise InstallError(f"{file} is not a policy: {error}") from error
    return text
