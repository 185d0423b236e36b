"""Scenes as pictures: map tiles by date and a parcel's image chips.

Owns the stretch from reflectance to colours, which is one for all dates so that they can be
compared, and what a cloud leaves visible: pictures show what the satellite saw, masked or not. The
pixels are those of the run, with the radiometry of each item; which dates there are `scenes` says.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import geopandas as gpd
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from rasterio.errors import RasterioError
from rasterio.windows import Window
from rio_tiler.errors import RioTilerError
from rio_tiler.io import Reader
from shapely.geometry.base import BaseGeometry

from fieldline.crops.series import near_infrared
from fieldline.desk.app.places import NotHereError, Place
from fieldline.pipeline.imagery.archive import SceneItem
from fieldline.pipeline.imagery.grid import Grid, county_grid
from fieldline.pipeline.imagery.lineage import read_lineage
from fieldline.pipeline.imagery.mosaic import read_readable
from fieldline.pipeline.imagery.scene_days import SceneDay, read_scene_days
from fieldline.pipeline.imagery.settings import MaskSettings
from fieldline.pipeline.records.errors import UserError

Colours = Literal["true", "false"]
"""True colour (red, green, blue), or false colour (near infrared, red, green)."""
Pixels = NDArray[np.float32]

_WHITE: dict[Colours, tuple[float, float, float]] = {
    "true": (0.25, 0.25, 0.25),
    "false": (0.5, 0.25, 0.25),
}
"""Reflectance that is drawn in full: that of bright dry soil, and of a dense crop in infrared."""
_GAMMA = 0.8
_SIDE = 256
_CHIP_PIXELS = 24
"""Least edge of a chip: 240 m at 10 m, so that a small parcel is seen among its neighbours."""
_CHIP_EDGE = 144
"""Least edge of the drawn chip, so that its outline is a fine line."""
_ALL = MaskSettings(kind="none")
_MOST_ZOOM = 22


@dataclass(frozen=True)
class Scenes:
    """The scenes of one county and season, ready to be drawn."""

    days: tuple[SceneDay, ...]
    grid: Grid
    bands: tuple[str, ...]

    @classmethod
    def of(cls, place: Place, outlines: gpd.GeoDataFrame) -> Scenes:
        """Read which scenes there are.

        Raises:
            UserError: No scenes have been chosen yet, or by another version.
        """
        lineage = read_lineage(place.path("scenes"))
        days = tuple(read_scene_days(place.path("scenes")))
        return cls(days, county_grid(outlines, lineage.grid), lineage.bands)

    def day(self, date: str) -> SceneDay:
        """Return one day.

        Raises:
            NotHereError: There is no scene of that day.
        """
        found = next((day for day in self.days if day.date.isoformat() == date), None)
        if found is None:
            raise NotHereError(f"there is no scene of {date!r}", "choose a date from the list")
        return found

    def drawn(self, colours: Colours) -> tuple[str, str, str]:
        """Return the bands of a picture: those for red, green and blue.

        Raises:
            UserError: The scenes lack one.
        """
        wanted = ("B04", "B03", "B02")
        if colours == "false":
            wanted = (near_infrared(self.bands), "B04", "B03")
        lost = [band for band in wanted if band not in self.bands]
        if lost:
            raise UserError(
                f"these scenes hold no band {lost[0]}", "choose the other colours, or none"
            )
        return wanted


def scene_tile(
    scenes: Scenes, date: str, zoom: int, column: int, row: int, colours: Colours
) -> bytes:
    """Return one map tile of a day as PNG, clear where the day has no pixel.

    Args:
        scenes: Of the county.
        date: ISO date.
        zoom: Web Mercator zoom, 0..22.
        column: Tile column.
        row: Tile row.
        colours: Which bands are drawn.

    Raises:
        NotHereError: No such date or tile.
    """
    if not (0 <= zoom <= _MOST_ZOOM and 0 <= column < 2**zoom and 0 <= row < 2**zoom):
        raise NotHereError(f"there is no tile {zoom}/{column}/{row}", "use the map")
    bands = scenes.drawn(colours)
    picture = np.full((3, _SIDE, _SIDE), np.nan, np.float32)
    for item in scenes.day(date).items:
        empty = ~np.isfinite(picture).all(axis=0)
        if not empty.any():
            break
        part = _of_item(item, bands, column, row, zoom)
        if part is not None:
            np.copyto(picture, part, where=empty)
    return _png(_rgba(picture, colours))


def _of_item(
    item: SceneItem, bands: Sequence[str], column: int, row: int, zoom: int
) -> Pixels | None:
    """Read three bands of one item; None where it does not touch the tile or cannot be read."""
    found = np.full((3, _SIDE, _SIDE), np.nan, np.float32)
    for number, band in enumerate(bands):
        asset = item.find(band)
        if asset is None:
            return None
        try:
            with Reader(asset.href) as file:
                if not file.tile_exists(column, row, zoom):
                    return None
                read = file.tile(column, row, zoom, tilesize=_SIDE, indexes=1)
        except (RioTilerError, RasterioError, OSError):
            return None
        numbers, there = read.array.data[0], ~np.ma.getmaskarray(read.array)[0]
        there &= asset.radiometry.present(numbers)
        found[number] = np.where(there, asset.radiometry.reflectance(numbers), np.nan)
    return found


def chip(scenes: Scenes, outline: BaseGeometry, date: str, colours: Colours) -> bytes:
    """Return the picture of a parcel and its surroundings on one day as PNG.

    Args:
        scenes: Of the county.
        outline: The parcel's ring, EPSG:4326.
        date: ISO date.
        colours: Which bands are drawn.

    Raises:
        NotHereError: There is no scene of that day.
    """
    grid = scenes.grid
    ring = gpd.GeoSeries([outline], crs=4326).to_crs(grid.crs).iloc[0]
    window = _around(ring, grid)
    pixels = read_readable(scenes.day(date), grid, window, scenes.drawn(colours), _ALL)
    scale = max(1, math.ceil(_CHIP_EDGE / pixels.shape[1]))
    rgba = _rgba(pixels, colours)
    picture = Image.fromarray(np.repeat(np.repeat(rgba, scale, axis=0), scale, axis=1), "RGBA")
    pen = ImageDraw.Draw(picture)
    for polygon in getattr(ring, "geoms", [ring]):
        corners = [(~grid.transform) @ point[:2] for point in polygon.exterior.coords]
        line = [((x - window.col_off) * scale, (y - window.row_off) * scale) for x, y in corners]
        pen.line(line, fill=(255, 255, 255, 255), width=2)
    return _as_png(picture)


def _around(ring: BaseGeometry, grid: Grid) -> Window:
    """Return a square window around a ring, inside the grid where that is large enough."""
    west, south, east, north = ring.bounds
    size = grid.resolution
    side = max(_CHIP_PIXELS, math.ceil(1.3 * max(east - west, north - south) / size))
    side = min(side, grid.width, grid.height)
    column, row = (~grid.transform) @ ((west + east) / 2, (south + north) / 2)
    left = min(max(0, round(column - side / 2)), grid.width - side)
    top = min(max(0, round(row - side / 2)), grid.height - side)
    return Window(left, top, side, side)


def _rgba(picture: Pixels, colours: Colours) -> NDArray[np.uint8]:
    white = np.asarray(_WHITE[colours], np.float32)[:, None, None]
    there = np.isfinite(picture).all(axis=0)
    scaled = np.clip(np.nan_to_num(picture) / white, 0, 1) ** _GAMMA
    alpha = np.where(there, 255, 0)[None]
    return np.concatenate([scaled * 255, alpha]).astype(np.uint8).transpose(1, 2, 0)


def _png(rgba: NDArray[np.uint8]) -> bytes:
    return _as_png(Image.fromarray(rgba, "RGBA"))


def _as_png(picture: Image.Image) -> bytes:
    written = io.BytesIO()
    picture.save(written, "PNG", compress_level=3)
    return written.getvalue()
