"""Tables of labelled series as others publish them, as one frame of samples, dates and bands.

Owns the layouts and the tables of foreign crop codes; what a label means and which dates count is
`labels.py`'s. A layout is one function from a file to the columns sample_id, crop, date and a
column of reflectance per band.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from fieldline.crops.inputs import LABELLED
from fieldline.crops.radar_series import POLARISATIONS
from fieldline.crops.recognise.places import centroids
from fieldline.crops.recognise.point_arrays import band_named
from fieldline.crops.series import Floats
from fieldline.pipeline.inputs.read import Reading, read_input
from fieldline.pipeline.inputs.schema import counted
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.reference import table_rows

_LOG = logging.getLogger(__name__)
#: Columns of the half-monthly Bavarian table by Sentinel-2 band name.
_HALFMONTH = {f"B{n}_mean": f"B{n:02d}" for n in (2, 3, 4, 5, 6, 7, 8, 11, 12)} | {
    "B8A_mean": "B8A"
}
_DN_SCALE = 1e-4
#: The table's dates (15th and last of the month) close the half month that they average.
_HALF_OF_HALF_MONTH = pd.Timedelta(days=7)
#: Cylindrical equal-area projection of the whole earth (EASE-Grid 2.0), metres.
_EQUAL_AREA = "EPSG:6933"
_WC_BAND, _WC_RADAR, _WC_MISSING = "S2-L2A-", "S1-SIGMA0-", 65535
#: Digital number 1 of the WorldCereal radar columns in decibels: 20 log10(number) is added.
_WC_RADAR_DB = -83.0
LAYOUTS = ("long", "bavaria_halfmonth", "worldcereal")


@dataclass(frozen=True)
class LabelledSeries:
    """Labelled series of other parcels (`CountyInputs.labelled_series` and its companions)."""

    table: Path
    """The series."""
    layout: str = "long"
    """One of `LAYOUTS`."""
    fields: Path | None = None
    """Polygons that belong to it; only their count is checked."""
    codes: str | None = None
    """Table of `data/` with columns code, crop that maps foreign codes."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """The table's own column names by Fieldline's (`long` alone)."""
    survey: Path | None = None
    """Survey that names the crops of a county's own observations."""


class CodeMap(Mapping[str, str]):
    """Foreign crop codes by Fieldline's; a code `110101*` of the table stands for all that begin so
    and the longest one that fits counts. An empty crop leaves a code out.
    """

    def __init__(self, rows: Mapping[str, str]) -> None:
        """Hold the rows of a table, crop by code."""
        self._exact = {code: crop for code, crop in rows.items() if not code.endswith("*")}
        starts = {code[:-1]: crop for code, crop in rows.items() if code.endswith("*")}
        self._starts = dict(sorted(starts.items(), key=lambda row: -len(row[0])))

    def __getitem__(self, code: str) -> str:
        """Return the crop of a code; KeyError where no row fits."""
        if code in self._exact:
            return self._exact[code]
        for start, crop in self._starts.items():
            if code.startswith(start):
                return crop
        raise KeyError(code)

    def __iter__(self) -> Iterator[str]:
        """Yield the codes as the table writes them."""
        yield from self._exact
        yield from (f"{start}*" for start in self._starts)

    def __len__(self) -> int:
        """Count the rows."""
        return len(self._exact) + len(self._starts)


def code_map(table: str) -> CodeMap:
    """Read a table of `data/` that maps foreign crop codes to crop codes.

    Raises:
        UserError: The table does not exist or lacks its columns.
    """
    rows = table_rows(table)
    if rows and not {"code", "crop"} <= set(rows[0]):
        raise UserError(f"{table} lacks the columns code, crop", "correct inputs.label_codes")
    return CodeMap({row["code"]: row["crop"] for row in rows})


