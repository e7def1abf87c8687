"""The call log: who called what, and how it went."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class CallRecord:
    """One call of one API method."""

    who: str
    method: str
    status: int
    when: float
    resource: str


class CallLog:
    """The latest calls in order of arrival, and how often each method was ever called."""

    def __init__(self, *, most: int = 20_000) -> None:
        """Keep at most so many records; the counts are never dropped."""
        self._records: deque[CallRecord] = deque(maxlen=most)
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def append(self, record: CallRecord) -> None:
        """Write one record."""
        with self._lock:
            self._records.append(record)
            self._counts[record.method] += 1

    def count(self, method: str) -> int:
        """Say how often a method was called."""
        return self._counts[method]

    def of(self, method: str) -> list[CallRecord]:
        """List the records of one method."""
        return [record for record in self if record.method == method]

    def clear(self) -> None:
        """Forget everything, so that a test can look at one stretch only."""
        with self._lock:
            self._records.clear()
            self._counts.clear()

    def __iter__(self) -> Iterator[CallRecord]:
        """Go through the records, oldest first."""
        with self._lock:
            return iter(list(self._records))

    def __len__(self) -> int:
        """Say how many records are kept."""
        return len(self._records)

    def __getitem__(self, index: int) -> CallRecord:
        """Give one record."""
        with self._lock:
            return self._records[index]
