"""The Cloud Run API: what it refuses, what it fills in, and how it repeats. Nothing runs here."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from localcloud.ingress.turned import Turned
from localcloud.services.run import names
from tests.localcloud.run.echo import IMAGE, PARENT, Caller, service

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from localcloud.cloud import Cloud

NAME = f"{PARENT}/services/hello"


def created(owner: Caller, clock: VirtualClock, body: dict[str, Any] | None = None) -> Any:
    """Create the service and let its operation end; returns the service."""
    answer = owner("POST", f"{PARENT}/services?serviceId=hello", body or service())
    assert answer.status == 200, answer.text
    clock.run_until_idle()
    return owner("GET", NAME).json()


def patched(owner: Caller, clock: VirtualClock, body: dict[str, Any], query: str = "") -> Any:
    """Patch the service and let the operation end; returns the service."""
    answer = owner("PATCH", NAME + query, body)
    assert answer.status == 200, answer.text
    clock.run_until_idle()
    return owner("GET", NAME).json()


class TestCreate:
    """What services.create promises."""

    def test_operation_takes_its_time(self, owner: Caller, clock: VirtualClock) -> None:
        """The service is there at once and reconciles until the operation is done."""
        operation = owner("POST", f"{PARENT}/services?serviceId=hello", service()).json()
        before = owner("GET", NAME).json()

        clock.run_until_idle()

        after = owner("GET", NAME).json()
        assert operation["done"] is False
        assert operation["metadata"]["name"] == NAME
        assert (before["reconciling"], after["reconciling"]) == (True, False)
        assert after["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        assert after["observedGeneration"] == after["generation"] == "1"
        assert after["latestReadyRevision"] == after["latestCreatedRevision"]
        assert owner("GET", operation["name"]).json()["response"]["name"] == NAME

    def test_defaults_are_filled_in(self, owner: Caller, clock: VirtualClock) -> None:
        """What the caller leaves out is shown as Cloud Run decides it."""
        made = created(owner, clock, {"template": {"containers": [{"image": IMAGE}]}} | {})

        template = made["template"]
        container = template["containers"][0]
        assert template["serviceAccount"] == "123456789012-compute@developer.gserviceaccount.com"
        assert template["timeout"] == "300s"
        assert template["maxInstanceRequestConcurrency"] == 80
        assert container["ports"] == [{"name": "http1", "containerPort": 8080}]
        assert container["resources"]["limits"] == {"cpu": "1000m", "memory": "512Mi"}
        assert made["ingress"] == "INGRESS_TRAFFIC_ALL"
        assert made["traffic"] == [
            {"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100}
        ]

    def test_repeat_is_a_conflict(self, owner: Caller, clock: VirtualClock) -> None:
        """A second create with the same name is refused, in Google's words."""
        created(owner, clock)

        answer = owner("POST", f"{PARENT}/services?serviceId=hello", service())

        assert answer.status == 409
        assert answer.json()["error"]["message"] == "Resource 'hello' already exists."

    @pytest.mark.parametrize("short", ["", "Hello", "9lives", "-a", "a-", "a_b", "a" * 50, "a.b"])
    def test_bad_identifier_is_refused(self, owner: Caller, short: str) -> None:
        """Fewer than 50 lower-case letters, digits and hyphens, beginning with a letter."""
        answer = owner("POST", f"{PARENT}/services?serviceId={short}", service())

        assert answer.status == 400
        assert "service_id" in answer.text

    def test_longest_identifier_is_accepted(self, owner: Caller) -> None:
        """49 characters are allowed."""
        assert owner("POST", f"{PARENT}/services?serviceId={'a' * 49}", service()).status == 200

    def test_unknown_region_is_refused(self, owner: Caller) -> None:
        """A region that does not exist looks like one without permission."""
        parent = "projects/berth-local/locations/mars-north1"

        assert owner("POST", f"{parent}/services?serviceId=hello", service()).status == 403

    def test_dry_run_creates_nothing(self, owner: Caller) -> None:
        """A dry run answers with the service as it would be."""
        path = f"{PARENT}/services?serviceId=hello&validateOnly=true"

        operation = owner("POST", path, service()).json()

        assert operation["done"] is True
        assert operation["response"]["template"]["timeout"] == "300s"
        assert owner("GET", NAME).status == 404

    def test_dry_run_refuses_as_well(self, owner: Caller) -> None:
        """A dry run finds what create would find."""
        path = f"{PARENT}/services?serviceId=hello&validateOnly=true"

        assert owner("POST", path, service(timeout="7200s")).status == 400

    def test_missing_image_fails_the_operation(self, owner: Caller, clock: VirtualClock) -> None:
        """The service object stays, and says what is missing."""
        body = service()
        body["template"]["containers"][0]["image"] = f"{IMAGE}:nope"

        made = created(owner, clock, body)

        assert made["terminalCondition"]["state"] == "CONDITION_FAILED"
        assert made["terminalCondition"]["reason"] == "CONTAINER_MISSING"
        assert f"Image '{IMAGE}:nope' not found." in made["terminalCondition"]["message"]

    def test_planned_failure_of_the_operation(
        self, cloud: Cloud, owner: Caller, clock: VirtualClock
    ) -> None:
        """A test can have any operation fail."""
        cloud.fail_operation("run.projects.locations.services.create", "UNAVAILABLE", "try later")
        operation = owner("POST", f"{PARENT}/services?serviceId=hello", service()).json()

        clock.run_until_idle()

        error = owner("GET", operation["name"]).json()["error"]
        assert (error["code"], error["message"]) == (14, "try later")


