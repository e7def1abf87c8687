"""``hash``: checksums and message authentication codes."""

import hashlib
import hmac
from typing import Final

from localcloud.workflows.errors import value_error
from localcloud.workflows.stdlib.registry import function
from localcloud.workflows.values import expect_type

ALGORITHMS: Final = ("MD5", "SHA1", "SHA224", "SHA256", "SHA384", "SHA512")


def _algorithm(name: object) -> str:
    algorithm: str = expect_type(name, str, "algorithm")
    if algorithm not in ALGORITHMS:
        raise value_error(f"algorithm '{algorithm}' is not one of {', '.join(ALGORITHMS)}")
    return algorithm.lower()


@function("hash.compute_checksum", "data", "algorithm")
def compute_checksum(data: object, algorithm: object) -> bytes:
    """Compute a checksum of bytes."""
    content: bytes = expect_type(data, bytes, "data")
    return hashlib.new(_algorithm(algorithm), content, usedforsecurity=False).digest()


@function("hash.compute_hmac", "key", "data", "algorithm")
def compute_hmac(key: object, data: object, algorithm: object) -> bytes:
    """Compute a keyed checksum of bytes."""
    secret: bytes = expect_type(key, bytes, "key")
    content: bytes = expect_type(data, bytes, "data")
    return hmac.new(secret, content, _algorithm(algorithm)).digest()
