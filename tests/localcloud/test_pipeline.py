"""What every API promises about requests and answers, shown on Secret Manager."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.clock import VirtualClock
from localcloud.cloud import OWNER, Cloud
from localcloud.service import PUBLIC, Service
from localcloud.transport import ConnectionFailed

if TYPE_CHECKING:
    from pathlib import Path

    from tests.localcloud.conftest import Ask

HOST = "secretmanager.googleapis.com"
SECRETS = f"{HOST}/v1/projects/berth-local/secrets"
GOOD: dict[str, Any] = {"replication": {"automatic": {}}}
CREATE = "secretmanager.projects.secrets.create"
GET = "secretmanager.projects.secrets.get"


@pytest.fixture(autouse=True)
def _enabled(cloud: Cloud) -> None:
    cloud.enable(HOST)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"colour": "red"}, 'Unknown name "colour": Cannot find field.'),
        (
            {"replication": {"automatic": {"x": 1}}},
            "Unknown name \"x\" at 'replication.automatic': Cannot find field.",
        ),
        ({**GOOD, "labels": "red"}, "Invalid value at 'labels' (Map), \"red\""),
        ({**GOOD, "labels": {"a": 1}}, "Invalid value at 'labels.a' (TYPE_STRING), 1"),
        ({**GOOD, "topics": {}}, "Invalid value at 'topics'"),
        ({**GOOD, "ttl": "soon"}, "Invalid value at 'ttl'"),
        ({**GOOD, "expireTime": "tomorrow"}, "Invalid value at 'expire_time'"),
        ({**GOOD, "secretType": "NOVEL"}, "Invalid value at 'secret_type'"),
        ({**GOOD, "secretType": 99}, "Invalid value at 'secret_type'"),
        ({**GOOD, "versionAliases": {"a": "one"}}, "'version_aliases.a' (TYPE_INT64), \"one\""),
        ({**GOOD, "versionAliases": {"a": 2**63}}, "'version_aliases.a' (TYPE_INT64)"),
        ([], "Root element must be a message."),
        ({}, "Required field 'replication' is missing."),
    ],
)
def test_wrong_body_is_refused_in_googles_words(ask: Ask, body: object, words: str) -> None:
    """A body the document does not describe is 400 and says where."""
    response = ask("POST", f"{SECRETS}?secretId=a", body)

    assert response.status == 400
    assert words in response.json()["error"]["message"]
    assert response.json()["error"]["status"] == "INVALID_ARGUMENT"


def test_every_problem_is_reported_at_once(ask: Ask) -> None:
    """One round trip shows all mistakes, also as field violations."""
    response = ask("POST", f"{SECRETS}?secretId=a", {"colour": 1, "labels": 2})

    error = response.json()["error"]
    assert len(error["message"].splitlines()) == 3
    assert [item.get("field") for item in error["details"][0]["fieldViolations"]] == [
        None,
        "labels",
        "replication",
    ]


def test_a_field_that_is_wrong_is_not_missing_as_well(ask: Ask) -> None:
    """Of one mistake there is one sentence; bytes that are no Base64 have their own."""
    ask("POST", f"{SECRETS}?secretId=a", GOOD)

    response = ask("POST", f"{SECRETS}/a:addVersion", {"payload": {"data": "***"}})

    said = "Invalid value at 'payload.data' (TYPE_BYTES), Base64 decoding failed for \"***\""
    assert response.json()["error"]["message"] == said


def test_output_only_fields_are_dropped(ask: Ask) -> None:
    """A client may send back what it read; what only the server sets is ignored."""
    member = {"iamPolicyNamePrincipal": "mine"}
    sent = {**GOOD, "name": "projects/x/secrets/y", "policyMember": member}

    made = ask("POST", f"{SECRETS}?secretId=a", sent).json()

    assert made["name"] == "projects/123456789012/secrets/a"
    assert "policyMember" not in made


def test_snake_case_names_are_understood(ask: Ask) -> None:
    """Google's front ends accept the proto's field names too."""
    made = ask("POST", f"{SECRETS}?secret_id=a", {**GOOD, "version_destroy_ttl": "86400s"}).json()

    assert made["versionDestroyTtl"] == "86400s"


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("colour=red", "Unknown name \"colour\": Cannot bind query parameter. Field 'colour'"),
        ("pageSize=many", "Invalid value at 'page_size' (TYPE_INT32), \"many\""),
        ("pageSize=99999999999", "Invalid value at 'page_size' (TYPE_INT32)"),
        ("pageSize=-1", "must not be negative"),
        ("pageToken=nonsense", "page token"),
        ("alt=proto", "'alt'"),
        ("fields=a(b", "Invalid field selection a(b"),
        ("filter=a%20%3D", "Invalid filter"),
    ],
)
def test_wrong_query_is_refused(ask: Ask, query: str, words: str) -> None:
    """A parameter the method does not have, or of the wrong type, is 400."""
    response = ask("GET", f"{SECRETS}?{query}")

    assert response.status == 400
    assert words in response.json()["error"]["message"]


@pytest.mark.parametrize(
    "query", ["alt=json", "$alt=json", "prettyPrint=false", "key=x", "quotaUser=x", "$.xgafv=2"]
)
def test_standard_parameters_are_accepted(ask: Ask, query: str) -> None:
    """What every Google API accepts is accepted everywhere."""
    assert ask("GET", f"{SECRETS}?{query}").status == 200


def test_fields_keeps_only_what_was_asked_for(ask: Ask) -> None:
    """A partial response has the named fields and nothing else."""
    ask("POST", f"{SECRETS}?secretId=a", {**GOOD, "labels": {"x": "y", "z": "w"}})

    found = ask("GET", f"{SECRETS}?fields=secrets(labels/x,replication)").json()

    assert found == {"secrets": [{"replication": {"automatic": {}}, "labels": {"x": "y"}}]}


def test_enums_come_as_numbers_when_asked_for(ask: Ask) -> None:
    """Generated REST clients ask for enum-encoding=int."""
    ask("POST", f"{SECRETS}?secretId=a", GOOD)
    ask("POST", f"{SECRETS}/a:addVersion", {"payload": {"data": "aGk="}})

    url = f"{SECRETS}/a/versions/1"
    assert ask("GET", url).json()["state"] == "ENABLED"
    assert ask("GET", f"{url}?$alt=json;enum-encoding=int").json()["state"] == 1


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/projects/p/things", 404),
        ("GET", "/v9/projects/p/secrets", 404),
        ("GET", "/", 404),
        ("PUT", "/v1/projects/p/secrets", 405),
        ("DELETE", "/v1/projects/p/secrets/s:addVersion", 405),
    ],
)
def test_unknown_urls_get_googles_page(ask: Ask, method: str, path: str, status: int) -> None:
    """No route is 404, a route with another verb is 405; both are HTML, as Google sends them."""
    response = ask(method, HOST + path)

    assert response.status == status
    assert response.headers["content-type"].startswith("text/html")
    assert f"Error {status}" in response.text


def test_method_without_handler_names_itself(ask: Ask) -> None:
    """What is missing says so instead of pretending."""
    response = ask("POST", f"{SECRETS}/a:rotateSecret", {})

    assert response.status == 501
    assert "secretmanager.projects.secrets.rotateSecret" in response.json()["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b'{"a":}', b"\xff\xfe", b"[" * 200_000])
def test_broken_json_is_400(cloud: Cloud, body: bytes) -> None:
    """A body that is no JSON is the caller's mistake, whatever it is instead."""
    headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}

    response = cloud.request("POST", f"https://{SECRETS}?secretId=a", headers=headers, body=body)

    assert response.status == 400
    assert "Invalid JSON payload received." in response.json()["error"]["message"]


