"""The picture of one parcel: what was seen, the smoothed curve and the dates read from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import pandas as pd
import plotly.graph_objects as go

from fieldline.desk.colours import OKABE_ITO

_INK, _GREY = OKABE_ITO[0], OKABE_ITO[-1]


def parcel_chart(
    title: str, observations: pd.DataFrame, curve: pd.DataFrame, dates: Mapping[str, dt.date]
) -> go.Figure:
    """Draw NDVI over time.

    Args:
        title: Title of the figure.
        observations: `datetime`, `NDVI` and `clear` by date.
        curve: `date` and `ndvi`; may be empty.
        dates: Days to mark, by the words beside them.
    """
    figure = go.Figure()
    seen = observations.dropna(subset=["NDVI"])
    for name, rows, symbol, colour in (
        ("partly clouded", seen[~seen["clear"]], "circle-open", _GREY),
        ("clear", seen[seen["clear"]], "circle", _INK),
    ):
        figure.add_scatter(
            x=rows["datetime"], y=rows["NDVI"], name=name, mode="markers",
            marker={"symbol": symbol, "color": colour, "size": 7},
        )  # fmt: skip
    figure.add_scatter(
        x=curve["date"], y=curve["ndvi"], name="smoothed", mode="lines",
        line={"color": OKABE_ITO[2], "width": 2},
    )  # fmt: skip
    for height, (words, day) in enumerate(dates.items()):
        figure.add_vline(x=day, line={"color": _GREY, "dash": "dot", "width": 1})
        figure.add_annotation(
            x=day, y=1 - 0.06 * height, yref="paper", text=words, showarrow=False, xanchor="left",
        )  # fmt: skip
    figure.update_yaxes(title="NDVI", range=[-0.1, 1])
    return figure.update_layout(title=title, template="plotly_white", legend={"orientation": "h"})
