"""The observe stage: parcel x date x band statistics of a county's season.

Owns the run over dates, the table and the parcels' outcomes; pixels come from `mosaic`, sums from
`coverage`. Each date is worked on by one thread from first block to last and written to disk, so
results do not depend on the number of threads and memory does not grow with the number of dates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from shapely import STRtree
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.imagery.coverage import (
    BlockWeights,
    CoverageWeights,
    block_sums,
    build_weights,
    moments,
)
from fieldline.pipeline.imagery.grid import Bounds, Grid, grid_over, iter_windows
from fieldline.pipeline.imagery.lineage import Lineage
from fieldline.pipeline.imagery.masks import mask_classes
from fieldline.pipeline.imagery.mosaic import DayReader, Look, SceneReadError, item_box
from fieldline.pipeline.imagery.placements import Placements
from fieldline.pipeline.imagery.scene_days import SceneDay, read_scene_days
from fieldline.pipeline.imagery.schemas import OBSERVATIONS, band_columns
from fieldline.pipeline.imagery.settings import GridSettings, ObserveSettings, SceneSettings
from fieldline.pipeline.imagery.spool import ABSENT, LOST, Spool
from fieldline.pipeline.parcels.blocks import WHOLE, Block, iter_outlines, parcel_ids, parcels_of
from fieldline.pipeline.records.joining import join_outcomes, join_parts
from fieldline.pipeline.records.outcomes import OK, Outcome, detail, write_outcomes
from fieldline.pipeline.records.tables import BatchWriter

STAGE = "observe"
_ONE_PIXEL = 1.0
_FOOTPRINTS = (
    8  # kept with the parcels that each touches; several tiles over two satellites' orbits
)
Touched = Callable[[BaseGeometry], NDArray[np.intp]]
"""Numbers of the outlines that a footprint touches."""
_SNOWY = 0.5  # share of a parcel under snow from which a date is told as one of snow


@dataclass(frozen=True)
class _Plan:
    """What every date of a run needs; shared by the threads, never changed."""

    parcels: gpd.GeoDataFrame
    """Ascending by parcel_id, EPSG:4326."""
    touched: Touched
    grid: Grid
    weights: CoverageWeights
    blocks: list[BlockWeights]
    scenes: SceneSettings
    placements: Placements


@dataclass(frozen=True)
class _Group:
    """A combination of a day's items that touches the same parcels."""

    scene_id: str = ""
    baseline: str | None = None
    offset: float = 0.0


@dataclass(frozen=True)
class _Date:
    """What a finished date leaves in memory: a few words, however many parcels."""

    day: SceneDay
    groups: tuple[_Group, ...]
    failures: tuple[SceneReadError, ...]


@dataclass(frozen=True)
class _Counts:
    """Dates of one parcel."""

    dates: int
    clear: int
    lost: int
    snow: int


class _Tally:
    """Dates per parcel, counted while they pass."""

    def __init__(self, parcels: int) -> None:
        self.dates, self.clear, self.lost, self.snow = np.zeros((4, parcels), np.int32)

    def counts(self) -> Iterator[_Counts]:
        """Yield the dates of every parcel."""
        columns = (self.dates, self.clear, self.lost, self.snow)
        return map(_Counts, *(column.tolist() for column in columns))


