"""The status page: what it shows, and to whom."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from localcloud.cloud import OWNER, Cloud
from localcloud.page import Page
from localcloud.transport import Request

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from localcloud.clock import VirtualClock
    from tests.localcloud.conftest import Ask

KEY = "k" * 32
PLACE = "projects/berth-local/locations/europe-west1"
UPLOAD = "storage.googleapis.com/upload/storage/v1/b"
WORKFLOW = """
main:
  params: [input]
  steps:
    - outer:
        call: inner
        result: sum
    - done:
        return: ${sum}
inner:
  steps:
    - add:
        assign: [{x: '${1 + 1}'}]
    - back:
        return: ${x}
"""
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture
def page(cloud: Cloud) -> Page:
    """The page of a cloud with some APIs enabled."""
    cloud.enable("secretmanager.googleapis.com", "workflows.googleapis.com")
    cloud.enable("workflowexecutions.googleapis.com", "run.googleapis.com")
    return Page(cloud, KEY)


def _get(page: Page, view: str, **query: str) -> Any:
    url = requests.Request("GET", f"http://127.0.0.1/{KEY}/{view}", params=query).prepare().url
    answer = page.handle(Request("GET", str(url)))
    assert answer.status == 200, answer.text
    return answer.json()


def _secret(ask: Ask, name: str = "s", value: str = "aHVudGVyMg==") -> None:
    root = "secretmanager.googleapis.com/v1/projects/berth-local/secrets"
    ask("POST", f"{root}?secretId={name}", {"replication": {"automatic": {}}})
    ask("POST", f"{root}/{name}:addVersion", {"payload": {"data": value}})


def _execution(ask: Ask, cloud: Cloud, clock: VirtualClock) -> str:
    body = {
        "sourceContents": WORKFLOW,
        "serviceAccount": _account(ask),
    }
    ask("POST", f"workflows.googleapis.com/v1/{PLACE}/workflows?workflowId=w", body)
    clock.run_until_idle()
    url = f"workflowexecutions.googleapis.com/v1/{PLACE}/workflows/w/executions"
    made = ask("POST", url, {})
    assert made.status == 200, made.text
    clock.run_until_idle()
    return cloud.by_id(str(made.json()["name"]))


def _account(ask: Ask) -> str:
    url = "iam.googleapis.com/v1/projects/berth-local/serviceAccounts"
    return str(ask("POST", url, {"accountId": "runner"}).json()["email"])


@pytest.mark.parametrize("path", ["/", "/summary", f"/{'x' * 32}/", f"/{KEY}", "/é/summary"])
def test_a_stranger_sees_nothing(page: Page, path: str) -> None:
    """Without the key in the link there is no page, and no word of what is behind it."""
    answer = page.handle(Request("GET", f"http://127.0.0.1{path}"))

    assert answer.status == 404
    assert "berth-local" not in answer.text


def test_the_page_changes_nothing(page: Page) -> None:
    """It answers GET only."""
    assert page.handle(Request("POST", f"http://127.0.0.1/{KEY}/calls")).status == 405


def test_an_unknown_view_names_the_known_ones(page: Page) -> None:
    """A wrong address says what there is."""
    answer = page.handle(Request("GET", f"http://127.0.0.1/{KEY}/nothing"))

    assert answer.status == 404
    assert "executions" in answer.json()["error"]


def test_an_unknown_parent_is_refused(page: Page) -> None:
    """Asking below a resource of an API that is not there is an error, not an empty list."""
    url = f"http://127.0.0.1/{KEY}/resources?api=nope&version=v1&name=x"

    assert page.handle(Request("GET", url)).status == 400


def test_entries_of_no_execution_are_refused(page: Page) -> None:
    """So is asking for the steps of an execution that is not there."""
    url = f"http://127.0.0.1/{KEY}/entries?execution={PLACE}/workflows/w/executions/x"

    assert page.handle(Request("GET", url)).status == 400


def test_services_say_how_much_of_them_answers(page: Page, cloud: Cloud) -> None:
    """Each API is listed with whether it is enabled and how many of its methods are there."""
    rows = {(one["api"], one["version"]): one for one in _get(page, "summary")["services"]}

    assert len(rows) == len(cloud.services)
    assert rows["secretmanager", "v1"]["enabled"]
    assert not rows["cloudbuild", "v1"]["enabled"]
    assert 0 < rows["run", "v2"]["handled"] <= rows["run", "v2"]["methods"]


def test_resources_are_found_by_their_own_lists(page: Page, ask: Ask) -> None:
    """What an API lists is shown, and below it what is listed below it."""
    _secret(ask)
    ask("POST", "storage.googleapis.com/storage/v1/b?project=berth-local", {"name": "a-bucket"})
    ask("POST", f"{UPLOAD}/a-bucket/o?uploadType=media&name=an-object", {"some": "bytes"})

    found = {(kind["api"], kind["title"]): kind for kind in _get(page, "resources")}
    secret = found["secretmanager", "secrets"]["items"][0]
    bucket = found["storage", "buckets"]["items"][0]
    below = _get(page, "resources", api="secretmanager", version="v1", name=secret["name"])
    inside = _get(
        page,
        "resources",
        api="storage",
        version="v1",
        name="a-bucket",
        **{f"p.{name}": value for name, value in bucket["params"].items()},
    )

    assert secret["name"].endswith("/secrets/s")
    assert [(kind["title"], len(kind["items"])) for kind in below] == [("versions", 1)]
    assert bucket["body"]["name"] == "a-bucket"
    assert "an-object" in [item["name"] for kind in inside for item in kind["items"]]


def test_no_secret_is_shown(page: Page, ask: Ask) -> None:
    """A secret's value is on none of the views."""
    _secret(ask, value="aHVudGVyMg==")
    views = ["summary", "resources", "operations", "calls", "executions"]
    shown = json.dumps([_get(page, view) for view in views])
    name = "projects/berth-local/secrets/s"
    shown += json.dumps(_get(page, "resources", api="secretmanager", version="v1", name=name))

    assert "secrets/s/versions/1" in shown
    assert "aHVudGVyMg" not in shown
    assert "hunter2" not in shown


