"""Real series of fields and pixels as the artifacts of a run, for measurements of growth.

Owns how two published sets become a folder that the grow stage reads: WorldCereal's French series
(ten-day composites of pixels with their weather) and Bavarian fields (half-monthly means, weather
of a station near them). Composites stand on the middle of their span; ten-day mean temperatures
become daily extremes by `_SWING`, for only sums of degree days are read from them.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fieldline.pipeline.records.reference import table_rows
from fieldline.pipeline.records.settings import Season

_SWING = 5.0
"""Half of the daily range of temperature, degrees; the usual one of western Europe's summers."""
_NONE = 65535
_CLOUD = 0.3
"""Blue reflectance above which a composite is cloud or snow."""


def france(path: Path, out: Path) -> Season:
    """Write the artifacts of WorldCereal's French series of 2023 and return their season."""
    raw = pd.read_parquet(path)
    times = pd.to_datetime(raw["timestamp"])
    season = Season(start=dt.date(2022, 9, 1), end=dt.date(2023, 11, 30),
                    as_of=dt.date(2023, 11, 30))  # fmt: skip
    bands = {"B02": "S2-L2A-B02", "B04": "S2-L2A-B04", "B08": "S2-L2A-B08"}
    seen = (raw[list(bands.values())] != _NONE).all(axis=1)
    values = {name: raw[column] / 1e4 for name, column in bands.items()}
    _observed(raw["sample_id"], times + pd.Timedelta(days=5), values, seen, out)
    codes = {row["code"]: row["crop"] for row in table_rows("codes_worldcereal.csv")}
    crops = raw.drop_duplicates("sample_id").set_index("sample_id")["ewoc_code"].astype(str)
    _named(crops.map(lambda code: _longest(code, codes)), out)
    mean = (raw["AGERA5-TMEAN"].where(raw["AGERA5-TMEAN"] != _NONE) / 100 - 273.15).to_numpy()
    daily = []
    for cell, part in pd.Series(mean, index=times).groupby(raw["sample_id"].to_numpy()):
        days = part.resample("D").ffill().reindex(pd.date_range(season.start, season.end)).ffill()
        daily.append(_weather(str(cell), days.index, days - _SWING, days + _SWING))
    pd.concat(daily).to_parquet(out / "weather.parquet")
    names = crops.index.astype(str)
    _cells(names, names, out)
    return season


def bavaria(fields: Path, weather: Path, out: Path) -> Season:
    """Write the artifacts of the Bavarian fields of 2018 and return their season.

    Args:
        fields: Folder with their half-monthly means and polygons.
        weather: Daily table of a station or grid cell near them (`tmin_c`, `tmax_c`).
        out: Folder to write to.
    """
    raw = pd.read_parquet(fields / "s2_field_means_halfmonth.parquet")
    season = Season(start=dt.date(2018, 3, 1), end=dt.date(2018, 7, 31),
                    as_of=dt.date(2018, 7, 31))  # fmt: skip
    names = "field" + raw["id"].astype(str)
    values = {name: raw[f"B{int(name[1:])}_mean"] / 1e4 for name in ("B02", "B04", "B08")}
    seen = values["B02"] < _CLOUD
    _observed(names, pd.to_datetime(raw["Date"]) - pd.Timedelta(days=7), values, seen, out)
    codes = {row["code"]: row["crop"] for row in table_rows("codes_bavaria_iacs.csv")}
    first = raw.assign(name=names).drop_duplicates("name").set_index("name")["NC"]
    told = first.astype(str).replace({"400": "411"})  # both kinds of maize were joined there
    _named(told.map(lambda code: codes.get(code) or None), out)
    table = pd.read_csv(weather, parse_dates=["date"])
    cell = table.iloc[:, 0].iloc[0]
    near = table[table.iloc[:, 0] == cell].set_index("date")
    days = pd.date_range(season.start, season.end)
    low, high = (near[name].reindex(days) for name in ("tmin_c", "tmax_c"))
    _weather("near", days, low, high).to_parquet(out / "weather.parquet")
    _cells(first.index, ["near"] * len(first), out)
    return season


def _longest(code: str, codes: dict[str, str]) -> str | None:
    fits = [
        key for key in codes if key == code or (key.endswith("*") and code.startswith(key[:-1]))
    ]
    return (codes[max(fits, key=len)] or None) if fits else None


def _observed(names: Any, times: Any, values: dict[str, Any], seen: Any, out: Path) -> None:
    table = pd.DataFrame({
        "parcel_id": names.to_numpy(), "datetime": times.dt.tz_localize("UTC").to_numpy(),
        "valid_fraction": np.float32(1), **{f"{n}_mean": v.to_numpy() for n, v in values.items()},
    })[seen.to_numpy()]  # fmt: skip
    table["datetime"] = pd.to_datetime(table["datetime"], utc=True)
    table.sort_values(["parcel_id", "datetime"]).to_parquet(out / "observations.parquet")


def _named(crops: pd.Series[Any], out: Path) -> None:
    table = pd.DataFrame({"parcel_id": crops.index, "crop": crops.to_numpy(dtype=object)})
    table.to_parquet(out / "crops.parquet")


def _weather(cell: str, days: Any, low: Any, high: Any) -> pd.DataFrame:
    return pd.DataFrame({
        "cell_id": cell, "date": days.date, "tmin_c": np.asarray(low), "tmax_c": np.asarray(high),
    })  # fmt: skip


def _cells(parcels: Any, cells: Any, out: Path) -> None:
    table = pd.DataFrame({"parcel_id": list(parcels), "cell_id": list(cells)})
    table.assign(distance_m=0.0).to_parquet(out / "weather_cells.parquet")
