"""What log entries promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.services.logging import entries

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud
    from tests.localcloud.conftest import Ask

HOST = "logging.googleapis.com/v2"
LOG = "projects/berth-local/logs/demo"
BODY: dict[str, Any] = {
    "logName": LOG,
    "resource": {"type": "global", "labels": {"project_id": "berth-local"}},
    "labels": {"team": "red"},
    "entries": [{"textPayload": "hello"}],
}


def _read(ask: Ask, **body: object) -> list[dict[str, Any]]:
    asked = {"resourceNames": ["projects/berth-local"], **body}
    found = ask("POST", f"{HOST}/entries:list", asked)
    assert found.status == 200
    return list(found.json().get("entries", []))


def test_entry_gets_what_it_left_out(ask: Ask) -> None:
    """Log name, resource, labels, time and id come from the request or the server."""
    assert ask("POST", f"{HOST}/entries:write", BODY).status == 200

    (entry,) = _read(ask)
    assert entry["logName"] == LOG
    assert entry["labels"] == {"team": "red"}
    assert entry["resource"]["type"] == "global"
    assert entry["timestamp"] == "2026-11-20T08:00:00.000000Z"
    assert entry["severity"] == "DEFAULT"
    assert entry["insertId"]


@pytest.mark.parametrize(
    "change",
    [
        {"entries": []},
        {"logName": ""},
        {"logName": "projects/berth-local"},
        {"logName": "projects/other/logs/demo"},
        {"entries": [{"textPayload": "x", "jsonPayload": {}}]},
        {"entries": [{"severity": "LOUD"}]},
    ],
)
def test_wrong_entry_is_400(ask: Ask, change: dict[str, Any]) -> None:
    """A batch with a wrong entry is refused."""
    assert ask("POST", f"{HOST}/entries:write", {**BODY, **change}).status == 400
    assert _read(ask) == []


def test_dry_run_writes_nothing(ask: Ask) -> None:
    """Checking alone leaves no trace."""
    assert ask("POST", f"{HOST}/entries:write", {**BODY, "dryRun": True}).status == 200
    assert _read(ask) == []


def test_same_insert_id_is_the_same_entry(ask: Ask) -> None:
    """A repeated write shows once."""
    entry = {"textPayload": "x", "insertId": "one", "timestamp": "2026-11-20T08:00:00Z"}
    for _ in range(2):
        ask("POST", f"{HOST}/entries:write", {**BODY, "entries": [entry]})

    assert len(_read(ask)) == 1


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        ("severity>=ERROR", ["third"]),
        ("severity=INFO", ["second"]),
        ('textPayload:"ir"', ["first", "third"]),
        ('resource.labels.service_name="demo"', ["second"]),
        ('timestamp>="2026-11-20T08:00:02Z"', ["third"]),
        ("labels.team=red AND severity<ERROR", ["first", "second"]),
    ],
)
def test_filters(ask: Ask, clock: VirtualClock, expression: str, texts: list[str]) -> None:
    """The filters people write against Cloud Logging work here."""
    run = {"type": "cloud_run_revision", "labels": {"service_name": "demo"}}
    for entry in (
        {"textPayload": "first"},
        {"textPayload": "second", "severity": "INFO", "resource": run},
        {"textPayload": "third", "severity": "ERROR"},
    ):
        ask("POST", f"{HOST}/entries:write", {**BODY, "entries": [entry]})
        clock.advance(1)

    assert [entry["textPayload"] for entry in _read(ask, filter=expression)] == texts


def test_order_and_pages(ask: Ask, clock: VirtualClock) -> None:
    """Newest first on request; pages go on where the last ended."""
    for number in range(3):
        ask("POST", f"{HOST}/entries:write", {**BODY, "entries": [{"textPayload": str(number)}]})
        clock.advance(1)

    newest = _read(ask, orderBy="timestamp desc", pageSize=2)

    assert [entry["textPayload"] for entry in newest] == ["2", "1"]


@pytest.mark.parametrize(
    "body", [{}, {"resourceNames": ["projects/berth-local"], "orderBy": "severity"}]
)
def test_wrong_question_is_400(ask: Ask, body: dict[str, Any]) -> None:
    """Whose entries must be said; only time orders them."""
    assert ask("POST", f"{HOST}/entries:list", body).status == 400


@pytest.mark.parametrize(
    ("path", "body"),
    [("entries:write", BODY), ("entries:list", {"resourceNames": ["projects/berth-local"]})],
)
def test_strangers_are_refused(ask: Ask, path: str, body: dict[str, Any]) -> None:
    """Writing and reading need their roles."""
    assert ask("POST", f"{HOST}/{path}", body, who="stranger@example.com").status == 403


def test_fakes_write_without_a_caller(cloud: Cloud, ask: Ask) -> None:
    """cloud.log is how services' output gets here."""
    cloud.log({"textPayload": "from inside", "severity": "WARNING"})

    (entry,) = _read(ask)
    assert entry["textPayload"] == "from inside"
    assert ask("GET", f"{HOST}/projects/berth-local/logs").json()["logNames"] == [
        "projects/berth-local/logs/localcloud"
    ]


