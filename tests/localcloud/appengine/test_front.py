"""What answers at appspot.com: the right version, behind firewall and IAP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.identity import jwt
from localcloud.ingress.platforms import platform_of
from localcloud.services.logging import entries
from tests.localcloud.appengine.application import (
    APP,
    DEFAULT,
    HOST,
    MLFLOW,
    said,
    settled,
    version,
)
from tests.localcloud.iap.guarded import CLIENT, IAP, TRAINER, admit, signed
from tests.localcloud.run.echo import ACCOUNT, Caller, add_account

if TYPE_CHECKING:
    from localcloud.cloud import Cloud

RULES = f"{APP}/firewall/ingressRules"
URL = f"https://mlflow-dot-{HOST}"
RESOURCE = "projects/123456789012/iap_web/appengine-berth-local"


def route(cloud: Cloud, host: str, client: str = "127.0.0.1", cookies: str = "") -> str:
    """Return the version a host means."""
    found = cloud.ingress.hosts.find(host, "/", client=client, cookies=cookies)
    return "" if found is None else str(found.revision.partition("/services/")[2])


@pytest.mark.parametrize(
    ("host", "meant"),
    [
        (HOST, "default/versions/d1"),
        ("berth-local.appspot.com", "default/versions/d1"),
        (f"mlflow-dot-{HOST}", "mlflow/versions/v1"),
        ("mlflow-dot-berth-local.appspot.com", "mlflow/versions/v1"),
        (f"v1-dot-mlflow-dot-{HOST}", "mlflow/versions/v1"),
        (f"d1-dot-{HOST}", "default/versions/d1"),
        (f"nothing-dot-{HOST}", "default/versions/d1"),
        (f"v9-dot-mlflow-dot-{HOST}", "default/versions/d1"),
        ("berth-local.uc.r.appspot.com", ""),
        ("another.ew.r.appspot.com", ""),
    ],
)
def test_hosts_name_service_and_version(cloud: Cloud, host: str, meant: str) -> None:
    """With and without the region; what is not there is for default, another place for nobody."""
    assert route(cloud, host) == meant


def test_an_application_without_services_is_nowhere(app: Cloud) -> None:
    """404 before the first version."""
    assert app.request("GET", f"https://{HOST}/").status == 404


def test_requests_are_split_by_address(cloud: Cloud, owner: Caller) -> None:
    """One client gets one version; many get both."""
    settled(owner, owner("POST", f"{MLFLOW}/versions", version("v2")))
    split = {"shardBy": "IP", "allocations": {"v1": 0.5, "v2": 0.5}}
    settled(owner, owner("PATCH", f"{MLFLOW}?updateMask=split", {"split": split}))
    host = f"mlflow-dot-{HOST}"

    per_client = [{route(cloud, host, f"10.0.0.{n}") for _ in range(5)} for n in range(40)]

    assert all(len(one) == 1 for one in per_client)
    assert len(set.union(*per_client)) == 2


def test_requests_are_split_by_cookie(cloud: Cloud, owner: Caller) -> None:
    """The cookie decides, not the address."""
    settled(owner, owner("POST", f"{MLFLOW}/versions", version("v2")))
    split = {"shardBy": "COOKIE", "allocations": {"v1": 0.5, "v2": 0.5}}
    settled(owner, owner("PATCH", f"{MLFLOW}?updateMask=split", {"split": split}))
    host = f"mlflow-dot-{HOST}"

    found = {
        n: {route(cloud, host, f"10.0.0.{i}", f"GOOGAPPUID={n}") for i in range(5)}
        for n in range(20)
    }

    assert all(len(one) == 1 for one in found.values())
    assert len(set.union(*found.values())) == 2


def test_a_stopped_version_answers_nothing(cloud: Cloud, owner: Caller) -> None:
    """503 until it is started again."""
    for status, answer in (("STOPPED", 503), ("SERVING", 200)):
        body = {"servingStatus": status}
        settled(owner, owner("PATCH", f"{MLFLOW}/versions/v1?updateMask=servingStatus", body))
        assert cloud.request("GET", URL).status == answer


def test_a_disabled_application_answers_nothing(cloud: Cloud, owner: Caller) -> None:
    """Its owner switched it off."""
    body = {"servingStatus": "USER_DISABLED"}
    settled(owner, owner("PATCH", f"{APP}?updateMask=servingStatus", body))

    assert cloud.request("GET", URL).status == 503


def test_internal_services_are_closed_to_the_outside(cloud: Cloud, owner: Caller) -> None:
    """With a load balancer appspot.com is no side door."""
    body = {"networkSettings": {"ingressTrafficAllowed": "INGRESS_TRAFFIC_ALLOWED_INTERNAL_AND_LB"}}
    settled(owner, owner("PATCH", f"{MLFLOW}?updateMask=networkSettings", body))

    assert cloud.request("GET", URL).status == 403
    assert cloud.request("GET", URL, inside=True).status == 200


def test_requests_are_in_the_log(cloud: Cloud) -> None:
    """Under the resource gae_app."""
    cloud.request("GET", f"{URL}/x")

    found = [one for one in entries(cloud.store) if "request_log" in one["logName"]]
    assert found[-1]["resource"]["type"] == "gae_app"
    assert found[-1]["resource"]["labels"]["module_id"] == "mlflow"


def test_an_instance_gets_what_the_version_says(cloud: Cloud, owner: Caller) -> None:
    """Its databases as sockets, its memory, its checks, its image by digest."""
    name = "berth-local:europe-west1:one,berth-local:europe-west1:two"
    body = version(
        "v3", betaSettings={"cloud_sql_instances": name}, resources={"cpu": 1, "memoryGb": 2}
    )
    settled(owner, owner("POST", f"{MLFLOW}/versions", body))

    made = platform_of("apps/").workload(cloud, "apps/berth-local/services/mlflow/versions/v3")

    container = made.template["containers"][0]
    assert made.template["volumes"][0]["cloudSqlInstance"]["instances"] == name.split(",")
    assert container["volumeMounts"] == [{"name": "cloudsql", "mountPath": "/cloudsql"}]
    assert container["resources"]["limits"]["memory"] == "2048Mi"
    assert "@sha256:" in container["image"]
    assert container["startupProbe"]["failureThreshold"] == 300
    assert (made.region, made.account) == ("europe-west1", ACCOUNT)


class TestFirewall:
    """Rules are carried out by the client's address."""

    def test_the_first_match_decides(self, cloud: Cloud, owner: Caller) -> None:
        """By priority, whatever the order they were made in."""
        rules = [
            {"priority": 2147483647, "action": "DENY", "sourceRange": "*"},
            {"priority": 1000, "action": "ALLOW", "sourceRange": "203.0.113.0/24"},
            {"priority": 10, "action": "DENY", "sourceRange": "203.0.113.7"},
            {"priority": 2000, "action": "ALLOW", "sourceRange": "2001:db8::/32"},
        ]
        answer = owner("POST", f"{RULES}:batchUpdate", {"ingressRules": rules})

        assert [one["priority"] for one in answer.json()["ingressRules"]] == [
            10,
            1000,
            2000,
            2147483647,
        ]
        for client, status in {
            "203.0.113.9": 200,
            "203.0.113.7": 403,
            "198.51.100.1": 403,
            "2001:db8::1": 200,
            "2001:db9::1": 403,
        }.items():
            assert cloud.request("GET", URL, client=client).status == status, client

    def test_an_address_cannot_be_forged(self, cloud: Cloud, owner: Caller) -> None:
        """What a client says about itself counts for nothing."""
        owner("PATCH", f"{RULES}/2147483647?updateMask=action", {"action": "DENY"})
        rule = {"priority": 5, "action": "ALLOW", "sourceRange": "10.0.0.0/8"}
        assert owner("POST", RULES, rule).status == 200

        sent = {"x-forwarded-for": "10.0.0.1", "forwarded": "for=10.0.0.1"}
        assert cloud.request("GET", URL, headers=sent).status == 403

    @pytest.mark.parametrize(
        "rule",
        [
            {"priority": 0, "action": "ALLOW", "sourceRange": "*"},
            {"priority": 5, "action": "MAYBE", "sourceRange": "*"},
            {"priority": 5, "sourceRange": "*"},
            {"priority": 5, "action": "DENY", "sourceRange": "10.0.0.1/8"},
            {"priority": 5, "action": "DENY", "sourceRange": "office"},
            {"priority": 5, "action": "DENY", "sourceRange": "*", "description": "x" * 401},
            {"priority": 2147483647, "action": "DENY", "sourceRange": "10.0.0.0/8"},
        ],
    )
    def test_bad_rules_are_refused(self, cloud: Cloud, owner: Caller, rule: dict[str, Any]) -> None:
        """One by one and in a batch, of which then nothing is done."""
        del cloud
        assert owner("POST", RULES, rule).status == 400
        assert owner("POST", f"{RULES}:batchUpdate", {"ingressRules": [rule]}).status == 400
        assert len(owner("GET", RULES).json()["ingressRules"]) == 1

    def test_of_the_default_rule_only_the_action_changes(self, cloud: Cloud, owner: Caller) -> None:
        """It cannot be deleted either."""
        del cloud
        last = f"{RULES}/2147483647"

        assert owner("DELETE", last).status == 400
        body = {"sourceRange": "10.0.0.0/8"}
        assert owner("PATCH", f"{last}?updateMask=sourceRange", body).status == 400
        assert owner("GET", last).json()["action"] == "ALLOW"

    def test_priorities_are_taken_once(self, cloud: Cloud, owner: Caller) -> None:
        """409 for a second rule, 404 for one that is gone."""
        del cloud
        rule = {"priority": 5, "action": "DENY", "sourceRange": "10.0.0.1"}
        twice = [owner("POST", RULES, rule).status for _ in range(2)]
        found = owner("GET", f"{RULES}?matchingAddress=10.0.0.1").json()["ingressRules"]
        gone = [owner("DELETE", f"{RULES}/5").status for _ in range(2)]

        assert (twice, gone) == ([200, 409], [200, 404])
        assert [one["priority"] for one in found] == [5, 2147483647]
        assert owner("GET", f"{RULES}?matchingAddress=home").status == 400


