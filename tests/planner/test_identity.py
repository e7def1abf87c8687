"""identity: the account the server runs as, and the secrets of its first administrator."""

import pytest

from schemas.platform import Platform
from tests.planner.compiled import BASIC_AUTH, TRAINING, body, grant, names, part, resource

SECRET = "https://secretmanager.googleapis.com/v1/projects/acme-mlflow/secrets/mlflow-demo-"


def test_iam_needs_an_account_and_nobody_s_password(platform: Platform) -> None:
    """With access by IAM there is no secret in identity."""
    plan = part(platform, "identity")
    assert names(plan) == ["service_account", "workflow_may_deploy_as_server"]
    assert plan.summary == "service account mlflow-demo"


def test_the_account_shows_whose_it_is_in_its_description(platform: Platform) -> None:
    """A service account has no labels, so the description is the mark."""
    account = resource(part(platform, "identity"), "service_account")
    assert account.url.endswith(
        "/serviceAccounts/mlflow-demo%40acme-mlflow.iam.gserviceaccount.com"
    )
    assert account.mark is not None
    assert account.mark.value == "managed-by=berth;berth-deployment=demo"


def test_only_the_workflow_may_deploy_as_the_server(platform: Platform) -> None:
    """The right to act as the server is bound on its account, not on the project."""
    binding = grant(part(platform, "identity"), "workflow_may_deploy_as_server")
    assert binding.member == f"serviceAccount:{platform.accounts.workflow}"
    assert "/serviceAccounts/mlflow-demo" in binding.write.url


def test_basic_auth_gets_its_secrets_before_anything_reads_them(platform: Platform) -> None:
    """Password and session key are made in the first part: the migration mounts both."""
    assert names(part(platform, "identity", **BASIC_AUTH))[2:] == [
        "admin_password_secret",
        "admin_password_may_be_added",
        "admin_password_may_be_checked",
        "server_may_read_admin_password",
        "admin_password",
        "flask_secret_secret",
        "flask_secret_may_be_added",
        "flask_secret_may_be_checked",
        "server_may_read_flask_secret",
        "flask_secret",
    ]


def test_a_secret_is_kept_in_the_server_s_region(platform: Platform) -> None:
    """Automatic replication is refused by organisations with location policies."""
    plan = part(platform, "identity", region="us-central1", placement="dedicated", **BASIC_AUTH)
    assert body(plan, "flask_secret_secret")["replication"] == {
        "userManaged": {"replicas": [{"location": "us-central1"}]}
    }


def test_the_value_is_made_by_the_credentials_function(platform: Platform) -> None:
    """The workflow asks for a value by name and reads back nothing but the version's number."""
    value = resource(part(platform, "identity", **BASIC_AUTH), "admin_password")
    assert value.create.auth == "OIDC"
    assert value.create.url == platform.functions.credentials
    assert value.create.body == {
        "deployment": "demo",
        "generation": 1,
        "credential": "admin_password",
    }
    assert value.url == f"{SECRET}admin-password/versions/latest"
    assert value.outputs == {"admin_password_version": ("name",)}
    assert value.within == "admin_password_secret"


def test_without_a_wish_trainings_get_no_account(platform: Platform) -> None:
    """An account that nobody asked for is one more to guard."""
    assert "training_account" not in names(part(platform, "identity"))


def test_trainings_get_an_account_and_nobody_a_key(platform: Platform) -> None:
    """Who asked and who was named make tokens for that account alone; it carries the mark."""
    plan = part(platform, "identity", **TRAINING)

    made = resource(plan, "training_account")
    assert made.url.endswith("/mlflow-demo-train%40acme-mlflow.iam.gserviceaccount.com")
    assert made.mark is not None
    assert made.mark.value == "managed-by=berth;berth-deployment=demo"
    tokens = [grant(plan, f"impersonator_{number}_may_make_tokens") for number in (1, 2)]
    assert [one.member for one in tokens] == ["user:ana@example.com", "group:risk@example.com"]
    for one in tokens:
        assert one.role == "roles/iam.serviceAccountTokenCreator"
        assert "/serviceAccounts/mlflow-demo-train%40" in one.write.url


def test_who_asked_is_bound_once_even_if_he_is_named(platform: Platform) -> None:
    """Two grants of one right to one person are one too many to take back."""
    named = {"training_account": {"impersonated_by": ["user:ana@example.com"]}}
    plan = part(platform, "identity", **named)
    assert [name for name in names(plan) if name.startswith("impersonator")] == [
        "impersonator_1_may_make_tokens"
    ]


@pytest.mark.parametrize("mode", ["iam", "basic_auth"])
def test_a_server_that_speaks_http_2_signs_nothing(platform: Platform, mode: str) -> None:
    """A right that is not used is not given."""
    plan = part(platform, "identity", access={"mode": mode})
    assert "server_may_sign_as_itself" not in names(plan)


def test_a_server_that_hands_out_signed_parts_may_sign_as_itself(platform: Platform) -> None:
    """On its own account, and on no other."""
    signs = grant(part(platform, "identity", access={"mode": "iap"}), "server_may_sign_as_itself")
    assert signs.member == "serviceAccount:mlflow-demo@acme-mlflow.iam.gserviceaccount.com"
    assert "/serviceAccounts/mlflow-demo%40acme-mlflow" in signs.write.url
