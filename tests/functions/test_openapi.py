"""The OpenAPI document: complete, consistent with the routes, and valid JSON Schema."""

from __future__ import annotations

import json
import re

from jsonschema import Draft202012Validator

from functions.api import ROUTES
from functions.door import openapi


def test_every_route_is_described_and_nothing_else() -> None:
    """A route that is added without its description fails here."""
    described = {
        (method.upper(), path)
        for path, item in openapi.document()["paths"].items()
        for method in item
        if method != "parameters"
    }

    assert described == {(route.method, route.path) for route in ROUTES}


def test_every_query_parameter_is_described() -> None:
    """What the routing table lets through is what the document says."""
    for route in ROUTES:
        operation = openapi.document()["paths"][route.path][route.method.lower()]
        named = {parameter["name"] for parameter in operation.get("parameters", [])}
        assert named == route.query, route


def test_every_reference_leads_somewhere() -> None:
    """A $ref into nothing breaks every generator of clients."""
    document = openapi.document()

    for name in re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]


def test_every_model_is_a_valid_schema() -> None:
    """OpenAPI 3.1 is JSON Schema 2020-12."""
    for schema in openapi.document()["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_the_smallest_request_needs_a_name_and_a_team() -> None:
    """Everything else has a default, and the document says so."""
    schema = openapi.document()["components"]["schemas"]["DeploymentRequest"]

    assert schema["required"] == ["name", "team"]
    assert schema["additionalProperties"] is False
