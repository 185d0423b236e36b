"""A parcel's season on one time axis: what was seen by date, the curve, the county's norm, weather.

Owns putting stored rows side by side and writing them as CSV. The index values of an observation
come from the function that the growth stage uses; the curve, its dates and the weather are as
stored; the norm is the spread of the stored curves of the same crop.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fieldline.crops.series import curve_dates, indices
from fieldline.desk.app.places import Place
from fieldline.pipeline.imagery.settings import ClearSettings

CLEAR_FROM = ClearSettings().min_valid_fraction
"""Clear share of a parcel from which a date counts as clear, where the county sets no other."""
_MEAN = "_mean"
_NORM = (0.1, 0.5, 0.9)
_LEAST = 5
"""Fewer curves of a crop are no norm, and could name a neighbour."""
_WEATHER = ("tmin_c", "tmax_c", "precip_mm")
Rows = list[dict[str, Any]]


def observed(place: Place, parcel_id: str) -> Rows:
    """Return what was seen of a parcel by date, earliest first.

    Returns:
        Rows of `date`, `ndvi` (None where nothing was seen), `valid`, `clear`, `scene`, `baseline`.
    """
    if not place.has("observations"):
        return []
    found = pd.DataFrame(place.records("observations", "parcel_id", parcel_id))
    if found.empty:
        return []
    found = found.sort_values("datetime")
    columns = [str(name) for name in found if str(name).endswith(_MEAN)]
    means = {name.removesuffix(_MEAN): found[name] for name in columns}
    bands = {name: pd.to_numeric(value).to_numpy(np.float64) for name, value in means.items()}
    ndvi = indices(bands)["NDVI"]
    rows = zip(found.to_dict("records"), ndvi, strict=True)
    return [
        {
            "date": row["datetime"].date().isoformat(),
            "ndvi": None if math.isnan(value) else round(float(value), 4),
            "valid": round(float(row["valid_fraction"]), 3),
            "clear": bool(row["valid_fraction"] >= CLEAR_FROM and not math.isnan(value)),
            "scene": row["scene_id"],
            "baseline": row["baseline"],
        }
        for row, value in rows
    ]


def curve(growth: dict[str, Any] | None) -> Rows:
    """Return the smoothed curve as stored: rows of `date` and `ndvi`."""
    if growth is None or not growth["curve"]:
        return []
    values = growth["curve"]
    dates = curve_dates(growth["curve_start"], int(growth["curve_step_days"]), len(values))
    return [
        {"date": day.isoformat(), "ndvi": round(float(value), 4)}
        for day, value in zip(dates, values, strict=True)
        if value is not None and not math.isnan(value)
    ]


def norm(place: Place, crop: str) -> Rows:
    """Return the spread of the stored curves of a crop: rows of `date`, `low`, `mid`, `high`.

    Empty where fewer than five parcels have one.
    """
    if not place.has("growth", "crops"):
        return []
    crops = place.table("crops", ["parcel_id", "crop"])
    growth = place.table("growth", ["parcel_id", "curve_start", "curve_step_days", "curve"])
    same = growth[growth["parcel_id"].isin(crops.loc[crops["crop"] == crop, "parcel_id"])]
    same = same[same["curve_start"].notna()]
    if len(same) < _LEAST:
        return []
    curves = [
        pd.Series(row["curve"], index=curve_dates(row["curve_start"], int(row["curve_step_days"]),
                                                   len(row["curve"])))
        for row in same.to_dict("records")
    ]  # fmt: skip
    spread = pd.concat(curves, axis=1).sort_index().quantile(list(_NORM), axis=1).T.dropna()
    return [
        {"date": day.isoformat(), **dict(zip(("low", "mid", "high"), map(_four, row), strict=True))}
        for day, row in zip(spread.index, spread.to_numpy(), strict=True)
    ]


def _four(value: float) -> float:
    return round(float(value), 4)


def weather(place: Place, parcel_id: str) -> Rows:
    """Return the days of a parcel's weather cell: `date`, `tmin_c`, `tmax_c`, `precip_mm`."""
    cell = place.record("weather_cells", "parcel_id", parcel_id)
    if cell is None or not place.has("weather"):
        return []
    days = place.records("weather", "cell_id", cell["cell_id"])
    found: Rows = [
        {"date": day["date"].isoformat(), **{name: _tenth(day[name]) for name in _WEATHER}}
        for day in days
    ]
    return sorted(found, key=lambda row: str(row["date"]))


def _tenth(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else round(float(value), 1)


def marks(growth: dict[str, Any] | None) -> dict[str, str]:
    """Return the dates of the main cycle that were seen, by name."""
    names = ("sos", "pos", "eos", "harvest_date")
    days: dict[str, dt.date | None] = {name: (growth or {}).get(name) for name in names}
    return {name: day.isoformat() for name, day in days.items() if day is not None}


def growth_csv(seen: Rows, smooth: Rows, spread: Rows) -> str:
    """Return observations, curve and norm as one table by date."""
    table: dict[str, dict[str, Any]] = {}
    for row in seen:
        told = {"ndvi_observed": row["ndvi"], "valid_fraction": row["valid"],
                "clear": int(row["clear"]), "scene_id": row["scene"]}  # fmt: skip
        table.setdefault(row["date"], {}).update(told)
    for row in smooth:
        table.setdefault(row["date"], {})["ndvi_smoothed"] = row["ndvi"]
    for row in spread:
        told = {f"norm_{name}": row[name] for name in ("low", "mid", "high")}
        table.setdefault(row["date"], {}).update(told)
    names = ("date", "ndvi_observed", "valid_fraction", "clear", "scene_id", "ndvi_smoothed",
             "norm_low", "norm_mid", "norm_high")  # fmt: skip
    return written(names, ({"date": day, **table[day]} for day in sorted(table)))


def written(names: Sequence[str], rows: Iterable[dict[str, Any]]) -> str:
    """Return rows as CSV text with a byte order mark, so that a spreadsheet reads Chinese."""
    text = io.StringIO()
    writer = csv.DictWriter(text, names, restval="", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in rows)
    return "\ufeff" + text.getvalue()


def _cell(value: Any) -> Any:
    """Return a cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return "" if value is None else value
