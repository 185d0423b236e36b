"""Clouds, their shadows, haze and the imperfect scene classification of one date.

Owns everything between surface and sensor; knows no crop. Clouds come from thresholded smooth noise
on a padded sky, so that shadows of clouds outside the tile fall into it along the sun's direction.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from fieldline.pipeline.imagery.settings import S2_BANDS
from fieldline.workflows.simulate import optics
from fieldline.workflows.simulate.render import PIXEL_M
from fieldline.workflows.simulate.settings import SkySettings

Floats = npt.NDArray[np.float64]
Classes = npt.NDArray[np.uint8]

#: Scene classes of the Sentinel-2 level-2A product (ESA product specification).
SHADOW, VEGETATION, BARE, WATER, CLOUD_MEDIUM, CLOUD_HIGH, CIRRUS, SNOW = 3, 4, 5, 6, 8, 9, 10, 11
_COARSE = 4
_HEIGHT_M = (700.0, 2600.0)
_SHADOW_DEPTH = 0.62
_EDGE = 0.16
_NDVI_VEGETATION = 0.32
_SNOW_MONTHS = (12, 1, 2)
_SNOW_TOLD = 0.5
"""Share of a pixel under snow from which the scene classification calls it snow."""


@dataclass(frozen=True)
class Sky:
    """Atmosphere above one tile on one date; arrays of shape (size, size)."""

    opacity: Floats
    """Cloud opacity, 0 to 1."""
    shadow: Floats
    """Shadow depth, 0 to 1."""
    haze: float
    """Path reflectance in the blue band."""

    @property
    def share(self) -> float:
        """Share of the tile under cloud."""
        return float((self.opacity > 0.3).mean())


def cloud_share(cloudiness: float, wet: float, rng: np.random.Generator) -> float:
    """Draw a scene's cloud share: mostly clear or mostly closed, cloudier after rain."""
    mean = np.clip(cloudiness * (0.75 + 0.7 * wet), 0.01, 0.97)
    return float(rng.beta(0.55 * mean / (1 - mean) + 0.05, 0.55))


def draw_sky(size: int, share: float, sun: tuple[float, float], rng: np.random.Generator) -> Sky:
    """Draw clouds and the shadows they cast.

    Args:
        size: Edge of the tile, pixels.
        share: Wanted share under cloud.
        sun: Solar zenith and azimuth, degrees.
        rng: Generator of this date and tile.
    """
    zenith, azimuth = np.radians(sun[0]), np.radians(sun[1])
    reach = rng.uniform(*_HEIGHT_M) * np.tan(zenith) / PIXEL_M
    east, north = -np.sin(azimuth) * reach, -np.cos(azimuth) * reach
    pad = int(np.ceil(max(abs(east), abs(north)))) + _COARSE
    edge = -(-(size + 2 * pad) // _COARSE)
    noise = 0.75 * _noise(edge, 22, rng) + 0.45 * _noise(edge, 6, rng) + 0.2 * _noise(edge, 2, rng)
    level = np.quantile(noise, 1 - min(max(share, 0.0), 1.0))
    thick = np.clip((noise - level) / (_EDGE * 3) + _EDGE / 2, 0, 1) if share > 0.005 else noise * 0
    opacity = ndimage.zoom(thick, _COARSE, order=1)

    def window(rows: int, columns: int) -> Floats:
        down, right = pad + rows, pad + columns
        return np.asarray(opacity[down : down + size, right : right + size])

    # Rows run south: a shadow to the north lies at a smaller row than its cloud.
    cast = window(round(north), round(-east))
    return Sky(
        window(0, 0).copy(), np.clip(cast, 0, 1) * (1 - window(0, 0)), float(rng.gamma(1.6, 0.006))
    )


def _noise(edge: int, pixels: float, rng: np.random.Generator) -> Floats:
    field = ndimage.gaussian_filter(rng.normal(size=(edge, edge)), pixels, mode="wrap")
    return np.asarray(field / max(field.std(), 1e-9))


def snow_days(days: Sequence[dt.date], count: int, rng: np.random.Generator) -> frozenset[dt.date]:
    """Draw the acquisition days of a season on which snow lies, all of them in winter."""
    winter = [day for day in days if day.month in _SNOW_MONTHS]
    picked = rng.permutation(len(winter))[: min(count, len(winter))]
    return frozenset(winter[at] for at in picked)


def snow_cover(size: int, rng: np.random.Generator) -> Floats:
    """Return the share of each pixel under thawing snow, which lies in patches, (size, size)."""
    edge = -(-size // _COARSE)
    patches = ndimage.zoom(_noise(edge, 5, rng), _COARSE, order=1)[:size, :size]
    return np.asarray(np.clip(0.75 + 0.35 * patches, 0, 1))


def under_snow(surface: Floats, cover: Floats) -> Floats:
    """Return the reflectance, (bands, size, size), of a surface that lies partly under snow."""
    snow = optics.surface("snow")[:, None, None]
    return np.asarray(surface * (1 - cover) + snow * cover)


def observe_through(
    image: Floats, sky: Sky, settings: SkySettings, rng: np.random.Generator
) -> Floats:
    """Return what the sensor reports: shadow, haze, cloud and noise over the surface."""
    scatter = optics.haze_spectrum()[:, None, None]
    cloud = optics.surface("cloud")[:, None, None]
    # Shadows keep diffuse light, which is blue.
    seen = image * (1 - _SHADOW_DEPTH * sky.shadow * (1 - 0.35 * scatter))
    seen = seen + sky.haze * scatter * (1 - image)
    seen = seen * (1 - sky.opacity) + cloud * sky.opacity
    noise = rng.standard_normal(seen.shape, dtype=np.float32) * settings.noise
    return np.asarray(seen + noise)


def classify(
    surface: Floats, sky: Sky, settings: SkySettings, snow: Floats | None = None
) -> Classes:
    """Return the scene classification, wrong where clouds, shadows and snow are thin."""
    red, nir = surface[S2_BANDS.index("B04")], surface[S2_BANDS.index("B08")]
    classes = np.full(red.shape, BARE, dtype=np.uint8)
    classes[(nir - red) / np.maximum(nir + red, 1e-6) > _NDVI_VEGETATION] = VEGETATION
    classes[(nir < 0.07) & (red < 0.08)] = WATER
    classes[(classes == BARE) & (red >= settings.bright_soil_red)] = CLOUD_MEDIUM
    if snow is not None:
        classes[snow > _SNOW_TOLD] = SNOW
    missed = settings.thin_cloud_missed
    classes[sky.shadow > 2 * missed] = SHADOW
    classes[sky.opacity > missed] = CIRRUS
    classes[sky.opacity > missed + 0.2] = CLOUD_MEDIUM
    classes[sky.opacity > 0.7] = CLOUD_HIGH
    return classes
