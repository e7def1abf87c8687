"""Cloud Storage: buckets and objects, kept in SQLite and files; start reading in ``table``."""

from localcloud.services.storage.table import SERVICE

__all__ = ["SERVICE"]
