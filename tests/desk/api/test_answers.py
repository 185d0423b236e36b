"""The decision API: what it answers, and how it refuses what cannot be or may not be."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import logging
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from fastapi.testclient import TestClient

from fieldline.desk.access.clients import Client, Keys, Rates, add_client, revoke_client
from fieldline.desk.api.service import Service
from fieldline.desk.app.guards import MOST_API_BYTES, BoundedBody
from fieldline.lending.store import applied
from fieldline.lending.store.applied import told_consents
from fieldline.lending.store.database import APPLICATIONS, OFFERS, reading
from fieldline.lending.store.verify import verify
from fieldline.pipeline.vault.consents import Told
from tests.desk.api.conftest import HOST, SmallChain, application, key_of, one_client, parcel


def rows(engine: sa.Engine, table: sa.Table) -> int:
    with reading(engine) as connection:
        return int(connection.scalar(sa.select(sa.func.count()).select_from(table)) or 0)


def problem(answer: Any, status: int) -> str:
    """Hold an answer against what every problem is, and return its sentence."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert told.keys() == {"type", "title", "status", "detail"}
    assert told["status"] == status
    return str(told["detail"])


def test_an_application_on_what_is_known_is_decided_at_once(
    client: TestClient, engine: sa.Engine, chain: SmallChain
) -> None:
    answer = client.post("/v1/applications", json=application(), headers=key_of("1"))
    assert answer.status_code == 201
    told = answer.json()
    assert answer.headers["location"] == f"/v1/applications/{told['application_id']}"
    assert (told["status"], told["season"]) == ("decided", "2024")
    assert told["farmer_id"] == chain.hide("ann")
    offer = told["offer"]
    assert (offer["access"], offer["limit"], offer["currency"]) == ("approve", "4400.00", "CNY")
    assert "ann" not in answer.text.replace("annual", "")
    assert client.get(f"/v1/offers/{offer['offer_id']}").json() == offer
    assert client.get(answer.headers["location"]).json() == told
    assert verify(engine).problems == ()


def test_a_key_is_one_application_whatever_comes_again(
    client: TestClient, engine: sa.Engine
) -> None:
    first = client.post("/v1/applications", json=application(), headers=key_of("1")).json()
    again = client.post("/v1/applications", json=application(), headers=key_of("1"))
    assert (again.status_code, again.json()) == (201, first)
    other = client.post("/v1/applications", json=application(farmer="bob"), headers=key_of("1"))
    assert problem(other, 422) == (
        "key 'key-1' was used for another application: send each application under a key of its "
        "own."
    )
    assert (rows(engine, APPLICATIONS), rows(engine, OFFERS)) == (1, 1)
    without = client.post("/v1/applications", json=application())
    assert problem(without, 422).startswith("header.Idempotency-Key: Field required")


def test_a_drawn_application_is_accepted_and_its_progress_is_told(
    client: TestClient, engine: sa.Engine
) -> None:
    body = application(parcels=[parcel(declared_crop="maize")])
    answer = client.post("/v1/applications", json=body, headers=key_of("1"))
    assert (answer.status_code, answer.json()["status"]) == (202, "accepted")
    name = answer.json()["application_id"]
    assert applied.claim(engine, "w", 60) is not None
    applied.hold(engine, name, "w", 60, "observe")
    assert client.get(f"/v1/applications/{name}").json()["stage"] == "observe"
    applied.finish(engine, name, problem="no outline could be used: draw it again.")
    events = client.get(f"/v1/applications/{name}/events")
    assert events.headers["content-type"].startswith("text/event-stream")
    assert events.text.startswith('event: refused\ndata: {"status": "refused", "stage": "observe"')
    assert "draw it again" in events.text


def test_an_unknown_farmer_without_an_outline_is_refused_with_the_remedy(
    client: TestClient, engine: sa.Engine
) -> None:
    answer = client.post("/v1/applications", json=application(farmer="eve"), headers=key_of("1"))
    assert answer.json()["status"] == "refused"
    assert answer.json()["problem"].endswith(": send the outline of a field.")
    assert rows(engine, OFFERS) == 0


