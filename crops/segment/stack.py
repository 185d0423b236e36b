"""A window of a season as the network takes it: dates x bands, scaled, with what was not seen.

Owns which dates of an archive are taken, the reading of them (each file is opened once, however
many blocks are asked for) and the scaling. The one idea: every band of every date is scaled by its
own 2nd and 98th percentile, so that haze, sensor, unit and season leave the borders where they are.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import rasterio
import shapely
from numpy.typing import NDArray
from rasterio.errors import RasterioIOError
from rasterio.windows import Window

from fieldline.pipeline.imagery.addresses import DocumentError
from fieldline.pipeline.imagery.archive import SceneItem, parse_item
from fieldline.pipeline.imagery.fields import FieldError
from fieldline.pipeline.imagery.grid import Grid, grid_around, iter_windows, utm_crs
from fieldline.pipeline.imagery.mosaic import DayReader, SceneReadError
from fieldline.pipeline.imagery.placements import Placements
from fieldline.pipeline.imagery.resample import project_bounds
from fieldline.pipeline.imagery.scene_days import SceneDay, group_by_solar_day
from fieldline.pipeline.imagery.scene_table import with_defaults
from fieldline.pipeline.imagery.settings import GridSettings, MaskSettings, SceneSettings
from fieldline.pipeline.imagery.sources.archive import archive_collections, archive_items
from fieldline.pipeline.records.errors import UserError

Block = NDArray[np.float32]
"""(dates, bands, rows, columns); NaN where a date was not clear."""

_PERCENTILES = (2.0, 98.0)
_SAMPLE_EDGE = 256
"""Edge of the windows from which the percentiles of a date are taken, pixels ..."""
_SAMPLES = 9
"""... and how many of them at most."""
_CLIP = 3.0
_INTEGER_SCALE = 1e-4
"""What publishers of integer reflectances scale by, where an item does not say."""
_BRIGHTEST = 2.0
"""Reflectance that no land exceeds: a median above it is digital numbers."""
_DARKEST = 0.01
"""Reflectance that a tenth of an area exceeds in some band, be it water: percent and fractions read
as integers stay below."""
_RED, _REDDER, _MOST_RED = 0.15, 1.5, 0.5
"""No land is this bright in red, half as bright again there as in near infrared, and never darker
there (snow, cloud and soil are not, water is dark): where half of the land is, the two bands stand
in each other's place."""
_RED_BAND, _NIR = "B04", "B08"


class NothingClearError(UserError):
    """No date shows a clear pixel of an area."""


def days_of_catalog(catalog: Path, bands: Sequence[str]) -> list[SceneDay]:
    """Return all days of the first collection of an archive whose items have the bands.

    Args:
        catalog: `catalog.json` of a static STAC archive, or any other archive that a county takes.
        bands: Sentinel-2 names of bands.

    Raises:
        UserError: The archive cannot be read or no item has the bands.
    """
    for collection in archive_collections(catalog):
        items = []
        for source in archive_items(catalog, collection).sources:
            try:
                item = parse_item(source.read(), source.folder)
            except (DocumentError, FieldError):
                continue
            if all(item.find(band) is not None for band in bands):
                items.append(with_defaults(item, _coded(item, bands)))
        if items:
            return group_by_solar_day(items)
    raise UserError(
        f"no scene of {catalog} has the bands {', '.join(bands)}",
        "name the bands of the scenes, or take a model that was trained on theirs",
    )


def _coded(item: SceneItem, bands: Sequence[str]) -> SceneSettings:
    """Return how numbers of unstated scale are taken: fractions as they are, integers by 1e-4."""
    assets = [asset for band in bands if (asset := item.find(band)) is not None]
    unstated = next((asset for asset in assets if asset.radiometry.scale is None), None)
    whole = unstated is None or not _holds_fractions(unstated.href)
    return SceneSettings(
        bands=tuple(bands), default_scale=_INTEGER_SCALE if whole else 1.0, default_offset=0.0
    )


