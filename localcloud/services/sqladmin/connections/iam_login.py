"""IAM database authentication: an access token instead of a password, checked by the gateway.

The server behind it knows nothing of IAM: each IAM user has an internal password there, which never
leaves the machine. A user who shows a good token, as his password or inside the certificate that
his connector was given for it, is logged in with that password; everybody else talks to the server
himself. Documented under "IAM authentication" of Cloud SQL; the wording of the refusals is Cloud SQL's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from localcloud.errors import ApiError
from localcloud.services.sqladmin import flags
from localcloud.services.sqladmin.connections import certificates
from localcloud.services.sqladmin.engines import engine
from localcloud.services.sqladmin.users import BUILT_IN, IAM_ACCOUNT

if TYPE_CHECKING:
    import asyncio

    from localcloud.cloud import Cloud
    from localcloud.service import Resource


@dataclass(frozen=True)
class Streams:
    """Both sides of a connection: the client, and the server behind the gateway."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    inner_reader: asyncio.StreamReader
    inner_writer: asyncio.StreamWriter


@dataclass(frozen=True)
class Guest:
    """Whoever came through the gateway of an instance, with the certificate he showed."""

    cloud: Cloud
    key: str
    certificate: bytes

    def revoked(self) -> bool:
        """Tell whether his certificate was made by sslCerts.insert and deleted since."""
        return certificates.revoked(self.cloud, self.key, self.certificate)

    def instance(self) -> Resource:
        """Return the instance as it is stored."""
        found = self.cloud.store.of("sqladmin").find(self.key)
        if found is None:
            raise ConnectionError(f"{self.key} has been deleted")
        return found

    def iam_user(self, name: str) -> Resource | None:
        """Return the IAM user of this name, if the instance has one."""
        users = self.cloud.store.of("sqladmin").children(f"{self.key}/users/")
        found = [one for one in users if one["name"] == name and one["type"] != BUILT_IN]
        return found[0] if found else None

    def may_login(self, name: str, token: str) -> bool:
        """Tell whether this is a good token of that very user, who may log in."""
        found, known = self.instance(), self.iam_user(name) or {}
        if flags.value(found["settings"], engine(found).iam_flag) != "on":
            return False
        try:
            caller = self.cloud.tokens.identify({"authorization": f"Bearer {token}"})
            self.cloud.iam.check(caller.member, "cloudsql.instances.login", "sqladmin", self.key)
        except ApiError:
            return False
        # MySQL's names are cut short: there the whole address is kept beside them
        same = known.get("iamEmail", caller.email) == caller.email
        return same and engine(found).login_name(caller.email) == name

    def token(self) -> str | None:
        """Return the access token that his connector put into his certificate."""
        return certificates.login_token(self.certificate)

    def password(self, name: str) -> str:
        """Return the internal password of an IAM user."""
        connection = self.instance()["connectionName"]
        found: str = self.cloud.machines.databases.iam_password(connection, name)
        return found

    def kind(self, name: str) -> str:
        """Say what an IAM user is, as refusals name him."""
        known = self.iam_user(name) or {}
        return "service account" if known.get("type") == IAM_ACCOUNT else "user"