class TestIap:
    """IAP guards the whole application."""

    @pytest.fixture(autouse=True)
    def _on(self, cloud: Cloud, owner: Caller) -> None:
        add_account(cloud, TRAINER)
        settled(owner, owner("PATCH", f"{APP}?updateMask=iap", {"iap": {"enabled": True}}))

    def test_every_service_is_closed(self, cloud: Cloud) -> None:
        """Nobody gets in without credentials, at no address."""
        for host in (f"mlflow-dot-{HOST}", HOST, f"v1-dot-mlflow-dot-{HOST}"):
            answer = cloud.request("GET", f"https://{host}/")
            assert answer.status == 302
            assert answer.headers["x-goog-iap-generated-response"] == "true"

    @pytest.mark.parametrize(
        ("resource", "elsewhere"),
        [
            (RESOURCE, 200),
            (f"{RESOURCE}/services/mlflow", 403),
            (f"{RESOURCE}/services/mlflow/versions/v1", 403),
        ],
    )
    def test_a_policy_counts_below_it(
        self, cloud: Cloud, owner: Caller, resource: str, elsewhere: int
    ) -> None:
        """Of the application for all, of a service or a version for that alone."""
        assert admit(owner, f"serviceAccount:{TRAINER}", resource=resource).status == 200

        def status(host: str) -> int:
            token = signed(cloud, f"https://{host}/*")
            sent = {"authorization": f"Bearer {token}"}
            return cloud.request("GET", f"https://{host}/", headers=sent).status

        assert status(f"mlflow-dot-{HOST}") == 200
        assert status(HOST) == elsewhere

    def test_the_assertion_is_made_out_to_the_application(
        self, cloud: Cloud, owner: Caller
    ) -> None:
        """By number and id of the project."""
        admit(owner, f"serviceAccount:{TRAINER}", resource=RESOURCE)
        sent = {"authorization": f"Bearer {signed(cloud, f'{URL}/*')}"}

        headers = cloud.request("GET", URL, headers=sent).json()["headers"]

        opened = jwt.unverified(headers["x-goog-iap-jwt-assertion"])
        assert opened is not None
        assert opened[1]["aud"] == "/projects/123456789012/apps/berth-local"

    def test_the_client_of_the_application_is_the_audience(
        self, cloud: Cloud, owner: Caller
    ) -> None:
        """With a client of its own ID tokens for it are good."""
        iap = {"enabled": True, "oauth2ClientId": CLIENT, "oauth2ClientSecret": "s"}
        settled(owner, owner("PATCH", f"{APP}?updateMask=iap", {"iap": iap}))
        admit(owner, f"serviceAccount:{TRAINER}", resource=RESOURCE)

        sent = {"authorization": f"Bearer {cloud.tokens.id_token(TRAINER, CLIENT)}"}
        assert cloud.request("GET", URL, headers=sent).status == 200

    def test_the_firewall_comes_first(self, cloud: Cloud, owner: Caller) -> None:
        """Who is denied does not even see the sign-in page."""
        owner("PATCH", f"{RULES}/2147483647?updateMask=action", {"action": "DENY"})

        assert cloud.request("GET", URL).status == 403

    def test_a_deleted_version_takes_its_policy_along(self, cloud: Cloud, owner: Caller) -> None:
        """A new one of that name admits nobody by itself."""
        settled(owner, owner("POST", f"{MLFLOW}/versions", version("v2")))
        name = f"{RESOURCE}/services/mlflow/versions/v2"
        admit(owner, f"serviceAccount:{TRAINER}", resource=name)
        settled(owner, owner("DELETE", f"{MLFLOW}/versions/v2"))

        gone = owner("POST", f"{IAP}/{name}:getIamPolicy", {})
        settled(owner, owner("POST", f"{MLFLOW}/versions", version("v2")))

        assert (gone.status, said(gone)[:9]) == (404, "Requested")
        assert "bindings" not in owner("POST", f"{IAP}/{name}:getIamPolicy", {}).json()
        del cloud


