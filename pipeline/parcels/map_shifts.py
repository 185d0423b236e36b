"""The shifted coordinates of Chinese map services, and the way back to WGS84.

Owns GCJ-02 ("Mars coordinates": AutoNavi, Tencent, Google in China) and BD-09 (Baidu), which is
GCJ-02 shifted once more. The shift is a smooth published function of the place, 300 to 700 m, with
no inverse in closed form: the way back is a fixed-point iteration. Detects nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from fieldline.pipeline.parcels.rings import Floats

MAP_SHIFTS = ("GCJ-02", "BD-09")
#: Krasovsky 1940, the ellipsoid of the published formula.
_A, _EE = 6378245.0, 0.00669342162296594323
_ORIGIN = np.array([105.0, 35.0])
#: Where services shift at all: west, south, east, north of the published rectangle, degrees.
CHINA = (72.004, 0.8293, 137.8347, 55.8271)
_BAIDU_PI = np.pi * 3000.0 / 180.0
_BAIDU_OFFSET = np.array([0.0065, 0.006])
#: The shift changes by under 0.1 % of the way, so each step gains three digits; six reach 1e-12.
_STEPS = 8


def to_gcj02(lonlat: Floats) -> Floats:
    """Return GCJ-02 of WGS84 positions (n, 2) in degrees; outside China nothing is shifted.

    Source: the formula as published in EMQ (2010) and in eviltransform (Google code archive).
    """
    x, y = (lonlat - _ORIGIN).T
    sines = 20 * np.sin(6 * x * np.pi) + 20 * np.sin(2 * x * np.pi)
    north = -100 + 2 * x + 3 * y + 0.2 * y * y + 0.1 * x * y + 0.2 * np.sqrt(np.abs(x))
    north += (sines + 20 * np.sin(y * np.pi) + 40 * np.sin(y / 3 * np.pi)) * 2 / 3
    north += (160 * np.sin(y / 12 * np.pi) + 320 * np.sin(y * np.pi / 30)) * 2 / 3
    east = 300 + x + 2 * y + 0.1 * x * x + 0.1 * x * y + 0.1 * np.sqrt(np.abs(x))
    east += (sines + 20 * np.sin(x * np.pi) + 40 * np.sin(x / 3 * np.pi)) * 2 / 3
    east += (150 * np.sin(x / 12 * np.pi) + 300 * np.sin(x / 30 * np.pi)) * 2 / 3
    phi = np.radians(lonlat[:, 1])
    magic = 1 - _EE * np.sin(phi) ** 2
    metres_north = _A * (1 - _EE) / (magic * np.sqrt(magic))
    metres_east = _A / np.sqrt(magic) * np.cos(phi)
    shift = np.degrees(np.column_stack([east / metres_east, north / metres_north]))
    return np.where(_in_china(lonlat), lonlat + shift, lonlat)


def to_bd09(lonlat: Floats) -> Floats:
    """Return BD-09 of WGS84 positions (n, 2) in degrees. Source: as `to_gcj02`."""
    x, y = to_gcj02(lonlat).T
    radius = np.hypot(x, y) + 2e-5 * np.sin(y * _BAIDU_PI)
    angle = np.arctan2(y, x) + 3e-6 * np.cos(x * _BAIDU_PI)
    shifted = np.column_stack([radius * np.cos(angle), radius * np.sin(angle)]) + _BAIDU_OFFSET
    return np.where(_in_china(lonlat), shifted, lonlat)


def _in_china(lonlat: Floats) -> npt.NDArray[np.bool_]:
    within = (lonlat >= CHINA[:2]) & (lonlat <= CHINA[2:])
    return np.asarray(within.all(axis=1, keepdims=True))


def from_shifted(lonlat: Floats, map_shift: str) -> Floats:
    """Return WGS84 of positions (n, 2) drawn on a shifted map, to 1e-9 degrees (0.1 mm).

    Args:
        lonlat: Positions in degrees.
        map_shift: One of `MAP_SHIFTS`.
    """
    forward: Callable[[Floats], Floats] = to_bd09 if map_shift == "BD-09" else to_gcj02
    found = lonlat
    for _ in range(_STEPS):
        found = found - (forward(found) - lonlat)
    return found
