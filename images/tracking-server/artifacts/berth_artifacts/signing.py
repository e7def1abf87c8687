"""Signs addresses by which anybody may send one part of one upload, without a key.

The account's key stays with Google: IAM signs, for whoever may create tokens for the account. So
the server's account must be allowed to do that for itself.
"""

import base64
import datetime as dt
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from google.auth.credentials import Signing
from google.cloud.storage import Blob

from berth_artifacts.google_api import AT_ONCE, Account, GoogleApiError

IAM = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/{email}:signBlob"
VALID = dt.timedelta(hours=6)
"""What is uploaded over a slow line takes its time; Google's keys sign for twelve hours at least."""

FORBIDDEN = 403
JSON = {"Content-Type": "application/json"}


class IamSigner(Signing):  # type: ignore[misc]  # google.auth ships no types
    """Credentials that Google's storage library signs addresses with."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._email = account.email

    @property
    def signer_email(self) -> str:
        """Who signs."""
        return self._email

    @property
    def signer(self) -> "IamSigner":
        """What signs: this."""
        return self

    def sign_bytes(self, message: bytes) -> bytes:
        """Have IAM sign.

        Raises:
            GoogleApiError: The account may not sign for itself, or IAM cannot be reached.
        """
        body = json.dumps({"payload": base64.b64encode(message).decode()}).encode()
        try:
            answer = self._account.post(IAM.format(email=self._email), headers=JSON, body=body)
        except GoogleApiError as error:
            if error.status != FORBIDDEN:
                raise
            raise GoogleApiError(
                FORBIDDEN,
                f"this server's account, {self._email}, may not sign for itself, so it cannot take "
                "artifacts in parts. It needs roles/iam.serviceAccountTokenCreator on itself; if "
                f"that was given a moment ago, it takes Google some minutes to know. {error}",
            ) from error
        return base64.b64decode(answer.json()["signedBlob"])


def addresses_of_parts(signer: IamSigner, blob: Blob, upload: str, count: int) -> Iterator[str]:
    """Return where to send each part: IAM signs one at a time, so many are asked for at once.

    Raises:
        GoogleApiError: The account may not sign for itself, or IAM cannot be reached.
    """

    def address(number: int) -> str:
        query = {"partNumber": str(number), "uploadId": upload}
        return str(
            blob.generate_signed_url(
                method="PUT",
                version="v4",
                expiration=VALID,
                query_parameters=query,
                credentials=signer,
            )
        )

    # The first alone: where it is refused, the others need not be asked for.
    first = address(1)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield from (first, *pool.map(address, range(2, count + 1)))
