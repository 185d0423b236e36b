"""The desk on the tiny county: what it answers, what it refuses, and the map in a browser."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from fieldline.desk.app.desk import Desk
from fieldline.desk.app.guards import MOST_BYTES
from fieldline.desk.app.places import Shelf, StageName
from fieldline.desk.app.server import POLICY, application
from fieldline.workflows.stages import STAGES
from tests.workflows.conftest import ChainRun
from tests.workflows.desk.conftest import IDLE, PLACE, table, wait_for

FOUND = "() => document.querySelector('#found:not([inert]) button') !== null"


def counts(told: dict[str, Any], layer: str) -> dict[str, int]:
    return {entry["key"]: entry["count"] for entry in told["legends"][layer] if entry["count"]}


def test_the_first_page_lists_what_the_folder_holds(client: TestClient) -> None:
    page = client.get("/").text
    assert "Simulated county 001" in page
    assert f'href="/map/{PLACE}"' in page
    assert f"{len(STAGES)} of {len(STAGES)} stages" in page
    assert "2023" in page


def test_the_legend_counts_what_the_tables_hold(client: TestClient, folder: Path) -> None:
    told = client.get(f"/api/{PLACE}/map").json()
    parcels, crops = table(folder, "parcels"), table(folder, "crops")
    seen = crops.dropna(subset=["crop"]).groupby("crop").size().to_dict()
    missing = len(parcels) - sum(seen.values())
    assert counts(told, "crop") == seen | ({"unknown": missing} if missing else {})
    access = table(folder, "decisions").set_index("farmer_id")["access"]
    assert counts(told, "decision") == parcels["farmer_id"].map(access).value_counts().to_dict()
    effects = table(folder, "evidence")["effect"].value_counts().to_dict()
    assert counts(told, "evidence") == effects
    hazard = table(folder, "hazards")["hazard_index"].dropna()
    assert counts(told, "hazard").get("4", 0) == int((hazard >= 80).sum())
    anomaly = table(folder, "growth")["anomaly"].dropna()
    assert counts(told, "anomaly").get("0", 0) == int((anomaly < -2).sum())
    for layer in told["legends"]:
        assert sum(counts(told, layer).values()) == len(parcels)


def test_search_finds_farmer_village_and_parcel(client: TestClient, folder: Path) -> None:
    parcels = table(folder, "parcels")
    one = parcels.iloc[7]
    for column, kind in (("farmer_id", "farmer"), ("village", "village"), ("parcel_id", "parcel")):
        asked = client.get(f"/api/{PLACE}/search", params={"q": str(one[column]).upper()}).json()
        hit = next(hit for hit in asked if hit["kind"] == kind)
        assert hit["name"] == one[column]
        assert hit["parcels"] == int((parcels[column] == one[column]).sum())
    assert client.get(f"/api/{PLACE}/search", params={"q": "  "}).json() == []


def test_the_panel_tells_the_parcel_in_both_languages(client: TestClient, folder: Path) -> None:
    evidence = table(folder, "evidence").iloc[3]
    path = f"/api/{PLACE}/parcels/{evidence['parcel_id']}"
    mu = f"{evidence['evidence_area_m2'] / (2000 / 3):,.2f}"
    english = client.get(path, params={"lang": "en"}).json()["html"]
    chinese = client.get(path, params={"lang": "zh"}).json()["html"]
    assert f"{mu} mu" in english
    assert f"{mu}亩" in chinese


def test_parcels_come_as_ranges_of_one_file(client: TestClient) -> None:
    told = client.get(f"/api/{PLACE}/map").json()
    part = client.get(told["tiles"], headers={"Range": "bytes=0-6"})
    assert part.status_code == 206
    assert part.content == b"PMTiles"
    old = client.get(f"/tiles/{PLACE}/parcels.pmtiles?v=0000000000000000")
    assert old.status_code == 404
    assert "earlier run" in old.json()["error"]


def picture(content: bytes) -> Any:
    return np.asarray(Image.open(BytesIO(content)))


def test_a_scene_is_drawn_where_it_lies(client: TestClient) -> None:
    told = client.get(f"/api/{PLACE}/map").json()
    west, south, east, north = told["bounds"]
    zoom = 14
    x = int(((west + east) / 2 + 180) / 360 * 2**zoom)
    angle = np.radians((south + north) / 2)
    y = int((1 - np.arcsinh(np.tan(angle)) / np.pi) / 2 * 2**zoom)
    date = told["dates"][10]["date"]
    drawn = client.get(f"/tiles/{PLACE}/{date}/{zoom}/{x}/{y}.png")
    assert drawn.headers["content-type"] == "image/png"
    pixels = picture(drawn.content)
    assert pixels.shape == (256, 256, 4)
    assert (pixels[..., 3] == 255).mean() > 0.1
    away = picture(client.get(f"/tiles/{PLACE}/{date}/{zoom}/{x + 100}/{y}.png").content)
    assert not away[..., 3].any()


def test_a_crop_in_leaf_is_red_in_false_colours(client: TestClient, folder: Path) -> None:
    growth = table(folder, "growth").dropna(subset=["pos"]).sort_values("peak").iloc[-1]
    dates = [entry["date"] for entry in client.get(f"/api/{PLACE}/map").json()["dates"]]
    clear = table(folder, "observations")
    clear = clear[(clear["parcel_id"] == growth["parcel_id"]) & (clear["valid_fraction"] > 0.99)]
    peak = pd.Timestamp(growth["pos"], tz="UTC")
    nearest = clear.loc[(clear["datetime"] - peak).abs().idxmin(), "datetime"].date().isoformat()
    assert nearest in dates
    path = f"/chips/{PLACE}/{growth['parcel_id']}/{nearest}.png"
    pixels = picture(client.get(path, params={"colours": "false"}).content)
    middle = pixels[len(pixels) // 2, len(pixels) // 2].astype(int)
    assert middle[0] > 2 * middle[1]


@pytest.mark.parametrize(
    "path",
    [
        "/map/../../etc/passwd", "/map/..%2f..%2fetc/passwd", "/map/2024/..%2fSIM001",
        "/static/..%2fserver.py", "/vendor/..%2f..%2fapp%2fpackage.json", "/static/%2e%2e",
        f"/tiles/{PLACE}/2024-08-01/14/0/16384.png", f"/tiles/{PLACE}/2024-08-01/99/0/0.png",
        f"/tiles/{PLACE}/2024-08-02/1/0/0.png", f"/api/{PLACE}/parcels/..%2f..",
        f"/chips/{PLACE}/nobody/2024-08-01.png", "/nowhere",
    ],
)  # fmt: skip
def test_a_trick_in_an_address_finds_nothing(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text


@pytest.mark.parametrize(
    "path",
    [f"/tiles/{PLACE}/today/1/0/0.png", f"/tiles/{PLACE}/2024-08-01/1/-/0.png",
     f"/tiles/{PLACE}/2024-08-01/1/0/0.png?colours=x"],
)  # fmt: skip
def test_what_cannot_be_read_is_said(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 422
    assert set(answer.json()) == {"error"}


def test_every_answer_carries_the_policy(client: TestClient) -> None:
    assert "unsafe" not in POLICY
    for path in ("/", f"/map/{PLACE}", "/static/map.js", "/nowhere", f"/api/{PLACE}/map"):
        headers = client.get(path).headers
        assert headers["content-security-policy"] == POLICY
        assert headers["x-content-type-options"] == "nosniff"
    page = client.get(f"/map/{PLACE}").text
    assert "style=" not in page
    assert "onclick" not in page


def test_other_hosts_and_other_origins_are_refused(client: TestClient) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
    for origin in ({}, {"Origin": "http://evil.example"}, {"Origin": "null"}):
        assert client.post("/", headers=origin).status_code == 403
    assert client.post("/", headers={"Origin": "http://127.0.0.1"}).status_code == 405


def test_a_huge_body_is_refused_before_it_is_read(client: TestClient) -> None:
    headers = {"Origin": "http://127.0.0.1", "Content-Length": str(MOST_BYTES + 1)}
    assert client.post("/", headers=headers, content=b"x").status_code == 413


def test_a_county_that_is_run_again_is_seen_at_once(tiny_run: ChainRun, tmp_path: Path) -> None:
    """Half written, then of another version, then still running: a sentence each, then the map."""
    place = tmp_path / PLACE
    place.mkdir(parents=True)
    whole = (tiny_run.folder / "parcels.parquet").read_bytes()
    (place / "parcels.parquet").write_bytes(whole[:1000])
    stages = tuple(StageName(stage.name, stage.title) for stage in STAGES)
    desk = Desk(Shelf(tmp_path, stages), "sqlite:///nowhere.sqlite")
    client = TestClient(application(desk), base_url="http://127.0.0.1")
    broken = client.get(f"/api/{PLACE}/map")
    assert broken.status_code == 409
    assert "half written" in broken.json()["error"]
    assert "half written" in client.get("/").text
    pd.DataFrame({"id": ["a"]}).to_parquet(place / "parcels.parquet")
    assert "another version" in client.get(f"/api/{PLACE}/map").json()["error"]
    (place / "parcels.parquet").write_bytes(whole)
    (place / "outcomes").mkdir()
    shutil.copy(tiny_run.folder / "outcomes" / "intake.parquet", place / "outcomes")
    told = client.get(f"/api/{PLACE}/map").json()
    assert told["running"] == STAGES[1].title
    assert counts(told, "crop") == {"unknown": told["parcels"]}
    assert told["dates"] == []


def test_the_map_draws_filters_and_keeps_its_state(page: Any, address: str, folder: Path) -> None:
    page.goto(f"{address}/map/{PLACE}")
    wait_for(page, IDLE)
    parcels = set(table(folder, "parcels")["parcel_id"])
    drawn = """() => [...new Set(desk.map.queryRenderedFeatures({layers: ["parcels-fill"]})
        .map((f) => f.properties.id))]"""
    wait_for(page, f"() => ({drawn})().length === {len(parcels)}")
    assert set(page.evaluate(drawn)) == parcels
    page.keyboard.press("2")
    page.locator("#legend button[data-key=decline]").click()
    access = table(folder, "decisions").set_index("farmer_id")["access"]
    kept = (table(folder, "parcels")["farmer_id"].map(access) != "decline").sum()
    wait_for(page, f"() => ({drawn})().length === {kept}")
    assert f"{kept} of {len(parcels)}" in page.locator("#shown").inner_text()
    sent = page.url
    assert "layer=decision" in sent
    assert "hide=2" in sent
    page.goto("about:blank")
    page.goto(sent)
    wait_for(page, IDLE)
    wait_for(page, f"() => ({drawn})().length === {kept}")
    assert page.faults == []
    assert [url for url in page.asked if not url.startswith((address, "about:", "blob:"))] == []


def test_reviews_stand_on_the_map_as_the_store_tells(
    client: TestClient, page: Any, address: str, folder: Path
) -> None:
    told = client.get(f"/api/{PLACE}/map").json()
    access = table(folder, "decisions").set_index("farmer_id")["access"]
    parcels = table(folder, "parcels")
    waits = set(parcels.loc[parcels["farmer_id"].map(access) == "review", "parcel_id"])
    assert waits
    assert {point[0] for point in told["reviewed"][0]} == waits
    assert counts(told, "review") == {"none": len(parcels) - len(waits), "waits": len(waits)}
    page.goto(f"{address}/map/{PLACE}")
    wait_for(page, IDLE)
    page.keyboard.press("7")
    page.locator("#legend button[data-key=none]").click()
    drawn = """() => [...new Set(desk.map.queryRenderedFeatures({layers: ["parcels-fill"]})
        .map((f) => f.properties.id))].sort()"""
    wait_for(page, f"() => ({drawn})().length === {len(waits)}")
    assert set(page.evaluate(drawn)) == waits


def test_seen_fields_lie_over_the_rings_and_can_be_put_away(
    page: Any, address: str, folder: Path
) -> None:
    middle = table(folder, "parcels")["bbox"].iloc[0]
    at = f"at={middle['xmin']:.5f},{middle['ymin']:.5f},15"
    page.goto(f"{address}/map/{PLACE}?{at}")
    wait_for(page, IDLE)
    drawn = '() => desk.map.queryRenderedFeatures({layers: ["seen"]}).length'
    assert page.evaluate(drawn) > 0
    page.locator("#seen").uncheck()
    wait_for(page, f"() => ({drawn})() === 0")
    assert "seen=0" in page.url


def test_from_afar_cells_hold_every_parcel_and_a_hidden_class_gives_way(
    client: TestClient, page: Any, address: str, folder: Path
) -> None:
    told = client.get(f"/api/{PLACE}/map").json()
    west, south, east, north = told["bounds"]
    zoom = told["fine"] - 0.4
    at = f"at={(west + east) / 2:.5f},{(south + north) / 2:.5f},{zoom}"
    page.goto(f"{address}/map/{PLACE}?{at}&layer=decision")
    wait_for(page, IDLE)
    layer = f"cells-{told['fine'] - 1}"
    held = f"""() => Object.values(Object.fromEntries(
        desk.map.queryRenderedFeatures({{layers: ["{layer}"]}}).map((f) => [
            f.geometry.coordinates.join(), f.properties.n]))).reduce((a, b) => a + b, 0)"""
    assert page.evaluate(held) == told["parcels"]
    page.locator("#legend button[data-key=approve]").click()
    page.locator("#legend button[data-key=review]").click()
    classes = f"""() => desk.map.queryRenderedFeatures({{layers: ["{layer}"]}}).every((f) =>
        [f.properties.decision, f.properties.decision_2, f.properties.decision_3].includes(2))"""
    wait_for(page, classes)
    access = table(folder, "decisions").set_index("farmer_id")["access"]
    declined = (table(folder, "parcels")["farmer_id"].map(access) == "decline").sum()
    assert page.evaluate(held) >= declined > 0


def test_what_an_earlier_word_found_is_not_opened_by_a_hasty_hand(
    page: Any, address: str, folder: Path
) -> None:
    farmer = str(table(folder, "parcels")["farmer_id"].iloc[11])
    page.goto(f"{address}/map/{PLACE}")
    wait_for(page, IDLE)
    page.keyboard.press("/")
    page.keyboard.type(farmer[:-1])
    wait_for(page, FOUND)
    page.keyboard.type(farmer[-1])
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_for(page, FOUND)
    assert f"/map/{PLACE}" in page.url
    page.locator("#found button").first.click()
    wait_for(page, f"() => location.pathname === '/farmer/{PLACE}/{farmer}'")


def test_a_parcel_is_found_and_opened_by_keyboard(page: Any, address: str, folder: Path) -> None:
    parcel = str(table(folder, "parcels")["parcel_id"].iloc[11])
    page.goto(f"{address}/map/{PLACE}")
    wait_for(page, IDLE)
    page.keyboard.press("/")
    page.keyboard.type(parcel[-7:])
    wait_for(page, FOUND)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    wait_for(page, f"() => document.querySelector('#panel-body h2')?.textContent === '{parcel}'")
    assert f"parcel={parcel}" in page.url
    page.keyboard.press("Escape")
    wait_for(page, "() => document.getElementById('panel').hidden")
    assert "parcel=" not in page.url


def test_the_map_says_the_same_in_chinese(page: Any, address: str) -> None:
    page.goto(f"{address}/map/{PLACE}?lang=zh&layer=hazard")
    wait_for(page, IDLE)
    assert page.evaluate("() => document.documentElement.lang") == "zh"
    assert "灾害" in page.locator("#side").inner_text()
    assert "Hazard" not in page.locator("#side").inner_text()
    assert "lang=zh" in page.url
