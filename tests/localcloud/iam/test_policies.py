"""What policies promise: who may do what, and how a policy changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from localcloud.cloud import OWNER, Cloud
from localcloud.errors import ApiError

if TYPE_CHECKING:
    from localcloud.clock import VirtualClock
    from tests.localcloud.conftest import Ask

PROJECT = "//cloudresourcemanager.googleapis.com/projects/berth-local"
SECRET = "//secretmanager.googleapis.com/projects/berth-local/secrets/a"
NAME = "projects/berth-local/secrets/a"
ACCESS = "secretmanager.versions.access"
ACCESSOR = "roles/secretmanager.secretAccessor"
ANA = "user:ana@example.com"


def _may(cloud: Cloud, member: str = ANA, permission: str = ACCESS, name: str = NAME) -> bool:
    return cloud.iam.allowed(member, permission, "secretmanager", name)


def test_nobody_may_anything_at_first(cloud: Cloud) -> None:
    """Rights come only from policies."""
    assert not _may(cloud)
    assert _may(cloud, f"user:{OWNER}")


@pytest.mark.parametrize(
    ("on", "name", "may"),
    [
        (SECRET, NAME, True),
        (SECRET, NAME + "/versions/1", True),
        (SECRET, "projects/123456789012/secrets/a", True),
        (SECRET, "projects/berth-local/secrets/b", False),
        (SECRET, "projects/berth-local", False),
        (None, "projects/berth-local/secrets/b", True),
        (None, "projects/other/secrets/a", False),
    ],
)
def test_bindings_hold_below_where_they_are(
    cloud: Cloud, on: str | None, name: str, may: bool
) -> None:
    """A binding holds on its resource and everything below, nowhere else."""
    cloud.grant(ANA, ACCESSOR, on=on)

    assert _may(cloud, name=name) is may


@pytest.mark.parametrize(
    ("bound", "member", "may"),
    [
        (ANA, "user:ANA@example.com", True),
        (ANA, "serviceAccount:ana@example.com", False),
        ("domain:example.com", ANA, True),
        ("domain:example.com", "user:ana@evil-example.com", False),
        ("domain:example.com", "serviceAccount:x@example.com", False),
        ("allAuthenticatedUsers", ANA, True),
        ("allAuthenticatedUsers", "allUsers", False),
        ("allUsers", "allUsers", True),
        ("group:all@example.com", ANA, False),
        ("projectOwner:berth-local", f"user:{OWNER}", True),
        ("projectOwner:berth-local", ANA, False),
    ],
)
def test_members(cloud: Cloud, bound: str, member: str, may: bool) -> None:
    """Each kind of member means whom it means in IAM; a new group is empty."""
    cloud.grant(bound, "roles/logging.viewer", on=SECRET)

    found = cloud.iam._bound(  # the project's own policy would say yes to the owner
        member, "logging.logs.list", SECRET, circumstances()
    )

    assert found is may


def circumstances() -> Any:
    """Nothing a condition could ask about."""
    from localcloud.iam.conditions import Circumstances

    return Circumstances()


@pytest.mark.parametrize(
    ("role", "permission", "may"),
    [
        ("roles/owner", "secretmanager.versions.access", True),
        ("roles/owner", "iam.serviceAccounts.getAccessToken", False),
        ("roles/editor", "secretmanager.secrets.create", True),
        ("roles/editor", "secretmanager.versions.access", False),
        ("roles/editor", "resourcemanager.projects.setIamPolicy", False),
        ("roles/viewer", "secretmanager.secrets.get", True),
        ("roles/viewer", "secretmanager.secrets.create", False),
        ("roles/viewer", "secretmanager.versions.access", False),
        ("roles/viewer", "storage.objects.get", False),
        (ACCESSOR, "secretmanager.versions.access", True),
        (ACCESSOR, "secretmanager.versions.list", False),
        ("roles/iam.serviceAccountUser", "iam.serviceAccounts.getAccessToken", False),
    ],
)
def test_roles_contain_what_they_contain(
    cloud: Cloud, role: str, permission: str, may: bool
) -> None:
    """Basic roles follow Google's rules, predefined ones their files."""
    assert cloud.iam.role_grants(role, permission) is may


