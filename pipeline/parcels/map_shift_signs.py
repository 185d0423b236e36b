"""Signs that outlines were drawn on a shifted Chinese map, as far as a county boundary can tell.

Owns the count that speaks for a shift; moves nothing. What is honest: outlines of a county lie
inside its boundary. Where several lie outside as drawn, inside once the shift is taken back, and
none leaves by that, the map was shifted. Outlines far from the boundary tell nothing, and there is
no other sign: the shift is smooth, so shapes, areas and neighbours look the same.
"""

from __future__ import annotations

from dataclasses import dataclass

import shapely
from shapely.geometry.base import BaseGeometry

from fieldline.pipeline.parcels.map_shifts import CHINA, MAP_SHIFTS, from_shifted
from fieldline.pipeline.parcels.rings import Geometries

#: One or two strays over the border are drawn wrong; as many as this agree on a shift.
_LEAST = 3
#: Outlines that a true shift may still carry out of a boundary that is itself drawn roughly.
_LOST_SHARE = 0.1


@dataclass(frozen=True)
class ShiftSign:
    """What speaks for a shift."""

    map_shift: str
    """`GCJ-02` or `BD-09`."""
    gained: int
    """Outlines outside the boundary as drawn and inside once moved back."""

    def __str__(self) -> str:
        return (
            f"{self.gained} outlines lie outside the county as drawn and inside it if they were "
            f"drawn on a {self.map_shift} map: ask which map it was and set inputs.parcel_crs: "
            f"{self.map_shift} if so"
        )


def shift_sign(geometries: Geometries, boundary: BaseGeometry) -> ShiftSign | None:
    """Return the shift for which the boundary speaks, None where it speaks for none.

    Args:
        geometries: Outlines in lon/lat as drawn.
        boundary: County in lon/lat.
    """
    if len(geometries) == 0 or not shapely.box(*CHINA).covers(boundary):
        return None
    bounds = shapely.bounds(geometries)
    middles = (bounds[:, :2] + bounds[:, 2:]) / 2
    shapely.prepare(boundary)
    inside = shapely.contains_xy(boundary, middles)
    signs = []
    for map_shift in MAP_SHIFTS:
        moved = shapely.contains_xy(boundary, from_shifted(middles, map_shift))
        gained, lost = int((~inside & moved).sum()), int((inside & ~moved).sum())
        if gained >= _LEAST and lost <= _LOST_SHARE * gained:
            signs.append((gained - lost, ShiftSign(map_shift, gained)))
    return max(signs, key=lambda sign: sign[0])[1] if signs else None
