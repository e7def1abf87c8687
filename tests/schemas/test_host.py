"""The name a load balancer answers at: whoever writes something else is told what to write."""

from typing import Any

import pytest
from pydantic import ValidationError

from schemas.deployment import DeploymentRequest
from schemas.problem import from_validation_error


def request(domain: Any) -> DeploymentRequest:
    """Return a request for a domain."""
    wish = {"name": "fraud", "team": "risk", "load_balancer": {"domain": domain}}
    return DeploymentRequest.model_validate(wish, strict=True)


@pytest.mark.parametrize(
    ("domain", "words"),
    [
        ("https://mlflow.example.com", "give the name alone, which is mlflow.example.com"),
        ("https://MLflow.Example.com./", "which is mlflow.example.com"),
        ("https://mlflow.example.com/ui?x=1", "which is mlflow.example.com"),
        ("mlflow.example.com/", "which is mlflow.example.com"),
        ("mlflow.example.com:8443", "which is mlflow.example.com"),
        ("203.0.113.7", "is an address; the load balancer gets one of its own"),
        ("2001:db8::7", "is an address"),
        ("*.example.com", "give it, such as mlflow.example.com"),
        ("mlflow.*.example.com", "a server answers at one"),
        ("*", "such as mlflow.example.com"),
        ("MLflow.Example.com", "write it mlflow.example.com, in small letters"),
        ("mlflow.example.com.", "without a dot at its end"),
        (" mlflow.example.com\n", "write it mlflow.example.com"),
        ("mlflow.bücher.example.com", "letters of ASCII: mlflow.xn--bcher-kva.example.com"),
        ("MLflow.Bücher.example.com.", "mlflow.xn--bcher-kva.example.com"),
        ("mlflow.straße.example.com", "write it as DNS has it, in letters of ASCII"),
        ("mlflow。example。com", "in letters of ASCII: mlflow.example.com"),
        ("mlflow", "give it with the domain that it lies in, such as mlflow.example.com"),
        ("ml_flow.example.com", "use ml-flow.example.com"),
        (f"{'a' * 64}.example.com", "64 characters between two dots, where 63 are the most"),
        (f"{'a.' * 114}example.com", "239 characters"),
        ("mlflow.risk.internal", "ends in .internal, for which nobody issues certificates"),
        ("mlflow.local", "a domain that is registered on the internet"),
        ("-mlflow.example.com", "a domain in small letters such as example.com"),
        ("mlflow..example.com", "a domain in small letters"),
        ("ml flow.example.com", "a domain in small letters"),
        ("", "a domain in small letters"),
        (" ", "a domain in small letters"),
        (".", "a domain in small letters"),
        ("https://", "a domain in small letters"),
        ("https://:443/ui", "a domain in small letters"),
    ],
)
def test_what_is_no_name_is_refused_with_what_to_write(domain: str, words: str) -> None:
    """At its place, in one sentence, without a regular expression."""
    with pytest.raises(ValidationError) as caught:
        request(domain)

    (error,) = from_validation_error(caught.value, DeploymentRequest).errors
    assert error.pointer == "/load_balancer/domain"
    assert words in error.message
    assert "^" not in error.message


@pytest.mark.parametrize("domain", [None, 7, ["mlflow.example.com"], {}])
def test_what_is_no_text_is_refused(domain: Any) -> None:
    """Nothing is made out of it."""
    with pytest.raises(ValidationError):
        request(domain)


@pytest.mark.parametrize(
    "domain",
    [
        "mlflow.example.com",
        "example.com",
        "xn--bcher-kva.example.com",
        "1.example.com",
        "mlflow.internal.example.com",
        "mlflow.3.example.com",
        f"{'a' * 63}.example.com",
    ],
)
def test_what_a_certificate_can_be_issued_for_is_taken(domain: str) -> None:
    """The apex of a zone, numbers and encoded letters among it."""
    asked = request(domain)

    assert asked.load_balancer is not None
    assert asked.load_balancer.domain == domain
