"""Multipart uploads of Cloud Storage's XML API: begun and ended here, the parts sent by others."""

from collections.abc import Iterable
from urllib.parse import quote
from xml.etree.ElementTree import Element, SubElement, fromstring, tostring

from berth_artifacts.google_api import Account

HOST = "https://storage.googleapis.com"


class Uploads:
    """The multipart uploads of one object.

    Every method raises a GoogleApiError when Google refuses.
    """

    def __init__(self, account: Account, bucket: str, name: str) -> None:
        self._account = account
        self._url = f"{HOST}/{bucket}/{quote(name, safe='/~')}"

    def begin(self, content_type: str) -> str:
        """Begin one and return its ID."""
        headers = {"Content-Type": content_type}
        answer = self._account.post(f"{self._url}?uploads", headers=headers)
        found = fromstring(answer.content).find("{*}UploadId")  # noqa: S314 - Google's own answer
        if found is None or not found.text:
            raise LookupError("Cloud Storage began an upload and gave it no ID")
        return found.text

    def complete(self, upload: str, parts: Iterable[tuple[int, str]]) -> None:
        """Join the parts, each a number and the ETag it was answered with."""
        document = Element("CompleteMultipartUpload")
        for number, etag in parts:
            part = SubElement(document, "Part")
            SubElement(part, "PartNumber").text = str(number)
            SubElement(part, "ETag").text = etag
        headers = {"Content-Type": "application/xml"}
        self._account.post(self._address(upload), headers=headers, body=tostring(document))

    def abort(self, upload: str) -> None:
        """Throw away the parts that have arrived."""
        self._account.delete(self._address(upload))

    def _address(self, upload: str) -> str:
        return f"{self._url}?uploadId={quote(upload, safe='')}"