def test_oversized_json_is_refused(cloud: Cloud) -> None:
    """A body beyond Google's limit is not even parsed."""
    headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}
    body = b" " * (20 * 1024 * 1024) + b"{}"

    response = cloud.request("POST", f"https://{SECRETS}?secretId=a", headers=headers, body=body)

    assert response.status == 413


def test_missing_permission_is_403_and_named(ask: Ask) -> None:
    """The error names permission and resource, as people will search for it."""
    response = ask("GET", SECRETS, who="stranger@example.com")

    error = response.json()["error"]
    assert response.status == 403
    assert error["message"] == (
        "Permission 'secretmanager.secrets.list' denied on resource "
        "'//secretmanager.googleapis.com/projects/berth-local' (or it may not exist)."
    )
    assert error["details"][0]["metadata"]["permission"] == "secretmanager.secrets.list"


def test_another_project_looks_forbidden(ask: Ask) -> None:
    """A project that is not ours cannot be told from one we may not see."""
    assert ask("GET", f"{HOST}/v1/projects/other/secrets").status == 403


def test_disabled_api_is_403_service_disabled(cloud: Cloud, ask: Ask) -> None:
    """An API that is off names itself and the link to switch it on."""
    cloud.disable(HOST)

    response = ask("GET", SECRETS)

    detail = response.json()["error"]["details"][0]
    assert response.status == 403
    assert detail["reason"] == "SERVICE_DISABLED"
    assert detail["metadata"]["service"] == HOST


