"""Charts of the county report as data for plotly's script, in either language."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from fieldline.crops.series import curve_dates
from fieldline.desk.app.parcel_facts import crop_name
from fieldline.desk.app.words import Words
from fieldline.desk.colours import ACCESS_COLOURS, MORE_COLOURS, OKABE_ITO, crop_colours
from fieldline.desk.report.collect import ReportData
from fieldline.lending.fairness import SIZES

_HEIGHT = 440
_SMALL = {"l": 56, "r": 12, "t": 28, "b": 44}


def chart_of(figure: go.Figure) -> dict[str, Any] | None:
    """Return a chart as plain data for plotly's script; None where there is nothing to draw."""
    if not figure.data:
        return None
    below = {"orientation": "h", "y": -0.12, "yanchor": "top", "x": 0}
    figure.update_layout(
        height=_HEIGHT, margin=_SMALL, template="plotly_white", font={"size": 13}, legend=below
    )
    return dict(json.loads(figure.to_json()))


def curves_by_crop(data: ReportData, told: Words) -> go.Figure:
    """Return the median smoothed NDVI curve of each crop."""
    growth = data.growth.merge(data.parcels[["parcel_id", "crop"]], on="parcel_id")
    growth = growth[growth["curve_start"].notna()]
    colours = crop_colours(growth["crop"])
    figure = go.Figure()
    for crop, group in growth.groupby("crop"):
        dates, median = _median_curve(group)
        name = f"{crop_name(crop, told)} ({len(group)})"
        line = {"color": colours[str(crop)], "width": 2}
        figure.add_scatter(x=dates, y=median, name=name, mode="lines", line=line)
    figure.update_yaxes(title="NDVI", range=[0, 1])
    return figure


def sample_curves(data: ReportData, observations: pd.DataFrame, told: Words) -> go.Figure:
    """Return smoothed curves of a few parcels with the observations behind them."""
    figure = go.Figure()
    for position, parcel_id in enumerate(sorted(observations["parcel_id"].unique())):
        colour = (OKABE_ITO + MORE_COLOURS)[position % 16]
        points = observations[(observations["parcel_id"] == parcel_id)].dropna(subset=["ndvi"])
        figure.add_scatter(
            x=points["datetime"], y=points["ndvi"], mode="markers", legendgroup=parcel_id,
            showlegend=False, marker={"color": colour, "size": 5, "opacity": 0.6},
        )  # fmt: skip
        row = data.growth[data.growth["parcel_id"] == parcel_id].iloc[0].to_dict()
        figure.add_scatter(
            x=_dates(row), y=row["curve"], mode="lines", legendgroup=parcel_id,
            name=_label(data, parcel_id, told), line={"color": colour, "width": 2},
        )  # fmt: skip
    figure.update_yaxes(title="NDVI", range=[-0.1, 1])
    return figure


def yield_against_prior(data: ReportData, told: Words) -> go.Figure:
    """Return per crop the spread of estimated median yields relative to the county prior."""
    parcels = data.parcels.dropna(subset=["yield_q50_t_ha", "prior_t_ha"])
    colours = crop_colours(parcels["crop"])
    figure = go.Figure()
    for crop, group in parcels.groupby("crop"):
        prior = float(group["prior_t_ha"].median())
        figure.add_box(
            y=group["yield_q50_t_ha"] / group["prior_t_ha"],
            name=f"{crop_name(crop, told)}<br>{told('unit.t_ha', value=f'{prior:.1f}')}",
            boxpoints=False,
            showlegend=False,
            marker_color=colours[str(crop)],
        )
    if figure.data:
        figure.add_hline(y=1.0, line_dash="dot", line_color="#555555")
    figure.update_yaxes(title=told("report.axis_yield"), rangemode="tozero")
    return figure


def access_by_size(data: ReportData, told: Words) -> go.Figure:
    """Return the share approved, reviewed and declined by holding size, of groups large enough."""
    groups = data.fairness["by"].get("size", {"groups": ()})["groups"]
    names = [told(f"report.band_{SIZES.index(cell['group'])}") for cell in groups]
    figure = go.Figure()
    for access, colour in ACCESS_COLOURS.items():
        share = [cell[access] for cell in groups]
        if any(share):
            text = [f"{s:.0%}" for s in share]
            figure.add_bar(
                x=names, y=share, name=told(f"class.{access}"), marker_color=colour, text=text
            )
    figure.update_layout(barmode="stack")
    figure.update_yaxes(title=told("report.axis_share"), tickformat=".0%", range=[0, 1])
    return figure


def _median_curve(group: pd.DataFrame) -> tuple[list[dt.date], list[float]]:
    """Return the median of the curves by day, where half of them reach: the few that go on are no
    crop's course. As one array: a table with a column a parcel is a gigabyte in a big county."""
    if group.empty:
        return [], []
    length = group["curve"].map(len).to_numpy(np.int64)
    at = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
    first = np.repeat(pd.to_datetime(group["curve_start"]).to_numpy("datetime64[D]"), length)
    day = first + at * np.repeat(group["curve_step_days"].to_numpy(np.int64), length)
    values = pd.Series(np.concatenate(group["curve"].to_list()), index=day)
    by_day = values.groupby(level=0)
    median = by_day.median()[by_day.size() * 2 >= len(group)]
    return [date.date() for date in median.index], [float(v) for v in np.round(median, 4)]


def _dates(row: Mapping[Any, Any]) -> list[dt.date]:
    return curve_dates(row["curve_start"], int(row["curve_step_days"]), len(row["curve"]))


def _label(data: ReportData, parcel_id: str, told: Words) -> str:
    row = data.parcels[data.parcels["parcel_id"] == parcel_id].iloc[0]
    return f"{parcel_id} {crop_name(row['crop'], told)}"