class TestPlaceholder:
    """The smallest default service there can be: one static page, no instance."""

    BODY: dict[str, Any] = {  # noqa: RUF012 - never changed
        "id": "placeholder",
        "runtime": "python312",
        "serviceAccount": ACCOUNT,
        "handlers": [
            {"urlRegex": "/.*", "staticFiles": {"path": "index.html", "uploadPathRegex": "i"}}
        ],
        "deployment": {
            "files": {
                "index.html": {"sourceUrl": "https://storage.googleapis.com/berth-page/i%20x.html"}
            }
        },
    }

    @pytest.fixture
    def page(self, app: Cloud, owner: Caller) -> Cloud:
        """A bucket with the page."""
        storage = "https://storage.googleapis.com"
        owner("POST", f"{storage}/storage/v1/b?project=berth-local", {"name": "berth-page"})
        token = app.tokens.access_token(owner.email)
        answer = app.request(
            "POST",
            f"{storage}/upload/storage/v1/b/berth-page/o?uploadType=media&name=i%20x.html",
            headers={"authorization": f"Bearer {token}", "content-type": "text/html"},
            body=b"<p>nothing here",
        )
        assert answer.status == 200, answer.text
        return app

    def test_it_is_served_without_an_instance(self, page: Cloud, owner: Caller) -> None:
        """And others may be deployed beside it."""
        page.grant(f"serviceAccount:{ACCOUNT}", "roles/storage.objectViewer")
        settled(owner, owner("POST", f"{DEFAULT}/versions", self.BODY))

        answer = page.request("GET", f"https://{HOST}/any")

        assert (answer.status, answer.text) == (200, "<p>nothing here")
        assert answer.headers["content-type"] == "text/html"
        assert page.request("POST", f"https://{HOST}/any").status == 404
        assert "response" in settled(owner, owner("POST", f"{MLFLOW}/versions", version()))

    def test_its_account_must_read_the_files(self, page: Cloud, owner: Caller) -> None:
        """Otherwise the operation fails and no service is there."""
        del page
        error = settled(owner, owner("POST", f"{DEFAULT}/versions", self.BODY))["error"]

        assert "could not be read" in error["message"]
        assert owner("GET", DEFAULT).status == 404

    @pytest.mark.parametrize(
        ("more", "status"),
        [
            ({"handlers": [{"urlRegex": "/.*", "script": {"scriptPath": "auto"}}]}, 501),
            ({"handlers": []}, 501),
            ({"deployment": {"zip": {"sourceUrl": "x"}}}, 501),
            ({"deployment": {}}, 400),
            ({"runtime": ""}, 400),
            ({"entrypoint": {"shell": "x"}}, 501),
        ],
    )
    def test_programs_are_refused(
        self, page: Cloud, owner: Caller, more: dict[str, Any], status: int
    ) -> None:
        """They would have to be built from source."""
        del page
        answer = owner("POST", f"{DEFAULT}/versions", {**self.BODY, **more})

        assert answer.status == status