def test_unknown_host_is_no_answer(cloud: Cloud) -> None:
    """A host nobody has is a failed connection, not a reply."""
    with pytest.raises(ConnectionFailed, match="no such host"):
        cloud.request("GET", "https://example.com/")


@pytest.mark.parametrize("host", ["secretmanager.europe-west1.rep.googleapis.com", HOST])
def test_regional_hosts_are_the_same_api(ask: Ask, host: str) -> None:
    """Regional endpoints reach the same fake."""
    assert ask("GET", f"{host}/v1/projects/berth-local/secrets").status == 200


def test_fault_before_has_no_effect(cloud: Cloud, ask: Ask) -> None:
    """A refused call changes nothing, and the next one works."""
    cloud.fail(CREATE, 503)

    assert ask("POST", f"{SECRETS}?secretId=a", GOOD).status == 503
    assert ask("GET", f"{SECRETS}/a").status == 404
    assert ask("POST", f"{SECRETS}?secretId=a", GOOD).status == 200


def test_fault_after_has_its_effect(cloud: Cloud, ask: Ask) -> None:
    """The answer says failure although it happened."""
    cloud.fail(CREATE, 503, after=True)

    assert ask("POST", f"{SECRETS}?secretId=a", GOOD).status == 503
    assert ask("GET", f"{SECRETS}/a").status == 200


def test_lost_reply_has_its_effect(cloud: Cloud, ask: Ask) -> None:
    """The caller sees a broken connection and cannot know."""
    cloud.lose_reply(CREATE)

    with pytest.raises(ConnectionFailed, match="lost"):
        ask("POST", f"{SECRETS}?secretId=a", GOOD)
    assert ask("GET", f"{SECRETS}/a").status == 200


def test_faults_are_used_in_order(cloud: Cloud, ask: Ask) -> None:
    """Planned failures come in the order they were planned."""
    cloud.fail(GET, 429, times=2)
    cloud.fail(GET, 500)

    assert [ask("GET", f"{SECRETS}/a").status for _ in range(4)] == [429, 429, 500, 404]


def test_refused_calls_use_up_no_fault(cloud: Cloud, ask: Ask) -> None:
    """A call that would never have reached the method leaves the plan alone."""
    cloud.fail(GET, 500)

    assert ask("GET", f"{SECRETS}/a", who="stranger@example.com").status == 403
    assert cloud.unused_faults() == {GET: 1}
    assert ask("GET", f"{SECRETS}/a").status == 500


def test_too_many_calls_are_429_for_a_while(cloud: Cloud, ask: Ask, clock: VirtualClock) -> None:
    """A rate limit says how long to wait, and waiting that long helps."""
    cloud.limit(GET, 2, seconds=60)
    statuses = [ask("GET", f"{SECRETS}/a").status for _ in range(2)]

    refused = ask("GET", f"{SECRETS}/a")
    clock.advance(60)

    assert statuses == [404, 404]
    assert refused.status == 429
    assert refused.json()["error"]["details"][0]["reason"] == "RATE_LIMIT_EXCEEDED"
    assert refused.headers["retry-after"] == "60"
    assert ask("GET", f"{SECRETS}/a").status == 404


