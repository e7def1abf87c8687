"""Become the tracking server as the image's entrypoint does, on a database in a file.

The entrypoint's own steps before that, URL and schema, want PostgreSQL or MySQL.
"""

import sys

import entrypoint

entrypoint.become_server(sys.argv[1], entrypoint.artifact_uploads())
