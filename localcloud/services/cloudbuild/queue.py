"""How many builds of a project are carried out at once, and how long the others wait."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from localcloud.cloud import Cloud

AT_ONCE = 10
"""Concurrent builds, unless ``cloud.quotas["cloudbuild.builds"]`` says otherwise.

Google counts the CPUs of a region (cloud.google.com/build/quotas); its default of ten machines'
worth is what this stands for.
"""

_GLANCE_SECONDS = 0.2


class _Places:
    """How many are taken, and word of each that gets free."""

    def __init__(self, _: Cloud) -> None:
        self.changed = threading.Condition()
        self.taken = 0


@contextmanager
def place(cloud: Cloud, until: float, cancelled: threading.Event) -> Iterator[bool]:
    """Wait for a place among the builds that are carried out; False when it came too late."""
    most = cloud.quotas.get("cloudbuild.builds", AT_ONCE)
    places = cloud.belongings.get(_Places)
    with places.changed:
        while places.taken >= most:
            if cloud.clock.now() >= until or cancelled.is_set():
                break
            places.changed.wait(_GLANCE_SECONDS)
        found = places.taken < most
        if found:
            places.taken += 1
    try:
        yield found
    finally:
        if found:
            with places.changed:
                places.taken -= 1
                places.changed.notify_all()
