"""Passwords and other secret texts: kept in Secret Manager, never logged, never in an answer."""

from __future__ import annotations

import base64
import secrets
import string
import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from functions.door import problems

if TYPE_CHECKING:
    from collections.abc import Sequence

LENGTH = 40
_SHOWN_WITHIN = 30.0
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
    found = newest(api, secret)
    if found is not None:
        return found
    password = generate()
    return add(api, secret, password), password


def newest(api: Any, secret: str) -> tuple[str, str] | None:
    """Return the name of the newest version of a secret and what it says; None without one."""
    from googleapiclient.errors import HttpError

    asked = api.projects().secrets().versions().access(name=f"{secret}/versions/latest")
    try:
        answer = asked.execute(num_retries=3)
    except HttpError as error:
        if error.status_code != HTTPStatus.NOT_FOUND:
            raise
        return None
    return str(answer["name"]), base64.b64decode(answer["payload"]["data"]).decode()


def add(api: Any, secret: str, text: str) -> str:
    """Make a version of a secret, whatever there is already; return its name once it is the newest.

    Google shows a new version by its number at once and as "latest" some moments later. Whoever
    reads "latest" too early would deploy the old one, or make a second first one.

    Raises:
        ProblemError: 503 when it takes too long; a repeat finds the version that was made.
    """
    name = _added(api, secret, text)
    deadline = time.monotonic() + _SHOWN_WITHIN
    while (newest(api, secret) or ("", ""))[0] != name:
        if time.monotonic() > deadline:
            raise problems.unavailable(f"{name} was made and is not shown as the newest version")
        time.sleep(0.5)
    return name


def _added(api: Any, secret: str, text: str) -> str:
    import google_crc32c

    data = text.encode()
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
