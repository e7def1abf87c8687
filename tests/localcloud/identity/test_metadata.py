"""The metadata server answers as Google's does: values, listings, trees, tokens, refusals."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from localcloud.identity.metadata import Metadata
from localcloud.identity.principals import SCOPES

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

ROBOT = "robot-one@berth-local.iam.gserviceaccount.com"
ROOT = "/computeMetadata/v1/"
ACCOUNT = f"{ROOT}instance/service-accounts/default/"
FLAVOR = {"metadata-flavor": "Google"}


@pytest.fixture(autouse=True)
def _there(account: str) -> None:
    assert account == ROBOT


def _get(cloud: Cloud, path: str, **headers: str) -> tuple[int, str, str]:
    sent = {**FLAVOR, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return Metadata(cloud).answer(ROBOT, path, sent)


def _text(cloud: Cloud, path: str) -> str:
    status, kind, text = _get(cloud, path)
    assert (status, kind) == (200, "application/text")
    return text


def _json(cloud: Cloud, path: str) -> Any:
    status, kind, text = _get(cloud, path)
    assert (status, kind) == (200, "application/json")
    return json.loads(text)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (f"{ROOT}project/project-id", "berth-local"),
        (f"{ROOT}project/numeric-project-id", "123456789012"),
        (f"{ROOT}instance/region", "projects/123456789012/regions/europe-west1"),
        (f"{ROOT}universe/universe-domain", "googleapis.com"),
        (f"{ROOT}instance/service-accounts/", f"default/\n{ROBOT}/\n"),
        (f"{ACCOUNT}email", ROBOT),
        (f"{ACCOUNT}aliases", "default\n"),
        (f"{ACCOUNT}scopes", "".join(f"{scope}\n" for scope in SCOPES)),
        (f"{ACCOUNT}", "aliases\nemail\nscopes\nidentity\ntoken\n"),
        (f"{ROOT}instance/service-accounts/{ROBOT}/email", ROBOT),
    ],
)
def test_values_and_listings_are_text(cloud: Cloud, path: str, text: str) -> None:
    """A value is bare, a list has lines, a directory names what is in it."""
    assert _text(cloud, path) == text


def test_a_tree_is_json_when_asked_for(cloud: Cloud) -> None:
    """Names become camel case, and nothing is minted on the way."""
    whole = _json(cloud, f"{ROOT}?recursive=true")
    assert whole["project"] == {
        "attributes": {},
        "numericProjectId": "123456789012",
        "projectId": "berth-local",
    }
    found = _json(cloud, f"{ACCOUNT}?recursive=true")
    assert found == {"aliases": ["default"], "email": ROBOT, "scopes": list(SCOPES)}
    assert _json(cloud, f"{ROOT}project/project-id?alt=json") == "berth-local"
    assert _json(cloud, f"{ROOT}project/?alt=json") == [
        "attributes/",
        "numeric-project-id",
        "project-id",
    ]
    lines = _text(cloud, f"{ACCOUNT}?recursive=true&alt=text").splitlines()
    assert f"email {ROBOT}" in lines


def test_an_access_token_is_good_for_what_was_asked(cloud: Cloud) -> None:
    """All scopes without a word, fewer with one."""
    whole = _json(cloud, f"{ACCOUNT}token")
    less = _json(cloud, f"{ACCOUNT}token?scopes=openid,email")

    assert (whole["token_type"], whole["expires_in"]) == ("Bearer", 3599)
    claims = cloud.tokens.claims(less["access_token"])
    assert claims is not None
    assert (claims["e"], claims["s"]) == (ROBOT, ["openid", "email"])


def test_an_id_token_says_on_which_machine_when_asked(cloud: Cloud) -> None:
    """format=full adds the machine, licenses=TRUE its licenses; without, there is neither."""

    def google(query: str) -> dict[str, Any]:
        token = _text(cloud, f"{ACCOUNT}identity?audience=https://x{query}")
        claims = cloud.tokens.verify_id_token(token)
        assert claims is not None
        assert (claims["aud"], claims["email"]) == ("https://x", ROBOT)
        found: dict[str, Any] = claims.get("google", {}).get("compute_engine", {})
        return found

    assert google("") == {}
    assert google("&format=full")["project_id"] == "berth-local"
    assert "license_id" not in google("&format=full&licenses=FALSE")
    assert google("&format=full&licenses=TRUE")["license_id"] == []


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        (f"{ROOT}project/project-id", {"metadata_flavor": "Amazon"}, 403),
        (f"{ROOT}project/project-id", {"x_forwarded_for": "1.2.3.4"}, 403),
        (f"{ROOT}project/project-id/more", {}, 404),
        (f"{ROOT}project/nothing", {}, 404),
        (f"{ROOT}instance/service-accounts/other@x.y/token", {}, 404),
        ("/computeMetadata/v2/project/project-id", {}, 404),
        (f"{ACCOUNT}identity", {}, 400),
        (f"{ACCOUNT}identity?audience=", {}, 400),
        (f"{ROOT}project/project-id?alt=xml", {}, 400),
    ],
)
def test_a_wrong_question_is_refused(
    cloud: Cloud, path: str, headers: dict[str, str], status: int
) -> None:
    """Without the flavor, by a forwarder, for what is not there, or not in a form there is."""
    assert _get(cloud, path, **headers)[0] == status


@pytest.mark.parametrize("host", ["metadata.google.internal", "169.254.169.254", "metadata"])
def test_its_own_name_reaches_it_through_the_proxy_variable(cloud: Cloud, host: str) -> None:
    """Code that knows only the name of Google's machines gets the same answers."""
    assert _text(cloud, f"http://{host}{ACCOUNT}email") == ROBOT


@pytest.mark.parametrize("url", ["http://example.com/", f"http://localhost:1{ACCOUNT}email"])
def test_it_is_no_way_to_other_hosts(cloud: Cloud, url: str) -> None:
    """What comes through the proxy variable and is not for it is refused by name."""
    status, _, text = _get(cloud, url)
    assert status == 502
    assert url.split("/")[2].split(":", maxsplit=1)[0] in text


@pytest.mark.parametrize(("here", "status"), [(True, 200), (False, 405)])
def test_the_door_passes_on_to_it_and_to_no_other_port(
    cloud: Cloud, here: bool, status: int
) -> None:
    """A client that sends all it asks through its proxy, as gcloud does, is answered."""
    with cloud.serve() as serving:
        env = cloud.environment(ROBOT)
        metadata = env["GCE_METADATA_HOST"] if here else f"127.0.0.1:{serving.port}"
        with httpx.Client(proxy=env["HTTPS_PROXY"], trust_env=False, timeout=30) as client:
            answer = client.get(
                f"http://{metadata}{ACCOUNT}email", headers={"Metadata-Flavor": "Google"}
            )
    assert answer.status_code == status
    assert (answer.text == ROBOT) is here


def test_programs_without_a_library_find_it(cloud: Cloud) -> None:
    """With the variables a container gets, the standard library reaches Google's name for it."""
    url = f"http://metadata.google.internal{ACCOUNT}email"
    program = (
        "import urllib.request as u\n"
        f"r = u.Request({url!r}, headers={{'Metadata-Flavor': 'Google'}})\n"
        "print(u.urlopen(r, timeout=30).read().decode())"
    )
    with cloud.serve():
        done = subprocess.run(
            [sys.executable, "-c", program],
            env=cloud.environment(ROBOT),
            capture_output=True,
            text=True,
            check=True,
        )
    assert done.stdout.strip() == ROBOT
