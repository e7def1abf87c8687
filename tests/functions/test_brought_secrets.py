"""What is made of secrets that a team brings: oauth2-proxy's files, and IAP's settings."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from localcloud.oauth2_proxy import options as program
from planner.remedies import diagnosis
from tests.functions.brought import (
    ADD,
    CLIENT,
    NUMBERS,
    READ,
    REGION,
    VALUES,
    ask,
    config,
    credentials,
    fill,
    guarded,
    proxied,
    secret,
    settings,
    value,
)
from tests.functions.overheard import Overheard

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.functions.berth import Berth

# One process for all of them: they share a local cloud.
pytestmark = pytest.mark.xdist_group("functions-brought-secrets")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Berth]:
    """The credentials function, acting as its own account, and the two secrets of a client."""
    with credentials(tmp_path_factory.mktemp("berth")) as made:
        yield made


@pytest.fixture
def berth(shared: Berth) -> Iterator[Berth]:
    """The same; a planned fault that never happened fails the test."""
    yield shared
    assert shared.cloud.unused_faults() == {}


def test_the_proxy_starts_with_what_is_made(berth: Berth, tmp_path: Path) -> None:
    """The program's own checks take file and addresses; the client is the one brought."""
    name = proxied(berth, members=["user:ana@example.com"], email_domains=["example.com"])
    for credential in ("proxy_config", "proxy_members"):
        assert ask(berth, name, credential).status_code == 200
    members = tmp_path / "members"
    members.write_text(value(berth, f"mlflow-{name}-proxy-members"))
    text = value(berth, f"mlflow-{name}-proxy-config")
    file = tmp_path / "config"
    file.write_text(text.replace("/secrets/proxy-members/value", str(members)))

    options = program.read([f"--config={file}"], {})

    assert options["client_id"] == VALUES["client-id"]
    assert options["client_secret"] == VALUES["client-secret"]
    assert len(options.secret) == 32
    assert "ana@example.com" in options.emails
    assert options["email_domains"] == ["example.com"]


def test_the_same_content_makes_no_second_version(berth: Berth) -> None:
    """A repeat changes nothing, so no server is deployed anew for nothing."""
    name = proxied(berth)
    for credential, purpose in (
        ("proxy_config", "proxy-config"),
        ("proxy_members", "proxy-members"),
    ):
        answers = [ask(berth, name, credential).json() for _ in range(3)]

        where = f"projects/{berth.cloud.number}/secrets/mlflow-{name}-{purpose}/versions/1"
        assert answers == [{"name": where}] * 3


def test_another_client_secret_is_a_new_version_and_signs_nobody_out(berth: Berth) -> None:
    """The cookie secret stays when the rest changes."""
    secret(berth, "rotated", "GOCSPX-old")
    name = proxied(berth, oauth_client={**CLIENT, "secret_secret": "rotated"})
    assert ask(berth, name, "proxy_config").json()["name"].endswith("/versions/1")
    before = config(berth, name)
    fill(berth, "rotated", "GOCSPX-new\n")

    answer = ask(berth, name, "proxy_config")

    assert answer.json()["name"].endswith("/versions/2")
    after = config(berth, name)
    assert after == {**before, "client_secret": "GOCSPX-new"}


def test_a_configuration_that_somebody_broke_is_made_anew(berth: Berth) -> None:
    """The proxy could not have started with it."""
    name = proxied(berth)
    fill(berth, f"mlflow-{name}-proxy-config", "cookie_secret = [[")

    assert ask(berth, name, "proxy_config").status_code == 200
    assert config(berth, name)["client_id"] == VALUES["client-id"]


