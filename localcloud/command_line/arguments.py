"""What the words of the command line may be; each function is an argparse ``type``."""

from __future__ import annotations

import os
import re
from argparse import ArgumentTypeError
from importlib import import_module
from pathlib import Path

STATE = ".localcloud"
"""The state folder unless one is named."""

_EMAIL = re.compile(r"[^\s@/:]+@[^\s@/:]+\.[^\s@/:]+")
_PROJECT_ID = re.compile(r"[a-z][a-z0-9-]{4,28}[a-z0-9]")


def state_folder(text: str) -> Path:
    """Turn --state into a path that holds wherever the daemon runs."""
    return Path(os.path.abspath(text))  # noqa: PTH100 - resolve() would follow links


def email(text: str) -> str:
    """Check that this names a person or an account; it becomes the name of a file, too."""
    if not _EMAIL.fullmatch(text):
        raise ArgumentTypeError(f"{text!r} is no e-mail address, such as ana@example.com")
    return text


def project_id(text: str) -> str:
    """Check a project ID by Google's rule."""
    if not _PROJECT_ID.fullmatch(text):
        raise ArgumentTypeError(
            f"{text!r} is no project ID: 6 to 30 lower-case letters, digits and hyphens, "
            "beginning with a letter, not ending with a hyphen"
        )
    return text


def region(text: str) -> str:
    """Check that there is such a region."""
    known = import_module("localcloud.services.run.names").REGION_CODES
    if text not in known:
        raise ArgumentTypeError(f"{text!r} is no region of Cloud Run's: {', '.join(sorted(known))}")
    return text
