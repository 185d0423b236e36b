"""Aggregates for outsiders: village by crop with totals, nothing told that names a few farmers.

Owns the sums and what is withheld: cells and totals of fewer than k farmers, and as many others as
it takes that no withheld figure follows from the published ones by subtraction. With totals as
cells of their own, a table is a graph (rows and columns its nodes, withheld figures its edges), and
a figure follows from the others exactly where its edge is a bridge.

Source: complementary suppression, Fischetti and Salazar 2000; bridges, Tarjan 1974.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Set
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from fieldline.desk.app.layer import Layer
from fieldline.desk.app.places import Place
from fieldline.pipeline.records.money import from_minor
from fieldline.pipeline.records.units import M2_PER_HA

NO_VILLAGE = "(no village)"
_STEP_DEG = 0.01
ALL = "(all)"
"""Village or crop of a total."""
COLUMNS = (
    "season", "county", "village", "crop", "parcels", "farmers", "area_ha", "seen_ha",
    "growth_anomaly", "hazard_index", "harvest_progress", "value", "currency", "withheld",
)  # fmt: skip
_WEIGHED = {
    "growth_anomaly": "anomaly", "hazard_index": "hazard_index",
    "harvest_progress": "harvest_progress",
}  # fmt: skip
Cell = tuple[str, str]
"""Village and crop."""


def industry(place: Place, layer: Layer, k: int) -> list[dict[str, Any]]:
    """Return the rows of the aggregate table, totals last.

    Args:
        place: County and season.
        layer: Its parcels.
        k: Fewest farmers of a figure that is told.

    Returns:
        Rows of `COLUMNS`: areas in ha, the mean growth anomaly, hazard and harvest progress weighed
        by evidence area, value in units of the currency; None where withheld or not known.
    """
    frame = _facts(place, layer)
    groups: dict[Cell, pd.DataFrame] = {}
    for cell, rows in frame.groupby(["village", "crop"], sort=True):
        groups[(str(cell[0]), str(cell[1]))] = rows
    for column in (0, 1):
        name = ("village", "crop")[column]
        for key, rows in frame.groupby(name, sort=True):
            groups[(str(key), ALL) if column == 0 else (ALL, str(key))] = rows
    groups[(ALL, ALL)] = frame
    farmers = {cell: frozenset(rows["farmer_id"]) for cell, rows in groups.items()}
    sizes = {cell: float(rows["area"].sum()) for cell, rows in groups.items()}
    hidden = withheld(farmers, sizes, k)
    head = {"season": place.season, "county": place.county, "currency": layer.currency}
    return [
        {**head, "village": cell[0], "crop": cell[1], "withheld": int(cell in hidden),
         **(_nothing() if cell in hidden else _sums(rows, len(farmers[cell])))}
        for cell, rows in groups.items()
    ]  # fmt: skip


def industry_map(place: Place, layer: Layer, k: int) -> gpd.GeoDataFrame:
    """Return the aggregates with where they lie, for other tools.

    Args:
        place: County and season.
        layer: Its parcels.
        k: Fewest farmers of a figure that is told.

    Returns:
        Rows of `industry` with the box around a village's parcels, or around the county's for its
        totals, widened to whole hundredths of a degree, so that no corner of it is one of a parcel.
        A village of fewer than `k` farmers has no outline.
    """
    frame = layer.frame.assign(village=layer.frame["village"].fillna("").replace("", NO_VILLAGE))
    boxes: dict[str, BaseGeometry | None] = {ALL: _widened(frame)}
    for village, rows in frame.groupby("village"):
        boxes[str(village)] = _widened(rows) if rows["farmer_id"].nunique() >= k else None
    rows = pd.DataFrame(industry(place, layer, k), columns=list(COLUMNS))
    outlines = [boxes[village] for village in rows["village"]]
    return gpd.GeoDataFrame(rows, geometry=outlines, crs=layer.frame.crs)


def _widened(frame: gpd.GeoDataFrame) -> BaseGeometry:
    low = np.floor(frame.total_bounds[:2] / _STEP_DEG) * _STEP_DEG
    high = np.ceil(frame.total_bounds[2:] / _STEP_DEG) * _STEP_DEG
    return box(float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def _facts(place: Place, layer: Layer) -> pd.DataFrame:
    frame = pd.DataFrame(layer.frame.drop(columns="geometry"))
    area = pd.to_numeric(frame["evidence_area_m2"]).fillna(0) / M2_PER_HA
    frame = frame.assign(
        area=area,
        seen=pd.to_numeric(frame["seen_area_m2"]).fillna(0) / M2_PER_HA,
        village=frame["village"].fillna("").replace("", NO_VILLAGE),
        crop=frame["crop"].fillna("(not known)"),
    )
    for table, column in (("growth", "harvest_progress"), ("yields", "value_q50_per_ha_minor")):
        values = pd.Series(dtype=float)
        if place.has(table):
            read = place.table(table, ["parcel_id", column])
            values = read.set_index("parcel_id")[column]
        frame[column] = frame["parcel_id"].map(values)
    unit = float(from_minor(1, layer.currency)) if layer.currency else 1.0
    return frame.assign(value=frame["value_q50_per_ha_minor"] * unit * area)


def _sums(rows: pd.DataFrame, farmers: int) -> dict[str, Any]:
    told: dict[str, Any] = {
        "parcels": len(rows), "farmers": farmers,
        "area_ha": round(float(rows["area"].sum()), 4),
        "seen_ha": round(float(rows["seen"].sum()), 4),
        "value": round(float(rows["value"].sum()), 2),
    }  # fmt: skip
    for name, column in _WEIGHED.items():
        known = rows.dropna(subset=[column])
        weights = known["area"].to_numpy(float)
        values = pd.to_numeric(known[column]).to_numpy(float)
        told[name] = round(float(np.average(values, weights=weights)), 3) if weights.sum() else None
    return told


def _nothing() -> dict[str, None]:
    return dict.fromkeys(("parcels", "farmers", "area_ha", "seen_ha", "value", *_WEIGHED))


def withheld(
    farmers: Mapping[Cell, Set[str]], sizes: Mapping[Cell, float], k: int
) -> frozenset[Cell]:
    """Return the cells that are not told.

    Args:
        farmers: Farmers of every cell that holds any, totals among them.
        sizes: What is lost where a cell is withheld: the smallest go first.
        k: Fewest farmers of a cell that is told.
    """
    hidden = {cell for cell, people in farmers.items() if len(people) < k}
    while True:
        exposed = sorted(bridges(hidden))
        if not exposed:
            return frozenset(hidden)
        row, column = exposed[0]
        told = [cell for cell in farmers if cell not in hidden]
        rows, columns = {cell[0] for cell in hidden}, {cell[1] for cell in hidden}
        ringed = {cell for cell in told if cell[0] in rows and cell[1] in columns}
        beside = {cell for cell in told if cell[0] == row or cell[1] == column}
        if not told:
            return frozenset(hidden)
        # One that closes a ring of withheld cells ends it; else one more in the line that tells.
        ranks = {
            cell: (ALL in cell, cell not in ringed, cell not in beside, sizes[cell], cell)
            for cell in told
        }
        hidden.add(min(told, key=ranks.__getitem__))


def bridges(cells: Set[Cell]) -> set[Cell]:
    """Return the withheld cells that follow from the published ones: the graph's bridges."""
    edges = sorted(cells)
    beside: dict[tuple[int, str], list[int]] = defaultdict(list)
    for number, (row, column) in enumerate(edges):
        beside[(0, row)].append(number)
        beside[(1, column)].append(number)
    entered: dict[tuple[int, str], int] = {}
    low: dict[tuple[int, str], int] = {}
    found: set[Cell] = set()
    for root in beside:
        if root in entered:
            continue
        entered[root] = low[root] = len(entered)
        path = [(root, -1, iter(beside[root]))]
        while path:
            node, came_by, left = path[-1]
            edge = next(left, None)
            if edge is None:
                path.pop()
                if path:
                    above = path[-1][0]
                    low[above] = min(low[above], low[node])
                    if low[node] > entered[above]:
                        found.add(edges[came_by])
                continue
            if edge == came_by:
                continue
            other = (1, edges[edge][1]) if node[0] == 0 else (0, edges[edge][0])
            if other in entered:
                low[node] = min(low[node], entered[other])
            else:
                entered[other] = low[other] = len(entered)
                path.append((other, edge, iter(beside[other])))
    return found
