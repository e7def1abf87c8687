"""Ask several APIs through googleapiclient, which knows them from their documents: PROJECT REGION."""

import json
import sys

from googleapiclient.discovery import build

project, region = sys.argv[1:]
parent = f"projects/{project}/locations/{region}"
sql = build("sqladmin", "v1").instances().list(project=project).execute()
run = build("run", "v2").projects().locations().services().list(parent=parent).execute()
secrets = build("secretmanager", "v1").projects().secrets().list(parent=f"projects/{project}")
accounts = build("iam", "v1").projects().serviceAccounts().list(name=f"projects/{project}")
print(
    json.dumps(
        {
            "instances": [item["name"] for item in sql["items"]],
            "services": [item["name"].rpartition("/")[2] for item in run["services"]],
            "secrets": [item["name"].rpartition("/")[2] for item in secrets.execute()["secrets"]],
            "accounts": [item["email"] for item in accounts.execute()["accounts"]],
        }
    )
)
