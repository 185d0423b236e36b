"""Labelled series to evaluate on: point files and polygon tables, on one grid.

Owns the reading of both and what is refused about them (wrong bands, unscaled or absent values,
labels without a name). It fits nothing. The one idea: whatever the file, an evaluation sees a cube,
a class per series and a place per series, as the chain's own stage does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fieldline.crops.radar_series import longest_gaps
from fieldline.crops.recognise.clock import Clock, model_clock
from fieldline.crops.recognise.county_series import LAYOUT, county_frame
from fieldline.crops.recognise.features import Cube, rows_of
from fieldline.crops.recognise.forest import Labels
from fieldline.crops.recognise.label_tables import LabelledSeries, code_map, radar_bands, read_frame
from fieldline.crops.recognise.labels import OTHER, samples_of
from fieldline.crops.recognise.point_arrays import (
    bands_of,
    labels_of,
    need,
    places_of,
    read_arrays,
    reflectance,
    refuse_other_shape,
)
from fieldline.crops.recognise.radar import refuse_other_backscatter, samples_course, with_radar
from fieldline.crops.series import (
    ClearSeries,
    Floats,
    fill_gaps,
    near_infrared,
    normalised,
)
from fieldline.pipeline.imagery.settings import ClearSettings, RadarSettings
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.settings import Season

CDL = "codes_usda_cdl.csv"
_FEWEST_DATES = 3
_UNKNOWN = "crops that no table knows teach other land"
_LEFT_OUT = "crops left out, as the code table asks or as a sample bears several"
_YEAR = 365
#: Least median reflectance in the near infrared, and least NDVI that half of the series reach.
_LEAST_NIR, _LEAST_GREEN = 0.02, 0.1


@dataclass(frozen=True)
class Points:
    """Labelled series."""

    cube: Cube
    labels: Labels
    classes: tuple[str, ...]
    lonlat: Floats
    """(series, 2) degrees; NaN where unknown."""
    zone: NDArray[np.str_] | None
    """Zone of each series, where the file has one."""
    remarks: tuple[str, ...]
    """What was left out or taken together, in words."""
    grid: Mapping[str, Any]
    """Steps that the series stand on: of a season (`Clock.grid`), or `steps` alone."""
    area_m2: Floats
    """Area of each parcel; NaN where unknown."""

    def of(self, rows: NDArray[np.int64]) -> Cube:
        """Return the cube of some series."""
        return rows_of(self.cube, rows)


def read_points(path: Path, bands: Sequence[str] = (), label: str = "") -> Points:
    """Read a NumPy archive of points.

    Args:
        path: `X` (series, dates, bands): reflectance x 10000 as whole numbers with 0 missing, or
            reflectance as fractions with NaN or 0 missing; `y` or `cdl_code` (series,); optional
            `lonlat` (series, 2) or `lon` and `lat`, `zone` (series,) and `bands` (names).
        bands: Band of each last index; empty: as the file says, else the ten of Sentinel-2.
        label: Array of the labels; `y` where there is one, else `cdl_code`.

    Raises:
        UserError: No such archive, an array is absent or of another shape, or the values cannot be
            reflectance in these bands.
    """
    arrays = read_arrays(path, label)
    values = need(arrays, "X", path, "call the series X and their classes y")
    order = bands_of(arrays, bands, path)
    refuse_other_shape(values, order, path)
    name = label or ("y" if "y" in arrays else "cdl_code")
    written = need(arrays, name, path, "name the array of the labels by --label")
    count = len(values)
    for called in (name, "cdl_code", "zone"):
        if called in arrays and len(arrays[called]) != count:
            raise UserError(
                f"{path}: {called} has {len(arrays[called])} rows and X has {count}",
                "write one per series",
            )
    lonlat = places_of(arrays, count, path)
    cube, remarks = _cube(values, order, path)
    text = labels_of(written, name, path)
    cdl = labels_of(arrays["cdl_code"], "cdl_code", path) if "cdl_code" in arrays else None
    names, unknown = _names(text, cdl, name)
    zones = labels_of(arrays["zone"], "zone", path) if "zone" in arrays else None
    if zones is not None and (zones == "").any():
        remarks.append(f"{(zones == '').sum()} series have no zone: --holdout zone leaves them out")
    grid = {"steps": cube.values.shape[1]}
    return _kept(cube, names, lonlat, zones, [*remarks, *unknown], grid, np.full(count, np.nan))


def _cube(values: NDArray[Any], bands: tuple[str, ...], path: Path) -> tuple[Cube, list[str]]:
    """Return reflectance on the file's own dates, gaps filled, and what is to be said of it."""
    numbers, seen, said = reflectance(values, path)
    _refuse_other_numbers(numbers, seen, bands, path)
    return Cube(fill_gaps(numbers, seen), bands, seen.sum(axis=1), seen), said


