"""What one removal may change, and what it may not."""

from typing import Any

import pytest

from tests.examples.leftovers import more_than_may_stay, unrelated

POLICY = "iam.policies //cloudresourcemanager.googleapis.com/projects/p"
ONE = "serviceAccount:mlflow-one@p.iam.gserviceaccount.com"
OTHER = "serviceAccount:mlflow-other@p.iam.gserviceaccount.com"


def binding(*members: str, **more: Any) -> dict[str, Any]:
    """Return a binding of a policy."""
    return {"role": "roles/cloudsql.client", "members": list(members), **more}


def test_its_own_entries_may_go() -> None:
    """Also a binding of its own, with the condition that names its instance."""
    before = {"bindings": [binding(ONE, OTHER), binding(ONE, condition={"title": "mlflow-one"})]}
    after = {"bindings": [binding(OTHER)]}

    assert unrelated({POLICY: (before, after)}, "one") == {}


@pytest.mark.parametrize(
    "after",
    [
        {"bindings": []},
        {"bindings": [binding(OTHER, ONE)]},
        {"bindings": [binding(OTHER), binding("user:ana@example.com")]},
    ],
)
def test_nobody_elses_entry_may_go_and_none_may_come(after: dict[str, Any]) -> None:
    """Less for others, more for anybody, or something of its own that stays: each is found."""
    before = {"bindings": [binding(ONE, OTHER)]}

    assert unrelated({POLICY: (before, after)}, "one").keys() == {POLICY}


def test_a_longer_name_is_another_s() -> None:
    """One and one-more share five letters and nothing else: what the second loses is found."""
    longer = "serviceAccount:mlflow-one-more@p.iam.gserviceaccount.com"
    changes = {
        POLICY: ({"bindings": [binding(ONE, longer)]}, {"bindings": []}),
        "bucket p-mlflow-one": ({}, "nothing"),
        "bucket p-mlflow-one-more": ({}, "nothing"),
        "secret projects/p/secrets/mlflow-one-db-password": ({}, "nothing"),
        "secret projects/p/secrets/mlflow-one-more-db-password": ({}, "nothing"),
        "object deployments/one-more/spec.json": ({}, "nothing"),
        "database of pool one": ({}, "nothing"),
        "database of pool one-more": ({}, "nothing"),
    }

    assert unrelated(changes, "one", ["one", "one-more", "other"]).keys() == {
        POLICY,
        "bucket p-mlflow-one-more",
        "secret projects/p/secrets/mlflow-one-more-db-password",
        "object deployments/one-more/spec.json",
        "database of pool one-more",
    }


def test_what_stays_is_nothing_of_a_deployment() -> None:
    """The application may, the service may not."""
    changes: dict[str, Any] = {
        "appengine apps/p": ("nothing", {}),
        "object domains/mlflow.example.com.json": ("nothing", {}),
        "appengine apps/p/services/mlflow-one": ("nothing", {}),
        "compute projects/p/global/addresses/mlflow-one": ("nothing", {}),
    }
    assert more_than_may_stay(changes).keys() == set(list(changes)[2:])
