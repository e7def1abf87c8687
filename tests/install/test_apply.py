"""Installing Berth: once, twice, over obstacles, and only looking."""

import io
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from install.errors import InstallError
from install.functions import Function, archive
from install.names import Names
from install.report import Report
from install.rights import rights
from localcloud.cloud import Cloud
from schemas.platform import Platform
from tests.install.in_process import OWNER, session

Install = Callable[..., Report]

ROOT = Path(__file__).parents[2]

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

    assert set(first.counts) <= {"created", "updated"}
    assert set(second.counts) == {"unchanged"}
    assert second.counts.total() == first.counts.total()


def test_what_was_made_is_written_down_for_the_functions(ready: Cloud) -> None:
    """platform.json is what the functions will read, and it is true."""
    platform = Platform.model_validate(read(ready, "platform.json"))
    offer = platform.regions[ready.region]

    assert platform.project_number == ready.number
    assert offer.pool is not None
    assert offer.pool.connection_name == f"{ready.project}:{ready.region}:berth-pool-1"
    assert offer.host_suffixes[0] == f"-{ready.number}.{ready.region}.run.app"
    assert all(int(image.generation) > 0 for image in platform.images.values())


def test_without_a_pool_none_is_offered(cloud: Cloud, apply: Install) -> None:
    """`--pool none` makes no instance, and says so to the functions."""
    apply("--admin", OWNER, "--pool", "none")

    platform = Platform.model_validate(read(cloud, "platform.json"))

    assert platform.regions[cloud.region].pool is None
    assert cloud.calls.count("sql.instances.insert") == 0


def test_looking_changes_nothing(ready: Cloud, again: Install) -> None:
    """`--plan` on a half-made installation says what is missing and touches nothing."""
    session(ready).send(
        "DELETE", f"https://pubsub.googleapis.com/v1/{names(ready).topic}", absent_is_none=True
    )
    before = everything(ready)

    printed = io.StringIO()
    with redirect_stdout(printed):
        report = again("--plan")

    assert "would create topic berth-events" in " ".join(printed.getvalue().split())
    assert report.counts["would create"] >= 1
    assert everything(ready) == before


def take_a_right(cloud: Cloud) -> None:
    """Take one of the workflow's roles away."""
    full = f"//cloudresourcemanager.googleapis.com/projects/{cloud.project}"
    policy = cloud.iam.policy(full)
    policy["bindings"] = [
        one for one in policy["bindings"] if one["role"] != "roles/cloudbuild.builds.editor"
    ]
    cloud.iam.set_policy(full, policy)


def test_a_right_that_was_taken_away_comes_back(ready: Cloud, again: Install) -> None:
    """Running it again is the remedy for a lost binding."""
    take_a_right(ready)

    assert again().counts["created"] == 1


def test_a_policy_that_moves_is_read_again(ready: Cloud, again: Install) -> None:
    """Two installers at once: the slower one begins its cycle again."""
    take_a_right(ready)
    ready.fail("cloudresourcemanager.projects.setIamPolicy", status=409, times=3)

    assert again().counts["created"] == 1


@pytest.mark.parametrize("title", ["berth-uploads", "berth-functions"])
def test_functions_cannot_be_built_without_the_rights_to(ready: Cloud, title: str) -> None:
    """Neither of the two conditional rights of the build account is too many."""
    full = f"//cloudresourcemanager.googleapis.com/projects/{ready.project}"
    policy = ready.iam.policy(full)
    kept = [one for one in policy["bindings"] if one.get("condition", {}).get("title") != title]
    assert len(kept) == len(policy["bindings"]) - 1
    ready.iam.set_policy(full, {**policy, "bindings": kept})
    function = Function(names=names(ready), name="plan", zip=archive(ROOT))

    with pytest.raises(InstallError, match=r"ermission|storage\.objects\.get|uploadArtifacts"):
        function.make(session(ready), "different")


