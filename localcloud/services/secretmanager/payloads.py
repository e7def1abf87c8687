"""Payloads of secret versions: kept apart from the versions, so that no listing can ever show one."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from localcloud.store import Store


class Payloads:
    """The payloads of every secret of one cloud, by the name of their version."""

    def __init__(self, store: Store) -> None:
        """Keep them beside the secrets, in a collection of their own."""
        self._kept = store.of("secretmanager.payloads")

    def write(self, name: str, data: bytes) -> None:
        """Keep a payload."""
        self._kept.put(name, {"data": base64.b64encode(data).decode()})

    def read(self, name: str) -> bytes:
        """Return a payload."""
        return base64.b64decode(self._kept.fetch(name)["data"])

    def delete_under(self, name: str) -> None:
        """Forget the payload of a version, or those of all versions of a secret."""
        for found, _ in [*self._kept.under(name + "/"), (name, None)]:
            if self._kept.find(found) is not None:
                self._kept.delete(found)
