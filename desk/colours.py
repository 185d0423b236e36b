"""Colours of the desk and of the county report: one per crop of a county and one per decision.

Owns the palettes alone, so that the same crop looks the same on a map, in a chart and in QGIS.
"""

from __future__ import annotations

import pandas as pd

OKABE_ITO = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B7A700", "#555555")
"""Colour-blind-safe qualitative palette. Source: Okabe and Ito 2008."""
MORE_COLOURS = (
    "#7B3294",
    "#A6611A",
    "#1B7837",
    "#C51B7D",
    "#2166AC",
    "#8C510A",
    "#4D9221",
    "#B2182B",
)
ACCESS_COLOURS = {"approve": "#0072B2", "review": "#E69F00", "decline": "#7f7f7f"}


def crop_colours(crops: pd.Series) -> dict[str, str]:
    """Return a stable colour per crop code of this county."""
    palette = OKABE_ITO + MORE_COLOURS
    codes = sorted(str(code) for code in crops.dropna().unique())
    return {code: palette[position % len(palette)] for position, code in enumerate(codes)}