def _holds_fractions(href: str) -> bool:
    try:
        with rasterio.open(href) as file:
            return bool(np.issubdtype(file.dtypes[0], np.floating))
    except RasterioIOError:
        return False  # told where its pixels are read


def mask_of(days: Sequence[SceneDay], mask: MaskSettings) -> MaskSettings:
    """Return the mask where all items have it, else none: syntheses come without clouds."""
    masked = all(item.find(mask.asset) is not None for day in days for item in day.items)
    return mask if masked else MaskSettings(kind="none")


def grid_of(days: Sequence[SceneDay], crs: str | None = None) -> Grid:
    """Return the 10 m grid over all footprints, in UTM of their middle unless `crs` is given."""
    footprint = shapely.union_all([item.footprint for day in days for item in day.items])
    west, south, east, north = footprint.bounds
    crs = crs or utm_crs((west + east) / 2, (south + north) / 2)
    bounds = project_bounds((west, south, east, north), crs)
    return grid_around(bounds, crs, GridSettings(margin_m=0.0))


def spread_days(days: Sequence[SceneDay], most: int) -> list[SceneDay]:
    """Return at most so many days, the least cloudy of each of as many equal parts of the time."""
    if len(days) <= most:
        return list(days)
    first, last = days[0].date.toordinal(), days[-1].date.toordinal()
    parts: dict[int, list[SceneDay]] = {}
    for day in days:
        part = min(most - 1, (day.date.toordinal() - first) * most // max(1, last - first))
        parts.setdefault(part, []).append(day)
    return [min(part, key=_cloud) for _, part in sorted(parts.items())]


def _cloud(day: SceneDay) -> tuple[float, str]:
    known = [item.cloud_cover for item in day.items if item.cloud_cover is not None]
    return (sum(known) / len(known) if known else 0.0), day.scene_id


@dataclass(frozen=True)
class Scaling:
    """What makes the bands of the dates alike."""

    low: Block
    """(dates, bands, 1, 1) reflectance that becomes 0."""
    span: Block
    """(dates, bands, 1, 1) reflectance that becomes 1 above it."""

    def apply(self, block: Block) -> Block:
        """Return a block scaled to about 0..1, NaN kept."""
        scaled = np.clip((block - self.low) / self.span, 1 - _CLIP, _CLIP)
        return np.asarray(scaled, np.float32)


class Scenes:
    """The dates of a grid, open for reading block by block.

    Args:
        days: Days in order of time.
        grid: The grid.
        bands: Bands in the order that the network takes.
        mask: How clear pixels are told.

    A date that cannot be read is left out of every block and named in `lost`.
    """

    def __init__(
        self, days: Sequence[SceneDay], grid: Grid, bands: Sequence[str], mask: MaskSettings
    ) -> None:
        self.grid, self.bands, self._mask = grid, tuple(bands), mask
        self.days = list(days)
        self.lost: dict[str, str] = {}
        self._placements = Placements()
        self._stack = ExitStack()
        self._readers: list[DayReader | None] = []

    def __enter__(self) -> Self:
        for day in self.days:
            reader = DayReader(day, self.grid, self.bands, self._mask, self._placements)
            self._readers.append(self._stack.enter_context(reader))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def read(self, window: Window) -> Block:
        """Read a window of all dates; beyond the grid and where not clear stands NaN."""
        shape = (len(self.days), len(self.bands), int(window.height), int(window.width))
        block = np.full(shape, np.nan, dtype=np.float32)
        inside = _inside(window, self.grid)
        if inside is None:
            return block
        part, rows, columns = inside
        self._placements.clear()  # a window comes once, for all dates
        for at, reader in enumerate(self._readers):
            if reader is None or not reader.touches(part):
                continue
            try:
                block[at, :, rows, columns] = reader.read(part)
            except SceneReadError as failure:
                self.lost[self.days[at].scene_id] = str(failure)
                self._readers[at] = None
        return block

    def scaling(self) -> Scaling:
        """Return percentiles of each date and band, from a few windows evenly over the grid.

        Raises:
            NothingClearError: No date has a clear pixel.
            UserError: The numbers are no reflectances.
        """
        windows = list(iter_windows(self.grid, _SAMPLE_EDGE))
        chosen = np.unique(np.linspace(0, len(windows) - 1, _SAMPLES).round().astype(int))
        parts = [self.read(windows[at]) for at in chosen]
        flat = np.concatenate([p.reshape(*p.shape[:2], -1) for p in parts], axis=2)
        if not np.isfinite(flat).any():
            raise NothingClearError(
                "no scene shows a clear pixel of the area", "give scenes of other dates"
            )
        low, high, middle = _percentiles(flat)
        if np.nanmax(middle) > _BRIGHTEST:
            raise UserError(
                f"the scenes hold numbers such as {np.nanmax(middle):.0f}, which are no "
                "reflectances",
                "state raster:bands scale and offset in the items",
            )
        _refuse_darkness(flat)
        _refuse_exchanged(flat, self.bands)
        span = np.where(high > low, high - low, 1.0)
        return Scaling(*(np.nan_to_num(v)[:, :, None, None].astype("f4") for v in (low, span)))


def _refuse_darkness(flat: Block) -> None:
    """Refuse scenes darker than water: bare ground would pass for water, and grass for wood."""
    shown = (band[np.isfinite(band)] for date in flat for band in date)
    bright = max(float(np.percentile(seen, 90)) for seen in shown if seen.size)
    if bright < _DARKEST:
        raise UserError(
            f"nine tenths of every band stay below {bright:.2g} on every date, which is darker "
            "than water",
            "state raster:bands scale and offset in the items",
        )


def _refuse_exchanged(flat: Block, bands: Sequence[str]) -> None:
    """Refuse scenes whose red and near infrared stand in each other's place."""
    if not {_RED_BAND, _NIR} <= set(bands):
        return
    red, nir = flat[:, bands.index(_RED_BAND)], flat[:, bands.index(_NIR)]
    reddened = ((red > _RED) & (red > _REDDER * nir)).any(axis=0) & ~(nir > red).any(axis=0)
    share = reddened.sum() / max(1, np.isfinite(red).any(axis=0).sum())
    if share > _MOST_RED:
        raise UserError(
            f"{share:.0%} of the land is far brighter in {_RED_BAND} than in {_NIR}, as no land is",
            "give the items' assets the names of the bands that their files hold",
        )


def _percentiles(flat: Block) -> tuple[NDArray[np.float64], ...]:
    """Return low, high and middle per date and band; NaN where a date has no clear pixel."""
    found = np.full((3, *flat.shape[:2]), np.nan)
    for at in np.ndindex(*flat.shape[:2]):
        seen = flat[at][np.isfinite(flat[at])]
        if seen.size:
            found[:, *at] = np.percentile(seen, [*_PERCENTILES, 50.0])
    return found[0], found[1], found[2]


def _inside(window: Window, grid: Grid) -> tuple[Window, slice, slice] | None:
    top, left = max(0, int(window.row_off)), max(0, int(window.col_off))
    bottom = min(grid.height, int(window.row_off + window.height))
    right = min(grid.width, int(window.col_off + window.width))
    if bottom <= top or right <= left:
        return None
    rows = slice(top - int(window.row_off), bottom - int(window.row_off))
    columns = slice(left - int(window.col_off), right - int(window.col_off))
    return Window(left, top, right - left, bottom - top), rows, columns


def items_hash(days: Sequence[SceneDay]) -> str:
    """Return a hash of which scenes were taken: ids and file addresses' last parts."""
    digest = hashlib.sha256()
    for day in days:
        for item in day.items:
            digest.update(f"{item.id} {_files(item)}\n".encode())
    return digest.hexdigest()


def _files(item: SceneItem) -> str:
    return " ".join(sorted(asset.href.rsplit("/", 1)[-1] for asset in item.assets.values()))