def test_looking_leaves_no_trace_in_the_call_log(page: Page, ask: Ask, cloud: Cloud) -> None:
    """The log is what tests assert on; the page does not write into it."""
    _secret(ask)
    before = len(cloud.calls)

    _get(page, "resources")

    assert len(cloud.calls) == before
    assert next(one["method"] for one in _get(page, "calls")).endswith("addVersion")


def test_a_disabled_api_lists_nothing(page: Page, ask: Ask, cloud: Cloud) -> None:
    """What is switched off is not looked into."""
    _secret(ask)
    cloud.disable("secretmanager.googleapis.com")

    assert "secretmanager" not in {kind["api"] for kind in _get(page, "resources")}


def test_operations_of_both_dialects_look_alike(
    page: Page, ask: Ask, cloud: Cloud, clock: VirtualClock
) -> None:
    """Running or done, long-running or SQL's own: one row each."""
    cloud.enable("sqladmin.googleapis.com")
    body = {
        "name": "db",
        "region": "europe-west1",
        "databaseVersion": "POSTGRES_18",
        "settings": {"tier": "db-custom-1-3840", "edition": "ENTERPRISE"},
    }
    answer = ask("POST", "sqladmin.googleapis.com/v1/projects/berth-local/instances", body)
    assert answer.status == 200, answer.text
    running = _get(page, "operations")[0]
    clock.run_until_idle()
    done = _get(page, "operations")[0]
    _execution(ask, cloud, clock)
    deployed = _get(page, "operations")[0]

    assert (running["what"], running["target"], running["done"]) == ("CREATE", "db", False)
    assert (done["done"], done["error"]) == (True, None)
    assert (deployed["api"], deployed["done"]) == ("workflows", True)


def test_an_execution_is_shown_step_by_step(
    page: Page, ask: Ask, cloud: Cloud, clock: VirtualClock
) -> None:
    """Its steps come level by level, with their timings."""
    key = _execution(ask, cloud, clock)

    listed = _get(page, "executions")[0]
    top = _get(page, "entries", execution=key)
    below = _get(page, "entries", execution=key, parent=top[0]["id"])

    assert (listed["key"], listed["workflow"], listed["state"]) == (key, "w", "SUCCEEDED")
    assert [(one["step"], one["state"]) for one in top] == [
        ("outer", "SUCCEEDED"),
        ("done", "SUCCEEDED"),
    ]
    assert [(one["routine"], one["step"]) for one in below] == [("inner", "add"), ("inner", "back")]
    assert top[0]["begin"] <= below[0]["begin"] <= below[-1]["end"] <= top[0]["end"]


@pytest.fixture
def link(tmp_path: Path) -> Iterator[str]:
    """The page's link on a cloud whose doors are open."""
    cloud = Cloud(tmp_path / "state", machines="paper")
    cloud.enable("secretmanager.googleapis.com")
    with cloud.serve() as serving:
        headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}
        cloud.request(
            "POST",
            "https://secretmanager.googleapis.com/v1/projects/berth-local/secrets?secretId=shown",
            headers=headers,
            body=b'{"replication": {"automatic": {}}}',
        )
        yield f"http://127.0.0.1:{serving.port}/{serving.key}/"
    cloud.close()


def test_the_door_itself_serves_the_page(link: str) -> None:
    """A browser opens the door's address; no other host is served there without CONNECT."""
    direct = requests.Session()
    direct.trust_env = False
    direct.headers["Connection"] = "close"
    port = link.rpartition(":")[2].partition("/")[0]

    shown = direct.get(link, timeout=30)
    other = direct.get(link, headers={"Host": "storage.googleapis.com"}, timeout=30)
    post = direct.post(link, timeout=30)
    proxied = direct.get(
        "http://storage.googleapis.com/", proxies={"http": f"http://127.0.0.1:{port}"}, timeout=30
    )

    assert "<title>local cloud</title>" in shown.text
    assert "default-src 'none'" in shown.headers["content-security-policy"]
    assert [other.status_code, post.status_code, proxied.status_code] == [405, 405, 405]


@pytest.mark.skipif(CHROMIUM is None, reason="no browser is installed")
def test_a_browser_draws_it(link: str, tmp_path: Path) -> None:
    """The resources' view shows what was made, drawn by a real browser."""
    argv = [
        str(CHROMIUM),
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--virtual-time-budget=5000",
        f"--user-data-dir={tmp_path / 'browser'}",
        "--dump-dom",
        f"{link}#resources",
    ]
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    deadline = time.monotonic() + 60
    drawn = ""
    while "shown" not in drawn and time.monotonic() < deadline:
        drawn = subprocess.run(
            argv, capture_output=True, text=True, check=False, timeout=60, env=environment
        ).stdout

    assert re.search(r"<h2>secretmanager: secrets</h2>.*shown", drawn)
    assert "no answer" not in drawn