def test_condition_narrows_a_binding(cloud: Cloud) -> None:
    """A conditional binding holds only where its condition does."""
    policy = cloud.iam.policy(PROJECT)
    # conditions see Secret Manager's names with the project number
    expression = "resource.name.startsWith('projects/123456789012/secrets/a')"
    condition = {"title": "t", "expression": expression}
    policy["bindings"].append({"role": ACCESSOR, "members": [ANA], "condition": condition})
    policy["version"] = 3
    cloud.iam.set_policy(PROJECT, policy)

    assert _may(cloud, name=NAME + "/versions/1")
    assert not _may(cloud, name="projects/berth-local/secrets/b")


def test_old_version_hides_conditions(cloud: Cloud) -> None:
    """Who does not ask for version 3 sees that there is a condition, not which."""
    condition = {"title": "t", "expression": "resource.name == 'x'"}
    binding = {"role": ACCESSOR, "members": [ANA], "condition": condition}
    cloud.iam.set_policy(SECRET, {"version": 3, "bindings": [binding]})

    seen = cloud.iam.policy(SECRET, version=1)["bindings"][0]

    assert seen["role"].startswith(ACCESSOR + "_withcond_")
    assert "condition" not in seen
    assert cloud.iam.policy(SECRET)["bindings"][0]["condition"] == condition


def test_stale_etag_is_409(cloud: Cloud) -> None:
    """Two read-modify-writes cannot overwrite each other."""
    first, second = cloud.iam.policy(PROJECT), cloud.iam.policy(PROJECT)
    cloud.iam.set_policy(PROJECT, first)

    with pytest.raises(ApiError, match="concurrent policy changes") as caught:
        cloud.iam.set_policy(PROJECT, second)

    assert (caught.value.code, caught.value.status) == (409, "ABORTED")


def test_no_etag_overwrites(cloud: Cloud) -> None:
    """Dropping the etag silently overwrites other people's grants, as on Google Cloud."""
    cloud.grant(ANA, ACCESSOR, on=SECRET)

    cloud.iam.set_policy(SECRET, {"bindings": []})

    assert not _may(cloud)


@pytest.mark.parametrize(
    ("binding", "words"),
    [
        ({"role": "roles/nonsense", "members": [ANA]}, "Role roles/nonsense is not supported"),
        ({"role": "projects/berth-local/roles/none", "members": [ANA]}, "is not supported"),
        ({"role": ACCESSOR, "members": ["ana@example.com"]}, "Invalid member"),
        ({"role": ACCESSOR, "members": ["user:ana"]}, "Invalid member"),
        ({"role": ACCESSOR, "members": ["robot:x@y.z"]}, "Invalid member"),
        (
            {
                "role": ACCESSOR,
                "members": ["serviceAccount:gone@berth-local.iam.gserviceaccount.com"],
            },
            "Service account gone@berth-local.iam.gserviceaccount.com does not exist.",
        ),
        (
            {"role": ACCESSOR, "members": [ANA], "condition": {"expression": "true"}},
            "title is required",
        ),
        (
            {
                "role": ACCESSOR,
                "members": [ANA],
                "condition": {"title": "t", "expression": "resource.name == 'x'"},
            },
            "must set the version field to 3",
        ),
    ],
)
def test_wrong_binding_is_refused(cloud: Cloud, binding: dict[str, Any], words: str) -> None:
    """A policy with one wrong binding changes nothing."""
    with pytest.raises(ApiError, match=words) as caught:
        cloud.iam.set_policy(SECRET, {"bindings": [binding]})

    assert caught.value.code == 400
    assert cloud.iam.policy(SECRET) == {"etag": "ACAB"}


def test_everyone_is_refused_on_the_project(ask: Ask) -> None:
    """A project cannot be opened to the world."""
    url = "cloudresourcemanager.googleapis.com/v3/projects/berth-local:setIamPolicy"
    binding = {"role": "roles/viewer", "members": ["allUsers"]}

    response = ask("POST", url, {"policy": {"bindings": [binding]}})

    assert response.status == 400


def test_forgotten_policies_are_gone_below_too(cloud: Cloud) -> None:
    """Deleting a resource takes the policies of what is under it along."""
    cloud.grant(ANA, ACCESSOR, on=SECRET)
    cloud.grant(ANA, ACCESSOR, on=SECRET + "/versions/1")
    cloud.grant(ANA, "roles/logging.viewer", on=SECRET + "b")

    cloud.iam.forget(SECRET)

    assert not _may(cloud, name=NAME + "/versions/1")
    assert cloud.iam.policy(SECRET + "b")["bindings"]


