"""Reflectance of canopies, soils and covers in the Sentinel-2 bands.

Owns spectra: PROSAIL (through `xleaf`) sampled once per crop into a table over leaf area, pigment,
soil wetness and sun height, then interpolated for any number of fields; plus fixed spectra of built
and wet surfaces. Knows no geometry.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
import xleaf
from scipy.interpolate import RegularGridInterpolator

from fieldline.pipeline.imagery.settings import S2_BANDS
from fieldline.workflows.simulate.cultivars import Cultivar

Floats = npt.NDArray[np.float64]

#: Centre and full width at half maximum of the Sentinel-2A bands, nm.
#: Source: ESA Sentinel-2 MSI user guide, spectral resolution of S2A.
BAND_NM: dict[str, tuple[float, float]] = {
    "B02": (492.4, 66.0), "B03": (559.8, 36.0), "B04": (664.6, 31.0), "B05": (704.1, 15.0),
    "B06": (740.5, 15.0), "B07": (782.8, 20.0), "B08": (832.8, 106.0), "B8A": (864.7, 21.0),
    "B11": (1613.7, 91.0), "B12": (2202.4, 175.0),
}  # fmt: skip
COARSE = frozenset({"B05", "B06", "B07", "B8A", "B11", "B12"})
"""Bands of 20 m ground sampling."""

LAI = np.array([0.0, 0.25, 0.6, 1.0, 1.6, 2.4, 3.4, 4.8, 7.0])
PIGMENT = np.array([0.15, 0.5, 1.0, 1.35])
DRYNESS = np.array([0.0, 0.35, 0.8])
ZENITH = np.array([18.0, 38.0, 60.0])

#: Reflectance of surfaces that no canopy model covers, in the order of `S2_BANDS`; rounded from
#: the order of magnitude of open spectral libraries (ECOSTRESS) for these materials.
SURFACE: dict[str, tuple[float, ...]] = {
    "water": (0.045, 0.055, 0.040, 0.035, 0.025, 0.024, 0.022, 0.020, 0.010, 0.007),
    "asphalt": (0.085, 0.095, 0.105, 0.110, 0.120, 0.125, 0.130, 0.135, 0.155, 0.150),
    "roof": (0.130, 0.150, 0.185, 0.200, 0.215, 0.225, 0.235, 0.240, 0.270, 0.250),
    "film": (0.270, 0.285, 0.295, 0.300, 0.315, 0.325, 0.330, 0.335, 0.290, 0.215),
    "yellow": (0.060, 0.270, 0.380, 0.400, 0.440, 0.460, 0.480, 0.490, 0.330, 0.200),
    "white": (0.360, 0.420, 0.450, 0.460, 0.480, 0.490, 0.500, 0.500, 0.360, 0.240),
    "red": (0.045, 0.065, 0.140, 0.190, 0.240, 0.260, 0.290, 0.300, 0.240, 0.150),
    "tassel": (0.070, 0.110, 0.150, 0.200, 0.260, 0.290, 0.320, 0.330, 0.270, 0.170),
    "cloud": (0.62, 0.60, 0.59, 0.60, 0.61, 0.62, 0.63, 0.63, 0.45, 0.36),
    "snow": (0.80, 0.80, 0.78, 0.77, 0.76, 0.75, 0.72, 0.70, 0.12, 0.10),
}
_SCATTER_EXPONENT = 1.3


def surface(name: str) -> Floats:
    """Return the band reflectance of a named surface, shape (bands,)."""
    return np.array(SURFACE[name])


@cache
def band_weights() -> Floats:
    """Return Gaussian spectral responses over 400..2500 nm, shape (bands, 2101), rows sum to 1."""
    wavelengths = np.arange(400, 2501)
    rows = []
    for band in S2_BANDS:
        centre, width = BAND_NM[band]
        response = np.exp(-4 * np.log(2) * ((wavelengths - centre) / width) ** 2)
        rows.append(response / response.sum())
    return np.array(rows)


def haze_spectrum() -> Floats:
    """Return the relative path reflectance of haze by band: bluer bands brighten more."""
    centres = np.array([BAND_NM[b][0] for b in S2_BANDS])
    return np.asarray((centres / centres[0]) ** -_SCATTER_EXPONENT)


@dataclass(frozen=True)
class Leaf:
    """What PROSPECT and the canopy geometry need to know of a plant."""

    angle: float
    chl: float
    car: float
    ewt: float
    lma: float
    structure_n: float
    hot_spot: float

    @classmethod
    def of(cls, cultivar: Cultivar) -> Leaf:
        """Return the leaf of a cultivar."""
        return cls(
            cultivar.leaf_angle, cultivar.chl, cultivar.car, cultivar.ewt, cultivar.lma,
            cultivar.structure_n, cultivar.hot_spot,
        )  # fmt: skip


TREE = Leaf(45, 46, 11, 0.012, 0.0085, 1.7, 0.15)
GRASS = Leaf(60, 36, 9, 0.012, 0.0050, 1.5, 0.08)
DEAD = Leaf(50, 3, 5, 0.002, 0.0110, 2.0, 0.08)


def canopy(leaf: Leaf, lai: float, pigment: float, dryness: float, zenith: float) -> Floats:
    """Return one canopy's band reflectance, shape (bands,).

    Source: PROSAIL (Feret et al. 2017, doi:10.1016/j.rse.2017.03.004; Verhoef et al. 2007).
    """
    spectrum = xleaf.simulate_canopy(
        chl=leaf.chl * pigment, car=leaf.car * (0.4 + 0.6 * pigment), antho=0.5,
        ewt=leaf.ewt * (0.5 + 0.5 * min(pigment, 1.0)), lma=leaf.lma, N=leaf.structure_n, lai=lai,
        lidf=leaf.angle, soil_dryness=dryness, solar_zenith=zenith, hot_spot=leaf.hot_spot,
    )  # fmt: skip
    return np.asarray(band_weights() @ spectrum)


@cache
def _table(leaf: Leaf) -> RegularGridInterpolator:
    values = np.array(
        [
            [[[canopy(leaf, a, p, d, z) for z in ZENITH] for d in DRYNESS] for p in PIGMENT]
            for a in LAI
        ]
    )
    return RegularGridInterpolator((LAI, PIGMENT, DRYNESS, ZENITH), values)


def canopies(leaf: Leaf, lai: Floats, pigment: Floats, dryness: Floats, zenith: float) -> Floats:
    """Interpolate band reflectance for many canopies of one leaf type, shape (n, bands).

    Args:
        leaf: Leaf type.
        lai: Green leaf area index, m2/m2, shape (n,).
        pigment: Chlorophyll relative to the leaf type's own, shape (n,).
        dryness: Soil dryness, 0 wet to 1 dry, shape (n,).
        zenith: Solar zenith angle, degrees.
    """
    points = np.column_stack(
        [
            np.clip(lai, LAI[0], LAI[-1]),
            np.clip(pigment, PIGMENT[0], PIGMENT[-1]),
            np.clip(dryness, DRYNESS[0], DRYNESS[-1]),
            np.full(len(lai), np.clip(zenith, ZENITH[0], ZENITH[-1])),
        ]
    )
    return np.asarray(_table(leaf)(points))


def sun_position(day_of_year: int, latitude: float, hour: float = 10.8) -> tuple[float, float]:
    """Return solar zenith and azimuth at a local solar hour, degrees (azimuth from north).

    Source: declination of FAO-56 equation 24; spherical astronomy.
    """
    declination = 0.409 * np.sin(2 * np.pi * day_of_year / 365 - 1.39)
    phi, angle = np.radians(latitude), np.radians(15 * (hour - 12))
    height = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(angle)
    zenith = np.arccos(np.clip(height, -1, 1))
    east = -np.cos(declination) * np.sin(angle)
    north = np.sin(declination) * np.cos(phi) - np.cos(declination) * np.sin(phi) * np.cos(angle)
    return float(np.degrees(zenith)), float(np.degrees(np.arctan2(east, north)) % 360)
