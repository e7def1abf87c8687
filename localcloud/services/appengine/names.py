"""Names and addresses in App Engine: resources, hosts, places and the rules for identifiers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from localcloud.errors import denied, invalid
from localcloud.services.run.names import REGION_CODES

if TYPE_CHECKING:
    from localcloud.cloud import Cloud
    from localcloud.service import Call

DEFAULT = "default"

_OLD = {"europe-west": "europe-west1", "us-central": "us-central1"}
"""The two oldest places have names of their own, in place of the region's."""

_WITHOUT = frozenset({"africa-south1", "europe-southwest1", "europe-west8", "europe-west9"})
LOCATIONS = {
    **_OLD,
    **{one: one for one in REGION_CODES if one not in _OLD.values() and one not in _WITHOUT},
}
"""Places an application can be in, and the region each is."""

_VERSION_ID = re.compile(r"(?!-)[a-z\d-]{0,62}[a-z\d]")
_SERVICE_ID = re.compile(r"[a-z\d]([a-z\d-]{0,61}[a-z\d])?")
_RESERVED = frozenset({"default", "latest"})


def resource(call: Call) -> str:
    """Give the project that rights to a call hang on: an application's id is its project's."""
    return f"projects/{call.get('appsId') or call.cloud.project}"


def app_of(call: Call) -> str:
    """Give the name of the application a call is about; by the project's id, never its number."""
    given = call["appsId"]
    if given != call.cloud.project:
        raise denied("The caller does not have permission")
    return f"apps/{given}"


def service_of(call: Call) -> str:
    """Give the name of the service a call is about."""
    return f"{app_of(call)}/services/{call['servicesId']}"


def version_of(call: Call) -> str:
    """Give the name of the version a call is about."""
    return f"{service_of(call)}/versions/{call['versionsId']}"


def check_service_id(short: str) -> str:
    """Refuse what cannot be a service's identifier."""
    if _SERVICE_ID.fullmatch(short) is None:
        raise invalid(
            f"Invalid service ID '{short}': only lowercase letters, digits and hyphens, at most 63"
        )
    return short


def check_version_id(short: str) -> str:
    """Refuse what cannot be a version's identifier."""
    if _VERSION_ID.fullmatch(short) is None or short in _RESERVED or short.startswith("ah-"):
        raise invalid(
            f"Invalid version ID '{short}': version names can contain only lowercase letters, "
            'numbers, or hyphens; "default", "latest" and names with the prefix "ah-" are reserved.'
        )
    return short


def default_account(cloud: Cloud) -> str:
    """Give the account versions run as when neither they nor the application name one."""
    return f"{cloud.project}@appspot.gserviceaccount.com"


def region(location: str) -> str:
    """Give the region a place is."""
    return LOCATIONS[location]


def host(app: str, location: str, *labels: str) -> str:
    """Give a host name; *labels* are version and service, as far as they are said."""
    project = app.removeprefix("apps/")
    code = REGION_CODES[region(location)]
    return f"{'-dot-'.join([*labels, project])}.{code}.r.appspot.com"


def version_url(name: str, location: str) -> str:
    """Give the address of one version."""
    _, project, _, service, _, version = name.split("/")
    labels = [version] if service == DEFAULT else [version, service]
    return f"https://{host(f'apps/{project}', location, *labels)}"