def test_another_countys_id_sounds_like_one_that_is_not_there(
    client: TestClient, engine: sa.Engine, app: FastAPI
) -> None:
    both = add_client(engine, "head office", ["*"], 1000)
    office = {"Authorization": f"Bearer {both}"}
    foreign = client.post(
        "/v1/applications", json=application(county="B"), headers=key_of("1") | office
    )
    offer = foreign.json()["offer"]["offer_id"]
    none = client.get("/v1/offers/00000000000000000000000000000000")
    assert problem(client.get(f"/v1/offers/{offer}"), 404) == problem(none, 404)
    assert problem(client.get(foreign.headers["location"]), 404).startswith("there is no such app")
    for county in ("B", "nowhere"):
        refused = client.post(
            "/v1/applications", json=application(county=county), headers=key_of("2")
        )
        assert problem(refused, 404).startswith("there is no such county and season")
        query = {"county": county, "crop": "maize", "area_m2": "100"}
        assert problem(client.get("/v1/estimate", params=query), 404)
    # Of the same county, but another program's.
    own = add_client(engine, "other branch", ["B"], 1000)
    other = {"Authorization": f"Bearer {own}"}
    assert client.get(f"/v1/offers/{offer}", headers=other).status_code == 200
    assert problem(client.get(foreign.headers["location"], headers=other), 404)


def test_a_withdrawal_by_the_countys_table_ends_what_is_told(
    client: TestClient, chain: SmallChain
) -> None:
    first = client.post("/v1/applications", json=application(), headers=key_of("1")).json()
    address = f"/v1/offers/{first['offer']['offer_id']}"
    chain.withdrew[first["farmer_id"]] = dt.date(2024, 8, 31)
    assert client.get(address).status_code == 200  # before the consent was given
    chain.withdrew[first["farmer_id"]] = dt.date(2024, 9, 1)
    days = {"amount": 100, "drawn_on": "2024-10-08", "repaid_on": "2024-10-09"}
    for asked in (
        client.get(address),
        client.get(f"{address}/quote", params=days),
        client.get(f"/v1/applications/{first['application_id']}"),
        client.post("/v1/applications", json=application(), headers=key_of("2")),
    ):
        assert problem(asked, 403).startswith("the farmer withdrew the consent on 2024-09-01")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"expires_on": "2024-08-31"}, "the consent ends before it begins"),
        ({"recipient": "Rural Bank"}, "names both `recipient` and `data`"),
        ({"data": ["offer"]}, "names both `recipient` and `data`"),
        ({"data": ["soil"], "recipient": "Rural Bank"}, "body.consent.data.0: Input should be"),
    ],
)
def test_a_consent_that_cannot_be_is_refused(
    client: TestClient, engine: sa.Engine, more: dict[str, Any], said: str
) -> None:
    body = application()
    answer = client.post(
        "/v1/applications", json={**body, "consent": {**body["consent"], **more}},
        headers=key_of("1"),
    )  # fmt: skip
    assert said in problem(answer, 422)
    assert rows(engine, APPLICATIONS) == 0


def test_a_consent_to_hand_over_is_kept_with_the_application(
    client: TestClient, engine: sa.Engine
) -> None:
    body = application()
    more = {"recipient": "Rural Bank", "data": ["identity", "offer"], "expires_on": "2999-01-01"}
    body["consent"] = {**body["consent"], **more}
    told = client.post("/v1/applications", json=body, headers=key_of("1")).json()
    (found,) = told_consents(engine, "A")
    assert found == Told(
        told["farmer_id"], "credit_decision", "identity; offer", "Rural Bank",
        dt.date(2024, 9, 1), dt.date(2999, 1, 1),
    )  # fmt: skip


def test_a_consent_withdrawn_between_two_calls_ends_what_is_told(
    client: TestClient, engine: sa.Engine, chain: SmallChain
) -> None:
    first = client.post("/v1/applications", json=application(), headers=key_of("1"))
    offer = first.json()["offer"]["offer_id"]
    gone = client.delete(f"{first.headers['location']}/consent")
    assert (gone.status_code, gone.content) == (204, b"")
    assert chain.forgotten == [first.json()["farmer_id"]]
    for path in (first.headers["location"], f"/v1/offers/{offer}"):
        assert problem(client.get(path), 403).startswith("the farmer withdrew the consent on ")
    again = client.post("/v1/applications", json=application(), headers=key_of("2"))
    assert problem(again, 403).endswith("ask the farmer for a new one, given on a later day.")
    assert rows(engine, APPLICATIONS) == 1
    tomorrow = (dt.datetime.now(tz=dt.UTC) + dt.timedelta(days=1)).date().isoformat()
    fresh = application(consent={"purpose": "credit_decision", "given_on": tomorrow})
    assert client.post("/v1/applications", json=fresh, headers=key_of("3")).status_code == 201


