"""Who is answered at each address of the decision API: a row a route, written by hand."""

from __future__ import annotations

import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient

from fieldline.desk.access.clients import add_client
from fieldline.desk.app.routes import API_ROUTES
from tests.desk.api.conftest import HOST, application, key_of

#: Who is answered: `*` is everybody, `key` every client, `county` clients of that county alone.
MATRIX = {
    "POST /v1/applications": "county",
    "GET /v1/applications/{name}": "county",
    "GET /v1/applications/{name}/events": "county",
    "DELETE /v1/applications/{name}/consent": "county",
    "GET /v1/offers/{offer_id}": "county",
    "GET /v1/offers/{offer_id}/quote": "county",
    "POST /v1/offers/{offer_id}/statement": "county",
    "GET /v1/estimate": "county",
    "GET /v1/metrics": "key",
    "GET /v1/health": "*",
    "GET /v1/ready": "*",
    "GET /v1/openapi.json": "*",
}
QUERIES = {
    "quote": {"amount": "100", "drawn_on": "2024-10-08", "repaid_on": "2024-10-09"},
    "estimate": {"county": "A", "crop": "maize", "area_m2": "100"},
}


def test_no_route_is_without_a_row(app: FastAPI) -> None:
    told = {f"{route.method} {route.path}" for route in API_ROUTES}
    served = {
        f"{method} {route.path}"
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in route.methods
    }
    assert told == served == MATRIX.keys()


def test_each_route_answers_whom_its_row_says(
    app: FastAPI, client: TestClient, engine: sa.Engine
) -> None:
    first = client.post("/v1/applications", json=application(), headers=key_of("0")).json()
    names = {"name": first["application_id"], "offer_id": first["offer"]["offer_id"]}
    foreign = add_client(engine, "elsewhere", ["B"], 100_000)
    nobody = TestClient(app, base_url=f"https://{HOST}")
    # Taking the consent back ends what the others may be told.
    for row in sorted(MATRIX, key=lambda row: row.startswith("DELETE")):
        method, path = row.split(" ")
        query = QUERIES.get(path.rpartition("/")[2], {})
        body = {"until": "2024-12-31"} if path.endswith("statement") else application()

        def ask(
            one: TestClient, number: str, key: str | None = None,
            asked: tuple[str, str] = (method, path), params: dict[str, str] = query,
            sent: object = body,
        ) -> int:  # fmt: skip
            headers = key_of(number) | ({"Authorization": f"Bearer {key}"} if key else {})
            address = asked[1].format(**names)
            answer = one.request(
                asked[0], address, params=params, headers=headers,
                json=sent if asked[0] == "POST" else None,
            )  # fmt: skip
            return answer.status_code

        found = [ask(nobody, "1"), ask(nobody, "2", foreign), ask(client, "3")]
        expected = {"*": [200] * 3, "key": [401, 200, 200], "county": [401, 404, found[2]]}
        assert found == expected[MATRIX[row]], row
        assert found[2] in (200, 201, 204), row
