"""``python -m localcloud faults``: have things go wrong in a local cloud that runs."""

from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

from localcloud.faults.trouble import KINDS_OF_DELAY, PACES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_ABOUT = (
    "Plan what goes wrong, by method id as in Google's discovery documents, such as "
    "sql.instances.insert; `python -m localcloud calls` prints the ids of what was called. "
    "Plans live in memory: they end with the local cloud."
)


def add(parser: argparse.ArgumentParser, *, folder: Callable[[str], Path]) -> None:
    """Describe the verbs of ``faults``; ``folder`` reads --state, which may come last too."""
    parser.description = _ABOUT
    verbs = parser.add_subparsers(dest="fault", required=True, metavar="VERB")

    def verb(name: str, about: str, *, method: bool = True) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=about, description=about)
        added.add_argument("--state", type=folder, default=argparse.SUPPRESS)
        if method:
            added.add_argument("method", metavar="METHOD_ID")
        return added

    def times(added: argparse.ArgumentParser) -> None:
        added.add_argument("--times", type=int, help="how many calls, 1 by default")

    fail = verb("fail", "answer the next call with an HTTP error")
    fail.add_argument("--status", type=int, help="of HTTP, 503 by default")
    fail.add_argument("--reason", help="the machine-readable word")
    fail.add_argument("--message")
    fail.add_argument("--after", action="store_true", help="only after the call had its effect")
    times(fail)
    times(verb("lose-reply", "do what the next call asks, and break the connection"))
    times(verb("reset", "break the connection of the next call before it has any effect"))
    slow = verb("slow", "take longer to answer the next call")
    slow.add_argument("--seconds", type=float, required=True)
    times(slow)
    operation = verb("fail-operation", "end the next operation with an error")
    operation.add_argument("--status", required=True, help="such as INTERNAL, or a reason")
    operation.add_argument("--message")
    times(operation)
    times(verb("lose-operation", "do the work of the next operation, and forget the operation"))
    stale = verb("stale", "have a reading method answer as things were a while ago")
    stale.add_argument("--seconds", type=float, required=True, help="0 ends it")
    limit = verb("limit", "answer 429 to more than so many calls within so many seconds")
    limit.add_argument("most", type=int, metavar="MOST")
    limit.add_argument("--seconds", type=float, help="60 by default")
    pace = verb("pace", "set how long calls and operations take", method=False)
    pace.add_argument("pace", choices=PACES)
    delay = verb("delay", "let changes count only after so many seconds", method=False)
    delay.add_argument("kind", choices=KINDS_OF_DELAY)
    delay.add_argument("seconds", type=float)
    chaos = verb("chaos", "have shares (0 to 1) of everything go wrong by chance", method=False)
    for share in ("unavailable", "lost", "operations-failed", "operations-lost"):
        chaos.add_argument(f"--{share}", type=float)
    verb("list", "print what was planned and has not happened yet", method=False)
    verb("clear", "drop every plan, limit and lag", method=False)


def run(given: argparse.Namespace, ask: Callable[..., Any]) -> str:
    """Do what was asked through ``ask``, and say how many faults are planned now."""
    verb = given.fault.replace("-", "_")
    words = {
        name: value
        for name, value in vars(given).items()
        if name not in {"fault", "verb", "state", "function"} and value not in {None, False}
    }
    planned = ask("/faults", verb=verb, given=words)
    if given.fault == "list":
        return json.dumps(planned, indent=2)
    count = sum(planned.values())
    return f"{count} {'fault' if count == 1 else 'faults'} planned"