def test_a_consent_of_a_day_to_come_or_for_something_else_is_refused(client: TestClient) -> None:
    later = application(consent={"purpose": "credit_decision", "given_on": "2999-01-01"})
    answer = client.post("/v1/applications", json=later, headers=key_of("1"))
    assert "2999-01-01, a day to come" in problem(answer, 403)
    other = application(consent={"purpose": "marketing", "given_on": "2024-09-01"})
    answer = client.post("/v1/applications", json=other, headers=key_of("1"))
    assert problem(answer, 422).startswith("body.consent.purpose: Input should be 'credit_dec")


def test_an_estimate_is_a_range_by_area_and_nothing_of_a_few_farmers(client: TestClient) -> None:
    query = {"county": "A", "crop": "maize", "area_m2": "5000"}
    told = client.get("/v1/estimate", params=query).json()
    # 5,000 m2 at 0.4 and at 0.9 a square metre; 10 of 20 were approved.
    assert (told["low"], told["high"], told["approved_share"]) == ("2000", "4500", 0.5)
    few = client.get("/v1/estimate", params=query | {"crop": "rice"})
    assert problem(few, 404).startswith("fewer than 5 farmers were given a line on this crop")


def test_a_quote_and_a_statement_are_reckoned_by_the_day(client: TestClient) -> None:
    offer = client.post("/v1/applications", json=application(), headers=key_of("1")).json()["offer"]
    path, rate = f"/v1/offers/{offer['offer_id']}", Decimal(offer["annual_rate"])
    first = dt.date.fromisoformat(offer["valid_from"])
    days = {"drawn_on": first + dt.timedelta(10), "repaid_on": first + dt.timedelta(100)}
    told = client.get(f"{path}/quote", params={"amount": "1000", **days}).json()
    interest = (1000 * rate * 90 / 360).quantize(Decimal("0.01"))
    assert (told["days"], Decimal(told["interest"])) == (90, interest)
    assert Decimal(told["to_repay"]) == 1000 + interest
    over = client.get(f"{path}/quote", params={"amount": "4400.01", **days})
    assert problem(over, 409).startswith("4400.01 is above the limit of 4400")
    body = {"until": days["repaid_on"].isoformat(),
            "movements": [{"on": days["drawn_on"].isoformat(), "draw": "1000"}]}  # fmt: skip
    account = client.post(f"{path}/statement", json=body).json()
    assert (account["principal"], account["interest"]) == ("1000", told["interest"])
    assert account["available"] == "3400"