class TestPatch:
    """What services.patch promises."""

    def test_new_template_makes_a_revision(self, owner: Caller, clock: VirtualClock) -> None:
        """A changed template makes a revision, a changed label does not."""
        first = created(owner, clock)["latestReadyRevision"]

        relabelled = patched(owner, clock, {**service(), "labels": {"a": "b"}})
        renewed = patched(owner, clock, service(env={"A": "b"}))

        assert relabelled["latestReadyRevision"] == first
        assert renewed["latestReadyRevision"] != first
        listed = owner("GET", f"{NAME}/revisions").json()["revisions"]
        assert [one["name"] for one in listed] == [renewed["latestReadyRevision"], first]

    def test_forced_revision(self, owner: Caller, clock: VirtualClock) -> None:
        """A forced revision is one a revision of the same template."""
        first = created(owner, clock)["latestReadyRevision"]

        again = patched(owner, clock, service(), "?forceNewRevision=true")

        assert again["latestReadyRevision"] != first

    def test_mask_changes_only_what_it_names(self, owner: Caller, clock: VirtualClock) -> None:
        """Fields outside the mask stay; one inside the mask that was not sent is cleared."""
        created(owner, clock, {**service(), "labels": {"a": "b"}, "description": "old"})

        made = patched(owner, clock, {"description": "new"}, "?updateMask=description")
        cleared = patched(owner, clock, {}, "?updateMask=labels")

        assert (made["description"], made["labels"]) == ("new", {"a": "b"})
        assert "labels" not in cleared

    def test_without_a_mask_everything_is_replaced(
        self, owner: Caller, clock: VirtualClock
    ) -> None:
        """What was not sent is gone."""
        created(owner, clock, {**service(), "labels": {"a": "b"}})

        assert "labels" not in patched(owner, clock, service())

    def test_mask_of_something_else_is_refused(self, owner: Caller, clock: VirtualClock) -> None:
        """A field nobody can change is not silently left alone."""
        created(owner, clock)

        answer = owner("PATCH", f"{NAME}?updateMask=uri", {"uri": "https://mine"})

        assert answer.status == 400
        assert "'uri'" in answer.text

    def test_missing_service(self, owner: Caller, clock: VirtualClock) -> None:
        """404, unless allowMissing makes it an upsert."""
        assert owner("PATCH", NAME, service()).status == 404
        assert patched(owner, clock, service(), "?allowMissing=true")["generation"] == "1"

    def test_stale_etag_is_a_conflict(self, owner: Caller, clock: VirtualClock) -> None:
        """A change of a version that has been changed meanwhile is refused."""
        etag = created(owner, clock)["etag"]
        patched(owner, clock, {**service(), "labels": {"a": "b"}, "etag": etag})

        answer = owner("PATCH", NAME, {**service(), "etag": etag})

        assert answer.status == 409
        assert "current version is" in answer.text

    def test_later_change_overtakes_an_earlier_one(
        self, owner: Caller, clock: VirtualClock
    ) -> None:
        """Two changes in a row end with the second one's state."""
        created(owner, clock)
        owner("PATCH", NAME, service(env={"A": "1"}))

        made = patched(owner, clock, service(env={"A": "2"}))

        assert made["template"]["containers"][0]["env"] == [{"name": "A", "value": "2"}]
        assert (made["generation"], made["reconciling"]) == ("3", False)
        assert made["latestReadyRevision"] == made["latestCreatedRevision"]

    def test_earlier_change_does_not_answer_for_a_later_one(
        self, owner: Caller, clock: VirtualClock
    ) -> None:
        """The operation of a good change does not fail with the error of a bad one after it."""
        created(owner, clock)
        bad = service()
        bad["template"]["containers"][0]["image"] = f"{IMAGE}:nope"

        good_operation = owner("PATCH", NAME, service(env={"A": "1"})).json()["name"]
        bad_operation = owner("PATCH", NAME, bad).json()["name"]
        clock.run_until_idle()

        assert "error" not in owner("GET", good_operation).json()
        assert "not found" in owner("GET", bad_operation).json()["error"]["message"]