def run_observe(
    *,
    scenes: Path,
    parcels: Path,
    grid: GridSettings,
    scene_settings: SceneSettings,
    settings: ObserveSettings,
    out: Path,
    outcomes: Path,
    threads: int = 1,
    block: Block = WHOLE,
    parts: Sequence[Path] = (),
    part_outcomes: Sequence[Path] = (),
) -> None:
    """Observe every parcel on every scene day.

    Args:
        scenes: `scenes.parquet`.
        parcels: `parcels.parquet`.
        grid: The county's grid.
        scene_settings: Bands and mask.
        settings: Block size, row group size and clear-date rules.
        out: `observations.parquet`; a row where a readable scene's footprint touches the parcel.
        outcomes: One row per parcel, and one per scene that could not be read.
        threads: Dates worked on at once; the result does not depend on it.
        block: Which parcels.
        parts: Observations of every block where the county has been worked in blocks; they are
            joined, and no pixel is read.
        part_outcomes: Their outcomes.

    Raises:
        UserError: An input is absent or the grid's CRS is not metric.
    """
    lineage = Lineage.of(scene_settings, grid)
    schema = OBSERVATIONS.with_columns(band_columns(scene_settings.bands))
    schema = schema.with_notes(lineage.notes())
    if parts:
        step = _parcels_a_group(len(read_scene_days(scenes)), settings.batch_rows)
        join_parts(parts, schema, parcel_ids(parcels), step, out)
        join_outcomes(part_outcomes, outcomes)
        return
    outlines = parcels_of(parcels, block)
    rows: list[Outcome] = []
    with BatchWriter(schema, out) as writer, Spool(out, len(scene_settings.bands)) as spool:
        if not outlines.empty:
            days = read_scene_days(scenes)
            county = grid_over(partial(iter_outlines, parcels), grid)
            plan = _plan(outlines, county, days, scene_settings, settings)
            dates = _observe_dates(plan, days, spool, threads)
            tally = _transpose(plan, dates, spool, settings, writer)
            rows = [*_parcel_outcomes(plan, tally, settings), *_scene_outcomes(dates)]
    write_outcomes(rows, outcomes)


def _plan(
    outlines: gpd.GeoDataFrame,
    county: Grid,
    days: Sequence[SceneDay],
    scenes: SceneSettings,
    settings: ObserveSettings,
) -> _Plan:
    weights = build_weights(outlines.to_crs(county.crs), county)
    windows = iter_windows(county, settings.block_pixels, origin=tile_corner(days, county))
    touched = touching(outlines)
    blocks = weights.blocks(windows)
    return _Plan(outlines, touched, county, weights, blocks, scenes, Placements())


def tile_corner(days: Sequence[SceneDay], grid: Grid) -> tuple[int, int]:
    """Return (row, column) of a source file's corner on the grid, so that blocks follow tiles.

    Only speed depends on it: a wrong corner reads some tiles twice. A corner that is no neighbour
    of its item's footprint is one of another CRS than the grid's.
    """
    for day in days:
        for item in day.items:
            if item.origin is not None and _beside(item.origin, item_box(item, grid)):
                column, row = ~grid.transform @ item.origin
                return round(row), round(column)
    return 0, 0


def _beside(corner: tuple[float, float], footprint: Bounds) -> bool:
    """Whether a point lies within a footprint's own width of its upper left corner."""
    west, south, east, north = footprint
    return abs(corner[0] - west) <= east - west and abs(corner[1] - north) <= north - south


def _observe_dates(
    plan: _Plan, days: Sequence[SceneDay], spool: Spool, threads: int
) -> list[_Date]:
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return list(pool.map(partial(_observe_date, plan, spool), range(len(days)), days))


def _observe_date(plan: _Plan, spool: Spool, index: int, day: SceneDay) -> _Date:
    """Observe one day; an item that fails leaves the day whole, with all its pixels."""
    failures: list[SceneReadError] = []
    readable = day
    while True:
        try:
            sums, snow = _sum_date(plan, readable)
            break
        except SceneReadError as failure:
            failures.append(failure)
            readable = readable.without(failure.item_id)
    group, members = item_groups(readable, plan.touched, len(plan.parcels))
    if failures:
        intended, _ = item_groups(day, plan.touched, len(plan.parcels))
        group[(group == ABSENT) & (intended != ABSENT)] = LOST
    spool.write(index, _records(plan, sums, snow, group, spool.dtype))
    groups = tuple(_group(readable, items, plan.scenes.bands[0]) for items in members)
    return _Date(day, groups, tuple(failures))


