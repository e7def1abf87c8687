"""Options of another platform or access mode: refused with both names, and with the way out."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from schemas.access import BasicAuth, IamAccess, IapAccess, OAuth2Proxy
from schemas.deployment import DeploymentRequest
from schemas.problem import from_validation_error
from schemas.serving import AppEngine, CloudRun

CLIENT = {"id_secret": "client-id", "secret_secret": "client-secret"}
VARIANTS: dict[str, dict[str, type[BaseModel]]] = {
    "serving.platform": {"cloud_run": CloudRun, "app_engine": AppEngine},
    "access.mode": {
        "iam": IamAccess,
        "basic_auth": BasicAuth,
        "iap": IapAccess,
        "oauth2_proxy": OAuth2Proxy,
    },
}
NEEDED = {"oauth2_proxy": {"oauth_client": CLIENT}}


def refused(asked: dict[str, Any]) -> dict[str, str]:
    """Return the message of each refusal, by place."""
    with pytest.raises(ValidationError) as caught:
        DeploymentRequest.model_validate({"name": "demo", "team": "risk", **asked})
    problem = from_validation_error(caught.value, DeploymentRequest)
    return {error.pointer: error.message for error in problem.errors}


def foreign() -> Iterator[tuple[str, str, str, list[str]]]:
    """Yield each option that a variant lacks: the choice, the variant, the option, who has it."""
    for choice, variants in VARIANTS.items():
        names = {name for one in variants.values() for name in one.model_fields}
        for tag, variant in variants.items():
            for name in sorted(names - variant.model_fields.keys()):
                having = [other for other, one in variants.items() if name in one.model_fields]
                yield choice, tag, name, having


def test_there_are_such_options() -> None:
    """Otherwise what follows would promise nothing."""
    assert len(list(foreign())) > 15


@pytest.mark.parametrize(("choice", "tag", "name", "having"), list(foreign()))
def test_an_option_of_another_choice_names_both(
    choice: str, tag: str, name: str, having: list[str]
) -> None:
    """What is the matter is said at both places: which choice lacks it, and which have it."""
    field, key = choice.split(".")

    found = refused({field: {key: tag, **NEEDED.get(tag, {}), name: None}})

    assert found.keys() == {f"/{field}/{name}", f"/{field}/{key}"}
    (message,) = set(found.values())
    assert message.startswith(f"{choice} {tag} and {name} contradict each other: only {having[0]}")
    assert f"leave {name} out, or use {choice} {having[0]}" in message
    assert all(one in message for one in having)


def test_several_that_have_it_are_listed_as_one_says_them() -> None:
    """With commas, and the last one with or."""
    found = refused({"access": {"mode": "basic_auth", "members": ["user:ana@example.com"]}})

    assert found["/access/members"] == (
        "access.mode basic_auth and members contradict each other: only iam, iap or oauth2_proxy "
        "have that option; leave members out, or use access.mode iam, iap or oauth2_proxy"
    )


def test_a_value_that_only_another_choice_takes_names_both() -> None:
    """App Engine flexible does not scale to nothing."""
    found = refused(
        {
            "serving": {"platform": "app_engine", "min_instances": 0},
            "access": {"mode": "iap"},
        }
    )

    assert found.keys() == {"/serving/min_instances", "/serving/platform"}
    assert found["/serving/platform"] == (
        "serving.platform app_engine and min_instances 0 contradict each other: min_instances must "
        "be at least 1 there; change it, or use serving.platform cloud_run"
    )


@pytest.mark.parametrize(
    ("serving", "message"),
    [
        ({"platform": "cloud_run", "concurrency": 0}, "concurrency must be at least 1"),
        ({"platform": "cloud_run", "concurrency": 251}, "concurrency must be at most 250"),
        ({"platform": "app_engine", "max_instances": 21}, "max_instances must be at most 20"),
    ],
)
def test_a_value_that_nobody_takes_is_told_its_bound(serving: dict[str, Any], message: str) -> None:
    """No other choice would help, so none is offered."""
    (found,) = refused({"serving": serving}).values()

    assert found == message


@pytest.mark.parametrize(("choice", "tag"), [(c, t) for c, of in VARIANTS.items() for t in of])
def test_a_misspelt_option_is_told_those_of_its_own_choice(choice: str, tag: str) -> None:
    """Not those of the first one in the union."""
    field, key = choice.split(".")

    found = refused({field: {key: tag, **NEEDED.get(tag, {}), "mispelt": 1}})

    fields = ", ".join(VARIANTS[choice][tag].model_fields)
    assert found == {
        f"/{field}/mispelt": f"mispelt is not a field here; the fields are {fields}",
    }
