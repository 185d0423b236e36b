"""A farmer's indicators in words: value with unit, place counted by hand, reason where none is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fieldline.desk.app.indicator_facts import county_spread, indicator_facts, with_unit
from fieldline.desk.app.places import Place
from fieldline.desk.app.words import LANGUAGES, words
from fieldline.desk.report.indicators import indicator_tables
from fieldline.lending.indicators.registry import registered
from fieldline.lending.schemas import INDICATORS
from fieldline.pipeline.records.tables import write_table


def county(
    folder: Path, values: list[float | None], indicator: str = "drought", sign: int = 1
) -> Place:
    """A county in which farmer F0, F1, ... have these values of one indicator."""
    rows = [
        {
            "farmer_id": f"F{number}", "indicator": indicator, "family": "hazard", "value": value,
            "unit": "index", "sign": sign, "version": "1",
            "outcome": "indicator_unknown" if value is None else "ok",
        }
        for number, value in enumerate(values)
    ]  # fmt: skip
    folder.mkdir(exist_ok=True)
    write_table(pd.DataFrame(rows), INDICATORS, folder / "indicators.parquet")
    return Place(folder)


def told(place: Place, farmer: str, language: str = "en") -> tuple[str, str, str, str]:
    [(_, [fact])] = indicator_facts(place, farmer, county_spread(place, 5), words(language))
    return fact.name, fact.value, fact.place, fact.why


def test_the_place_is_the_share_of_farmers_that_is_counted(tmp_path: Path) -> None:
    values: list[float | None] = [*np.random.default_rng(3).integers(0, 9, 40).astype(float)]
    for sign in (1, -1):
        place = county(tmp_path, values, sign=sign)
        for number, value in enumerate(values):
            stronger = sum(sign * other < sign * value for other in values) / 40
            weaker = sum(sign * other > sign * value for other in values) / 40
            said = told(place, f"F{number}")[2]
            wanted = (
                f"weaker than {stronger:.0%}"
                if stronger > weaker
                else f"stronger than {weaker:.0%}"
            )
            assert said == wanted


def test_an_unknown_value_has_its_reason_and_no_place(tmp_path: Path) -> None:
    place = county(tmp_path, [None, 1.0, 2.0, 3.0, 4.0, 5.0])
    assert told(place, "F0") == (
        "Drought over the crop's stages", "not known", "",
        "Nothing of what the indicator measures is known",
    )  # fmt: skip
    assert told(place, "F0", "zh")[3] == "指标所需情况未知"


@pytest.mark.parametrize(("values", "sign"), [([1.0, 2.0, 3.0, 4.0], 1), ([1.0] * 9, 0)])
def test_few_farmers_or_no_sign_give_no_place(
    tmp_path: Path, values: list[float | None], sign: int
) -> None:
    assert told(county(tmp_path, values, sign=sign), "F0")[2] == ""


def test_an_indicator_of_the_countys_own_layer_is_told_by_its_name(tmp_path: Path) -> None:
    place = county(tmp_path, [7.0] * 6, indicator="village_debts")
    assert told(place, "F2")[0] == "village debts"


def test_a_county_that_an_older_version_made_has_no_section(tmp_path: Path) -> None:
    place = Place(tmp_path)
    assert indicator_facts(place, "F0", county_spread(place, 5), words("en")) == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_unit_of_the_registry_has_words(language: str) -> None:
    units = {row.unit for row in registered()}
    assert units
    assert all(f"measure.{u.replace(' ', '_')}" in words(language).table for u in units)


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0.456, "share", "46%"), (12.0, "days", "12 days"), (12.25, "days", "12.25 days"),
        (12.0, "index", "12.00 (index)"), (1234.5, "loans of mine", "1,234.50 loans of mine"),
    ],
)  # fmt: skip
def test_a_value_has_its_unit(value: float, unit: str, said: str) -> None:
    assert with_unit(value, unit, words("en")) == said


def test_the_county_hides_what_too_few_farmers_stand_behind(tmp_path: Path) -> None:
    frames = []
    known: dict[str, list[float | None]] = {
        "drought": [0.0, 10.0, 20.0, None], "flood": [1.0, 2.0, None, None],
    }  # fmt: skip
    for indicator, values in known.items():
        place = county(tmp_path / indicator, values, indicator)
        frames.append(pd.read_parquet(place.path("indicators")))
    [table] = indicator_tables(pd.concat(frames), suppress_below=3)
    drought, flood = table["rows"]
    assert drought["known"] == "75%"
    assert drought["values"] == ["2.00", "10.00", "18.00"]
    assert flood["values"] == [None, None, None]
