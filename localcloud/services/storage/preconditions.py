"""Generation and metageneration preconditions: the same eight parameters on every verb."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from localcloud.errors import ApiError

MESSAGE = "At least one of the pre-conditions you specified did not hold."


class Numbered(Protocol):
    """Anything with a generation and a metageneration: a row of a bucket or an object."""

    @property
    def generation(self) -> int:
        """The generation of the content."""

    @property
    def metageneration(self) -> int:
        """The generation of the metadata."""

    @property
    def etag(self) -> str:
        """Both, as one opaque text."""


def failed() -> ApiError:
    """Return the refusal for a precondition that does not hold."""
    return ApiError(412, MESSAGE, reason="conditionNotMet")


@dataclass(frozen=True)
class Preconditions:
    """What a caller wants to be true of a resource, as far as he says."""

    generation: int | None = None
    not_generation: int | None = None
    metageneration: int | None = None
    not_metageneration: int | None = None
    etag: str | None = None
    not_etag: str | None = None

    @classmethod
    def read(
        cls,
        get: Callable[[str], Any],
        headers: Mapping[str, str] | None = None,
        *,
        prefix: str = "if",
    ) -> "Preconditions":
        """Read the parameters of a call, or those of its source with prefix ``ifSource``.

        HTTP's own ``If-Match`` and ``If-None-Match`` count only for the call itself.
        """

        def number(name: str) -> int | None:
            value = get(prefix + name)
            return None if value is None else int(value)

        sent = headers or {}
        return cls(
            number("GenerationMatch"),
            number("GenerationNotMatch"),
            number("MetagenerationMatch"),
            number("MetagenerationNotMatch"),
            _bare(sent.get("if-match")),
            _bare(sent.get("if-none-match")),
        )

    def check(self, found: Numbered | None, *, reading: bool = False) -> None:
        """Raise 412 unless all hold for *found*; None stands for a live version that is absent.

        A reader who asks for "only if changed" and finds it unchanged gets 304 instead.
        """
        if self._mismatched(found):
            raise failed()
        if self._unchanged(found):
            if reading:
                raise ApiError(304, "Not Modified", reason="notModified")
            raise failed()

    def _mismatched(self, found: Numbered | None) -> bool:
        generation = found.generation if found else 0
        metageneration = found.metageneration if found else None
        etag = found.etag if found else None
        return (
            (self.generation is not None and self.generation != generation)
            or (self.metageneration is not None and self.metageneration != metageneration)
            or (self.etag is not None and self.etag not in {etag, "*" if found else None})
        )

    def _unchanged(self, found: Numbered | None) -> bool:
        if found is None:
            # 0 names "no live version", so "not 0" fails exactly when there is none.
            return self.not_generation == 0
        return (
            found.generation == self.not_generation
            or found.metageneration == self.not_metageneration
            or (self.not_etag is not None and self.not_etag in {found.etag, "*"})
        )


def _bare(etag: str | None) -> str | None:
    return None if etag is None else etag.strip().removeprefix("W/").strip('"')
