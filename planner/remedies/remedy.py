"""Remedy: one row per known failure, from what Google says to what a person can do."""

import re
from dataclasses import dataclass

INSTALL = "Run `python -m install apply` again: it restores what Berth itself needs"
IN_THE_CAUSE = "the command in the cause"
AGAIN = "Then send the same request again; it goes on from where it stopped."


@dataclass(frozen=True, kw_only=True)
class Remedy:
    """A failure: how to know it, what to call it, what to do about it."""

    kind: str
    title: str
    remedy: str
    tags: tuple[str, ...] = ()
    """The workflow's own tags, any of which fits; empty: whatever the tags are."""
    api: str = ""
    """A regular expression, found in the host that was asked; empty: any."""
    codes: tuple[int, ...] = ()
    """HTTP codes; 0 is a failed operation, which Google reports with a 200. Empty: any."""
    says: str = ""
    """A regular expression, found in status, reason and text together, whatever the case."""
    finds: str = ""
    """A regular expression; its group, found in what was said, stands for {found} in the remedy."""
    status: int = 502
    resumable: bool = False

    def words(self, text: str) -> str:
        """Return what helps, with what was found put in."""
        found = re.search(self.finds, text) if self.finds else None
        return self.remedy.replace("{found}", found[1] if found else IN_THE_CAUSE)

    def fits(self, tags: tuple[str, ...], *, host: str, code: int, text: str) -> bool:
        """Tell whether this is the failure."""
        return (
            (not self.tags or bool(set(self.tags) & set(tags)))
            and re.search(self.api, host) is not None
            and (not self.codes or code in self.codes)
            and re.search(self.says, text, re.IGNORECASE) is not None
        )


UNKNOWN = Remedy(
    kind="unknown",
    title="It failed in a way that Berth does not know",
    status=502,
    resumable=True,
    remedy="The cause is all there is. Send the same request again; if it fails again in the same "
    "way, report it with the execution's name.",
)
"""For what no row fits; it says so instead of guessing."""
