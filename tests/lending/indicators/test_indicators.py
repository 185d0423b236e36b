"""Indicators of a county worked out by hand, and the table that they stand in."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from fieldline.lending.indicators.registry import FAMILIES, measure_of, registered
from fieldline.lending.indicators.stage import run_indicators
from fieldline.lending.settings import IndicatorSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.outcomes import outcome_codes
from fieldline.pipeline.records.tables import read_table

TABLES = ("parcels", "fields", "crops", "growth", "hazards", "yields", "history", "evidence",
          "harvests", "crop_values", "profiles", "relations")  # fmt: skip


def measured(county: Any, layer: Path | None = None, code: str = "T") -> pd.DataFrame:
    """Run the stage; return its rows by indicator, those of farmer `ann`."""
    county.relate()
    run_indicators(
        **{name: county.path(f"{name}.parquet") for name in TABLES}, county=code,
        settings=IndicatorSettings(layer=None if layer is None else str(layer)),
        out=county.path("indicators.parquet"), outcomes=county.path("outcomes_indicators.parquet"),
    )  # fmt: skip
    return read_table(county.path("indicators.parquet"))


def of(table: pd.DataFrame, farmer: str) -> pd.DataFrame:
    return table[table["farmer_id"] == farmer].set_index("indicator")


def layered(folder: Path, *rows: dict[str, str]) -> Path:
    path = folder / "layer.csv"
    names = list(dict.fromkeys(name for row in rows for name in row))
    with path.open("w", newline="") as handle:
        writer = csv.DictWriter(handle, names)
        writer.writeheader()
        writer.writerows(rows)
    return path


@pytest.fixture
def two_parcels(county: Any) -> Any:
    # Ann: 1 ha with a hazard index of 10 and 3 ha, 3 km east, with one of 50; Bob: 1 ha.
    county.add("a", "ann", hazard=10.0)
    county.add("b", "ann", x=3000, width=300, hazard=50.0)
    county.add("c", "bob", x=9000)
    for farmer in ("ann", "bob"):
        county.apply(farmer, requested_amount="1000", annual_debt_service="0")
    return county


def test_values_are_those_worked_out_by_hand(two_parcels: Any, name_of: Any) -> None:
    ann = of(measured(two_parcels), name_of("ann"))["value"]
    assert ann["worst_hazard"] == 50
    assert ann["stability"] == pytest.approx(0.9)
    # centres at 50 and 3,150 m
    assert ann["scatter_km"] == pytest.approx(3.1, abs=0.01)
    assert ann["parcel_size"] == pytest.approx(30)  # 2 ha on the mean
    assert ann["clear_dates"] == 20
    assert ann["counted_area_share"] == pytest.approx(1.0)
    assert ann["crop_concentration"] == 1
    assert ann["relations_found"] == 0
    # a square has pi / 4 of a circle of its perimeter; the fixture writes 4 sqrt(area) for all
    assert ann["compactness"] == pytest.approx(3.14159 / 4, abs=1e-3)
    assert ann["household_farmers"] == 1


def test_what_is_not_known_is_empty_and_never_zero(two_parcels: Any, name_of: Any) -> None:
    table = measured(two_parcels)
    ann = of(table, name_of("ann"))
    assert ann.loc["late_share", "outcome"] == "indicator_unknown"  # no finished loan
    assert pd.isna(ann.loc["late_share", "value"])
    assert table.groupby("indicator").size().eq(2).all()
    assert (table["value"].isna() == (table["outcome"] != "ok")).all()


def test_a_farmer_without_land_is_unknown(two_parcels: Any, name_of: Any) -> None:
    two_parcels.refused["zoe"] = ["too_large"]
    zoe = of(measured(two_parcels), name_of("zoe"))
    assert zoe.loc["worst_hazard", "outcome"] == "indicator_unknown"


def test_a_new_indicator_is_one_file_and_one_row(
    two_parcels: Any, name_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "measures.py").write_text(
        "def parcels_named(known):\n"
        "    return known.money('parcels')\n\n\n"
        "def broken(known):\n"
        "    return known.mean('growth.nothing')\n\n\n"
        "def huge(known):\n"
        "    return known.money('parcels') * 1e6\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    row = {"indicator": "parcels_named", "family": "behaviour", "inputs": "profiles.parcels",
           "unit": "parcels", "sign": "0", "low": "0",
           "high": "1000", "version": "1", "owner": "us", "english": "Parcels",
           "chinese": "地块数"}  # fmt: skip
    rows = [
        {**row, "function": "ours.measures:parcels_named"},
        {**row, "indicator": "broken", "function": "ours.measures:broken"},
        {**row, "indicator": "huge", "function": "ours.measures:huge"},
        {**row, "indicator": "blind", "function": "ours.measures:parcels_named",
         "inputs": "growth.nothing"},
    ]  # fmt: skip
    ann = of(measured(two_parcels, layered(tmp_path, *rows)), name_of("ann"))
    assert ann.loc["parcels_named", "value"] == 2
    told = {"broken": "indicator_failed", "huge": "indicator_implausible",
            "blind": "indicator_no_input"}  # fmt: skip
    for name, code in told.items():
        assert ann.loc[name, "outcome"] == code
        assert pd.isna(ann.loc[name, "value"])
        assert outcome_codes()[code].effect == "continue"
    assert ann.loc["stability", "outcome"] == "ok"  # the others stand
    outcomes = read_table(two_parcels.path("outcomes_indicators.parquet")).set_index("parcel_id")
    assert outcomes.loc["indicator:broken", "detail"] == "failed=KeyError"
    assert outcomes.loc["indicator:blind", "detail"] == "lacks=growth.nothing"
    sys.modules.pop("ours.measures", None)


def test_a_county_overrides_the_province(tmp_path: Path) -> None:
    layer = layered(
        tmp_path,
        {"county": "", "indicator": "stability", "high": "0.8", "active": ""},
        {"county": "C1", "indicator": "stability", "high": "0.5", "active": ""},
        {"county": "C1", "indicator": "drought", "high": "", "active": "0"},
    )
    first, other = ({row.name: row for row in registered(str(layer), c)} for c in ("C1", "C2"))
    assert (first["stability"].high, other["stability"].high) == (0.5, 0.8)
    assert "drought" in other
    assert "drought" not in first
    assert len(first) == len(registered()) - 1


def test_the_table_holds_thirty_or_more_in_every_family_and_each_has_its_function() -> None:
    rows = registered()
    assert len(rows) >= 30
    assert {row.family for row in rows} == set(FAMILIES)
    for row in rows:
        assert callable(measure_of(row))


@pytest.mark.parametrize(
    ("change", "said"),
    [({"sign": "2"}, "a sign of -1, 0 or 1"), ({"low": "9"}, "low below its high"),
     ({"family": "luck"}, "has the family 'luck'"), ({"inputs": "vault.name"}, "vault.name"),
     ({"high": "much"}, "needs numbers")],
)  # fmt: skip
def test_a_wrong_row_is_refused_with_its_fault(
    tmp_path: Path, change: dict[str, str], said: str
) -> None:
    layer = layered(tmp_path, {"county": "", "indicator": "stability", **change})
    with pytest.raises(UserError, match=said):
        registered(str(layer), "C1")
    missing = layered(tmp_path, {"county": "", "indicator": "new", "family": "market"})
    with pytest.raises(UserError, match="'new' lacks function"):
        registered(str(missing), "C1")