def test_fault_on_unknown_method_is_refused(cloud: Cloud) -> None:
    """A misspelt method id would make a test that proves nothing."""
    with pytest.raises(LookupError, match=r"secretmanager\.projects\.secret\.get"):
        cloud.fail("secretmanager.projects.secret.get")


def test_calls_are_logged(cloud: Cloud, ask: Ask) -> None:
    """The log says who called what on which resource, and how it went."""
    ask("GET", f"{SECRETS}/a")

    record = cloud.calls[-1]
    assert (record.who, record.method, record.status) == (OWNER, GET, 404)
    assert record.resource == "projects/berth-local/secrets/a"
    assert cloud.calls.count(GET) == 1


def _broken(answer: dict[str, Any]) -> Service:
    return Service("secretmanager", "v1", {GET: lambda _: answer}, permissions={GET: PUBLIC})


@pytest.mark.parametrize(
    "answer",
    [{"colour": "red"}, {"labels": {"a": 1}}, {"topics": {}}, {"secretType": "NOVEL"}],
)
def test_handler_that_invents_is_500(tmp_path: Path, answer: dict[str, Any]) -> None:
    """A fake cannot answer what Google's document does not describe."""
    cloud = Cloud(tmp_path, clock=VirtualClock(), only=[_broken(answer)])
    cloud.enable(HOST)
    headers = {"authorization": f"Bearer {cloud.tokens.access_token(OWNER)}"}

    response = cloud.request("GET", f"https://{SECRETS}/a", headers=headers)

    assert response.status == 500
    cloud.close()


@pytest.mark.parametrize(
    ("handlers", "permissions", "words"),
    [
        ({"secretmanager.projects.secrets.fetch": print}, {}, "secrets.fetch"),
        ({GET: print}, {}, "no permission is given"),
        ({GET: print}, {GET: PUBLIC, "x.y": PUBLIC}, "permissions names x.y"),
    ],
)
def test_wrong_table_stops_the_start(
    tmp_path: Path, handlers: dict[str, Any], permissions: dict[str, Any], words: str
) -> None:
    """A table that disagrees with its document is found before the first call."""
    service = Service("secretmanager", "v1", handlers, permissions=permissions)

    with pytest.raises(LookupError, match=words):
        Cloud(tmp_path, clock=VirtualClock(), only=[service])


def test_unknown_document_stops_the_start(tmp_path: Path) -> None:
    """An API Google does not have cannot be faked."""
    with pytest.raises(LookupError, match=r"nosuchapi\.v1"):
        Cloud(tmp_path, clock=VirtualClock(), only=[Service("nosuchapi", "v1", {}, permissions={})])


def test_state_survives_a_restart(tmp_path: Path) -> None:
    """Resources, policies, tokens and enabled APIs are there again."""
    clock = VirtualClock()
    first = Cloud(tmp_path, clock=clock)
    first.enable(HOST)
    headers = {"authorization": f"Bearer {first.tokens.access_token(OWNER)}"}
    body = json.dumps(GOOD).encode()
    first.request("POST", f"https://{SECRETS}?secretId=a", headers=headers, body=body)
    first.close()

    second = Cloud(tmp_path, clock=clock)

    assert second.request("GET", f"https://{SECRETS}/a", headers=headers).status == 200
    second.close()


def test_a_full_disk_is_named(cloud: Cloud, ask: Ask) -> None:
    """The 500 of a local cloud that cannot write says why, or people look for a bug in Berth."""
    cloud.store.read("PRAGMA max_page_count = 1")

    answers = [
        ask("POST", f"{SECRETS}?secretId=s{'x' * 200}{number}", GOOD) for number in range(40)
    ]

    assert answers[-1].status == 500
    told = answers[-1].json()["error"]["message"]
    assert told.endswith("There is no space left where the local cloud keeps its state.")