def test_bindings_of_others_stay(ready: Cloud) -> None:
    """A policy is read, changed and written back; nothing else in it moves."""
    full = f"//cloudresourcemanager.googleapis.com/projects/{ready.project}"

    bindings = ready.iam.policy(full)["bindings"]

    assert {"role": "roles/owner", "members": [f"user:{OWNER}"]} in bindings


def test_what_the_operator_made_bigger_stays_bigger(ready: Cloud, again: Install) -> None:
    """The pool's tier is ours only at the beginning."""
    url = f"https://sqladmin.googleapis.com/v1/projects/{ready.project}/instances/berth-pool-1"
    patch = {"settings": {"tier": "db-custom-4-15360", "edition": "ENTERPRISE"}}
    operation = session(ready).send("PATCH", url, patch)
    session(ready).wait(
        "patch",
        operation,
        f"https://sqladmin.googleapis.com/v1/projects/{ready.project}/operations/",
    )

    report = again()

    assert set(report.counts) == {"unchanged"}
    assert session(ready).get(url)["settings"]["tier"] == "db-custom-4-15360"


def test_a_changed_workflow_is_updated_alone(ready: Cloud, again: Install) -> None:
    """A row that differs is patched, its neighbours are left as they are."""
    workflow = names(ready).workflow("teardown")
    url = f"https://workflows.googleapis.com/v1/{workflow}"
    older = {"sourceContents": "main:\n  steps:\n    - done:\n        return: 1\n"}
    operation = session(ready).send("PATCH", f"{url}?updateMask=sourceContents", older)
    session(ready).wait("patch", operation, "https://workflows.googleapis.com/v1/")

    report = again()

    assert report.counts["updated"] == 1
    assert "remove_parts" in session(ready).get(url)["sourceContents"]


def test_the_first_policy_names_the_admin(cloud: Cloud, apply: Install) -> None:
    """Without any policy nobody could do anything."""
    apply("--admin", "ana@example.com")

    assert "user:ana@example.com" in str(read(cloud, "policy.yaml"))


def test_a_policy_file_replaces_the_policy(ready: Cloud, again: Install, policy: Path) -> None:
    """With a file the installation holds what the file says."""
    report = again("--policy", str(policy))

    assert report.counts["updated"] == 1
    assert "ben@example.com" in str(read(ready, "policy.yaml"))


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
    "storage.buckets.setIamPolicy",
    "cloudresourcemanager.projects.setIamPolicy",
    "storage.objects.insert",
    "workflows.projects.locations.workflows.create",
    "cloudfunctions.projects.locations.functions.generateUploadUrl",
    "cloudfunctions.projects.locations.functions.create",
    "sql.instances.insert",
    "sql.users.insert",
)
"""What makes something, in the order in which it is first needed."""


def test_replies_that_are_lost_do_no_harm(cloud: Cloud, apply: Install) -> None:
    """Things were made, but nobody said so: the repeat finds each of them."""
    for method in CREATES:
        cloud.lose_reply(method)

    apply("--admin", OWNER)

    assert set(apply().counts) == {"unchanged"}


def test_bad_moments_are_waited_out(cloud: Cloud, apply: Install) -> None:
    """503 is no reason to stop, whichever API says it."""
    for method in CREATES:
        cloud.fail(method, status=503)

    apply("--admin", OWNER)

    assert set(apply().counts) == {"unchanged"}


def test_after_a_refusal_the_next_apply_goes_on(cloud: Cloud, apply: Install) -> None:
    """A refusal ends the run with words that help; running it again gets further each time."""
    for method in CREATES[1::4]:
        cloud.fail(method, status=400, message=f"a rule forbids {method}")
        with pytest.raises(InstallError, match=f"a rule forbids {method}"):
            apply("--admin", OWNER)

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


def test_nothing_secret_is_written_into_the_registry(ready: Cloud) -> None:
    """platform.json holds names and addresses only."""
    text = json.dumps(read(ready, "platform.json")).lower()

    assert not any(word in text for word in ("password", "token", "private"))
