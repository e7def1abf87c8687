"""Installing Berth: once, twice, over obstacles, and only looking."""

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from install.accounts import rights
from install.apply import Report
from install.errors import InstallError
from install.names import Names
from localcloud.cloud import Cloud
from schemas.platform import Platform
from tests.install.in_process import OWNER, session

Install = Callable[..., Report]

POLICY = "admins: ['user:ana@example.com']\nteams: {risk: {members: ['user:ben@example.com']}}\n"


def names(cloud: Cloud) -> Names:
    """Return what things are called there."""
    return Names(cloud.project, cloud.number, cloud.region)


def read(cloud: Cloud, name: str) -> Any:
    """Return an object of the registry."""
    url = f"https://storage.googleapis.com/storage/v1/b/{names(cloud).registry}/o/{name}?alt=media"
    return session(cloud).get(url)


def everything(cloud: Cloud) -> str:
    """Return all that the cloud keeps, as text to compare."""
    rows = cloud.store.read("SELECT * FROM resources ORDER BY 1, 2")
    return "\n".join(str(row) for row in rows)


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """Return a policy file."""
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY, encoding="utf-8")
    return file


def test_a_second_apply_changes_nothing(apply: Install) -> None:
    """The first makes everything; the second finds every single row as it should be."""
    first = apply("--admin", OWNER)
    second = apply()

    assert set(first.counts) == {"created"}
    assert set(second.counts) == {"unchanged"}
    assert second.counts.total() == first.counts.total()


def test_what_was_made_is_written_down_for_the_functions(cloud: Cloud, apply: Install) -> None:
    """platform.json is what the functions will read, and it is true."""
    apply("--admin", OWNER)

    platform = Platform.model_validate(read(cloud, "platform.json"))
    offer = platform.regions[cloud.region]

    assert platform.project_number == cloud.number
    assert offer.pool is not None
    assert offer.pool.connection_name == f"{cloud.project}:{cloud.region}:berth-pool-1"
    assert offer.host_suffixes[0] == f"-{cloud.number}.{cloud.region}.run.app"
    assert all(int(image.generation) > 0 for image in platform.images.values())


def test_without_a_pool_none_is_offered(cloud: Cloud, apply: Install) -> None:
    """`--pool none` makes no instance, and says so to the functions."""
    apply("--admin", OWNER, "--pool", "none")

    platform = Platform.model_validate(read(cloud, "platform.json"))

    assert platform.regions[cloud.region].pool is None
    assert cloud.calls.count("sql.instances.insert") == 0


def test_looking_changes_nothing(cloud: Cloud, apply: Install) -> None:
    """`--plan` on a half-made installation says what is missing and touches nothing."""
    apply("--admin", OWNER)
    session(cloud).send(
        "DELETE", f"https://pubsub.googleapis.com/v1/{names(cloud).topic}", absent_is_none=True
    )
    before = everything(cloud)

    printed = io.StringIO()
    with redirect_stdout(printed):
        report = apply("--plan")

    assert "would create topic berth-events" in " ".join(printed.getvalue().split())
    assert report.counts["would create"] >= 1
    assert everything(cloud) == before


def test_a_right_that_was_taken_away_comes_back(cloud: Cloud, apply: Install) -> None:
    """Running it again is the remedy for a lost binding."""
    apply("--admin", OWNER)
    full = f"//cloudresourcemanager.googleapis.com/projects/{cloud.project}"
    policy = cloud.iam.policy(full)
    policy["bindings"] = [
        one for one in policy["bindings"] if one["role"] != "roles/cloudbuild.builds.editor"
    ]
    cloud.iam.set_policy(full, policy)

    report = apply()

    assert report.counts["created"] == 1


def test_bindings_of_others_stay(cloud: Cloud, apply: Install) -> None:
    """A policy is read, changed and written back; nothing else in it moves."""
    apply("--admin", OWNER)
    full = f"//cloudresourcemanager.googleapis.com/projects/{cloud.project}"

    bindings = cloud.iam.policy(full)["bindings"]

    assert {"role": "roles/owner", "members": [f"user:{OWNER}"]} in bindings


def test_what_the_operator_made_bigger_stays_bigger(cloud: Cloud, apply: Install) -> None:
    """The pool's tier is ours only at the beginning."""
    apply("--admin", OWNER)
    url = f"https://sqladmin.googleapis.com/v1/projects/{cloud.project}/instances/berth-pool-1"
    patch = {"settings": {"tier": "db-custom-4-15360", "edition": "ENTERPRISE"}}
    operation = session(cloud).send("PATCH", url, patch)
    session(cloud).wait(
        "patch",
        operation,
        f"https://sqladmin.googleapis.com/v1/projects/{cloud.project}/operations/",
    )

    report = apply()

    assert set(report.counts) == {"unchanged"}
    assert session(cloud).get(url)["settings"]["tier"] == "db-custom-4-15360"


def test_a_changed_workflow_is_updated_alone(cloud: Cloud, apply: Install) -> None:
    """A row that differs is patched, its neighbours are left as they are."""
    apply("--admin", OWNER)
    workflow = names(cloud).workflow("teardown")
    url = f"https://workflows.googleapis.com/v1/{workflow}"
    older = {"sourceContents": "main:\n  steps:\n    - done:\n        return: 1\n"}
    operation = session(cloud).send("PATCH", f"{url}?updateMask=sourceContents", older)
    session(cloud).wait("patch", operation, "https://workflows.googleapis.com/v1/")

    report = apply()

    assert report.counts["updated"] == 1
    assert "remove_parts" in session(cloud).get(url)["sourceContents"]


