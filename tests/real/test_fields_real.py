"""Planted area of real fields in the middle of a season: a date is no reason to lose land."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests.benchmarks.as_of import LEAST, swept_dates

pytestmark = pytest.mark.realdata


def test_no_bavarian_field_is_idle_or_smaller_in_may_than_at_harvest(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """31 winter cereal fields, all sown: until 15 May nine images, and no calendar that excuses.

    The share is what would count if a second kind of evidence agreed with the pixels.
    """
    monkeypatch.setenv("FIELDLINE_REAL_DATA", str(real_data))
    rows = swept_dates("BAV", None, ((5, 15),)).set_index("parcel_id")
    may, end = (rows[rows["date"] == day] for day in (dt.date(2018, 5, 15), dt.date(2018, 8, 31)))
    assert len(may) == len(end) == 31
    assert not rows["codes"].map(lambda codes: "no_crop_cycle" in codes).any()
    assert may["share"].notna().sum() >= 18
    assert may["share"].mean() > 0.97
    lost = set(may.index[may["share"] < LEAST])
    assert lost <= set(end.index[end["share"] < LEAST])
    assert (may["counted"] == 1).all()
