"""What MLflow takes for artifacts in Cloud Storage: its own repository, but parts are signed by IAM.

MLflow's own signs with a key file, and on Google's platforms there is none (mlflow#21847).
"""

import contextlib
import functools
import logging
import mimetypes
import os
import posixpath
import threading
from collections.abc import Iterator
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from mlflow.entities.multipart_upload import (
    CreateMultipartUploadResponse,
    MultipartUploadCredential,
)
from mlflow.exceptions import MlflowException, _UnsupportedMultipartUploadException
from mlflow.protos.databricks_pb2 import (
    BAD_REQUEST,
    INVALID_PARAMETER_VALUE,
    PERMISSION_DENIED,
    RESOURCE_DOES_NOT_EXIST,
    TEMPORARILY_UNAVAILABLE,
)
from mlflow.store.artifact.gcs_artifact_repo import GCSArtifactRepository

from berth_artifacts.google_api import UNAVAILABLE, Account, GoogleApiError
from berth_artifacts.multipart import Uploads
from berth_artifacts.signing import IamSigner, addresses_of_parts

MOST_PARTS = 10_000
"""Of one object, in Cloud Storage."""

CODES = {
    400: BAD_REQUEST,
    401: PERMISSION_DENIED,
    403: PERMISSION_DENIED,
    404: RESOURCE_DOES_NOT_EXIST,
    UNAVAILABLE: TEMPORARILY_UNAVAILABLE,
}
"""What MLflow answers. Its clients try only the last again, seven times over some minutes."""

ONE_AT_A_TIME = threading.Lock()
"""All repositories and threads of a process share one account, and so one token."""

LOG = logging.getLogger(__name__)


class SignedPartsRepository(GCSArtifactRepository):  # type: ignore[misc]  # MLflow's is untyped here
    """Artifacts in Cloud Storage.

    With ARTIFACT_UPLOADS=signed_parts clients send big ones in parts; otherwise they are told that
    there are none, and send them whole, through the server.
    """

    def create_multipart_upload(
        self, local_file: str, num_parts: int = 1, artifact_path: str | None = None
    ) -> CreateMultipartUploadResponse:
        """Begin an upload and return where each part goes."""
        if os.environ["ARTIFACT_UPLOADS"] != "signed_parts":
            raise _UnsupportedMultipartUploadException
        if not 1 <= num_parts <= MOST_PARTS:
            raise MlflowException(
                f"an artifact has 1 to {MOST_PARTS} parts, this would have {num_parts}; set "
                "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE higher where it is sent from",
                INVALID_PARAMETER_VALUE,
            )
        with _answered():
            bucket, name = self._object(local_file, artifact_path)
            uploads = Uploads(_account(), bucket, name)
            content_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
            upload = uploads.begin(content_type)
            blob = self.client.bucket(bucket).blob(name)
            try:
                urls = list(addresses_of_parts(_signer(), blob, upload, num_parts))
            except GoogleApiError:
                # Where even that fails, the bucket forgets what was begun after a week.
                with contextlib.suppress(GoogleApiError):
                    uploads.abort(upload)
                raise
        parts = [
            MultipartUploadCredential(url=url, part_number=number, headers={})
            for number, url in enumerate(urls, 1)
        ]
        return CreateMultipartUploadResponse(credentials=parts, upload_id=upload)

    def complete_multipart_upload(
        self,
        local_file: str,
        upload_id: str,
        parts: list[Any] | None = None,
        artifact_path: str | None = None,
    ) -> None:
        """Join the parts."""
        with _answered():
            uploads = Uploads(_account(), *self._object(local_file, artifact_path))
            uploads.complete(upload_id, ((one.part_number, one.etag) for one in parts or ()))

    def abort_multipart_upload(
        self, local_file: str, upload_id: str, artifact_path: str | None = None
    ) -> None:
        """Throw away the parts that have arrived."""
        with _answered():
            Uploads(_account(), *self._object(local_file, artifact_path)).abort(upload_id)

    def _object(self, local_file: str, artifact_path: str | None) -> tuple[str, str]:
        """Return bucket and name for a file, of which a client tells the path it has over there."""
        windows = "\\" in local_file and "/" not in local_file
        file = (PureWindowsPath if windows else PurePosixPath)(local_file).name
        if file in {"", ".", ".."}:
            raise MlflowException(f"{local_file!r} names no file", INVALID_PARAMETER_VALUE)
        bucket, root = self.parse_gcs_uri(self.artifact_uri)
        return bucket, posixpath.join(root, artifact_path or "", file)


def _account() -> Account:
    with ONE_AT_A_TIME:
        return _made_account()


def _signer() -> IamSigner:
    return IamSigner(_account())


@functools.cache
def _made_account() -> Account:
    return Account()


@contextlib.contextmanager
def _answered() -> Iterator[None]:
    """Turn Google's refusals into answers of MLflow, and into a line of the log."""
    try:
        yield
    except GoogleApiError as error:
        LOG.error("a multipart upload failed: %s", error)  # noqa: TRY400 - the message says it all
        code = CODES.get(error.status, BAD_REQUEST)
        raise MlflowException(str(error), code) from error
