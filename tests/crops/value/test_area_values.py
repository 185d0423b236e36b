"""Permanent crops and greenhouses by a lender's own table of values by area."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.area_values import area_values, by_area
from fieldline.pipeline.records.errors import UserError

HEAD = "crop,region,gross_per_ha,currency,log_sd,published_on,source\n"
AS_OF = dt.date(2024, 9, 30)


def table(folder: Path, *rows: str, region: str | None = "north", days: int = 730) -> YieldSettings:
    path = folder / "areas.csv"
    path.write_text(HEAD + "".join(row + "\n" for row in rows), encoding="utf-8")
    return YieldSettings(area_value_file=str(path), cost_region=region, area_value_days=days)


def test_the_last_value_that_was_public_and_not_too_old_counts(tmp_path: Path) -> None:
    rows = ["orchard,north,90000,CNY,0.4,2023-03-01,a", "orchard,north,100000,CNY,0.4,2024-03-01,b",
            "orchard,north,999999,CNY,0.4,2024-10-01,planted future",
            "apple,south,1,CNY,0.4,2024-01-01,c",
            "greenhouse,north,400000,CNY,0.3,2022-01-01,old"]  # fmt: skip
    found = area_values(table(tmp_path, *rows), "CNY", AS_OF)
    assert set(found) == {"orchard"}
    assert found["orchard"].gross.minor_in("CNY") == 10_000_000
    assert (found["orchard"].source, found["orchard"].published_on) == ("b", dt.date(2024, 3, 1))
    assert area_values(table(tmp_path, *rows), "CNY", dt.date(2024, 1, 1))["orchard"].source == "a"
    older = area_values(table(tmp_path, *rows, days=2000), "CNY", AS_OF)
    assert set(older) == {"orchard", "greenhouse"}
    assert area_values(table(tmp_path, *rows, region=None), "CNY", AS_OF) == {}
    assert area_values(YieldSettings(cost_region="north"), "CNY", AS_OF) == {}


def test_its_quantiles_are_those_of_draws_and_net_income_is_less_the_cost(tmp_path: Path) -> None:
    settings = table(tmp_path, "orchard,north,100000,CNY,0.4,2024-03-01,b")
    value = area_values(settings, "CNY", AS_OF)["orchard"]
    said = by_area(value, "CNY", 4_000_000)
    drawn = 10_000_000 * np.exp(0.4 * np.random.default_rng(3).normal(size=2_000_000))
    names = [f"value_q{part}_per_ha_minor" for part in (10, 50, 90)]
    assert [said[n] for n in names] == pytest.approx(
        np.quantile(drawn, [0.1, 0.5, 0.9]).tolist(), rel=2e-3
    )
    assert said["net_q50_per_ha_minor"] == 6_000_000
    assert said["value_basis"] == "area"
    assert "net_q50_per_ha_minor" not in by_area(value, "CNY", None)


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ("maize,north,100,CNY,0.4,2024-03-01,s", "row 1: crop is 'maize': value by area only"),
        ("orchard,north,100,USD,0.4,2024-03-01,s", "row 1, states USD and the county reckons"),
        ("orchard,north,0,CNY,0.4,2024-03-01,s", "row 1: gross_per_ha is '0': write a value"),
        ("orchard,north,100,CNY,0,2024-03-01,s", "row 1: log_sd is '0': write the log sd"),
        ("orchard,north,100,CNY,0.4,soon,s", "row 1: published_on is 'soon': write a date like"),
    ],
)  # fmt: skip
def test_a_bad_row_names_its_place(tmp_path: Path, row: str, sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        area_values(table(tmp_path, row), "CNY", AS_OF)
    assert sentence in str(refused.value)


def test_one_crop_twice_on_a_day_is_refused(tmp_path: Path) -> None:
    row = "orchard,north,100,CNY,0.4,2024-03-01,s"
    with pytest.raises(UserError, match="keep one row of orchard and this day"):
        area_values(table(tmp_path, row, row), "CNY", AS_OF)
