import datetime as dt

import numpy as np
import pandas as pd
import pytest

from fieldline.crops.growth.harvest_share import harvest_share

START = dt.date(2022, 10, 1)


def day(number: int) -> dt.date:
    return START + dt.timedelta(days=number)


def grown(rows) -> pd.DataFrame:
    """Rows of crop, last standing, harvest and first bare day; None where not harvested."""
    names = ["crop", "harvest_after", "harvest_date", "harvest_before"]
    dates = [[crop, *[None if d is None else day(d) for d in days]] for crop, *days in rows]
    return pd.DataFrame(dates, columns=names)


def test_the_share_grows_from_nothing_to_all_that_was_harvested(season):
    table = grown([("maize", 10, 12, 14), ("maize", 10, 14, 16), ("rice", 20, 20, 22),
                   ("maize", None, None, None)])  # fmt: skip
    shares = harvest_share(table, pd.Series([60.0] * 4), season).set_index(["crop", "date"])
    maize = shares.loc["maize"]
    assert maize.index.tolist() == [day(n) for n in range(10, 17)]
    assert maize["parcels"].tolist() == [3] * 7
    assert maize["harvested"].tolist() == pytest.approx(np.array([0, 0, 1, 1, 2, 2, 2]) / 3)
    assert maize["harvested_low"].tolist() == pytest.approx(np.array([0, 0, 0, 0, 1, 1, 2]) / 3)
    assert maize["harvested_high"].tolist() == pytest.approx(np.array([2] * 7) / 3)
    assert shares.loc[("all", day(22)), "harvested"] == pytest.approx(3 / 4)


def test_a_field_that_is_not_seen_any_more_says_nothing_about_later_days(season):
    table = grown([("maize", 10, 12, 14), ("maize", 40, 42, 44), ("maize", None, None, None)])
    shares = harvest_share(table, pd.Series([60.0, 60.0, 20.0]), season)
    maize = shares[shares["crop"] == "maize"].set_index("date")
    assert maize.loc[day(20), "parcels"] == 3
    assert maize.loc[day(21), "parcels"] == 2
    assert maize.loc[day(21), "harvested"] == pytest.approx(1 / 2)


def test_a_harvested_field_stays_known_after_its_record_ended(season):
    table = grown([("maize", 10, 12, 14), ("maize", 40, 42, 44)])
    shares = harvest_share(table, pd.Series([28.0, 60.0]), season)
    maize = shares[shares["crop"] == "maize"].set_index("date")
    assert maize["parcels"].unique().tolist() == [2]
    assert maize.loc[day(44), "harvested"] == 1.0


def test_where_nothing_was_harvested_there_are_no_rows(season):
    table = grown([("maize", None, None, None)])
    assert harvest_share(table, pd.Series([60.0]), season).empty
