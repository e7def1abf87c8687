"""How many builds of a project are carried out at once, and how long the others wait."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cloud import Cloud

AT_ONCE = 10
"""Concurrent builds, unless ``cloud.quotas["cloudbuild.builds"]`` says otherwise.

Google counts the CPUs of a region (cloud.google.com/build/quotas); its default of ten machines'
worth is what this stands for.
"""

_GLANCE_SECONDS = 0.2
_CHANGED = threading.Condition()
_WORKING: WeakKeyDictionary[Cloud, int] = WeakKeyDictionary()


@contextmanager
def place(cloud: Cloud, until: float, cancelled: threading.Event) -> Iterator[bool]:
    """Wait for a place among the builds that are carried out; False when it came too late."""
    most = cloud.quotas.get("cloudbuild.builds", AT_ONCE)
    with _CHANGED:
        while _WORKING.get(cloud, 0) >= most:
            if cloud.clock.now() >= until or cancelled.is_set():
                break
            _CHANGED.wait(_GLANCE_SECONDS)
        found = _WORKING.get(cloud, 0) < most
        if found:
            _WORKING[cloud] = _WORKING.get(cloud, 0) + 1
    try:
        yield found
    finally:
        if found:
            with _CHANGED:
                _WORKING[cloud] -= 1
                _CHANGED.notify_all()
