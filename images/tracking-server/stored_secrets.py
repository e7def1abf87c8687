"""Reads secret versions from Secret Manager, for platforms that cannot mount them as files.

Nothing but the standard library: this runs before MLflow is imported, and urllib honours the same
variables for proxies and certificates as Google's libraries do.
"""

import base64
import functools
import http.client
import json
import os
import re
import sys
import time
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

VERSION = re.compile(r"projects/[^/\s]+/secrets/[^/\s]+/versions/[0-9]+")
SERVICE = "https://secretmanager.googleapis.com/v1/"
TOKEN = "/computeMetadata/v1/instance/service-accounts/default/token"  # noqa: S105 - a path
PAUSES = (1, 2, 4, 8, 15, 30)
"""Seconds between tries: a right that was given a moment ago is not known everywhere at once."""

AGAIN = frozenset([403, 404, 408, 429, 500, 502, 503, 504])
TIMEOUT = 10


class UnreadableError(Exception):
    """A secret version cannot be read; the message says why, and never what it holds."""


def stored_secret(version: str) -> str:
    """Return what the secret version of this full name holds.

    Raises:
        UnreadableError: The name is none of a version, or Google did not hand it out.
    """
    if not VERSION.fullmatch(version):
        raise UnreadableError("the name must be projects/PROJECT/secrets/SECRET/versions/NUMBER")
    return _read(version)


@functools.cache
def _read(version: str) -> str:
    for pause in (*PAUSES, None):
        try:
            headers = {"Authorization": f"Bearer {_token()}"}
            payload = _get(f"{SERVICE}{version}:access", headers)["payload"]
            return base64.b64decode(payload["data"]).decode().rstrip("\n")
        except urllib.error.HTTPError as error:
            reason, hopeless = _said(error), error.code not in AGAIN
        except OSError as error:
            reason, hopeless = str(error), False
        except (ValueError, KeyError):
            # The error's own text could quote what was read.
            raise UnreadableError("Google's answer is not text in the expected form") from None
        if hopeless or pause is None:
            break
        line = f"entrypoint: {version}: {reason}; next try in {pause} s"
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - the log
        time.sleep(pause)
    raise UnreadableError(reason)


def _token() -> str:
    """Return an access token of the account this container runs as."""
    host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
    return str(_get(f"http://{host}{TOKEN}", {"Metadata-Flavor": "Google"})["access_token"])


def _get(url: str, headers: dict[str, str]) -> Any:
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - http or https, above
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:  # noqa: S310 - the same
            return json.load(answer)
    except urllib.error.HTTPError:
        raise
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise OSError(f"{request.host} cannot be reached: {reason}") from error


def _said(error: urllib.error.HTTPError) -> str:
    """Return who answered, with which status and sentence."""
    try:
        message = json.loads(error.read())["error"]["message"]
    except (OSError, ValueError, KeyError, TypeError, http.client.HTTPException):
        message = error.reason
    return f"{urlsplit(error.url).netloc} answered {error.code}: {message}"
