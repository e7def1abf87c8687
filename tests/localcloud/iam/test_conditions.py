"""Which conditions are understood, and which are refused when they are set."""

from __future__ import annotations

import pytest

from localcloud.errors import ApiError
from localcloud.iam.conditions import Circumstances, compile_condition
from localcloud.iam.policies import resource_type

SECRET = Circumstances(
    name="projects/p/secrets/mlflow-demo",
    service="secretmanager.googleapis.com",
    type="secretmanager.googleapis.com/Secret",
    attributes={"iam.googleapis.com/modifiedGrantsByRole": ["roles/run.invoker"]},
    now=1_800_000_000.0,
)
GRANTS = "api.getAttribute('iam.googleapis.com/modifiedGrantsByRole', [])"


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("resource.name == 'projects/p/secrets/mlflow-demo'", True),
        ('resource.name == "projects/p/secrets/other"', False),
        ("resource.name != 'x'", True),
        ("resource.name.startsWith('projects/p/secrets/mlflow-')", True),
        ("resource.name.startsWith('projects/q')", False),
        ("resource.name.endsWith('demo')", True),
        ("resource.service == 'secretmanager.googleapis.com'", True),
        ("resource.type == 'secretmanager.googleapis.com/Secret'", True),
        ("resource.name == 'x' || resource.service == 'secretmanager.googleapis.com'", True),
        ("resource.name == 'x' && resource.service == 'secretmanager.googleapis.com'", False),
        ("resource.name == 'x' && resource.name == 'y' || resource.name != 'z'", True),
        ("resource.name == 'x' && (resource.name == 'y' || resource.name != 'z')", False),
        ("!(resource.name == 'x')", True),
        ("request.time < timestamp('2027-01-15T08:00:01Z')", True),
        ("request.time < timestamp('2027-01-15T08:00:00Z')", False),
        ("request.time <= timestamp('2027-01-15T08:00:00Z')", True),
        ("request.time > timestamp('2027-01-15T08:00:00Z')", False),
        ("request.time >= timestamp('2027-01-15T09:00:00+01:00')", True),
        (f"{GRANTS}.hasOnly(['roles/run.invoker', 'roles/x'])", True),
        (f"{GRANTS}.hasOnly(['roles/x'])", False),
    ],
)
def test_condition_holds(expression: str, holds: bool) -> None:
    """The known part of the language means what it means in IAM."""
    assert compile_condition(expression)(SECRET) is holds


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "true",
        "request.time < timestamp('soon')",
        "request.time < timestamp('2030-01-01T00:00:00')",
        "request.time == timestamp('2030-01-01T00:00:00Z')",
        "request.time < '2030-01-01T00:00:00Z'",
        "resource.name.matches('x')",
        "resource.name == resource.service",
        "resource.name = 'x'",
        "resource.name == 'x' &&",
        "resource.name == 'x' resource.name == 'y'",
        "(resource.name == 'x'",
        "resource.owner == 'x'",
        "resource.name == 'x",
        f"{GRANTS}.hasAny(['x'])",
        f"{GRANTS}.hasOnly([])",
    ],
)
def test_unknown_condition_is_refused(expression: str) -> None:
    """A condition we would get wrong is not accepted at all."""
    with pytest.raises(ApiError, match="Condition expression compilation failed") as caught:
        compile_condition(expression)

    assert caught.value.code == 400


@pytest.mark.parametrize(
    ("api", "name", "kind"),
    [
        ("storage", "projects/_/buckets/b", "storage.googleapis.com/Bucket"),
        ("storage", "projects/_/buckets/b/objects/o", "storage.googleapis.com/Object"),
        ("sqladmin", "projects/p/instances/i", "sqladmin.googleapis.com/Instance"),
        (
            "artifactregistry",
            "projects/p/locations/r/repositories/x",
            "artifactregistry.googleapis.com/Repository",
        ),
        ("run", "projects/p", "cloudresourcemanager.googleapis.com/Project"),
    ],
)
def test_resource_type_follows_the_name(api: str, name: str, kind: str) -> None:
    """Types are the singular of the collection, as Google names them."""
    assert resource_type(api, name) == kind
