"""Heading of cereals (BBCH 55): the day the ear is half out, read from the green plateau.

Owns one landmark and its offsets; whether they hold is measured by `fieldline growth evaluate`. The
greenest day says little (a plateau's top moves by weeks with noise), the middle of the plateau
does: it is half-way between the days on which the curve passes `plateau_share` of its amplitude.

Source: offsets of the settings are means over seven winter wheat fields in Switzerland, 2022
(Graf et al. 2023, Remote Sens. Environ., doi 10.1016/j.rse.2023.113860), judged leave-one-out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fieldline.crops.growth.curves import Curves
from fieldline.crops.growth.phenology import Cycles
from fieldline.crops.series import Floats
from fieldline.pipeline.records.reference import crops

#: Small grains head; maize, sorghum and rice have other landmarks and are not dated.
_HEADING = (
    "wheat", "spelt", "barley", "rye", "triticale", "oats",
)  # fmt: skip


@dataclass(frozen=True)
class HeadingRules:
    """Where heading lies on a curve."""

    plateau_share: float
    """Share of the amplitude above which the canopy is at its plateau."""
    after_middle_days: float
    """Days from the plateau's middle to heading."""
    before_fall_days: float
    """Days from heading to the plateau's end, for a record that does not show the rise."""


@dataclass(frozen=True)
class Landmarks:
    """Days of each cycle that heading is reckoned from; NaN where not seen."""

    middle: Floats
    """Middle of the plateau."""
    fall: Floats
    """End of the plateau."""


def landmarks(curves: Curves, cycles: Cycles, rules: HeadingRules) -> Landmarks:
    """Return the middle and the end of each cycle's green plateau, days of the season."""
    rise = cycles.crossing(curves, rules.plateau_share, -1)
    fall = cycles.crossing(curves, rules.plateau_share, 1)
    return Landmarks((rise + fall) / 2, fall)


def heading_days(curves: Curves, cycles: Cycles, rules: HeadingRules) -> Floats:
    """Return the day of heading of each cycle; NaN while the fall of the plateau is not seen.

    The caller keeps it for cereals alone (`heads`).
    """
    marks = landmarks(curves, cycles, rules)
    return np.where(
        np.isnan(marks.middle),
        marks.fall - rules.before_fall_days,
        marks.middle + rules.after_middle_days,
    )


def heads(crop: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Tell which crop codes are small grains; None and unknown codes are not."""
    codes = {
        code for code, row in crops().items()
        if row.group == "cereal" and any(name in code for name in _HEADING)
    }  # fmt: skip
    return np.asarray([code in codes for code in crop], dtype=bool)