def test_bindings_take_effect_after_their_propagation(cloud: Cloud, clock: VirtualClock) -> None:
    """With a delay a grant can be read at once, and holds later; so does its removal."""
    cloud.propagation["policies"] = 120
    cloud.grant(ANA, ACCESSOR, on=SECRET)
    seen = [_may(cloud)]
    clock.advance(119)
    seen.append(_may(cloud))
    clock.advance(1)
    seen.append(_may(cloud))
    cloud.iam.set_policy(SECRET, {"bindings": []})
    seen.append(_may(cloud))
    clock.advance(120)
    seen.append(_may(cloud))

    assert seen == [False, False, True, True, False]


def test_later_changes_do_not_hold_up_earlier_ones(cloud: Cloud, clock: VirtualClock) -> None:
    """Each state of a policy comes into effect at its own time."""
    cloud.propagation["policies"] = 100
    cloud.grant(ANA, ACCESSOR, on=SECRET)
    clock.advance(60)
    cloud.grant("user:bo@example.com", ACCESSOR, on=SECRET)
    clock.advance(40)

    assert (_may(cloud), _may(cloud, "user:bo@example.com")) == (True, False)
    clock.advance(60)
    assert _may(cloud, "user:bo@example.com")


def test_deleted_resources_lose_their_grants_at_once(cloud: Cloud) -> None:
    """A name that is used again does not bring old rights back, delay or not."""
    cloud.grant(ANA, ACCESSOR, on=SECRET)
    cloud.propagation["policies"] = 100
    cloud.iam.set_policy(SECRET, {"bindings": []})
    cloud.iam.forget(SECRET)

    assert not _may(cloud)


def test_delegated_admin_may_only_give_some_roles(cloud: Cloud, ask: Ask) -> None:
    """The hasOnly condition limits which roles a policy editor can hand out."""
    policy = cloud.iam.policy(PROJECT)
    expression = (
        "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', [])"
        ".hasOnly(['roles/logging.logWriter'])"
    )
    policy["bindings"].append(
        {
            "role": "roles/resourcemanager.projectIamAdmin",
            "members": [ANA],
            "condition": {"title": "t", "expression": expression},
        }
    )
    cloud.iam.set_policy(PROJECT, {**policy, "version": 3})
    url = "cloudresourcemanager.googleapis.com/v3/projects/berth-local:setIamPolicy"

    def give(role: str) -> int:
        changed = cloud.iam.policy(PROJECT)
        changed["bindings"].append({"role": role, "members": ["user:bo@example.com"]})
        return ask("POST", url, {"policy": changed}, who="ana@example.com").status

    assert give("roles/owner") == 403
    assert give("roles/logging.logWriter") == 200


def test_a_group_stands_for_whoever_is_in_it(cloud: Cloud) -> None:
    """Members of a group, and of groups in it, have its roles; who leaves has not."""
    cloud.grant("group:all@example.com", ACCESSOR, on=SECRET)
    assert not _may(cloud)

    cloud.iam.groups.set("All@Example.com", ["group:team@example.com"])
    cloud.iam.groups.set("team@example.com", ["user:Ana@example.com", "group:all@example.com"])

    assert _may(cloud)
    assert not _may(cloud, "user:bo@example.com")
    assert not _may(cloud, "serviceAccount:ana@example.com")
    cloud.iam.groups.set("team@example.com", [])
    assert not _may(cloud)


@pytest.mark.parametrize(
    ("email", "members"),
    [
        ("all@example.com", ["ana@example.com"]),
        ("all@example.com", ["allUsers"]),
        ("all", ["user:ana@example.com"]),
        ("group:all@example.com", []),
    ],
)
def test_a_group_is_written_as_policies_write_it(
    cloud: Cloud, email: str, members: list[str]
) -> None:
    """A member nobody could be is a mistake."""
    with pytest.raises(ValueError, match="is no member"):
        cloud.iam.groups.set(email, members)


def test_a_grant_ends_when_its_condition_says(cloud: Cloud, clock: VirtualClock) -> None:
    """An expiring grant is good until its moment, by the cloud's clock."""
    condition = {"title": "t", "expression": "request.time < timestamp('2026-11-20T09:00:00Z')"}
    binding = {"role": ACCESSOR, "members": [ANA], "condition": condition}
    cloud.iam.set_policy(SECRET, {"version": 3, "bindings": [binding]})

    assert _may(cloud)
    clock.advance(3600)
    assert not _may(cloud)