def read_frame(source: LabelledSeries) -> tuple[pd.DataFrame, list[str]]:
    """Read a table of labelled series.

    Returns:
        Columns sample_id, crop (as written), date, the bands as reflectance, and lon and lat and
        radar backscatter (VV, VH, decibels) where the table has them; and the names of the bands.

    Raises:
        UserError: Unknown layout, or the table cannot be read.
    """
    if source.layout == "bavaria_halfmonth":
        return _read_halfmonth(source.table)
    if source.layout == "worldcereal":
        return _read_worldcereal(source.table)
    if source.layout == "long":
        return _read_long(source)
    raise UserError(
        f"labelled series layout {source.layout!r} is unknown", f"use one of {', '.join(LAYOUTS)}"
    )


def radar_bands(frame: pd.DataFrame) -> list[str]:
    """Return the polarisations that a table of samples holds, in the order of `POLARISATIONS`."""
    return [name for name in POLARISATIONS if name in frame.columns]


def outline_places(fields: Path, samples: Sequence[str]) -> tuple[Floats, Floats]:
    """Return centre and area (m2) of each sample's polygon, matched by `sample_id` or `id`."""
    import geopandas as gpd

    if not fields.is_file():
        raise UserError(f"{fields} does not exist", "correct inputs.labelled_fields")
    parquet = fields.suffix.lower() in (".parquet", ".geoparquet")
    outlines = gpd.read_parquet(fields) if parquet else gpd.read_file(fields)
    if outlines.crs is None:
        raise UserError(f"{fields} states no CRS", "export it with one, as GeoPackage")
    outlines = outlines.to_crs(4326)
    name = next((c for c in ("sample_id", "id") if c in outlines.columns), None)
    if name is None:
        raise UserError(f"{fields} has no column sample_id or id", "add the series' sample_id")
    ids = outlines[name]
    text = _ids(ids)
    middle = centroids(outlines.geometry.to_numpy())
    area = outlines.to_crs(_EQUAL_AREA).area.to_numpy(np.float64)
    place = dict(zip(text, np.column_stack([middle, area]), strict=True))
    nowhere = np.full(3, np.nan)
    found = np.stack([place.get(sample, nowhere) for sample in samples])
    return found[:, :2], found[:, 2]


def _read_halfmonth(path: Path) -> tuple[pd.DataFrame, list[str]]:
    raw = _read_parquet(path)
    missing = [name for name in ("id", "NC", "Date", *_HALFMONTH) if name not in raw.columns]
    if missing:
        raise UserError(
            f"{path} lacks the columns {', '.join(missing)} of the layout bavaria_halfmonth",
            "correct inputs.labelled_series_format",
        )
    raw = raw[_labelled(raw["NC"], path)]
    frame = pd.DataFrame(
        {
            "sample_id": _ids(raw["id"]),
            "crop": _codes(raw["NC"]),
            "date": pd.to_datetime(raw["Date"]) - _HALF_OF_HALF_MONTH,
        }
    )
    for column, band in _HALFMONTH.items():
        frame[band] = raw[column].to_numpy(np.float64) * _DN_SCALE
    return frame, list(_HALFMONTH.values())


def _ids(ids: pd.Series[Any]) -> pd.Series[Any]:
    """Return ids as text; whole numbers with six digits at least."""
    whole = pd.api.types.is_integer_dtype(ids)
    return ids.map("{:06d}".format) if whole else ids.astype(str)


def _codes(codes: pd.Series[Any]) -> pd.Series[Any]:
    """Return crop codes as text: 601 and 601.0 are one code."""
    return codes.map(lambda code: str(code).strip().removesuffix(".0"))


def _labelled(codes: pd.Series[Any], path: Path) -> pd.Series[Any]:
    """Return which rows bear a code; the others are told."""
    there = codes.notna()
    if not there.all():
        _LOG.warning("%s: %d rows without a crop code are left out", path, (~there).sum())
    return there


def _read_parquet(path: Path) -> pd.DataFrame:
    if not path.is_file():
        raise UserError(f"labelled series {path} does not exist", "correct inputs.labelled_series")
    try:
        return pd.read_parquet(path)
    except pa.ArrowInvalid as error:
        raise UserError(f"{path} is not a Parquet file", "export it again") from error


