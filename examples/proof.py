"""Proof that a removed deployment is gone: everything its plan would make is looked for."""

import re
import sys
from typing import Any
from urllib.parse import quote

from examples.api import Api
from examples.project import Project

SQL = "https://sqladmin.googleapis.com/v1"
UNNAMED = "0000"
"""Stands in a plan for the four characters that the deployment's own instance is told apart by."""

UNKNOWN = re.compile(r"%28known.*?%29")
"""What a plan writes where a name is only known once something is made."""

UNTOLD = "untold."
MISSING = 404


def addresses(api: Api, project: Project, request: dict[str, Any]) -> list[str]:
    """Return the address of each thing that the deployment is made of, while it is there."""
    plan = api.call("POST", "/v1/deployments?validate_only=true", request)
    stem = f"mlflow-{request['name']}-"
    listed = project.call("GET", f"{SQL}/projects/{project.name}/instances").get("items", [])
    own = next((one["name"] for one in listed if one["name"][:-4] == stem), stem + UNNAMED)
    urls = [
        step["url"].replace(stem + UNNAMED, own)
        for part in plan["parts"]
        for step in part["steps"]
        if step["kind"] == "resource" and step["remove"]
    ]
    return [_told(project, url, urls) for url in urls]


def _told(project: Project, url: str, urls: list[str]) -> str:
    """Return the address with what only the domain's authorisation knows: the record's name."""
    if not UNKNOWN.search(url):
        return url
    authorization = next(one for one in urls if "/dnsAuthorizations/" in one)
    record = project.call("GET", authorization, fine=(MISSING,))
    name = record["dnsResourceRecord"]["name"] if record else UNTOLD
    return UNKNOWN.sub(quote(name, safe=""), url)


def there(project: Project, urls: list[str]) -> list[str]:
    """Return those of them that are there."""
    return [url for url in urls if project.answers(url)]


def gone(project: Project, urls: list[str]) -> None:
    """Stop if one of them is still there."""
    left = there(project, urls)
    if left:
        sys.exit("left behind:\n" + "\n".join(left))
