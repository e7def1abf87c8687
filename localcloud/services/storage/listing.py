"""Listing objects: prefixes, delimiters, offsets, patterns, versions and pages."""

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from localcloud.errors import ApiError
from localcloud.services.storage import globs, shelf, views
from localcloud.services.storage.depot import Depot
from localcloud.services.storage.shelf import Bucket, Entry, Resource

MOST = 1000
"""The largest page, which is also the usual one."""

_LAST = "\U0010ffff"


@dataclass(frozen=True)
class Wanted:
    """What to list, as the caller says it."""

    kind: str = "live"
    prefix: str = ""
    delimiter: str = ""
    start: str = ""
    end: str = ""
    glob: re.Pattern[str] | None = None
    trailing: bool = False
    size: int = MOST
    matches: Callable[[Resource], bool] | None = None
    full: bool = False
    folders: tuple[str, ...] = ()
    token: str | None = None


def pattern(glob: str | None, delimiter: str) -> re.Pattern[str] | None:
    """Compile ``matchGlob``, which goes with no delimiter but the slash."""
    if not glob:
        return None
    if delimiter not in {"", "/"}:
        message = "When using matchGlob, the only supported delimiter is '/'."
        raise ApiError(400, message, reason="invalid")
    return globs.compile_glob(glob)


def page(depot: Depot, bucket: Bucket, wanted: Wanted) -> Resource:
    """Return one page of objects and common prefixes, and a token if there are more."""
    items: list[Resource] = []
    prefixes: list[str] = []
    token: str | None = None
    for found in _with_folders(_found(depot, bucket, wanted), wanted):
        if len(items) + len(prefixes) == wanted.size:
            token = _token(found)
            break
        if isinstance(found, str):
            prefixes.append(found)
        else:
            items.append(views.entry(bucket, found, full=wanted.full))
    answer: Resource = {"kind": "storage#objects"}
    if items:
        answer["items"] = items
    if prefixes:
        answer["prefixes"] = prefixes
    if token:
        answer["nextPageToken"] = token
    return answer


def _found(depot: Depot, bucket: Bucket, wanted: Wanted) -> Iterator[Entry | str]:
    start = _start(wanted)
    while True:
        jump: str | None = None
        for entry in shelf.entries_from(depot, bucket, start, kind=wanted.kind):
            if not entry.name.startswith(wanted.prefix):
                return
            if wanted.end and entry.name >= wanted.end:
                return
            if wanted.glob and not wanted.glob.fullmatch(entry.name):
                continue
            if wanted.matches and not wanted.matches(entry.resource.get("contexts") or {}):
                continue
            common = _common(entry.name, wanted)
            if common is None:
                yield entry
                continue
            if wanted.trailing and entry.name == common:
                yield entry
            yield common
            jump = common
            break
        if jump is None:
            return
        start = (jump + _LAST, 0)


def _with_folders(found: Iterator[Entry | str], wanted: Wanted) -> Iterator[Entry | str]:
    """Put the bucket's folders of this level among the prefixes, in order."""
    start, _ = _start(wanted)
    waiting = [
        folder
        for folder in wanted.folders
        if folder.startswith(wanted.prefix)
        and folder >= start
        and (not wanted.end or folder < wanted.end)
        and _common(folder, wanted) == folder
    ]
    for each in found:
        name = each if isinstance(each, str) else each.name
        while waiting and waiting[0] < name:
            yield waiting.pop(0)
        if waiting and waiting[0] == each:
            waiting.pop(0)
        yield each
    yield from waiting


def _common(name: str, wanted: Wanted) -> str | None:
    if not wanted.delimiter:
        return None
    head, sign, _ = name[len(wanted.prefix) :].partition(wanted.delimiter)
    return wanted.prefix + head + sign if sign else None


def _start(wanted: Wanted) -> tuple[str, int]:
    if wanted.token is None:
        return max(wanted.prefix, wanted.start), 0
    try:
        name, generation = json.loads(base64.urlsafe_b64decode(wanted.token))
        return str(name), int(generation)
    except (TypeError, ValueError) as error:
        raise ApiError(400, "Invalid page token.", reason="invalid") from error


def _token(following: Entry | str) -> str:
    where = (following, 0) if isinstance(following, str) else (following.name, following.generation)
    return base64.urlsafe_b64encode(json.dumps(where).encode()).decode()
