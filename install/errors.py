"""What can go wrong while installing, and what a person can do about it."""

import json
import re
from dataclasses import dataclass
from typing import Any

PERMISSION = re.compile(
    r"[Pp]ermission '?\"?([a-z]+[a-zA-Z]*\.[\w.]+)'?\"?|([a-z]+\.[\w.]+) access"
)

UNKNOWN_ACCOUNT = re.compile(r"[Ss]ervice ?[Aa]ccount .*does not exist")


class InstallError(Exception):
    """The installation cannot go on; the message says what was asked, what came back, what helps."""


class InTheWayError(InstallError):
    """Something of that name exists already; perhaps by an earlier attempt of our own."""


@dataclass(frozen=True)
class Answer:
    """What an API answered: the HTTP status and the body, parsed where it was JSON."""

    status: int
    body: Any

    @property
    def is_good(self) -> bool:
        """Say whether it is neither an error nor no answer at all."""
        return 0 < self.status < 400  # noqa: PLR2004 - HTTP's errors begin there

    @property
    def error(self) -> dict[str, Any]:
        """Return Google's error object; empty when there is none."""
        found = self.body.get("error") if isinstance(self.body, dict) else None
        return found if isinstance(found, dict) else {}

    @property
    def message(self) -> str:
        """Return what was said, in Google's words."""
        return str(self.error.get("message") or self.body or f"HTTP status {self.status}")[:1000]

    @property
    def reasons(self) -> set[str]:
        """Return the reasons given, of either error style."""
        places = [*self.error.get("details", []), *self.error.get("errors", [])]
        return {str(place["reason"]) for place in places if "reason" in place}

    @property
    def api_is_off(self) -> bool:
        """Say whether the API is not enabled, or not known to be yet."""
        return bool(self.reasons & {"SERVICE_DISABLED", "accessNotConfigured"})

    @property
    def account_unknown(self) -> bool:
        """Say whether a service account is not known, or not known everywhere yet."""
        return self.status in (400, 403, 404) and bool(UNKNOWN_ACCOUNT.search(self.message))


def refused(method: str, url: str, answer: Answer) -> InstallError:
    """Return the error for an answer that is none of those hoped for."""
    return InstallError(
        f"{method} {url}\n  was refused with {answer.status}: {answer.message}\n"
        f"  what helps: {_remedy(answer)}"
    )


def _remedy(answer: Answer) -> str:
    permission = PERMISSION.search(answer.message)
    if answer.api_is_off:
        return "the API is not usable yet; wait a few minutes and run the same command again"
    if answer.status == FORBIDDEN and permission is not None:
        name = permission.group(1) or permission.group(2)
        return f"whoever installs needs the permission {name}, for example as owner of the project"
    if "billing" in answer.message.lower():
        return "link a billing account to the project"
    return REMEDIES.get(answer.status, "run the same command again: it goes on where it stopped")


FORBIDDEN = 403

REMEDIES = {
    400: "read Google's words above; an organisation policy or another region may be the cause",
    401: "log in again: gcloud auth application-default login",
    403: "whoever installs must own the project (roles/owner)",
    404: "check --project and --region",
    409: "something of that name is in the way; remove it, or install into another project",
    429: "a quota is used up; ask for more, or wait",
}


def operation_failed(title: str, error: Any) -> InstallError:
    """Return the error for a long-running operation that ended badly."""
    found = error if isinstance(error, dict) else {}
    first = (found.get("errors") or [found])[0]
    words = f"{title}: the operation failed: {first.get('message') or json.dumps(error)}"
    if first.get("code") in ALREADY_EXISTS:
        return InTheWayError(words)
    return InstallError(f"{words}\n  what helps: read Google's words")


ALREADY_EXISTS = (6, "ALREADY_EXISTS")
"""The code of google.rpc, and its name."""