def test_the_first_policy_names_the_admin(cloud: Cloud, apply: Install) -> None:
    """Without any policy nobody could do anything."""
    apply("--admin", "ana@example.com")

    assert "user:ana@example.com" in str(read(cloud, "policy.yaml"))


def test_a_policy_file_replaces_the_policy(cloud: Cloud, apply: Install, policy: Path) -> None:
    """With a file the installation holds what the file says."""
    apply("--admin", OWNER)

    report = apply("--policy", str(policy))

    assert report.counts["updated"] == 1
    assert "ben@example.com" in str(read(cloud, "policy.yaml"))


def test_without_an_admin_there_can_be_no_first_policy(apply: Install) -> None:
    """The refusal says which two options help."""
    with pytest.raises(InstallError, match="--admin EMAIL for a first one, or --policy FILE"):
        apply()


@pytest.mark.parametrize("text", ["admins: [ana]", "teams: 3", "unknown: 1", ": : :"])
def test_a_policy_that_is_none_is_refused(apply: Install, tmp_path: Path, text: str) -> None:
    """It would lock everybody out; so it is checked before it is uploaded."""
    file = tmp_path / "policy.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(InstallError, match="is not a policy"):
        apply("--policy", str(file))


def test_a_bucket_that_is_not_ours_is_left_alone(cloud: Cloud, apply: Install) -> None:
    """What does not carry the mark is named and not touched."""
    cloud.enable("storage.googleapis.com")
    name = names(cloud).registry
    session(cloud).send(
        "POST",
        f"https://storage.googleapis.com/storage/v1/b?project={cloud.project}",
        {"name": name, "location": "EUROPE-WEST1"},
    )

    with pytest.raises(InstallError, match=f"{name} exists, but Berth did not make it"):
        apply("--admin", OWNER)


def test_who_may_not_install_is_told_what_is_missing(apply: Install) -> None:
    """The permission is named."""
    with pytest.raises(InstallError, match=r"needs the permission serviceusage\."):
        apply("--admin", OWNER, email="stranger@example.com")


CREATES = (
    "serviceusage.services.batchEnable",
    "iam.projects.serviceAccounts.create",
    "iam.projects.roles.create",
    "storage.buckets.insert",
    "pubsub.projects.topics.create",
    "artifactregistry.projects.locations.repositories.create",
    "cloudresourcemanager.projects.setIamPolicy",
    "storage.buckets.setIamPolicy",
    "sql.instances.insert",
    "sql.users.insert",
    "storage.objects.insert",
    "cloudfunctions.projects.locations.functions.generateUploadUrl",
    "cloudfunctions.projects.locations.functions.create",
    "workflows.projects.locations.workflows.create",
)


@pytest.mark.parametrize("method", CREATES)
def test_a_reply_that_is_lost_does_no_harm(cloud: Cloud, apply: Install, method: str) -> None:
    """It was made, but nobody said so: the repeat finds it."""
    cloud.lose_reply(method)

    apply("--admin", OWNER)

    assert set(apply().counts) == {"unchanged"}


@pytest.mark.parametrize("method", CREATES)
def test_a_bad_moment_is_waited_out(cloud: Cloud, apply: Install, method: str) -> None:
    """503 is no reason to stop."""
    cloud.fail(method, status=503)

    apply("--admin", OWNER)

    assert set(apply().counts) == {"unchanged"}


@pytest.mark.parametrize("method", CREATES)
def test_after_a_refusal_the_next_apply_goes_on(cloud: Cloud, apply: Install, method: str) -> None:
    """A refusal ends the run with words that help; running it again completes it."""
    cloud.fail(method, status=400, message="a rule of the organisation forbids it")

    with pytest.raises(InstallError, match="a rule of the organisation forbids it"):
        apply("--admin", OWNER)

    assert set(apply("--admin", OWNER).counts) <= {"created", "updated", "unchanged"}
    assert set(apply().counts) == {"unchanged"}


def test_a_policy_that_moves_is_read_again(cloud: Cloud, apply: Install) -> None:
    """Two installers at once: the slower one begins its cycle again."""
    cloud.fail("cloudresourcemanager.projects.setIamPolicy", status=409, times=3)

    apply("--admin", OWNER)

    assert set(apply().counts) == {"unchanged"}


def test_a_failed_operation_says_why(cloud: Cloud, apply: Install) -> None:
    """A failure inside an answer of 200 is a failure."""
    cloud.fail_operation("sql.instances.insert", "RESOURCE_EXHAUSTED", "no capacity in the region")

    with pytest.raises(InstallError, match="no capacity in the region"):
        apply("--admin", OWNER)


def test_the_table_of_rights_in_the_documentation_is_the_one_applied() -> None:
    """docs/operations.md names every account with every role."""
    text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| `berth-")]

    for right in rights(Names("P", "N", "R")):
        role = right.role.split("/")[-1]
        assert any(f"`berth-{right.account}`" in line and f"`{role}`" in line for line in lines), (
            right
        )


def test_nothing_secret_is_written_into_the_registry(cloud: Cloud, apply: Install) -> None:
    """platform.json holds names and addresses only."""
    apply("--admin", OWNER)

    text = json.dumps(read(cloud, "platform.json")).lower()

    assert not any(word in text for word in ("password", "token", "private"))
