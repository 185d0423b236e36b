"""The county report in a browser: one file whose map zooms, answers clicks and finds everybody."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldline.desk.app.scripts import VENDOR
from tests.workflows.conftest import ChainRun
from tests.workflows.desk.test_axe import FINDINGS

WIDTHS = """() => [...document.querySelectorAll(".js-plotly-plot")].map((chart) => [
    Number(chart.querySelector(".main-svg").getAttribute("width")),
    chart.closest("figure").clientWidth])"""
START = re.compile(r'(<script type="application/json" id="start">)(.*?)(</script>)', re.S)
SHOWN = """() => [...document.querySelectorAll("#map .parcel")].map((shape) => {
    const seen = [...document.querySelectorAll(`[data-parcel="${shape.dataset.parcel}"]`)]
        .map((part) => part.getBoundingClientRect());
    return Math.max(...seen.map((box) => Math.max(box.width, box.height)));
})"""


@pytest.fixture
def report(tiny_run: ChainRun) -> Path:
    return tiny_run.folder / "report.html"


def start_of(report: Path) -> dict[str, Any]:
    found = START.search(report.read_text("utf-8"))
    assert found is not None
    return dict(json.loads(found.group(2)))


@pytest.mark.parametrize("width", [1280, 1000, 700])
def test_no_chart_is_cut_at_the_moment_the_page_is_loaded(
    report: Path, page: Any, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(report.as_uri())
    charts = page.evaluate(WIDTHS)
    assert len(charts) == 4
    assert [drawn for drawn, _ in charts] == [place for _, place in charts]


def test_every_farmer_is_found_by_keyboard_and_told_the_stored_reasons(
    tiny_run: ChainRun, report: Path, page: Any
) -> None:
    decisions = pd.read_parquet(tiny_run.folder / "decisions.parquet")
    assert {f["id"] for f in start_of(report)["map"]["farmers"]} == set(decisions["farmer_id"])
    one = decisions[decisions["reasons"].map(len) > 1].iloc[3]
    page.faults.clear()
    page.asked.clear()
    page.goto(report.as_uri())
    page.focus("#search")
    page.keyboard.type(one["farmer_id"][-9:].upper())
    page.keyboard.press("Tab")
    while page.evaluate("() => !document.activeElement.closest('#found')"):
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    told = page.locator("#panel li").all_inner_texts()
    assert told == list(one["reasons"])
    assert f"farmer={one['farmer_id']}" in page.url
    page.click("button[data-language=zh]")
    assert page.locator("#panel li").all_inner_texts() == list(one["reasons_zh"])
    sent = page.url
    page.goto("about:blank")
    page.goto(sent)
    assert page.locator("#panel li").all_inner_texts() == list(one["reasons_zh"])
    assert page.faults == []
    assert {url.partition(":")[0] for url in page.asked} <= {"file", "about", "data"}


def test_a_click_tells_of_the_parcel_below_it_and_the_wheel_zooms(report: Path, page: Any) -> None:
    largest = max(start_of(report)["map"]["parcels"], key=lambda p: p["box"][2] * p["box"][3])
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(report.as_uri())
    page.locator("#map").scroll_into_view_if_needed()
    box = page.locator(f"path[data-parcel='{largest['id']}']").bounding_box()
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(*middle)
    page.mouse.wheel(0, -400)
    page.mouse.click(*middle)
    assert page.locator("#panel h3").inner_text() == largest["id"]
    labels = start_of(report)["map"]["labels"]["en"]
    assert page.locator("#panel dt").all_inner_texts()[: len(labels)] == labels
    assert page.locator("#panel dd").all_inner_texts()[: len(labels)] == largest["rows"][0]
    grown = page.locator(f"path[data-parcel='{largest['id']}']").bounding_box()
    assert grown["width"] == pytest.approx(box["width"] * 2.718, rel=0.05)


def test_parcels_scattered_over_60_km_are_all_to_be_seen(
    report: Path, page: Any, tmp_path: Path
) -> None:
    """Every second parcel is moved away: outlines are then a tenth of a pixel wide."""
    start = start_of(report)
    for number, parcel in enumerate(start["map"]["parcels"][::2]):
        parcel["box"][0] += 600 * number
    start["map"]["size"] = [60000, 60000]
    text = json.dumps(start).replace("<", "\\u003c").replace("&", "\\u0026")
    scattered = tmp_path / "report.html"
    scattered.write_text(
        START.sub(lambda found: found.group(1) + text + found.group(3), report.read_text("utf-8")),
        encoding="utf-8",
    )
    page.faults.clear()
    page.goto(scattered.as_uri())
    sizes = page.evaluate(SHOWN)
    assert len(sizes) == len(start["map"]["parcels"])
    assert min(sizes) >= 6
    assert page.faults == []


def test_the_fields_that_were_seen_lie_over_the_rings(report: Path, page: Any) -> None:
    seen = start_of(report)["map"]["seen"]
    page.goto(report.as_uri())
    drawn = page.locator("#map .seen path").first.get_attribute("d")
    assert drawn.count("M") >= len(seen) > 0
    page.uncheck("#seen")
    assert page.locator("#map .seen").get_attribute("class") == "seen gone"


def test_a_thousand_parcels_stay_below_8_mb(report: Path) -> None:
    start = start_of(report)["map"]
    grow = sum(len(json.dumps(start[name]).encode()) for name in ("parcels", "farmers", "seen"))
    fixed = report.stat().st_size - grow
    assert fixed + grow * 1000 / len(start["parcels"]) < 8e6


@pytest.mark.parametrize("language", ["en", "zh"])
def test_axe_finds_nothing_serious(
    report: Path, page: Any, desk_scripts: None, language: str, tiny_run: ChainRun
) -> None:
    script = VENDOR / "dev" / "axe.min.js"
    if not script.is_file():
        pytest.skip("axe is not there: python -m fieldline.desk.app.scripts --dev")
    parcel = start_of(report)["map"]["parcels"][5]["id"]
    page.goto(f"{report.as_uri()}#lang={language}&parcel={parcel}")
    page.evaluate(script.read_text("utf-8"))
    assert page.evaluate(FINDINGS) == []