LONG = [[115 + i * 1e-6, 33.0] for i in range(10_001)]
BAD_BODIES = {
    "ring": (application(parcels=[parcel(outline={
        "type": "Polygon", "coordinates": [[*LONG, LONG[0]]]})]), "at most 10000 items"),
    "holes": (application(parcels=[parcel(outline={
        "type": "Polygon", "coordinates": [LONG[:6000]] * 2})]), "more than 10000 vertices"),
    "nan": (application(parcels=[parcel(outline={
        "type": "Polygon", "coordinates": [[[1e400, 2.0]] * 4]})]), "should be a finite number"),
    "extra": (application(salary=5), "body.salary: Extra inputs are not permitted"),
    "sql": (application(farmer="x' OR '1'='1", season="2024'; DROP TABLE offers;--"),
            "no such county and season"),
    "control": (application(farmer="ann\x00"), "String should match pattern"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD_BODIES)
def test_a_body_that_cannot_be_is_one_sentence_and_nothing_is_kept(
    client: TestClient, engine: sa.Engine, name: str
) -> None:
    body, said = BAD_BODIES[name]
    headers = key_of("1") | {"Content-Type": "application/json"}
    answer = client.post("/v1/applications", content=json.dumps(body), headers=headers)
    detail = problem(answer, 404 if name == "sql" else 422)
    assert said in detail
    assert "\n" not in detail
    assert len(detail) < 300
    assert rows(engine, APPLICATIONS) == 0


def test_sql_in_an_address_is_an_id_that_is_not_there(
    client: TestClient, engine: sa.Engine
) -> None:
    for path in ("/v1/offers/1' OR '1'='1", "/v1/applications/x;DROP TABLE offers"):
        assert "String should match pattern" in problem(client.get(path), 422)
    query = {"county": "A", "crop": "' UNION SELECT secret FROM access_clients --", "area_m2": "1"}
    assert "secret" not in problem(client.get("/v1/estimate", params=query), 404)
    assert rows(engine, OFFERS) == 0


def test_a_body_of_a_gigabyte_is_refused_before_it_comes(
    client: TestClient, engine: sa.Engine
) -> None:
    million = application(parcels=[parcel(outline={
        "type": "Polygon", "coordinates": [[[115.5, 33.5]] * 1_000_000]})])  # fmt: skip
    text = json.dumps(million)
    assert len(text) > 10 * MOST_API_BYTES
    stated = {"Content-Length": str(2**30), "Content-Type": "application/json"}
    sent = iter([b"{"])
    answer = client.post("/v1/applications", content=sent, headers=key_of("1") | stated)
    assert problem(answer, 413) == "At most 1 MB can be sent at once: send less."
    # And without saying how much it will be.
    pieces = (text[i : i + 65536].encode() for i in range(0, len(text), 65536))
    kind = {"Content-Type": "application/json"}
    answer = client.post("/v1/applications", content=pieces, headers=key_of("1") | kind)
    assert problem(answer, 413) == "At most 1 MB can be sent at once: send less."
    assert rows(engine, APPLICATIONS) == 0


def test_a_body_that_trickles_is_refused_after_its_time(app: FastAPI, key: str) -> None:
    said: list[Any] = []

    async def trickle() -> dict[str, Any]:
        await asyncio.sleep(0.03)
        return {"type": "http.request", "body": b" ", "more_body": True}

    async def send(message: Any) -> None:
        said.append(message)

    headers = [(b"host", HOST.encode()), (b"authorization", f"Bearer {key}".encode()),
               (b"content-type", b"application/json"),
               (b"idempotency-key", b"key-slow")]  # fmt: skip
    scope = {"type": "http", "method": "POST", "path": "/v1/applications", "query_string": b"",
             "headers": headers, "http_version": "1.1", "scheme": "https", "root_path": "",
             "raw_path": b"/v1/applications", "client": ("127.0.0.1", 1), "server": (HOST, 443),
             "state": {}}  # fmt: skip

    async def ask() -> None:
        await asyncio.wait_for(BoundedBody(app, seconds=0.3)(scope, trickle, send), 5)

    asyncio.run(ask())
    assert said[0]["status"] == 408
    assert b"took more than 0.3 s to come" in said[1]["body"]


def test_a_key_that_is_forged_ended_or_revoked_is_nobodys(
    client: TestClient, engine: sa.Engine, key: str
) -> None:
    other = add_client(engine, "other", ["A"], 100)
    _, name, secret = key.split("_", 2)
    ended = add_client(engine, "ended", ["A"], 100, ends_at=1.0)
    swapped = f"fl_{name}_{other.split('_', 2)[2]}"
    for value in ("", "Basic abc", f"Bearer {swapped}", f"Bearer fl_{name}_{secret[:-1]}",
                  f"Bearer {ended}", "Bearer fl_000000000000_" + "x" * 43):  # fmt: skip
        answer = client.get("/v1/estimate", headers={"Authorization": value})
        assert answer.headers["www-authenticate"] == "Bearer"
        assert problem(answer, 401).startswith("the request has no key, or one that does not count")
    with reading(engine) as connection:
        kept = json.dumps([list(row) for row in connection.execute(sa.text(
            "SELECT client_id, title, secret FROM access_clients"))])  # fmt: skip
    assert secret not in kept


def test_a_revoked_key_is_refused_once_what_is_remembered_of_it_is_old(
    client: TestClient, engine: sa.Engine, service: Service, key: str
) -> None:
    now = [100.0]
    service.keys = Keys(engine, 5.0, lambda: now[0])
    assert client.get("/v1/metrics").status_code == 200
    revoke_client(engine, key.split("_")[1])
    now[0] = 104.9
    assert client.get("/v1/metrics").status_code == 200
    now[0] = 105.0
    assert problem(client.get("/v1/metrics"), 401)
    # What was refused is asked anew each time: a key counts from the moment it is made.
    assert service.keys.remembered(f"Bearer {key}") is None


def test_a_client_above_its_rate_waits_and_others_do_not(
    client: TestClient, engine: sa.Engine
) -> None:
    slow = {"Authorization": f"Bearer {add_client(engine, 'slow', ['A'], 3)}"}
    query = {"county": "A", "crop": "maize", "area_m2": "100"}
    found = [client.get("/v1/estimate", params=query, headers=slow) for _ in range(4)]
    assert [answer.status_code for answer in found] == [200, 200, 200, 429]
    assert 15 <= int(found[3].headers["retry-after"]) <= 21
    assert problem(found[3], 429).startswith("this client asks above its rate: wait ")
    assert client.get("/v1/estimate", params=query).status_code == 200


def test_a_bucket_fills_evenly_and_is_shared_by_processes() -> None:
    now = [0.0]
    rates, one = Rates(2, lambda: now[0]), Client("c", "", None, 120)
    # Of 120 a minute each of two processes grants 60, one a second once they are used up.
    assert [rates.wait(one) for _ in range(60)] == [0.0] * 60
    assert rates.wait(one) == pytest.approx(1.0)
    now[0] = 0.75
    assert rates.wait(one) == pytest.approx(0.25)
    now[0] = 1.5
    assert rates.wait(one) == 0.0
    assert rates.wait(one) == pytest.approx(0.5)


def test_other_hosts_and_pages_of_other_origins_get_nothing(
    client: TestClient, engine: sa.Engine
) -> None:
    for host in ("evil.example", f"{HOST}.evil.example", f"evil.example:443@{HOST}x", "", "[::1"):
        answer = client.get("/v1/health", headers={"Host": host})
        assert problem(answer, 403).startswith("This address answers its own name")
    forwarded = {"X-Forwarded-Host": "evil.example", "Origin": "https://evil.example"}
    answer = client.post("/v1/applications", json=application(), headers=key_of("1") | forwarded)
    # A program's key counts whatever page it claims; no page is let read the answer.
    assert answer.status_code == 201
    assert answer.headers["location"].startswith("/v1/")
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    preflight = client.options("/v1/applications", headers=asked)
    assert problem(preflight, 405)
    for one in (answer, preflight):
        assert not [name for name in one.headers if name.startswith("access-control")]
        assert one.headers["content-security-policy"].startswith("default-src 'none'")
        assert one.headers["cache-control"] == "no-store"


def test_no_log_line_holds_a_key_a_farmer_or_an_id(
    client: TestClient, key: str, caplog: pytest.LogCaptureFixture, engine: sa.Engine
) -> None:
    caplog.set_level(logging.DEBUG, "fieldline")
    first = client.post("/v1/applications", json=application(), headers=key_of("1"))
    client.get(f"/v1/offers/{first.json()['offer']['offer_id']}")
    client.get("/v1/offers/ann")
    told = [json.dumps({k: str(v) for k, v in vars(r).items()}) for r in caplog.records]
    asked = [r for r in caplog.records if r.name == "fieldline.asked"]
    assert [vars(r)["route"] for r in asked] == [
        "/v1/applications", "/v1/offers/{offer_id}", "/v1/offers/{offer_id}"
    ]  # fmt: skip
    assert {vars(r)["client"] for r in asked} == {one_client(engine).client_id}
    secret, offer = key.split("_", 2)[2], first.json()["offer"]["offer_id"]
    for word in (secret, "Bearer", first.json()["farmer_id"], offer, '"ann"'):
        assert not [line for line in told if word in line], word


def test_a_store_that_is_gone_is_told_without_its_address_and_comes_back(
    client: TestClient, service: Service, engine: sa.Engine
) -> None:
    service.engine = sa.create_engine("postgresql+pg8000://teller:hunter2@127.0.0.1:1/store")
    answer = client.get("/v1/ready")
    assert problem(answer, 503).startswith("The store cannot be reached just now")
    assert answer.headers["retry-after"] == "5"
    assert "hunter2" not in answer.text
    assert "127.0.0.1" not in answer.text
    assert client.get("/v1/health").json() == {"status": "ok"}
    service.engine = engine
    assert client.get("/v1/ready").status_code == 200


def test_an_offer_of_no_line_has_no_price(client: TestClient, chain: SmallChain) -> None:
    chain.case = chain.case.model_copy(update={"parcels": (), "evidence_area_m2": Decimal(0)})
    told = client.post("/v1/applications", json=application(), headers=key_of("1")).json()
    assert (told["offer"]["access"], told["offer"]["limit"]) == ("decline", None)
    query = {"amount": "10", "drawn_on": "2024-10-01", "repaid_on": "2024-11-01"}
    quoted = client.get(f"/v1/offers/{told['offer']['offer_id']}/quote", params=query)
    assert problem(quoted, 409) == "this offer gives no line: look at its reasons."
