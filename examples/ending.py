"""How a program ends that does not reach its end: in a sentence, with what to do."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import requests

INTERRUPTED = 130
"""What a shell calls the end by Ctrl-C."""

NEXT = "what was asked for goes on without this program; the same command begins by removing it"


@contextmanager
def told() -> Iterator[None]:
    """Say what Ctrl-C means here, and a local cloud that is gone: nothing is broken by either."""
    try:
        yield
    except KeyboardInterrupt:
        print(f"\ninterrupted: {NEXT}", file=sys.stderr)
        sys.exit(INTERRUPTED)
    except requests.ConnectionError as error:
        host = "the cloud" if error.request is None else error.request.url
        print(
            f"\n{host} does not answer any more; `make up` starts the local cloud", file=sys.stderr
        )
        sys.exit(f"once it is up, {NEXT}")
