"""Ctrl-C, said in a sentence."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

STATUS = 130
"""What a shell calls the end by Ctrl-C."""


@contextmanager
def told() -> Iterator[None]:
    """Turn Ctrl-C into what it means here and an exit code: nothing breaks, nothing is cleaned up."""
    try:
        yield
    except KeyboardInterrupt:
        print(
            "\ninterrupted; what was asked for goes on without this program. The same command "
            "begins by removing it",
            file=sys.stderr,
        )
        sys.exit(STATUS)
