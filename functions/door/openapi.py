"""The OpenAPI 3.1 document of the api, generated from the models and one table.

OpenAPI 3.1 speaks JSON Schema 2020-12, which is what pydantic writes: the models are the schemas.
"""

from __future__ import annotations

import functools
from typing import Any, get_args

from pydantic.json_schema import models_json_schema

from functions.door import paging
from schemas.deployment import Deployment, DeploymentRequest, State
from schemas.listing import DeploymentList, EventList
from schemas.model import NAME_PATTERN
from schemas.plan import Plan
from schemas.problem import Problem

_MODELS = (Deployment, DeploymentList, DeploymentRequest, EventList, Plan, Problem)

_PROBLEMS: dict[int, str] = {
    400: "The request is not valid; errors name the places.",
    401: "There is no valid Google ID token.",
    403: "The caller is not a member of the team, or the team has reached a limit.",
    404: "There is no such deployment.",
    409: "The deployment exists with other content or is being removed, another one has its domain, or "
    "something that it is built upon is not as needed.",
    413: "The body is larger than 64 KiB.",
    503: "Something that Berth needs does not answer; the same request may be sent again.",
}
_ALWAYS = (401, 503)


def _query(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "query", "description": description, "schema": schema}


_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The deployment's name.",
    "schema": {"type": "string", "pattern": NAME_PATTERN},
}
_PAGED = [
    _query(
        "page_size",
        "The most entries of a page.",
        {"type": "integer", "minimum": 1, "maximum": paging.LARGEST, "default": paging.DEFAULT},
    ),
    _query("page_token", "next_page_token of the page before.", {"type": "string"}),
]
_LOCATION = {
    "Location": {"description": "Where the deployment is shown.", "schema": {"type": "string"}}
}


def _json(model: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{model}"}}}


def _answer(description: str, model: str, **more: Any) -> dict[str, Any]:
    return {"description": description, "content": _json(model), **more}


def _operation(
    name: str,
    summary: str,
    *,
    answers: dict[str, Any],
    refusals: tuple[int, ...],
    **more: Any,
) -> dict[str, Any]:
    problems = {
        str(status): {
            "description": _PROBLEMS[status],
            "content": {
                "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}
            },
        }
        for status in sorted({*refusals, *_ALWAYS})
    }
    return {"operationId": name, "summary": summary, **more, "responses": {**answers, **problems}}


def _paths() -> dict[str, Any]:
    return {
        "/v1/deployments": {
            "get": _operation(
                "listDeployments",
                "List the deployments of the caller's teams, by name",
                parameters=[
                    _query("team", "Only this team's.", {"type": "string"}),
                    _query("state", "Only those in this state.", _state()),
                    *_PAGED,
                ],
                answers={"200": _answer("A page of deployments.", "DeploymentList")},
                refusals=(400, 403),
            ),
            "post": _operation(
                "createDeployment",
                "Ask for a deployment; sending the same again is safe",
                parameters=[
                    _query(
                        "validate_only",
                        "Answer with the plan and make nothing.",
                        {"type": "boolean", "default": False},
                    )
                ],
                requestBody={"required": True, "content": _json("DeploymentRequest")},
                answers={
                    "200": _answer("The plan, with validate_only.", "Plan"),
                    "202": _answer(
                        "The deployment is on its way.", "Deployment", headers=_LOCATION
                    ),
                },
                refusals=(400, 403, 409, 413),
            ),
        },
        "/v1/deployments/{name}": {
            "parameters": [_NAME],
            "get": _operation(
                "getDeployment",
                "Show a deployment: what was asked for and how far it is",
                answers={"200": _answer("The deployment.", "Deployment")},
                refusals=(403, 404),
            ),
            "delete": _operation(
                "deleteDeployment",
                "Remove a deployment and everything that was made for it; legal in every state",
                answers={"202": _answer("It is being removed.", "Deployment", headers=_LOCATION)},
                refusals=(403, 404),
            ),
        },
        "/v1/deployments/{name}/events": {
            "parameters": [_NAME],
            "get": _operation(
                "listEvents",
                "List the changes of a deployment's state, oldest first",
                parameters=_PAGED,
                answers={"200": _answer("A page of events.", "EventList")},
                refusals=(400, 403, 404),
            ),
        },
        "/v1/openapi.json": {
            "get": {
                "operationId": "describe",
                "summary": "This document",
                "security": [],
                "responses": {
                    "200": {
                        "description": "The OpenAPI document.",
                        "content": {"application/json": {"schema": {"type": "object"}}},
                    }
                },
            }
        },
    }


def _state() -> dict[str, Any]:
    return {"type": "string", "enum": list(get_args(State))}


@functools.cache
def document() -> dict[str, Any]:
    """Return the document; it only changes with the code."""
    _, definitions = models_json_schema(
        [(model, "validation") for model in _MODELS],
        ref_template="#/components/schemas/{model}",
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Berth",
            "version": "v1",
            "summary": "An MLflow tracking server of one's own on Google Cloud, by one request.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"google": []}],
        "paths": _paths(),
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "google": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "A Google ID token: `gcloud auth print-identity-token`.",
                }
            },
        },
    }