def test_old_entries_are_forgotten(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that runs for weeks keeps the latest entries only."""
    monkeypatch.setattr("localcloud.services.logging._MOST_KEPT", 100)
    with cloud.store.lock():
        for number in range(500):
            cloud.log({"textPayload": str(number)})

    kept = entries(cloud.store)

    assert len(kept) == 101
    assert kept[-1]["textPayload"] == "499"


@pytest.mark.parametrize(
    ("expression", "texts"),
    [
        ('textPayload="FIRST"', ["first"]),
        ('textPayload=~"^F"', []),
        ('textPayload=~"^f"', ["first"]),
        ('textPayload!~"ir"', ["second"]),
        ("severity=(INFO OR ERROR)", ["second", "third"]),
        ('textPayload=("first" OR "third") AND NOT severity=ERROR', ["first"]),
        # OR binds closer than AND
        ("severity=INFO AND labels.team=red OR labels.team=blue", ["second"]),
        ("severity>=error", ["third"]),
        ('log_id("demo") AND severity=INFO', ["second"]),
        ('log_id("other")', []),
        ('SEARCH("irst")', ["first"]),
        ('SEARCH(textPayload, "second")', ["second"]),
        ("thi", ["third"]),
        ("textPayload", []),
        ('severity=INFO -- a remark\nlabels.team="red"', ["second"]),
        ('-textPayload:"ir"', ["second"]),
        ("jsonPayload.n>1", []),
        ("textPayload:*", ["first", "second", "third"]),
    ],
)
def test_the_query_language(ask: Ask, expression: str, texts: list[str]) -> None:
    """What Logging's filters have beyond those of other APIs."""
    batch = [
        {"textPayload": text, "severity": severity}
        for text, severity in (("first", "DEFAULT"), ("second", "INFO"), ("third", "ERROR"))
    ]
    ask("POST", f"{HOST}/entries:write", {**BODY, "entries": batch})

    assert [entry["textPayload"] for entry in _read(ask, filter=expression)] == texts


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("severity>=", "syntax error at line 1, column 10, token '<EOF>'"),
        ("a=b\nAND (c=d", "syntax error at line 2, column 8, token '<EOF>'"),
        ("a=b) OR", "syntax error at line 1, column 3, token ')'"),
        ("severity=LOUD", "syntax error at line 1, column 9, token 'LOUD'"),
        ('textPayload=~"("', "syntax error at line 1, column 13, token '('"),
        ("log_id()", "syntax error at line 1, column 7, token 'log_id'"),
    ],
)
def test_a_bad_filter_is_refused(ask: Ask, expression: str, words: str) -> None:
    """400, and the message says where."""
    asked = {"resourceNames": ["projects/berth-local"], "filter": expression}
    refused = ask("POST", f"{HOST}/entries:list", asked)

    assert refused.status == 400
    assert refused.json()["error"]["message"] == f"Unparseable filter: {words}"


def test_a_log_is_deleted(ask: Ask) -> None:
    """Its entries go and its name with them; the others stay; twice is 404."""
    ask("POST", f"{HOST}/entries:write", BODY)
    ask("POST", f"{HOST}/entries:write", {**BODY, "logName": f"{LOG}%2Fother"})

    refused = ask("DELETE", f"{HOST}/{LOG}", who="stranger@example.com")
    assert refused.status == 403
    assert ask("DELETE", f"{HOST}/{LOG}").status == 200
    assert ask("GET", f"{HOST}/projects/berth-local/logs").json() == {
        "logNames": [f"{LOG}%2Fother"]
    }
    assert len(_read(ask)) == 1
    assert ask("DELETE", f"{HOST}/{LOG}").status == 404


@pytest.mark.parametrize("name", ["berth-local", "projects", "buckets/x", ""])
def test_logs_belong_to_projects(ask: Ask, name: str) -> None:
    """A resource that cannot have logs is 400."""
    assert ask("POST", f"{HOST}/entries:list", {"resourceNames": [name]}).status == 400
