"""Keys in files of the state folder: made when they are first needed, for their owner's eyes only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.hazmat.primitives import serialization

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes


def kept_key(file: Path, make: Callable[[], PrivateKeyTypes]) -> PrivateKeyTypes:
    """Read the private key of a file, which gets what ``make`` makes if it is not there yet."""
    if not file.exists():
        pem = make().private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_private(file, pem)
    return serialization.load_pem_private_key(file.read_bytes(), password=None)


def write_private(file: Path, data: bytes) -> None:
    """Write a file that only its owner reads."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(data)
