"""The functions: one zip of what .gcloudignore lets through, deployed four times."""

import hashlib
import io
import os
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pathspec

from install.errors import InstallError, refused
from install.names import MARK, Names
from install.network import egress
from install.rights import on
from install.rows import CONFLICTS, Binding, Resource, Row, State, differences, settled
from install.session import Session
from schemas.network import Network

BASE = "https://cloudfunctions.googleapis.com/v2"
RUN = "https://run.googleapis.com/v2"
RUNTIME = "python312"
LONG_AGO = (1980, 1, 1, 0, 0, 0)

TIMEOUTS = {"api": 60, "plan": 60, "credentials": 540, "verify": 540}


def archive(root: Path) -> bytes:
    """Return the zip of everything under `root` that .gcloudignore does not hold back.

    The same files give the same bytes, so that an unchanged function can be told.

    Raises:
        InstallError: There is no .gcloudignore, or it lets no main.py through.
    """
    rules = root / ".gcloudignore"
    if not rules.is_file():
        raise InstallError(f"there is no {rules}; it says what belongs to the functions")
    ignored = pathspec.GitIgnoreSpec.from_lines(rules.read_text(encoding="utf-8").splitlines())
    names = sorted(_let_through(root, ignored))
    if "main.py" not in names:
        raise InstallError(f"{rules} lets no main.py through")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in names:
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            target.writestr(entry, (root / name).read_bytes())
    return packed.getvalue()


def _let_through(root: Path, ignored: pathspec.GitIgnoreSpec) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        here = Path(folder).relative_to(root)
        # What is held back is not walked into: a virtual environment has thousands of files.
        folders[:] = [name for name in folders if not ignored.match_file(f"{here / name}/")]
        yield from (str(here / name) for name in files if not ignored.match_file(str(here / name)))


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function, deployed anew only when the zip or its settings have changed."""

    names: Names
    name: str
    zip: bytes = field(repr=False)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What its serviceConfig says besides."""

    @property
    def title(self) -> str:
        """What it is, for people."""
        return f"function berth-{self.name}"

    @property
    def wanted(self) -> dict[str, Any]:
        """Return what it has to show."""
        return {
            "environment": "GEN_2",
            "description": f"Berth's {self.name}",
            "buildConfig": {"runtime": RUNTIME, "entryPoint": self.name},
            "serviceConfig": {
                "serviceAccountEmail": self.names.account(self.name),
                "availableMemory": "512M",
                # A whole CPU is what more than one request at once needs; by default each caller
                # would start an instance of his own, and wait for it.
                "availableCpu": "1",
                "maxInstanceRequestConcurrency": 16,
                "timeoutSeconds": TIMEOUTS[self.name],
                "maxInstanceCount": 20,
                "ingressSettings": "ALLOW_ALL",
                "environmentVariables": {"BERTH_REGISTRY": self.names.registry},
                **self.settings,
            },
            "labels": {**MARK, "berth-zip": hashlib.sha256(self.zip).hexdigest()[:40]},
        }

    def look(self, session: Session) -> State:
        """Compare its settings, and the digest of the zip it was made from."""
        found = session.get(f"{BASE}/{self.names.function(self.name)}")
        if found is None:
            return "absent"
        if found.get("labels", {}).get("managed-by") != MARK["managed-by"]:
            raise InstallError(f"{self.title} exists, but Berth did not make it")
        works = found.get("state") == "ACTIVE"
        return "same" if works and not differences(found, self.wanted) else "different"

    def make(self, session: Session, state: State) -> None:
        """Upload the zip and deploy it."""
        functions = f"{BASE}/{self.names.location}/functions"
        place = session.send("POST", f"{functions}:generateUploadUrl", {})
        session.upload(place["uploadUrl"], self.zip, "application/zip")
        wanted = self.wanted
        build = f"projects/{self.names.project}/serviceAccounts/{self.names.account('build')}"
        body = {
            **wanted,
            "buildConfig": {
                **wanted["buildConfig"],
                "serviceAccount": build,
                "source": {"storageSource": place["storageSource"]},
            },
        }
        if state == "absent":
            create = f"{functions}?functionId=berth-{self.name}"
            reply = session.ask("POST", create, body)
            if reply.status in CONFLICTS and settled(self, session):
                return
            if not reply.is_good:
                raise refused("POST", create, reply)
            answer = reply.body
        else:
            name = self.names.function(self.name)
            mask = "buildConfig,serviceConfig,labels,description"
            answer = session.send("PATCH", f"{BASE}/{name}?updateMask={mask}", body)
        session.wait(self.title, answer, f"{BASE}/")


def chain(names: Names, name: str, packed: bytes, *, network: Network | None) -> list[Row]:
    """Return a function and the door to it: what has to happen one after the other."""
    # verify alone visits tracking servers, some of which only a network's own callers find.
    settings = egress(network) if name == "verify" else {}
    service = f"{RUN}/{names.service(name)}"
    if name == "api":
        # The api verifies callers itself, so Cloud Run shall let everybody reach it. A binding
        # for allUsers would do the same, but is refused under domain-restricted sharing.
        door: Row = Resource(
            title="service berth-api: open, since the api asks for the token itself",
            url=service,
            wanted={"invokerIamDisabled": True},
            create_method="PATCH",
            create_url=f"{service}?updateMask=invokerIamDisabled",
            update_url=f"{service}?updateMask=invokerIamDisabled",
            operations=f"{RUN}/",
        )
    else:
        door = Binding(
            policy=on(service),
            where=f"service berth-{name}",
            role="roles/run.invoker",
            member=names.member("workflow"),
        )
    return [Function(names=names, name=name, zip=packed, settings=settings), door]
