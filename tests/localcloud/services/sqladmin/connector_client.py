"""A program with Google's Cloud SQL connector, as it would run on Google Cloud; says what it saw.

Run as a process of its own, with the default credentials of its environment. It knows one thing
about where it is: the connector takes no proxy, so it is given an endpoint.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import google.auth
from google.auth.transport.requests import Request
from google.cloud.sql.connector import Connector

LOGIN = ["https://www.googleapis.com/auth/sqlservice.login"]


def whoami(connector: Connector, driver: str, **login: Any) -> str:
    """Connect and ask the server who is there."""
    connection = connector.connect(sys.argv[1], driver, **login)
    try:
        cursor = connection.cursor()
        cursor.execute("SELECT session_user" if driver == "pg8000" else "SELECT CURRENT_USER()")
        return str(cursor.fetchone()[0])
    finally:
        connection.close()


def login_token() -> str:
    """Return an access token for logging in, which some programs send as the password."""
    find: Any = google.auth.default
    credentials, _ = find(scopes=LOGIN)
    credentials.refresh(Request())
    return str(credentials.token)


if __name__ == "__main__":
    proxy, iam_user, password = os.environ["HTTPS_PROXY"], sys.argv[2], sys.argv[3]
    endpoint = f"{proxy}/sqladmin.googleapis.com"
    with Connector(sqladmin_api_endpoint=endpoint) as made:
        seen = {
            "password": whoami(made, "pg8000", user="postgres", password=password, db="postgres"),
            "automatic": whoami(made, "pg8000", user=iam_user, enable_iam_auth=True, db="postgres"),
            "token": whoami(made, "pg8000", user=iam_user, password=login_token(), db="postgres"),
        }
    sys.stdout.write(json.dumps(seen))
