"""Become the tracking server as the image's entrypoint does, on a database in a file.

The entrypoint's own steps before that want PostgreSQL or MySQL. The tables are made here, as there,
before the server begins: a migration takes the log over.
"""

import sys

import entrypoint  # type: ignore[import-not-found]  # beside the image's Dockerfile
import sqlalchemy  # type: ignore[import-not-found]  # in the image
from mlflow.store.db import utils

utils._initialize_tables(sqlalchemy.create_engine(sys.argv[1]))  # type: ignore[no-untyped-call]
entrypoint.become_server(sys.argv[1], entrypoint.artifact_uploads())
