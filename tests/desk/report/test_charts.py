"""Curves of the county report: the median of each crop by day."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest

from fieldline.desk.app.words import words
from fieldline.desk.report.charts import _median_curve, curves_by_crop
from fieldline.desk.report.collect import ReportData


def data_of(growth: list[dict], crops: dict[str, str]) -> ReportData:
    parcels = pd.DataFrame({"parcel_id": list(crops), "crop": list(crops.values())})
    named = dict.fromkeys(
        ("decisions", "farmers", "outcomes", "scenes", "cards", "fairness", "indicators")
    )
    return ReportData(parcels=parcels, growth=pd.DataFrame(growth), currency="CNY", **named)


def test_the_median_of_curves_that_begin_and_end_on_other_days():
    """On 6 March three curves are known (.2, .4, .9), on 16 March two, on 1 March one: too few."""
    curves = {
        "a": (1, [0.1, 0.2, 0.3]),
        "b": (6, [0.4, np.nan, 0.6]),
        "c": (6, [0.9, 0.5, 0.8]),
        "d": (1, [0.7]),
    }
    growth = [
        {"parcel_id": name, "curve_start": dt.date(2024, 3, start), "curve_step_days": 5,
         "curve": np.asarray(values, dtype=np.float32)}
        for name, (start, values) in curves.items()
    ]  # fmt: skip
    growth.append({"parcel_id": "e", "curve_start": None, "curve_step_days": 5, "curve": []})
    crops = dict.fromkeys("abce", "maize") | {"d": "rice"}
    maize, rice = curves_by_crop(data_of(growth, crops), words("en")).data
    assert list(maize.x) == [dt.date(2024, 3, day) for day in (6, 11, 16)]
    assert list(maize.y) == pytest.approx([0.4, 0.4, 0.7])
    assert list(rice.x) == [dt.date(2024, 3, 1)]
    assert list(rice.y) == pytest.approx([0.7])
    none = pd.DataFrame(growth).iloc[:0]
    assert _median_curve(none) == ([], [])