def _refuse_other_numbers(
    numbers: Floats, seen: NDArray[np.bool_], bands: tuple[str, ...], path: Path
) -> None:
    """Refuse what cannot be reflectance, or not in these bands: land that is never green."""
    if "B04" not in bands:
        raise UserError(f"{path}: no band B04 among {', '.join(bands)}", "name the red band B04")
    red, nir = numbers[..., bands.index("B04")], numbers[..., bands.index(near_infrared(bands))]
    usual = float(np.median(nir[seen]))
    if not _LEAST_NIR < usual < 1.0:
        raise UserError(
            f"{path}: near infrared is {usual:.3g} in the median, which is no reflectance",
            "give reflectance x 10000 as whole numbers, or fractions",
        )
    greenest = np.where(seen, normalised(nir, red), -1.0).max(axis=1)[seen.any(axis=1)]
    if float(np.median(greenest)) < _LEAST_GREEN:
        raise UserError(
            f"{path}: half of the series never show more near infrared than red, in the band "
            f"order {','.join(bands)}",
            "name the bands in the file's own order by --bands",
        )


def _names(
    text: NDArray[np.str_], cdl: NDArray[np.str_] | None, label: str
) -> tuple[NDArray[np.str_], list[str]]:
    """Return a class name per series: crops where CDL codes tell, else the label as written."""
    known = code_map(CDL)
    if label == "cdl_code":
        cdl = text
    if cdl is None:
        return text, []
    named: dict[str, str] = {}
    unknown: dict[str, int] = {}
    named[""] = ""
    for value in np.unique(text[text != ""]).tolist():
        codes, counts = np.unique(cdl[text == value], return_counts=True)
        crops = {known[code] for code in codes if known.get(code)}
        if label == "cdl_code" and value not in known:
            unknown[value] = int(counts.sum())
        named[value] = crops.pop() if len(crops) == 1 and len(codes) == 1 else OTHER
    if len(set(named.values())) < len(named) and label != "cdl_code":
        twice = [value for value in named if list(named.values()).count(named[value]) > 1]
        named |= {value: f"{named[value]}_{value}" for value in twice if value in named}
    remarks = [f"CDL codes that {CDL} lacks are taken for {OTHER}: {unknown}"] if unknown else []
    return np.asarray([named[value] for value in text], dtype=np.str_), remarks


def _kept(
    cube: Cube, names: NDArray[np.str_], lonlat: Floats, zone: NDArray[np.str_] | None,
    remarks: Sequence[str], grid: Mapping[str, Any], area_m2: Floats,
) -> Points:  # fmt: skip
    """Leave out series with too few dates or without a label."""
    dated, labelled = cube.clear_dates >= _FEWEST_DATES, names != ""
    said = list(remarks)
    if not dated.all():
        said.append(f"{(~dated).sum()} series with fewer than {_FEWEST_DATES} dates are left out")
    if not labelled.all():
        said.append(
            f"{(~labelled).sum()} series without a label (blank, NaN, below zero) are left out"
        )
    good = np.flatnonzero(dated & labelled)
    if not good.size:
        raise UserError(
            f"no series has a label and {_FEWEST_DATES} dates ({'; '.join(said)})",
            "give series of a season",
        )
    said += _told_twice(rows_of(cube, good), names[good])
    classes, labels = np.unique(names[good], return_inverse=True)
    if len(classes) < 2:
        raise UserError("all labels are of one class", "give series of two classes at least")
    return Points(
        rows_of(cube, good), labels.astype(np.int64), tuple(str(name) for name in classes),
        lonlat[good], None if zone is None else zone[good], tuple(said), grid,
        area_m2[good],
    )  # fmt: skip


def same_series(cube: Cube) -> NDArray[np.int64]:
    """Return a number for each series; equal where they are equal to the last digit."""
    keys: dict[bytes, int] = {}
    said = [keys.setdefault(values.tobytes(), len(keys)) for values in cube.values]
    return np.asarray(said, dtype=np.int64)


def _told_twice(cube: Cube, names: NDArray[np.str_]) -> list[str]:
    """Return what is to be said of series that are equal to the last digit."""
    alike = same_series(cube)
    many = np.bincount(alike)[alike] > 1
    pairs = np.unique(np.stack([alike, np.unique(names, return_inverse=True)[1]]), axis=1)
    contradicted = int((np.bincount(pairs[0])[alike] > 1).sum())
    said = []
    if contradicted:
        said.append(
            f"{contradicted} series stand there again, to the last digit, under another class: at "
            "most one of their labels is right"
        )
    if many.sum() > contradicted:
        said.append(
            f"{many.sum() - contradicted} series stand there again, to the last digit: none is "
            "tested on a model that learnt its like"
        )
    return said