class TestDelete:
    """What deleting services and revisions promises."""

    def test_name_is_free_only_later(self, owner: Caller, clock: VirtualClock) -> None:
        """Gone for readers at once, but a create before the operation's end is a conflict."""
        created(owner, clock)

        operation = owner("DELETE", NAME).json()

        assert owner("GET", NAME).status == 404
        assert owner("POST", f"{PARENT}/services?serviceId=hello", service()).status == 409
        clock.run_until_idle()
        assert "deleteTime" in owner("GET", operation["name"]).json()["response"]
        assert created(owner, clock)["generation"] == "1"

    def test_policy_goes_too(self, cloud: Cloud, owner: Caller, clock: VirtualClock) -> None:
        """A new service of that name inherits nobody's rights."""
        created(owner, clock)
        cloud.grant("allUsers", "roles/run.invoker", on=f"//run.googleapis.com/{NAME}")
        owner("DELETE", NAME)
        clock.run_until_idle()

        created(owner, clock)

        assert "bindings" not in owner("GET", f"{NAME}:getIamPolicy").json()

    def test_missing_service_is_a_404(self, owner: Caller) -> None:
        """Deleting twice says so."""
        assert owner("DELETE", NAME).status == 404

    def test_revision_in_use_stays(self, owner: Caller, clock: VirtualClock) -> None:
        """The latest revision cannot be deleted, an old one without traffic can."""
        first = created(owner, clock)["latestReadyRevision"]
        latest = patched(owner, clock, service(env={"A": "b"}))["latestReadyRevision"]

        assert owner("DELETE", latest).status == 400
        assert owner("DELETE", first).status == 200
        assert owner("GET", first).status == 404


def test_hash_is_the_same_for_a_project_and_region() -> None:
    """Every service of a project and region ends in the same characters."""
    one, two = (names.hosts(f"{PARENT}/services/{short}", "12")[1] for short in ("a", "bb"))

    assert one.removeprefix("a-") == two.removeprefix("bb-")
    assert names.region_hash("p", "r") != names.region_hash("q", "r")


def test_lists_have_pages(owner: Caller, clock: VirtualClock) -> None:
    """A page size cuts the list, the token continues it."""
    for short in ("a", "b", "c"):
        owner("POST", f"{PARENT}/services?serviceId={short}", service())
    clock.run_until_idle()

    first = owner("GET", f"{PARENT}/services?pageSize=2").json()
    rest = owner("GET", f"{PARENT}/services?pageSize=2&pageToken={first['nextPageToken']}").json()

    found = [one["name"][-1] for one in [*first["services"], *rest["services"]]]
    assert found == ["a", "b", "c"]
    assert "nextPageToken" not in rest


