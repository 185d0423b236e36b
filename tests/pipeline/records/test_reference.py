import datetime as dt
from decimal import Decimal

import pytest

from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import Window, calendar, calendars, crops


def test_crops_carry_codes_and_ordered_bounds() -> None:
    table = crops()
    assert table["winter_wheat"].hcat == "3301010101"
    assert table["winter_wheat"].name_zh == "冬小麦"
    assert table["greenhouse"].max_plausible_t_ha is None
    for crop in table.values():
        assert crop.hcat == "" or (len(crop.hcat) == 10 and crop.hcat.startswith("33"))
        if crop.min_plausible_t_ha is not None and crop.max_plausible_t_ha is not None:
            assert 0 < crop.min_plausible_t_ha < crop.max_plausible_t_ha


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