def _sum_date(plan: _Plan, day: SceneDay) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the sums of a day's clear pixels and the pixels under snow, by parcel."""
    sums = np.zeros((len(plan.parcels), 1 + 2 * len(plan.scenes.bands)))
    snow = np.zeros(len(plan.parcels))
    bands, mask = plan.scenes.bands, plan.scenes.mask
    with DayReader(day, plan.grid, bands, mask, plan.placements) as reader:
        for block in plan.blocks:
            if reader.touches(block.window):
                _add_block(block, reader.look(block.window, block.cells), sums, snow)
    return sums, snow


def _add_block(
    block: BlockWeights, look: Look, sums: NDArray[np.float64], snow: NDArray[np.float64]
) -> None:
    sums[block.rows] += block_sums(block, look.values)
    if look.snow.any():
        snow[block.rows] += block.matrix @ look.snow.astype(np.float64)


def _records(
    plan: _Plan, sums: NDArray[np.float64], snow: NDArray[np.float64], group: NDArray[np.int32],
    dtype: np.dtype[Any],
) -> NDArray[Any]:  # fmt: skip
    records = np.zeros(len(group), dtype)
    records["group"] = group
    # A sum in two orders may exceed the whole by one rounding; the share cannot.
    whole = np.maximum(plan.weights.pixels, np.finfo(np.float32).tiny)
    records["valid"] = np.minimum(sums[:, 0] / whole, 1.0)
    records["pixels"] = sums[:, 0]
    known = np.nan if not mask_classes(plan.scenes.mask).snow else 0.0
    records["snow"] = np.minimum(snow / whole, 1.0) + known
    records["mean"], records["std"] = moments(sums)
    return records


def touching(outlines: gpd.GeoDataFrame) -> Touched:
    """Return what finds the outlines, by number, that a footprint touches.

    The whole images of a tile share their footprint, and few footprints serve a season.
    """
    tree = STRtree(outlines.geometry.to_numpy())
    return lru_cache(_FOOTPRINTS)(partial(tree.query, predicate="intersects"))


def item_groups(
    day: SceneDay, touched_by: Touched, parcels: int
) -> tuple[NDArray[np.int32], list[tuple[int, ...]]]:
    """Number the combinations of a day's items that parcels are touched by.

    Returns:
        Combination of each parcel (0: touched by none) and the items of each combination.
    """
    group = np.full(parcels, ABSENT, dtype=np.int32)
    members: list[tuple[int, ...]] = [()]
    for index, item in enumerate(day.items):
        touched = touched_by(item.footprint)
        before, place = np.unique(group[touched], return_inverse=True)
        group[touched] = len(members) + place
        members += [(*members[number], index) for number in before]
    return group, members


def _group(day: SceneDay, items: tuple[int, ...], band: str) -> _Group:
    if not items:
        return _Group()
    chosen = [day.items[index] for index in items]
    baselines = dict.fromkeys(item.baseline for item in chosen if item.baseline)
    leading = chosen[0].find(band)
    offset = leading.radiometry.offset if leading is not None else None
    return _Group(
        "+".join(item.id for item in chosen), "+".join(baselines) or None, float(offset or 0.0)
    )


def _transpose(
    plan: _Plan,
    dates: Sequence[_Date],
    spool: Spool,
    settings: ObserveSettings,
    writer: BatchWriter,
) -> _Tally:
    """Write whole parcels, row group by row group, and count their dates."""
    count = len(plan.parcels)
    tally = _Tally(count)
    for first, last in _parcel_ranges(count, len(dates), settings.batch_rows):
        records = np.stack([spool.read(d, first, last) for d in range(len(dates))], axis=1)
        present = records["group"] > ABSENT
        clear = present & (records["valid"] >= settings.clear.min_valid_fraction)
        tally.dates[first:last] = present.sum(axis=1)
        tally.clear[first:last] = clear.sum(axis=1)
        tally.snow[first:last] = (present & (records["snow"] >= _SNOWY)).sum(axis=1)
        tally.lost[first:last] = (records["group"] == LOST).sum(axis=1)
        if present.any():
            writer.write(_frame(plan, dates, records, present, first))
    return tally


