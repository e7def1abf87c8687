"""The policy that a first installation writes for its admin."""

import pytest
import yaml

from functions.door.identity import Caller
from functions.records import policy
from install.__main__ import understood
from install.documents import PolicyDocument
from install.names import Names
from schemas.policy import Policy

COMMAND = ["apply", "--project", "acme-mlflow", "--region", "europe-west1", "--admin"]
NAMES = Names("acme-mlflow", "123456789012", "europe-west1")


@pytest.mark.parametrize(
    "email", ["owner@example.com", "robot@acme-mlflow.iam.gserviceaccount.com"]
)
def test_the_admin_may_do_everything(email: str) -> None:
    """A person and a service account are named in different ways; neither locks himself out."""
    admin = understood([*COMMAND, email]).admin
    document = PolicyDocument(names=NAMES, content=None, admin=admin)

    rules = Policy.model_validate(yaml.safe_load(document._text()))

    assert policy.is_admin(Caller(email), rules)


@pytest.mark.parametrize(
    "text", ["owner", "user:owner@example.com", "owner@example.com, b@c.de", ""]
)
def test_what_is_no_address_is_refused(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The api could not read such a policy, and nobody would be let in."""
    with pytest.raises(SystemExit):
        understood([*COMMAND, text])

    assert "is no e-mail address" in capsys.readouterr().err
