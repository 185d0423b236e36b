from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest

from fieldline.crops.settings import YieldSettings
from fieldline.crops.value.calendars import crop_days
from fieldline.lending.decision.tariffs import Scale, ceiling_on, rate_ceilings, scale_on
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import calendars, crops

TABLE = "rate_ceilings.csv"
SCALES = "scale_of_finance.csv"


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        ("2019-05-01", "0.24"),
        ("2020-08-19", "0.24"),
        ("2020-08-20", "0.154"),
        ("2023-08-20", "0.142"),
        ("2023-08-21", "0.138"),
        ("2024-10-20", "0.134"),
        ("2024-10-21", "0.124"),
    ],
)
def test_four_times_the_prime_rate_of_the_day(day: str, rate: str) -> None:
    assert ceiling_on(TABLE, "CNY", dt.date.fromisoformat(day)).rate == Decimal(rate)


def test_no_ceiling_no_loan() -> None:
    with pytest.raises(UserError, match="no rate ceiling for KES on 2024-01-01: add the row"):
        ceiling_on(TABLE, "KES", dt.date(2024, 1, 1))


def test_a_ceiling_holds_to_the_last_day_for_which_it_was_checked_and_no_longer(
    tmp_path: Path,
) -> None:
    head = "currency,valid_from,checked_until,rule,base_rate,multiple,add,source\n"
    own = tmp_path / "own.csv"
    own.write_text(f"{head}KES,2020-01-01,2020-12-31,x,.1,1,0,s\nKES,2021-06-01,,x,.2,1,0,s\n")
    assert ceiling_on(str(own), "KES", dt.date(2020, 12, 31)).rate == Decimal("0.1")
    assert ceiling_on(str(own), "KES", dt.date(2031, 1, 1)).rate == Decimal("0.2")
    with pytest.raises(
        UserError, match=r"own\.csv, row 1: the rate ceiling for KES was checked un"
    ):
        ceiling_on(str(own), "KES", dt.date(2021, 1, 1))
    odd = tmp_path / "odd.csv"
    odd.write_text(f"{head}KES,2020-01-01,2019-12-31,x,.1,1,0,s\n")
    with pytest.raises(UserError, match="checked_until is '2019-12-31': the ceiling begins on"):
        rate_ceilings(str(odd))


def test_the_shipped_ceilings_in_yuan_stop_after_the_last_announcement_that_was_read() -> None:
    assert ceiling_on(TABLE, "CNY", dt.date(2025, 10, 19)).rate == Decimal("0.12")
    with pytest.raises(UserError, match="checked until 2025-10-19, and this is decided on 2025-10"):
        ceiling_on(TABLE, "CNY", dt.date(2025, 10, 20))


def test_two_ceilings_for_one_day_are_refused(tmp_path: Path) -> None:
    head = "currency,valid_from,rule,base_rate,multiple,add,source\n"
    row = "KES,2020-01-01,x,0.1,1,0,s\n"
    (tmp_path / "own.csv").write_text(head + row + row)
    with pytest.raises(UserError, match="two rows for KES on 2020-01-01"):
        rate_ceilings(str(tmp_path / "own.csv"))


def test_every_ceiling_has_a_source() -> None:
    assert all(ceiling.source and ceiling.rate > 0 for ceiling in rate_ceilings(TABLE))


def test_scale_of_finance_falls_back_to_the_template() -> None:
    day = dt.date(2024, 9, 30)
    assert scale_on(SCALES, "maize", "CNY", day, None) == Scale(50_000, "table")
    # 1500.00 per ha is 100.00 per mu
    assert scale_on(SCALES, "maize", "KES", day, 150_000) == Scale(10_000, "crop_template")
    assert scale_on(SCALES, "maize", "KES", day, None) == Scale(0, "unknown")


def test_a_scale_of_finance_counts_from_its_first_day_and_not_before() -> None:
    first = dt.date(2015, 1, 1)
    assert scale_on(SCALES, "maize", "CNY", first, None) == Scale(50_000, "table")
    assert scale_on(SCALES, "maize", "CNY", first - dt.timedelta(days=1), None) == Scale(
        0, "unknown"
    )


def test_a_table_that_does_not_exist_is_named() -> None:
    with pytest.raises(UserError, match=r"no_such\.csv does not .* such as \./no_such\.csv"):
        rate_ceilings("no_such.csv")


def test_the_ceiling_is_the_newest_known_whatever_the_order_of_rows(tmp_path: Path) -> None:
    rows = [
        "KES,2022-01-01,x,0.1,2,0.03,s",
        "KES,2020-01-01,x,0.1,1,0,s",
        "USD,2021-01-01,x,1,1,0,s",
    ]
    head = "currency,valid_from,rule,base_rate,multiple,add,source"
    own = tmp_path / "own.csv"
    own.write_text("\n".join([head, *rows]) + "\n")
    assert ceiling_on(str(own), "KES", dt.date(2023, 1, 1)).rate == Decimal("0.23")
    assert ceiling_on(str(own), "KES", dt.date(2021, 12, 31)).rate == Decimal("0.1")


REGIONS = ("huanghuai", "yangtze", "south_china")


@pytest.mark.parametrize("group", ["fibre", "sugar", "permanent", "facility", "vegetable"])
def test_cash_crops_have_a_template_that_says_what_it_rests_on(group: str) -> None:
    named = {code for code, crop in crops().items() if crop.group == group}
    templates = {
        crop: found for (crop, region), found in calendars().items()
        if region in REGIONS and crop in named
    }  # fmt: skip
    assert templates
    for crop, template in templates.items():
        assert (template.basis, template.currency) == ("assumption", "CNY")
        assert template.source
        scale = scale_on(SCALES, crop, "CNY", dt.date(2024, 9, 30), None)
        assert scale.basis == "table"
        # what a line may cover is of the order of what growing costs, 15 mu to a hectare
        assert 0.8 <= scale.minor_per_mu * 15 / (100 * float(template.cash_cost_per_ha)) <= 1.25


def test_every_region_of_templates_is_read_and_harvests_after_it_sows() -> None:
    start = dt.date(2024, 1, 1)
    for region in REGIONS:
        found = crop_days(YieldSettings(calendar_region=region))
        assert len(found) >= 8
        for crop, days in found.items():
            sown = days.sowing.in_season(start)
            first, last = days.harvest.in_season(sown[0])
            assert sown[0] < sown[1] < last, crop
            assert sown[0] <= first < last <= sown[0] + dt.timedelta(days=460), crop
