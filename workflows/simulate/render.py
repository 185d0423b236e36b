"""From polygons to pixels: exact coverage fractions, texture, blur and coarse bands.

Owns the mixing of reflectance on the tile's 10 m grid. Each pixel is the area-weighted mean of what
lies in it (one sparse product per date), so that a parcel smaller than a pixel is a mixed pixel.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import numpy.typing as npt
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from pyproj import CRS
from scipy import ndimage, sparse

from fieldline.pipeline.imagery.settings import S2_BANDS
from fieldline.workflows.simulate.land import FIELD, Land
from fieldline.workflows.simulate.optics import COARSE

Floats = npt.NDArray[np.float64]

PIXEL_M = 10.0
_TEXTURE_SD = 0.3
_TEXTURE_PIXELS = 2.5
_PATCH_PIXELS = 4.0
_SPECKLE = 0.04
#: Blur of the instrument, pixels: an MTF of about 0.3 at the Nyquist frequency, as Sentinel-2's.
_BLUR = 0.5


@dataclass(frozen=True)
class Canvas:
    """The tile's grid and its coverage weights."""

    size: int
    """Edge of the tile, pixels."""
    weights: sparse.csr_matrix
    """Coverage fraction of each polygon in each pixel, shape (pixels, polygons)."""
    verge: Floats
    """What the polygons leave of each pixel, shape (pixels,)."""
    texture: Floats
    """Lasting relative leaf-area texture in units of the appearance's change, shape (pixels,)."""
    speckle: Floats
    """Lasting brightness factor of ground that is not a field, shape (pixels,)."""
    fields: npt.NDArray[np.int64]
    """Positions of the field polygons."""
    ahead: Floats | None = None
    """How far each pixel is ahead of its field, -1 to 1 of the most, shape (pixels,); None where
    all of a field goes at one pace."""


def coverage(land: Land, size: int) -> sparse.csr_matrix:
    """Return exact coverage fractions of the polygons on the tile's grid, (pixels, polygons)."""
    side = size * PIXEL_M
    # The tile's own plane: any metric CRS will do, as long as both sides name the same.
    plane = CRS.from_epsg(3857)
    blank = np.zeros((size, size), np.uint8)
    raster = NumPyRasterSource(blank, 0, 0, side, side, srs_wkt=plane.to_wkt())
    frame = gpd.GeoDataFrame(geometry=list(land.polygons), crs=plane)
    found = exact_extract(raster, frame, ["cell_id", "coverage"], output="pandas")
    columns = np.repeat(np.arange(len(frame)), [len(ids) for ids in found["cell_id"]])
    rows = np.concatenate(found["cell_id"].to_numpy()).astype(np.int64)
    values = np.concatenate(found["coverage"].to_numpy())
    return sparse.csr_matrix((values, (rows, columns)), shape=(size * size, len(frame)))


def smooth_noise(size: int, pixels: float, rng: np.random.Generator) -> Floats:
    """Return smooth noise of unit variance and the given correlation length, shape (size, size)."""
    field = ndimage.gaussian_filter(rng.normal(size=(size, size)), pixels, mode="wrap")
    return np.asarray((field - field.mean()) / field.std())


def prepare(land: Land, size: int, rng: np.random.Generator, texture: float = 1.0) -> Canvas:
    """Build the coverage weights and the lasting texture, times a factor, of a tile."""
    weights = coverage(land, size)
    verge = np.clip(1 - np.asarray(weights.sum(axis=1)).ravel(), 0, 1)
    lasting = texture * _TEXTURE_SD * smooth_noise(size, _TEXTURE_PIXELS, rng).ravel()
    speckle = 1 + _SPECKLE * smooth_noise(size, 0.7, rng).ravel()
    return Canvas(size, weights, verge, lasting, speckle, np.flatnonzero(land.kind == FIELD))


def patches(size: int, rng: np.random.Generator) -> Floats:
    """Return how far each pixel is ahead of its field, -1 to 1, shape (pixels,)."""
    return np.clip(smooth_noise(size, _PATCH_PIXELS, rng).ravel(), -1.0, 1.0)


def surface_image(
    canvas: Canvas, reflectance: Floats, change: Floats, verge: Floats,
    pace: tuple[Floats, Floats] | None = None,
) -> Floats:  # fmt: skip
    """Mix the polygons' reflectance into surface reflectance, shape (bands, size, size).

    Args:
        canvas: The tile.
        reflectance: Reflectance of every polygon, (polygons, bands).
        change: Reflectance change of the fields by 20 % more leaf area, (fields, bands).
        verge: Reflectance of the verge, (bands,).
        pace: What the fields looked like as long before as the hindmost patches are behind, and
            will look like when they are where the foremost patches are, (fields, bands) each.
    """
    fields = canvas.weights[:, canvas.fields]
    ground = fields @ reflectance[canvas.fields] + canvas.texture[:, None] * (fields @ change)
    if pace is not None and canvas.ahead is not None:
        for side, looks in zip((-canvas.ahead, canvas.ahead), pace, strict=True):
            share = np.maximum(side, 0.0)[:, None]
            ground = ground + share * (fields @ (looks - reflectance[canvas.fields]))
    others = np.ones(reflectance.shape[0], dtype=bool)
    others[canvas.fields] = False
    rest = canvas.weights[:, others] @ reflectance[others] + canvas.verge[:, None] * verge
    mixed = ground + rest * canvas.speckle[:, None]
    image = np.ascontiguousarray(mixed.T).reshape(len(verge), canvas.size, canvas.size)
    return np.asarray(ndimage.gaussian_filter(image, (0, _BLUR, _BLUR), mode="nearest"))


def coarsen(image: Floats) -> Floats:
    """Average the 20 m bands over 2 x 2 pixels and repeat them on the 10 m grid, in place."""
    for position, band in enumerate(S2_BANDS):
        if band in COARSE:
            height, width = image[position].shape
            blocks = image[position].reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
            image[position] = blocks.repeat(2, axis=0).repeat(2, axis=1)
    return image