def test_a_lost_reply_makes_no_second_version(berth: Berth) -> None:
    """The version is there, nobody was told; the repeat finds it and its cookie secret."""
    name = proxied(berth)
    before = berth.cloud.calls.count(ADD)
    berth.cloud.lose_reply(ADD)

    lost = ask(berth, name, "proxy_config")
    again = ask(berth, name, "proxy_config")

    assert lost.status_code == 503
    assert again.json()["name"].endswith("/versions/1")
    assert berth.cloud.calls.count(ADD) == before + 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        (" \t \n", "is empty"),
        ("two words", "more than one word"),
        ("line\nline", "more than one word"),
        ('{"web": {"client_id": "x"}}', "more than one word"),
        ("schlüssel", "more than one word"),
        ("a\x7fb", "more than one word"),
    ],
)
def test_what_is_no_client_s_secret_is_refused(berth: Berth, text: str, words: str) -> None:
    """It would only be found out when the first person signs in."""
    wrong = f"wrong-{next(NUMBERS)}"
    # An empty payload is no version at all to Secret Manager; a newline is.
    secret(berth, wrong, text or "\r\n")
    name = proxied(berth, oauth_client={**CLIENT, "secret_secret": wrong})

    answer = ask(berth, name, "proxy_config")

    assert answer.status_code == 400
    assert answer.json()["type"].endswith(":brought-secret")
    assert words in answer.json()["detail"]
    assert f"`gcloud secrets versions add {wrong} --project=" in answer.json()["detail"]
    assert text.strip() == "" or text not in answer.text


@pytest.mark.parametrize("mode", ["proxy_config", "iap_settings"])
def test_a_secret_is_no_id_whoever_says_so(berth: Berth, mode: str) -> None:
    """An id is shown to everybody who signs in: another team's secret must not come out that way."""
    make = proxied if mode == "proxy_config" else guarded
    other = {"id_secret": "client-secret", "secret_secret": "client-id"}
    before = berth.cloud.calls.count(ADD)

    answer = ask(berth, make(berth, oauth_client=other), mode)

    assert answer.status_code == 400
    assert "client-secret does not hold the id of an OAuth client" in answer.json()["detail"]
    assert VALUES["client-secret"] not in answer.text
    assert berth.cloud.calls.count(ADD) == before


@pytest.mark.parametrize(
    ("status", "words", "command"),
    [
        (
            403,
            "may not read the secret client-id, or there is none of that name (then make it first",
            "gcloud secrets add-iam-policy-binding client-id",
        ),
        (404, "no secret client-id with a value", "gcloud secrets create client-id"),
        (400, "switched off", "gcloud secrets versions add client-id"),
    ],
)
@pytest.mark.parametrize("mode", ["proxy_config", "iap_settings"])
def test_a_secret_that_cannot_be_read_comes_with_the_command_that_helps(
    berth: Berth, mode: str, status: int, words: str, command: str
) -> None:
    """At once and in whole, for the one who may run it; nothing is made."""
    make = proxied if mode == "proxy_config" else guarded
    name = make(berth, oauth_client=CLIENT)
    before = berth.cloud.calls.count(ADD)
    berth.cloud.fail(READ, status, message="Permission denied on secret")

    answer = ask(berth, name, mode)

    assert answer.status_code == 400
    assert words in answer.json()["detail"]
    assert f"`{command} --project={berth.cloud.project}" in answer.json()["detail"]
    # The workflow waits for what says so, seven minutes long.
    assert "ermission denied on secret" not in answer.text
    assert berth.cloud.calls.count(ADD) == before


def test_the_remedy_is_the_command(berth: Berth) -> None:
    """Whoever reads the deployment's problem can copy it."""
    name = proxied(berth, oauth_client={**CLIENT, "id_secret": "nowhere"})
    refused = ask(berth, name, "proxy_config").json()

    problem = diagnosis(
        {
            "tags": ["HttpError"],
            "part": "identity",
            "step": "proxy_config",
            "message": f"a value in secret x - {refused['detail']}",
            "cause": {
                "tags": ["HttpError"],
                "code": 400,
                "reason": refused["type"],
                "message": refused["detail"],
                "request": "POST https://berth-credentials-123456789012.europe-west1.run.app",
            },
        }
    )

    assert problem.type.endswith(":brought-secret")
    assert problem.resumable
    assert f"run gcloud secrets create nowhere --project={berth.cloud.project}" in (
        problem.remedy or ""
    )


