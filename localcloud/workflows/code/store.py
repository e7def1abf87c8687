"""Where an assignment puts its value: a variable, or a path of keys into one."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from localcloud.workflows.code import operators
from localcloud.workflows.code.closures import Code
from localcloud.workflows.code.frames import Frame
from localcloud.workflows.errors import type_error


@dataclass(frozen=True, slots=True)
class Store:
    """Where an assignment puts its value: a variable, or a path of keys into one."""

    hops: int
    place: int
    keys: list[Code] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        """Say whether a key must be waited for."""
        return any(key.plain is None for key in self.keys)

    @property
    def plain(self) -> Callable[[Frame, Any], None]:
        """Give the closure that stores a value; no key of it waits."""
        hops, place = self.hops, self.place
        if not self.keys:
            if hops:
                return lambda frame, value: owner_frame(frame, hops).store(place, value)
            return lambda frame, value: frame.store(place, value)
        keys = [key.plain for key in self.keys if key.plain is not None]
        return lambda frame, value: self.apply(frame, [key(frame) for key in keys], value)

    def apply(self, frame: Frame, keys: list[Any], value: Any) -> None:
        """Store a value at a path whose keys are known."""
        frame = owner_frame(frame, self.hops)
        if not keys:
            frame.store(self.place, value)
            return
        operators.assign_path(frame, self.place, keys, value)


def owner_frame(frame: Frame, hops: int) -> Frame:
    """Give the frame that owns a variable so many branches out."""
    for _ in range(hops):
        if frame.up is None:
            raise type_error("variable is out of reach")
        frame = frame.up
    return frame
