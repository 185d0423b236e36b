import datetime as dt
from decimal import Decimal

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import (
    Window,
    calendar,
    calendars,
    crop_named,
    crops,
    table_rows,
)


def test_crops_carry_codes_and_ordered_bounds() -> None:
    table = crops()
    assert table["winter_wheat"].hcat == "3301010101"
    assert table["winter_wheat"].name_zh == "冬小麦"
    assert table["greenhouse"].max_plausible_t_ha is None
    for crop in table.values():
        assert crop.hcat == "" or (len(crop.hcat) == 10 and crop.hcat.startswith("33"))
        if crop.min_plausible_t_ha is not None and crop.max_plausible_t_ha is not None:
            assert 0 < crop.min_plausible_t_ha < crop.max_plausible_t_ha


@pytest.mark.parametrize(
    "table",
    ["crop_names.csv", "hazard_thresholds.csv", "scale_of_finance.csv", "price_brackets.csv",
     "price_series.csv", "own_error.csv", "simulated_crops.csv", "yields_bavaria.csv",
     "simulated_perennials.csv", "area_values_sim.csv"],
)  # fmt: skip
def test_other_tables_name_crops_of_the_crop_table(table: str) -> None:
    rows = table_rows(table)
    named = {row.get("crop", "") or row.get("code", "") for row in rows} - {"default", ""}
    assert named <= set(crops())


def test_a_crop_with_a_yield_has_a_price_bracket_and_land_without_one_has_none() -> None:
    bracketed = {row["crop"] for row in table_rows("price_brackets.csv")}
    harvested = {code for code, crop in crops().items() if crop.max_plausible_t_ha is not None}
    assert bracketed == harvested


def test_no_name_stands_for_two_crops() -> None:
    names = [(row["name"].casefold(), row["code"]) for row in table_rows("crop_names.csv")]
    for crop in crops().values():
        names += [(name.casefold(), crop.code) for name in (crop.name_en, crop.name_zh, crop.code)]
    of_name: dict[str, set[str]] = {}
    for name, code in names:
        of_name.setdefault(name, set()).add(code)
    assert {name: codes for name, codes in of_name.items() if len(codes) > 1} == {}


def test_calendars_name_known_crops_and_positive_costs() -> None:
    for (crop, _region), row in calendars().items():
        assert crop in crops()
        assert row.cash_cost_per_ha > 0
    assert calendar("winter_wheat", "sim").cash_cost_per_ha == Decimal("7200")


def test_missing_calendar_says_the_remedy() -> None:
    with pytest.raises(UserError, match="add the row"):
        calendar("rice", "bavaria")


def test_window_crosses_new_year() -> None:
    window = Window((12, 20), (1, 10))
    assert window.in_season(dt.date(2022, 10, 1)) == (dt.date(2022, 12, 20), dt.date(2023, 1, 10))
    assert window.in_season(dt.date(2023, 1, 1)) == (dt.date(2023, 12, 20), dt.date(2024, 1, 10))


@pytest.mark.parametrize(
    ("names", "code"),
    [
        (["milho", "maíz", "Maïs grain", "Mısır", "kukurydza", "Кукуруза", "jagung", "ngô"],
         "maize"),
        (["trigo de invierno", "blé tendre d'hiver", "kışlık buğday", "озима пшениця"],
         "winter_wheat"),
        (["arroz", "riz", "çeltik", "padi", "lúa"], "rice"),
        (["girassol", "tournesol", "Ayçiçeği", "соняшник"], "sunflower"),
    ],
)  # fmt: skip
def test_a_crop_is_known_in_the_languages_of_those_who_export_tables(
    names: list[str], code: str
) -> None:
    assert {name: crop_named(name) for name in names} == dict.fromkeys(names, code)
    assert crop_named("trigo") is None  # winter or spring nobody can say
