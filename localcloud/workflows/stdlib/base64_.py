"""``base64``: bytes to text and back."""

import base64
import binascii

from localcloud.workflows.errors import value_error
from localcloud.workflows.stdlib.registry import function
from localcloud.workflows.values import expect_type


@function("base64.encode", "data", "padding?")
def encode(data: object, padding: object = True) -> str:
    """Encode bytes as Base64 text, with padding unless it is switched off."""
    text = base64.b64encode(expect_type(data, bytes, "data")).decode()
    return text if expect_type(padding, bool, "padding") else text.rstrip("=")


@function("base64.decode", "data", "padding?")
def decode(data: object, padding: object = True) -> bytes:
    """Decode Base64 text; without padding, the text has none. Line breaks in it are ignored.

    So says its page, docs/reference/stdlib/base64/decode.
    """
    text: str = expect_type(data, str, "data").replace("\r", "").replace("\n", "")
    if not expect_type(padding, bool, "padding"):
        if text.endswith("="):
            raise value_error("data has padding, but padding is false")
        text += "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise value_error(f"data is not Base64: {error}") from error
