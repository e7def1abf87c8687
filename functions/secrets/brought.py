"""Secrets that a team brings: read here, by this function's account, and handed to nobody else.

Google has no API that makes an OAuth client, so its id and its secret come from the console. A team
puts them into two secrets of the project and lets this account, and nobody else of Berth's, read them.
"""

from __future__ import annotations

import base64
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from functions.cloud import clients
from functions.door import logs, problems
from schemas.clashes import iap_place
from schemas.problem import FieldError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from planner.target import Target
    from schemas.access import OAuthClient

# No space, no second line, nothing but ASCII: so are Google's ids and secrets. Anything else is
# the wrong file, and would only be found out when the first person signs in.
_VALUE = re.compile(r"[!-~]+")

# An id travels in the address of the sign-in page, for everybody to see. Whatever secret of another
# team's is named as the id of one's own client must not.
_ID = re.compile(r"[a-z0-9][a-z0-9.-]*\.apps\.googleusercontent\.com")


class UnusableError(Exception):
    """A secret that cannot be used: what was found, and the command that helps."""

    def __init__(self, found: str, command: str) -> None:
        super().__init__(found)
        self.found = found
        self.command = command


def newest(target: Target) -> dict[str, str]:
    """Return the newest version of each secret that a deployment is brought, by the secret's name.

    Whoever asks sees which versions there are, not what they say; so this is for the api. Empty
    when nothing is brought, and when it cannot be seen, which the account that reads them says better.

    Raises:
        ProblemError: 400 that says what of them is not there, and the command that helps.
    """
    from google.auth.exceptions import GoogleAuthError
    from googleapiclient.errors import HttpError

    client = target.oauth_client
    if client is None:
        return {}
    found, refused = {}, []
    try:
        api = clients.discovered("secretmanager", "v1").projects().secrets().versions()
        for half, secret in (
            ("id_secret", client.id_secret),
            ("secret_secret", client.secret_secret),
        ):
            try:
                found[secret] = _newest(api, target, secret)
            except UnusableError as error:
                place = f"{iap_place(target.request)}/oauth_client/{half}"
                refused.append((place, error))
    except HttpError as error:
        logs.write("WARNING", "could not see brought secrets", cause=str(error.reason)[:500])
        return {}
    except (GoogleAuthError, ConnectionError) as error:
        logs.write("WARNING", "could not see brought secrets", cause=str(error)[:500])
        return {}
    if refused:
        raise _problem(
            [error for _, error in refused],
            [FieldError(pointer=place, message=error.found) for place, error in refused],
            # Whether it may read them is not seen from here, and would be the next thing to fail.
            also=f"let {target.platform.accounts.credentials} read both secrets "
            "(roles/secretmanager.secretAccessor), ",
        )
    return found


def _newest(api: Any, target: Target, secret: str) -> str:
    from googleapiclient.errors import HttpError

    name = f"projects/{target.project}/secrets/{secret}/versions/latest"
    try:
        version = api.get(name=name).execute()
    except HttpError as error:
        if error.status_code == HTTPStatus.NOT_FOUND:
            raise _absent(target, secret) from None
        raise
    if version["state"] != "ENABLED":
        raise _switched_off(target, secret)
    return str(version["name"]).rsplit("/", 1)[-1]


def oauth_client(api: Any, target: Target, client: OAuthClient) -> tuple[str, str]:
    """Return id and secret of a client.

    Args:
        api: The client of Secret Manager.
        target: Which deployment asks.
        client: The names of the two secrets.

    Raises:
        ProblemError: 400 that says which of them cannot be used, and the command that helps.
    """
    values, refused = [], []
    for read, secret in ((_id, client.id_secret), (_value, client.secret_secret)):
        try:
            values.append(read(api, target, secret))
        except UnusableError as error:
            refused.append(error)
    if refused:
        raise _problem(refused)
    return values[0], values[1]


def _id(api: Any, target: Target, secret: str) -> str:
    value = _value(api, target, secret)
    if not _ID.fullmatch(value):
        found = (
            f"the secret {secret} does not hold the id of an OAuth client, which ends in "
            ".apps.googleusercontent.com"
        )
        raise UnusableError(found, _fill(target, secret))
    return value


def _value(api: Any, target: Target, secret: str) -> str:
    from googleapiclient.errors import HttpError

    version = target.spec.brought.get(secret, "latest")
    name = f"projects/{target.project}/secrets/{secret}/versions/{version}"
    asked = api.projects().secrets().versions().access(name=name)
    try:
        answer = asked.execute(num_retries=3)
    except HttpError as error:
        words = _WORDS.get(error.status_code)
        if words is None:
            raise
        # Without Google's words: they would look like a binding of ours that has to spread.
        raise words(target, secret) from None
    # A file's last newline is nobody's secret.
    value = base64.b64decode(answer["payload"]["data"]).decode(errors="replace").rstrip("\r\n")
    if not value.strip():
        raise UnusableError(f"the secret {secret} is empty", _fill(target, secret))
    if not _VALUE.fullmatch(value):
        raise UnusableError(
            f"the secret {secret} holds more than one word of printable characters, so it is not "
            "the id or the secret of an OAuth client",
            _fill(target, secret),
        )
    return value


def _unreadable(target: Target, secret: str) -> UnusableError:
    reader = target.platform.accounts.credentials
    command = (
        f"gcloud secrets add-iam-policy-binding {secret} --project={target.project} "
        f"--member=serviceAccount:{reader} --role=roles/secretmanager.secretAccessor"
    )
    found = (
        f"the account {reader} may not read the secret {secret}, or there is none of that name "
        "(then make it first, or correct the name in oauth_client)"
    )
    return UnusableError(found, command)


def _absent(target: Target, secret: str) -> UnusableError:
    command = (
        f"gcloud secrets create {secret} --project={target.project} "
        f"--replication-policy=user-managed --locations={target.region} --data-file=FILE"
    )
    found = (
        f"there is no secret {secret} with a value in project {target.project} (if it is there, but "
        f"empty: {_fill(target, secret)})"
    )
    return UnusableError(found, command)


def _switched_off(target: Target, secret: str) -> UnusableError:
    found = f"the newest version of the secret {secret} is switched off"
    return UnusableError(found, _fill(target, secret))


def _fill(target: Target, secret: str) -> str:
    return f"gcloud secrets versions add {secret} --project={target.project} --data-file=FILE"


_WORDS: dict[int, Callable[[Target, str], UnusableError]] = {
    HTTPStatus.BAD_REQUEST: _switched_off,
    HTTPStatus.FORBIDDEN: _unreadable,
    HTTPStatus.NOT_FOUND: _absent,
}


def _problem(
    refused: list[UnusableError], errors: Sequence[FieldError] = (), *, also: str = ""
) -> problems.ProblemError:
    found = " · ".join(one.found for one in refused)
    command = " && ".join(one.command for one in refused)
    return problems.make(
        "brought-secret",
        f"{found}; what helps: `{command}`",
        remedy=f"Run the command, {also}then send the same request again.",
        errors=errors,
        resumable=True,
    )