def test_requests_are_shared_out_by_percent(
    cloud: Cloud, owner: Caller, clock: VirtualClock
) -> None:
    """Of many requests each revision gets about its share, and one with zero gets none."""
    revisions = [created(owner, clock)["latestReadyRevision"]]
    for number in ("1", "2"):
        made = patched(owner, clock, service(env={"A": number}))
        revisions.append(made["latestReadyRevision"])
    kind = "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
    shares = [
        {"type": kind, "revision": name.rpartition("/")[2], "percent": percent}
        for name, percent in zip(revisions, (70, 30, 0), strict=True)
    ]
    made = patched(owner, clock, {"traffic": shares}, "?updateMask=traffic")

    host = made["urls"][0].removeprefix("https://")
    found = Counter(
        route.revision for _ in range(1000) if (route := cloud.ingress.hosts.find(host, "/"))
    )

    assert set(found) == set(revisions[:2])
    assert 620 < found[revisions[0]] < 780


def test_mounted_application_answers_for_its_host(
    cloud: Cloud, owner: Caller, clock: VirtualClock
) -> None:
    """On paper a WSGI application stands for the container, behind the same caller check."""

    def app(environ: dict[str, Any], start: Any) -> list[bytes]:
        start("201 Created", [("X-Path", environ["PATH_INFO"])])
        return [environ["wsgi.input"].read()]

    url = created(owner, clock)["urls"][0]
    cloud.ingress.mount(url.removeprefix("https://"), app)
    token = cloud.tokens.id_token("owner@example.com", url)

    stranger = cloud.request("GET", url)
    member = cloud.request(
        "POST", f"{url}/a%20b", headers={"authorization": f"Bearer {token}"}, body=b"hi"
    )

    assert stranger.status == 403
    assert (member.status, member.headers["x-path"], member.body) == (201, "/a b", b"hi")


def test_on_paper_nothing_answers_by_itself(
    cloud: Cloud, owner: Caller, clock: VirtualClock
) -> None:
    """A service without a mounted application is unavailable to real clients, and says so."""
    host = created(owner, clock)["urls"][0].removeprefix("https://")
    token = cloud.tokens.id_token("owner@example.com", f"https://{host}")
    visit = cloud.ingress.reception.enter(
        host, "/", [("authorization", f"Bearer {token}")], client=""
    )

    with pytest.raises(Turned) as turned:
        _ = visit.address

    assert turned.value.status == 503
    assert "on paper" in turned.value.log


class TestDefaultAddress:
    """A service without its default address shows none."""

    def test_it_is_not_shown(self, cloud: Cloud, owner: Caller) -> None:
        """Nor is that of a tag."""
        tagged = [{"type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100, "tag": "t"}]
        body = {**service(), "defaultUriDisabled": True, "traffic": tagged}
        owner("POST", f"{PARENT}/services?serviceId=hello", body)
        cloud.clock.pause(600)

        found = owner("GET", f"{PARENT}/services/hello").json()

        assert found["terminalCondition"]["state"] == "CONDITION_SUCCEEDED"
        assert not {"uri", "urls"} & set(found)
        assert "uri" not in found["trafficStatuses"][0]

    def test_it_comes_back(self, cloud: Cloud, owner: Caller) -> None:
        """With the next change that says so, and not before."""
        path = f"{PARENT}/services/hello"
        body = {**service(), "defaultUriDisabled": True}
        owner("POST", f"{PARENT}/services?serviceId=hello", body)
        cloud.clock.pause(600)
        owner("PATCH", f"{path}?updateMask=labels", {"labels": {"team": "risk"}})
        cloud.clock.pause(600)
        assert "uri" not in owner("GET", path).json()

        owner("PATCH", f"{path}?updateMask=defaultUriDisabled", {"defaultUriDisabled": False})
        cloud.clock.pause(600)

        found = owner("GET", path).json()
        assert len(found["urls"]) == 2
        assert found["uri"] in found["urls"]
