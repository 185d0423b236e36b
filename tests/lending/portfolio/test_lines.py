"""Lines that run on a day, what is drawn of them and among whom they are shared out."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from fieldline.lending.decision.backed import CoverCase
from fieldline.lending.decision.case import Case, GuarantorCase
from fieldline.lending.portfolio.exposure import concentrations, exposures
from fieldline.lending.portfolio.folders import RunFolder
from fieldline.lending.portfolio.lines import Line, lines_on, with_drawn
from fieldline.lending.store.closing import expire
from fieldline.lending.store.database import open_database
from fieldline.lending.store.lines import release
from fieldline.lending.store.posting import Shelf
from tests.lending.store.test_present import A, give, of

AUTUMN = dt.date(2024, 10, 15)
HERE = ("A", "2024")


@pytest.fixture
def store(tmp_path: Path) -> sa.Engine:
    return open_database(tmp_path / "store.sqlite")


def line(case: Case, limit: int, **more: Any) -> Line:
    """Return a line of a case, in CNY unless said otherwise."""
    offer = {
        "offer_id": f"{case.farmer_id}-{limit}", "county": "A", "season": "2024",
        "product": "season-line", "farmer_id": case.farmer_id, "household_id": case.household_id,
        "currency": "CNY", "limit_minor": limit, "annual_rate": "0.09", "tenor_days": 360,
        "day_basis": 360, "valid_from": dt.date(2024, 9, 30), "valid_to": dt.date(2024, 10, 30),
        **more,
    }  # fmt: skip
    return Line(offer, case)


def test_a_line_runs_until_its_tenor_ends_and_not_once_replaced_or_released(
    store: sa.Engine, case: Case
) -> None:
    second = of(case, farmer_id="F2", household_id="H2")
    third = of(case, farmer_id="F3", household_id="H3", limit_step=Decimal(1000))
    give(store, A, case, second, third)
    give(store, Shelf("B", "2024", "season-line"), of(case, farmer_id="F4", household_id="H4"))
    # F3's terms change: 4,000 in steps of 1,000 are superseded by 4,400. F2 is decided no more.
    give(store, A, case, of(third, limit_step=Decimal(100)), confirm=True)
    assert [(one.farmer_id, one.limit_minor) for one in lines_on(store, AUTUMN)] == [
        ("F1", 440_000), ("F4", 440_000), ("F3", 440_000)
    ]  # fmt: skip
    assert [one.farmer_id for one in lines_on(store, AUTUMN, ["B"])] == ["F4"]
    assert lines_on(store, dt.date(2024, 9, 29)) == []
    expire(store, dt.date(2024, 11, 1), today=dt.date(2024, 11, 1))
    winter = dt.date(2024, 12, 1)
    first = lines_on(store, winter)[0]
    assert (first.farmer_id, len(lines_on(store, winter))) == ("F1", 3)
    release(store, [first.offer_id], "Ann", "repaid", today=winter)
    assert [one.farmer_id for one in lines_on(store, winter)] == ["F4", "F3"]
    last = dt.date(2024, 10, 30) + dt.timedelta(days=330)
    assert len(lines_on(store, last)) == 2
    assert lines_on(store, last + dt.timedelta(days=1)) == []


def test_the_expected_loss_is_pd_times_lgd_times_what_is_lent(case: Case) -> None:
    # PD .04 and LGD .55 stand in the case: .04 x .55 x 10,000.00 = 220.00
    assert line(case, 1_000_000).expected_minor == pytest.approx(22_000)
    nobody = of(case, risk=case.risk.model_copy(update={"pd": None}))
    assert line(nobody, 1_000_000).expected_minor is None
    # 10,000.00 for 360 days of 360 at 9 %
    assert line(case, 1_000_000).due_minor == pytest.approx(1_090_000)


def test_what_is_drawn_counts_where_movements_are_told(tmp_path: Path, case: Case) -> None:
    lines = [line(of(case, farmer_id=name), 1_000_000) for name in ("F1", "F2", "F3", "F4")]
    path = tmp_path / "moved.csv"
    path.write_text(
        "offer_id,on,draw,repay,annual_rate,booked_on,currency\n"
        "F1-1000000,2024-10-01,4000,,,,CNY\n"
        "F1-1000000,2024-10-11,,1010,,,CNY\n"  # ten nights of 4,000 at 9 %: 10.00 interest
        "F1-1000000,2024-12-01,900,,,,CNY\n"  # after the day
        "F2-1000000,2024-10-01,99000,,,,CNY\n"  # above the limit
        "F3-1000000,2024-10-01,x,,,,CNY\n"
        "F9-1,2024-10-01,5,,,,CNY\n"
        "F4-1000000,2024-10-01,5,,,,USD\n",
        encoding="utf-8",
    )
    found, outcomes = with_drawn(lines, path, AUTUMN)
    assert [one.drawn_minor for one in found] == [300_000, None, None, None]
    assert [one.exposure_minor for one in found] == [300_000, *[1_000_000] * 3]
    told = {one.offer_id: (one.code, one.detail) for one in outcomes}
    assert told["F9-1"][0] == "portfolio_no_such_line"
    assert "above its limit of 10000" in told["F2-1000000"][1]
    assert told["F3-1000000"] == (
        "portfolio_bad_movement", "row=5 column=draw input_not_a_number x"
    )  # fmt: skip
    assert told["F4-1000000"][1] == "row=7 column=currency input_other_currency USD"
    assert len(told) == 4


def test_lines_are_shared_out_by_the_area_that_counts(case: Case) -> None:
    parcel = case.parcels[0]
    rice = parcel.model_copy(
        update={"parcel_id": "b", "valued_crop": "rice", "evidence_area_m2": Decimal("3333.33")}
    )
    lost = rice.model_copy(update={"parcel_id": "c", "effect": "block"})
    two = of(case, farmer_id="F2", parcels=(parcel, rice, lost),
             evidence_area_m2=Decimal("20000"))  # fmt: skip
    outside = GuarantorCase(guarantor_id="G9", guaranteed_minor=1)
    lines = [
        line(case, 300_000), line(two, 900_000),
        line(of(case, farmer_id="F3", guarantors=(outside,)), 500, currency="USD"),
    ]  # fmt: skip
    folder = RunFolder(cells={"a": "A/W1", "b": "A/W2"}, guarantors={"F1": (), "F2": ("G1", "G2")})
    groups = exposures(lines, {HERE: folder})
    told = {(g.currency, g.dimension, g.group): (g.lines, g.exposure_minor) for g in groups}
    # 6,666.67 of 10,000.00 m2 are maize: 600,000 of 900,000 and 300,000 of the other
    assert told["CNY", "crop", "maize"] == (2, 900_000)
    assert told["CNY", "crop", "rice"] == (1, 300_000)
    assert told["CNY", "weather_cell", "A/W2"] == (1, 300_000)
    assert told["CNY", "guarantor", "none"] == (1, 300_000)
    assert told["CNY", "guarantor", "G1"] == told["CNY", "guarantor", "G2"] == (1, 450_000)
    assert told["USD", "guarantor", "G9"] == (1, 500)
    # 10.00 mu lie in the band above, 30 mu likewise
    assert told["CNY", "size", "10 to 30 mu"] == (1, 300_000)
    assert told["CNY", "size", "over 30 mu"] == (1, 900_000)
    for dimension in ("county", "crop", "weather_cell", "guarantor", "product", "size"):
        sums = [g.exposure_minor for g in groups
                if (g.currency, g.dimension) == ("CNY", dimension)]  # fmt: skip
        assert sum(sums) == 1_200_000
    held = {(c.currency, c.dimension): c for c in concentrations(groups)}
    assert (held["CNY", "crop"].largest, held["CNY", "crop"].largest_share) == ("maize", 0.75)
    assert held["CNY", "crop"].hhi == pytest.approx(0.75**2 + 0.25**2)
    assert held["USD", "crop"].hhi == 1
    assert held["CNY", "guarantor"].hhi == pytest.approx(2 * 0.375**2)


def test_a_company_stands_in_the_exposure_with_the_share_that_it_covers(case: Case) -> None:
    cover = CoverCase(
        guarantor_id="G", name="Company", share=Decimal("0.8"), fee=Decimal(0),
        left_minor=10**9, capacity_minor=10**9, stated_on=case.as_of, valid_to=None,
    )  # fmt: skip
    backed = line(case.model_copy(update={"cover": cover}), 100)
    groups = [g for g in exposures([backed], {}) if g.dimension == "guarantor"]
    assert {g.group: g.exposure_minor for g in groups} == {
        "G": backed.exposure_minor * 8 // 10, "unknown": backed.exposure_minor * 2 // 10,
    }  # fmt: skip
    # .55 x (1 - .9 x .8)
    assert backed.lgd == pytest.approx(0.154)


def test_without_a_run_cells_and_guarantors_are_unknown(case: Case) -> None:
    groups = exposures([line(case, 100)], {})
    assert {g.group for g in groups if g.dimension in ("weather_cell", "guarantor")} == {"unknown"}
