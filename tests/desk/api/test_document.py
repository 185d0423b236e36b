"""The API's document: every answer that it allows and none that it does not."""

from __future__ import annotations

import json
from typing import Any

import schemathesis
from fastapi import FastAPI
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, settings
from jsonschema_rs import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fieldline.desk.app.routes import API_ROUTES
from tests.desk.api.conftest import HOST, application, key_of

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance,
          response_schema_conformance)  # fmt: skip
EXAMPLES = 12


def test_whatever_is_asked_is_answered_as_documented(
    app: FastAPI, client: TestClient, key: str
) -> None:
    offer = client.post("/v1/applications", json=application(), headers=key_of("1")).json()
    known = {"offer_id": offer["offer"]["offer_id"], "name": offer["application_id"]}
    schema = schemathesis.openapi.from_asgi("/v1/openapi.json", app, headers={"Host": HOST})
    asked: dict[str, int] = {}
    operations = [found.ok() for found in schema.get_all_operations()]
    # What is withdrawn is withdrawn: that comes last.
    for operation in sorted(operations, key=lambda one: one.method.upper() == "DELETE"):

        @settings(max_examples=EXAMPLES, database=None, derandomize=True,
                  suppress_health_check=list(HealthCheck))  # fmt: skip
        @_given(operation)
        def probe(case: Any) -> None:
            asked[case.method + case.path] = asked.get(case.method + case.path, 0) + 1
            if asked[case.method + case.path] % 2 and case.path_parameters:
                # Half of them about something that is there.
                case.path_parameters = {n: known[n] for n in case.path_parameters}
            headers = {"Host": HOST, "Authorization": f"Bearer {key}"}
            case.call_and_validate(headers=headers, checks=CHECKS)

        probe()
    document = "GET/v1/openapi.json"  # that it has read to know what to ask
    assert asked.keys() | {document} == {route.method + route.path for route in API_ROUTES}
    assert sum(asked.values()) > 4 * len(API_ROUTES)


def _given(operation: Any) -> Any:
    from hypothesis import given

    return given(case=operation.as_strategy())


def test_every_route_is_documented_with_its_problems_and_its_key(client: TestClient) -> None:
    document = client.get("/v1/openapi.json").json()
    told = {(method.upper(), path): operation for path, methods in document["paths"].items()
            for method, operation in methods.items()}  # fmt: skip
    assert told.keys() == {(route.method, route.path) for route in API_ROUTES}
    for operation in told.values():
        for status, answer in operation["responses"].items():
            if int(status) >= 400:
                assert list(answer["content"]) == ["application/problem+json"]
        assert operation["security"] in ([], [{"key": []}])
    open_ones = sorted(p for (_, p), operation in told.items() if not operation["security"])
    assert open_ones == ["/v1/health", "/v1/openapi.json", "/v1/ready"]


def test_the_examples_of_the_document_are_what_it_allows(client: TestClient) -> None:
    document = client.get("/v1/openapi.json").json()
    schemas = document["components"]["schemas"]
    shown = {name: s["examples"] for name, s in schemas.items() if "examples" in s}
    assert shown.keys() == {"ApplicationBody", "StatementBody"}
    for name, examples in shown.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        for example in examples:
            Draft202012Validator(json.loads(json.dumps(schema))).validate(example)
