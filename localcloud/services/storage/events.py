"""What can happen to an object, as a value to be told."""

from typing import NamedTuple

from localcloud.services.storage.shelf import Bucket, Entry


class Event(NamedTuple):
    """One thing that happened to one generation; *more* are further attributes of the message."""

    type: str
    bucket: Bucket
    entry: Entry
    more: dict[str, str]