def _parcel_ranges(parcels: int, dates: int, batch_rows: int) -> Iterator[tuple[int, int]]:
    if dates:
        step = _parcels_a_group(dates, batch_rows)
        for first in range(0, parcels, step):
            yield first, min(parcels, first + step)


def _parcels_a_group(dates: int, batch_rows: int) -> int:
    return max(1, batch_rows // max(1, dates))


def _frame(
    plan: _Plan,
    dates: Sequence[_Date],
    records: NDArray[Any],
    present: NDArray[np.bool_],
    first: int,
) -> pd.DataFrame:
    parcel, date = np.nonzero(present)
    rows = records[present]
    moments_of_dates = pd.DatetimeIndex([d.day.datetime for d in dates]).as_unit("us")
    starts = np.cumsum([0, *(len(d.groups) for d in dates)])
    groups = pd.DataFrame([vars(g) for d in dates for g in d.groups])
    named = groups.iloc[starts[date] + rows["group"]].reset_index(drop=True)
    columns: dict[str, Any] = {
        "parcel_id": plan.parcels["parcel_id"].to_numpy()[first + parcel],
        "datetime": moments_of_dates[date],
        **{name: named[name] for name in ("scene_id", "baseline", "offset")},
        "valid_fraction": rows["valid"],
        "effective_pixels": rows["pixels"],
        "snow_fraction": rows["snow"],
    }
    for index, band in enumerate(plan.scenes.bands):
        columns[f"{band}_mean"] = rows["mean"][:, index]
        columns[f"{band}_std"] = rows["std"][:, index]
    return pd.DataFrame(columns)


def _parcel_outcomes(plan: _Plan, tally: _Tally, settings: ObserveSettings) -> list[Outcome]:
    # Most parcels share their counts: each combination is judged and put into words once. Of a
    # parcel of a pixel or more the size does not matter.
    told = cache(partial(_verdict, settings=settings))
    sizes = np.minimum(plan.weights.pixels, _ONE_PIXEL).tolist()
    names = [plan.parcels[column].astype(str).tolist() for column in ("parcel_id", "farmer_id")]
    return [
        Outcome(STAGE, parcel, farmer, *told(counts, pixels))
        for parcel, farmer, counts, pixels in zip(*names, tally.counts(), sizes, strict=True)
    ]


def _verdict(counts: _Counts, pixels: float, settings: ObserveSettings) -> tuple[str, str]:
    """Return the outcome code of one parcel and the numbers behind it."""
    if not counts.dates:
        if counts.lost:
            return "no_readable_scene", detail(lost_dates=counts.lost)
        return "outside_coverage", detail(dates=0)
    rare = {"lost_dates": counts.lost, "snow_dates": counts.snow}
    numbers = {"dates": counts.dates, "clear": counts.clear}
    numbers |= {name: count for name, count in rare.items() if count}
    if counts.clear < settings.clear.min_dates:
        return "too_cloudy", detail(**numbers, minimum=settings.clear.min_dates)
    if pixels < _ONE_PIXEL:
        return "small_parcel", detail(pixels=pixels, **numbers)
    return OK, detail(**numbers)


def _scene_outcomes(dates: Sequence[_Date]) -> list[Outcome]:
    """Return one row for each scene that failed: absent from the table, never from the count."""
    return [
        Outcome(
            STAGE,
            failure.item_id,
            "",
            "scene_unreadable",
            detail(date=date.day.date, asset=failure.asset, reason=failure.reason),
        )
        for date in dates
        for failure in date.failures
    ]