def _read_worldcereal(path: Path) -> tuple[pd.DataFrame, list[str]]:
    """Read extractions of the WorldCereal reference data: Sentinel-2 columns, 65535 is missing."""
    raw = _read_parquet(path)
    missing = [n for n in ("sample_id", "ewoc_code", "timestamp", "lon", "lat") if n not in raw]
    names = [str(name) for name in raw.columns]
    columns = {name: name.removeprefix(_WC_BAND) for name in names if name.startswith(_WC_BAND)}
    if missing or not columns:
        wanted = ", ".join(missing or [f"{_WC_BAND}B04"])
        raise UserError(
            f"{path} lacks the columns {wanted} of the layout worldcereal",
            "correct inputs.labelled_series_format",
        )
    raw = raw[_labelled(raw["ewoc_code"], path)]
    frame = raw[["sample_id", "timestamp", "lon", "lat"]].rename(columns={"timestamp": "date"})
    frame["crop"] = _codes(raw["ewoc_code"])
    bands = []
    for column, band in columns.items():
        values = raw[column].to_numpy(np.float64)
        values[values == _WC_MISSING] = np.nan
        if np.isfinite(values).any():
            frame[band] = values * _DN_SCALE
            bands.append(band)
    for name in POLARISATIONS:
        if _WC_RADAR + name in names:
            number = raw[_WC_RADAR + name].to_numpy(np.float64)
            number[(number == _WC_MISSING) | (number <= 0)] = np.nan
            frame[name] = 20.0 * np.log10(number) + _WC_RADAR_DB
    return frame, bands


def _read_long(source: LabelledSeries) -> tuple[pd.DataFrame, list[str]]:
    reading = Reading(columns=source.columns, place="inputs")
    table = read_input(source.table, LABELLED, reading)
    fixed = {column.name for column in LABELLED.columns}
    frame = _by_band(table.good, [n for n in table.frame.columns if n not in fixed], source.table)
    bands = [str(name) for name in frame.columns if name not in {*fixed, *POLARISATIONS}]
    if not bands:
        raise UserError(
            f"{source.table} has no column of numbers by date beside {', '.join(sorted(fixed))}",
            "add one column per band, such as B04",
        )
    if table.problems:
        _LOG.warning("%s: rows left out: %s", source.table, counted(table.problems))
    return frame, bands


def _by_band(frame: pd.DataFrame, columns: Sequence[str], path: Path) -> pd.DataFrame:
    """Return rows with what was measured on their dates, bands by their Sentinel-2 names.

    A number that stays the same within every sample (a crop's code, an area) or that numbers the
    rows was measured on no date; learnt from as a band, it would tell the label.

    Raises:
        UserError: Two columns are the same band.
    """
    named = {name: _measurement(name) for name in columns}
    told = list(filter(None, named.values()))
    twice = next((band for band in told if told.count(band) > 1), None)
    if twice is not None:
        both = " and ".join(name for name, band in named.items() if band == twice)
        raise UserError(f"{path}: the columns {both} are both {twice}", "leave one of them out")
    no_band = [name for name, band in named.items() if band is None]
    undated = [name for name in no_band if _of_no_date(frame[name], frame["sample_id"])]
    if undated:
        _LOG.warning(
            "%s: columns that say one number of each sample, or number the rows, are no bands and "
            "are not read: %s", path, ", ".join(undated),
        )  # fmt: skip
    return frame.drop(columns=undated).rename(columns={n: b for n, b in named.items() if b})


def _measurement(column: str) -> str | None:
    """Return the band or polarisation that a column is called by; None where by none."""
    name = column.strip()
    mean = name.lower().removesuffix("_mean")
    return next((p for p in POLARISATIONS if p.lower() == mean), None) or band_named(mean)


def _of_no_date(values: pd.Series[Any], samples: pd.Series[Any]) -> bool:
    """Whether a column never changes within a sample, or counts the rows of the table."""
    of_sample = values.dropna().groupby(samples)
    if (of_sample.size() > 1).any() and (of_sample.min() == of_sample.max()).all():
        return True
    steps = np.diff(values.to_numpy(np.float64))
    return len(steps) > 1 and bool((steps == steps[0]).all() and steps[0] != 0)
