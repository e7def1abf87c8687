"""Log in to a database through Cloud SQL's connector, as whoever this machine belongs to.

Arguments: connection name, user, password, database. The connector takes no proxy, so it is given
an endpoint.
"""

import json
import os
import sys

from aiohttp import ClientResponseError
from google.cloud.sql.connector import Connector

name, user, password, database = sys.argv[1:]
endpoint = f"{os.environ['HTTPS_PROXY']}/sqladmin.googleapis.com"
with Connector(sqladmin_api_endpoint=endpoint) as connector:
    try:
        connection = connector.connect(name, "pg8000", user=user, password=password, db=database)
    except ClientResponseError as error:
        said = {"status": error.status, "said": error.message}
    else:
        cursor = connection.cursor()
        cursor.execute("SELECT current_user::text")
        said = {"user": cursor.fetchone()[0]}
        connection.close()
print("\n" + json.dumps(said))
