"""Pages that everybody can use: no serious finding of axe on any of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fieldline.desk.app.desk import Desk
from fieldline.desk.app.scripts import VENDOR
from tests.workflows.desk.conftest import IDLE, PLACE, table, wait_for, waiting

FINDINGS = """() => axe.run(document).then((told) => told.violations
    .filter((found) => ["serious", "critical"].includes(found.impact))
    .map((found) => `${found.id}: ${found.nodes.map((node) => node.html).join(" ")}`))"""


@pytest.fixture(scope="module")
def axe(desk_scripts: None) -> str:
    path = VENDOR / "dev" / "axe.min.js"
    if not path.is_file():
        pytest.skip("axe is not there: python -m fieldline.desk.app.scripts --dev")
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["home", "map", "parcel", "farmer", "report", "reviews", "case"])
@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_serious_finding(
    page: Any, address: str, desk: Desk, folder: Path, axe: str, name: str, language: str
) -> None:
    parcel = table(folder, "parcels").iloc[9]
    offer = waiting(desk)[0].offer["offer_id"]
    path = {
        "home": "/", "reviews": "/reviews", "case": f"/reviews/{offer}",
        "map": f"/map/{PLACE}?parcel={parcel['parcel_id']}",
        "parcel": f"/parcel/{PLACE}/{parcel['parcel_id']}",
        "farmer": f"/farmer/{PLACE}/{parcel['farmer_id']}",
        "report": f"/report/{PLACE}/{parcel['farmer_id']}",
    }[name]  # fmt: skip
    page.goto(f"{address}{path}{'&' if '?' in path else '?'}lang={language}")
    if name in ("map", "parcel"):
        wait_for(page, IDLE)
    page.evaluate(axe)
    assert page.evaluate(FINDINGS) == []