def test_iap_is_told_client_and_domains_once(berth: Berth) -> None:
    """Google shows the secret's hash; what is right already is not written again."""
    name = guarded(berth, oauth_client=CLIENT, allowed_domains=["example.com"])

    answers = [ask(berth, name, "iap_settings") for _ in range(2)]

    place = f"projects/123456789012/iap_web/cloud_run-{REGION}/services/mlflow-{name}"
    assert [answer.json() for answer in answers] == [{"name": place}] * 2
    found = settings(berth, name)
    assert found["oauthSettings"] == {
        "clientId": VALUES["client-id"],
        "clientSecretSha256": hashlib.sha256(VALUES["client-secret"].encode()).hexdigest(),
    }
    domains = found["allowedDomainsSettings"]["domains"]
    assert domains == [f"{berth.cloud.project}.iam.gserviceaccount.com", "example.com"]
    assert berth.cloud.calls.count("iap.updateIapSettings") == 1


def test_domains_alone_need_no_secret(berth: Berth) -> None:
    """Nothing is read where nothing was brought."""
    name = guarded(berth, allowed_domains=["example.com"])
    before = berth.cloud.calls.count(READ)

    assert ask(berth, name, "iap_settings").status_code == 200

    assert settings(berth, name)["allowedDomainsSettings"]["enable"] is True
    assert berth.cloud.calls.count(READ) == before


def test_a_rotated_client_secret_reaches_iap(berth: Berth) -> None:
    """The hash differs, so it is written again."""
    secret(berth, "turning", "GOCSPX-old")
    name = guarded(berth, oauth_client={**CLIENT, "secret_secret": "turning"})
    assert ask(berth, name, "iap_settings").status_code == 200
    fill(berth, "turning", "GOCSPX-new")

    assert ask(berth, name, "iap_settings").status_code == 200

    shown = settings(berth, name)["oauthSettings"]["clientSecretSha256"]
    assert shown == hashlib.sha256(b"GOCSPX-new").hexdigest()


def test_an_error_that_quotes_the_client_s_secret_is_cleaned(berth: Berth) -> None:
    """Answers end up in executions, which many may read."""
    name = guarded(berth, oauth_client=CLIENT)
    berth.cloud.fail("iap.updateIapSettings", 400, message="Invalid client secret GOCSPX-hush")

    answer = ask(berth, name, "iap_settings")

    assert answer.status_code == 502
    assert "Invalid client secret (client secret)" in answer.json()["detail"]


def test_a_right_that_is_still_spreading_is_waited_for(berth: Berth) -> None:
    """403 from IAP itself is a right of ours, which the workflow's patience goes by."""
    name = guarded(berth, allowed_domains=["example.com"])
    berth.cloud.fail("iap.getIapSettings", 403, message="denied")

    assert "NOT_YET" in ask(berth, name, "iap_settings").json()["detail"]


def test_every_body_is_what_google_s_document_says(berth: Berth) -> None:
    """What holds a secret is in no plan, so it is judged where it is sent."""
    overheard = berth.cloud.pipeline = Overheard(berth.cloud)
    one = proxied(berth)
    two = guarded(berth, oauth_client=CLIENT, allowed_domains=["example.com"])

    for name, credential in (
        (one, "proxy_config"),
        (one, "proxy_members"),
        (two, "iap_settings"),
    ):
        assert ask(berth, name, credential).status_code == 200

    assert overheard.judged() >= {
        "secretmanager.projects.secrets.addVersion",
        "iap.updateIapSettings",
    }


def test_no_value_is_in_any_answer_or_log(berth: Berth) -> None:
    """They are in Secret Manager, in IAP and in the proxy that uses them, and nowhere else."""
    one, two = proxied(berth), guarded(berth, oauth_client=CLIENT)
    answers = ask(berth, one, "proxy_config").text + ask(berth, two, "iap_settings").text
    log = (berth.logs / "credentials.log").read_text()

    hidden = (VALUES["client-secret"], VALUES["client-id"], config(berth, one)["cookie_secret"])
    for text in hidden:
        assert text not in answers
        assert text not in log
