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

if TYPE_CHECKING:
    from collections.abc import Callable

    from planner.target import Target
    from schemas.access import OAuthClient

# No space, no second line, nothing but ASCII: so are Google's ids and secrets. Anything else is
# the wrong file, and would only be found out when the first person signs in.
_VALUE = re.compile(r"[!-~]+")

# An id travels in the address of the sign-in page, for everybody to see. Whatever secret of another
# team's is named as the id of one's own client must not.
_ID = re.compile(r"[a-z0-9][a-z0-9.-]*\.apps\.googleusercontent\.com")


def newest(target: Target) -> dict[str, str]:
    """Return the newest version of each secret that a deployment is brought, by the secret's name.

    Whoever asks sees which versions there are, not what they say; so this is for the api. Empty
    when nothing is brought, and when it cannot be seen, which the account that reads them says better.

    Raises:
        ProblemError: 400 that says which of them is not there, and the command that helps.
    """
    from google.auth.exceptions import GoogleAuthError
    from googleapiclient.errors import HttpError

    if target.oauth_client is None:
        return {}
    found = {}
    try:
        api = clients.discovered("secretmanager", "v1").projects().secrets().versions()
        for secret in (target.oauth_client.id_secret, target.oauth_client.secret_secret):
            name = f"projects/{target.project}/secrets/{secret}/versions/latest"
            version = api.get(name=name).execute()
            if version["state"] != "ENABLED":
                raise _problem(*_switched_off(target, secret))
            found[secret] = str(version["name"]).rsplit("/", 1)[-1]
    except HttpError as error:
        if error.status_code == HTTPStatus.NOT_FOUND:
            raise _problem(*_absent(target, secret)) from None
        logs.write("WARNING", "could not see brought secrets", cause=str(error.reason)[:500])
        return {}
    except (GoogleAuthError, ConnectionError) as error:
        logs.write("WARNING", "could not see brought secrets", cause=str(error)[:500])
        return {}
    return found


def oauth_client(api: Any, target: Target, client: OAuthClient) -> tuple[str, str]:
    """Return id and secret of a client.

    Args:
        api: The client of Secret Manager.
        target: Which deployment asks.
        client: The names of the two secrets.

    Raises:
        ProblemError: 400 that says which of them cannot be used, and the command that helps.
    """
    client_id = _value(api, target, client.id_secret)
    if not _ID.fullmatch(client_id):
        raise _problem(
            f"the secret {client.id_secret} does not hold the id of an OAuth client, which ends in "
            ".apps.googleusercontent.com",
            _fill(target, client.id_secret),
        )
    return client_id, _value(api, target, client.secret_secret)


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
        raise _problem(*words(target, secret)) from None
    # A file's last newline is nobody's secret.
    value = base64.b64decode(answer["payload"]["data"]).decode(errors="replace").rstrip("\r\n")
    if not value.strip():
        raise _problem(f"the secret {secret} is empty", _fill(target, secret))
    if not _VALUE.fullmatch(value):
        raise _problem(
            f"the secret {secret} holds more than one word of printable characters, so it is not "
            "the id or the secret of an OAuth client",
            _fill(target, secret),
        )
    return value


def _unreadable(target: Target, secret: str) -> tuple[str, str]:
    reader = target.platform.accounts.credentials
    command = (
        f"gcloud secrets add-iam-policy-binding {secret} --project={target.project} "
        f"--member=serviceAccount:{reader} --role=roles/secretmanager.secretAccessor"
    )
    found = (
        f"the account {reader} may not read the secret {secret}, or there is none of that name "
        "(then make it first, or correct the name in oauth_client)"
    )
    return found, command


def _absent(target: Target, secret: str) -> tuple[str, str]:
    command = (
        f"gcloud secrets create {secret} --project={target.project} "
        f"--replication-policy=user-managed --locations={target.region} --data-file=FILE"
    )
    return f"there is no secret {secret} with a value in project {target.project}", command


def _switched_off(target: Target, secret: str) -> tuple[str, str]:
    return f"the newest version of the secret {secret} is switched off", _fill(target, secret)


def _fill(target: Target, secret: str) -> str:
    return f"gcloud secrets versions add {secret} --project={target.project} --data-file=FILE"


_WORDS: dict[int, Callable[[Target, str], tuple[str, str]]] = {
    HTTPStatus.BAD_REQUEST: _switched_off,
    HTTPStatus.FORBIDDEN: _unreadable,
    HTTPStatus.NOT_FOUND: _absent,
}


def _problem(found: str, command: str) -> problems.ProblemError:
    return problems.make(
        "brought-secret",
        f"{found}; what helps: `{command}`",
        remedy="Run the command, then send the same request again.",
        resumable=True,
    )