def read_polygons(
    source: LabelledSeries, step_days: int, grid: Mapping[str, Any] | None = None, starts: str = "",
    *, radar: bool = False, orbit: str = "",
) -> Points:  # fmt: skip
    """Read a table of labelled series; of tables longer than a year the middle year counts.

    Args:
        source: Table, layout and companions.
        step_days: Step of the grid, days.
        grid: Grid of a model that is to answer: the dates are moved by whole years into its season.
        starts: First day of the season as MM-DD, where the series are to teach a model of such
            seasons; without it the season begins at the table's first date.
        radar: Whether its backscatter is used too.
        orbit: The direction that it was seen from, where the series are to teach a model of
            counties: it reads that direction there.

    Raises:
        UserError: As the readers of tables, or `starts` is no day.
    """
    frame, bands = (county_frame if source.layout == LAYOUT else read_frame)(source)
    if radar or orbit:
        _need_radar(frame, source)
    days = pd.to_datetime(frame["date"]).dt.tz_localize(None)
    first, last = days.min().floor("D"), days.max()
    remarks = []
    inside = days.notna()
    begins = str((grid or {}).get("starts", starts))
    if begins:
        first = _day(begins, first.year)
        last = first + pd.Timedelta(days=_YEAR - 1)
    elif (last - first).days > _YEAR:
        first = (first + (last - first) / 2 - pd.Timedelta(days=_YEAR // 2)).floor("D")
        last = first + pd.Timedelta(days=_YEAR)
        remarks.append(f"dates outside {first.date()} to {last.date()} are left out")
        inside = (days >= first) & (days <= last)
    last = max(last, first + pd.Timedelta(days=1))  # one date alone is no season, nor a defect
    season = Season(start=first.date(), end=last.date(), as_of=last.date())
    samples = samples_of(frame[inside], bands, source, season)
    seen = samples.series.day // step_days
    steps = (int(seen.min()), int(seen.max())) if begins and len(seen) else (0, 0)
    clock = Clock(season, step_days, *steps, tuple(bands), ClearSettings())
    if not begins:
        clock = replace(clock, last_step=clock.steps - 1)
    if grid is not None:
        clock = model_clock(grid, clock.bands, season, clock.clear)
    names = np.asarray(samples.crops, dtype=np.str_)
    for told, counts in ((_UNKNOWN, samples.unknown), (_LEFT_OUT, samples.left_out)):
        if counts:
            remarks.append(f"{told}: {counts}")
    cube = clock.cube(samples.series)
    if (radar or orbit) and samples.radar is not None:
        if orbit and len(seen):
            clock = replace(clock, radar=samples_course(samples.radar, clock.radar_steps, orbit))
            remarks.append(_gap_told(samples.series))
        cube, without = with_radar(cube, samples.radar, clock.radar_steps, clock.radar)
        if without:
            remarks.append(f"{without} series without radar stand at the mean of the others")
    _refuse_unscaled(cube, source.table)
    return _kept(cube, names, samples.lonlat, None, remarks, clock.grid(), samples.area_m2)


def _refuse_unscaled(cube: Cube, path: Path) -> None:
    """Refuse a table whose columns are no fractions of the light."""
    for at, band in enumerate(cube.bands):
        values = cube.values[..., at][cube.seen] if band.startswith("B") else np.zeros(0)
        usual = float(np.nanmedian(values)) if values.size else 0.0
        if usual > 1.0:
            raise UserError(
                f"{path}: {band} is {usual:.3g} in the median, which is no reflectance",
                "write reflectance as a fraction (divide reflectance x 10000 by 10000)",
            )


def _need_radar(frame: pd.DataFrame, source: LabelledSeries) -> None:
    if not radar_bands(frame):
        raise UserError(
            f"{source.table} has no radar backscatter", "add columns VV and VH in decibels"
        )
    refuse_other_backscatter(frame, source.table)


def _gap_told(series: ClearSeries) -> str:
    """Return how long the series have no clear date, which is what radar is there for."""
    first, last = int(series.day.min()), int(series.day.max())
    from_first = replace(series, day=series.day - first)
    gap = float(np.median(longest_gaps(from_first, last - first)))
    return (
        f"half of the series have no clear date for {gap:g} days (a county's own model takes radar "
        f"from {RadarSettings().gap_days} on)"
    )


def _day(starts: str, year: int) -> pd.Timestamp:
    try:
        return pd.to_datetime(f"{year}-{starts}", format="%Y-%m-%d")
    except ValueError as error:
        raise UserError(
            f"{starts!r} is no first day of a season", "write month and day, such as 10-01"
        ) from error
