"""Passwords: made here, kept in Secret Manager, and never handed to anybody else.

The one value that leaves this module goes to Cloud SQL, which must be told the password of the
user. Nothing here logs a body.
"""

from __future__ import annotations

import base64
import secrets
import string
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTH = 40
# Cloud SQL's password policy may demand one of each. The symbols need no escaping in a URL's
# password, in a shell or in an INI file.
CLASSES: Sequence[str] = (
    string.ascii_lowercase,
    string.ascii_uppercase,
    string.digits,
    "-_.~",
)


def generate() -> str:
    """Make a password of 40 characters with all four classes in it."""
    everything = "".join(CLASSES)
    while True:
        password = "".join(secrets.choice(everything) for _ in range(LENGTH))
        # Drawing again, rather than mending, keeps every valid password equally likely.
        if all(any(letter in password for letter in kind) for kind in CLASSES):
            return password


def kept(api: Any, secret: str) -> tuple[str, str]:
    """Return the name of the newest version of a secret and the password in it.

    The first version is made here if there is none. addVersion is not idempotent, so it is only
    called where there is nothing: a repeat after a lost reply finds what was made.

    Args:
        api: The client of Secret Manager.
        secret: The full name, projects/P/secrets/S.
    """
    from googleapiclient.errors import HttpError

    newest = api.projects().secrets().versions().access(name=f"{secret}/versions/latest")
    try:
        answer = newest.execute(num_retries=3)
    except HttpError as error:
        if error.status_code != HTTPStatus.NOT_FOUND:
            raise
        password = generate()
        return _add(api, secret, password), password
    return str(answer["name"]), base64.b64decode(answer["payload"]["data"]).decode()


def _add(api: Any, secret: str, password: str) -> str:
    import google_crc32c

    data = password.encode()
    body = {
        "payload": {
            "data": base64.b64encode(data).decode(),
            # The server refuses what was damaged on the way.
            "dataCrc32c": str(google_crc32c.value(data)),
        }
    }
    # No retries: after a lost reply the workflow calls again, and the look-up comes first then.
    added = api.projects().secrets().addVersion(parent=secret, body=body).execute()
    return str(added["name"])
