"""The map layer of a county: every parcel with its values and its class in each colouring.

Owns the join of the stored tables by parcel, the classes with their colours and counts, and the
search. The values are the artifacts' own; a class is only how a value is coloured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from fieldline.desk.app.places import NotHereError, Place
from fieldline.desk.colours import ACCESS_COLOURS, crop_colours
from fieldline.pipeline.records.errors import UserError
from fieldline.pipeline.records.money import from_minor
from fieldline.pipeline.records.reference import table_rows
from fieldline.pipeline.records.units import M2_PER_MU

GREY = "#efe9dc"
NONE = "unknown"
"""Class of a parcel of which the value is not known."""
Point = tuple[str, float, float]
"""A parcel's id, longitude and latitude."""
LAYERS = ("crop", "decision", "limit", "hazard", "evidence", "anomaly")
TABLES = ("parcels", "crops", "fields", "growth", "hazards", "yields", "evidence", "profiles",
          "decisions")  # fmt: skip
"""Tables that a layer is joined from; those that are not there yet leave their classes empty."""
_EFFECTS = {"none": "#1b9e77", "lower": "#E69F00", "review": "#CC79A7", "block": "#b2182b"}
_HAZARD = ("#ffffb2", "#fecc5c", "#fd8d3c", "#f03b20", "#bd0026")
_LIMIT = ("#d9d9d9", "#a1dab4", "#41b6c4", "#2c7fb8", "#253494")
_ANOMALY = ("#a6611a", "#dfc27d", "#f5f5dc", "#80cdc1", "#018571")
_ANOMALY_EDGES = (-2.0, -1.0, 1.0, 2.0)
_MOST_FOUND = 20
_SOURCES: dict[str, dict[str, str]] = {
    "crops": {"crop": "crop", "probability": "probability"},
    "fields": {"seen_area_m2": "seen_area_m2", "planted_fraction": "planted_fraction"},
    "growth": {"anomaly": "anomaly", "harvest_date": "harvest_date"},
    "hazards": {"hazard_index": "hazard_index"},
    "yields": {f"yield_{q}_t_ha": f"yield_{q}_t_ha" for q in ("q10", "q50", "q90")},
    "evidence": {"evidence_area_m2": "evidence_area_m2", "effect": "effect", "codes": "codes"},
}


@dataclass(frozen=True)
class ClassOf:
    """One class of a colouring."""

    key: str
    colour: str
    count: int
    text: dict[str, str]
    """Words by language; empty where the page's own words name the class."""


@dataclass(frozen=True)
class Layer:
    """The parcels of one county and season."""

    frame: gpd.GeoDataFrame
    """One row per accepted parcel, EPSG:4326, by parcel id."""
    legends: dict[str, tuple[ClassOf, ...]]
    """Classes by colouring; the number of a class is its place here."""
    currency: str

    @cached_property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north."""
        west, south, east, north = map(float, self.frame.total_bounds)
        return west, south, east, north

    def parcel(self, parcel_id: str) -> dict[str, Any]:
        """Return one parcel's row.

        Raises:
            NotHereError: There is no such parcel.
        """
        rows = self.frame[self.frame["parcel_id"] == parcel_id]
        if rows.empty:
            raise NotHereError(
                f"there is no accepted parcel {parcel_id!r} in this county and season",
                "search for it on the map; intake's outcomes name the refused ones",
            )
        return {str(name): value for name, value in rows.iloc[0].items()}

    def points_by(self, states: Mapping[str, str], names: Sequence[str]) -> dict[str, list[Point]]:
        """Return the parcels of farmers by what is said of these.

        Args:
            states: What is said, by farmer.
            names: All that may be said.
        """
        said = self.frame["farmer_id"].map(states)
        found: dict[str, list[Point]] = {name: [] for name in names}
        rows = self.frame[said.notna()]
        places = rows.geometry.representative_point()
        for parcel, place, name in zip(rows["parcel_id"], places, said.dropna(), strict=True):
            found[name].append((str(parcel), round(place.x, 6), round(place.y, 6)))
        return found

    def found(self, asked: str, farmers: Set[str] | None = None) -> list[dict[str, Any]]:
        """Return parcels, farmers and villages that hold a text, best first.

        Args:
            asked: Part of a parcel id, a farmer's pseudonym or a village's name, any case.
            farmers: Only theirs; everybody's where None.
        """
        if farmers is not None:
            own = self.frame[self.frame["farmer_id"].isin(farmers)]
            return replace(self, frame=own).found(asked)
        wanted = asked.strip().casefold()
        if not wanted:
            return []
        results: list[dict[str, Any]] = []
        for kind, column in (("farmer", "farmer_id"), ("village", "village"),
                             ("parcel", "parcel_id")):  # fmt: skip
            text = self.frame[column].fillna("").astype(str)
            folded = text.str.casefold()
            hits = text[folded.str.contains(wanted, regex=False)].unique()
            order = sorted(hits, key=lambda name: (not name.casefold().startswith(wanted), name))
            results += [self._place_of(kind, column, name) for name in order[:_MOST_FOUND] if name]
        return results[:_MOST_FOUND]

    def _place_of(self, kind: str, column: str, name: str) -> dict[str, Any]:
        rows = self.frame[self.frame[column] == name]
        bounds = [round(float(edge), 6) for edge in rows.total_bounds]
        return {"kind": kind, "name": name, "parcels": len(rows), "bounds": bounds}


def read_layer(place: Place) -> Layer:
    """Join a county's tables, as far as they are there.

    Raises:
        UserError: A table is half written or of another version.
    """
    frame = _outlines(place)
    for table, columns in _SOURCES.items():
        if place.has(table):
            read = place.table(table, ["parcel_id", *columns]).rename(columns=columns)
            frame = frame.merge(read, on="parcel_id", how="left")
        else:
            frame = frame.assign(**dict.fromkeys(columns.values()))
    frame, currency = _with_decisions(frame, place)
    legends = {}
    for name in LAYERS:
        keys, legend = _CLASSES[name](frame)
        numbers = {entry.key: number for number, entry in enumerate(legend)}
        frame[f"{name}_class"] = keys.map(numbers).astype("int32")
        legends[name] = tuple(legend)
    return Layer(gpd.GeoDataFrame(frame, geometry="geometry", crs=4326), legends, currency)


def _outlines(place: Place) -> gpd.GeoDataFrame:
    names = ["parcel_id", "farmer_id", "village", "declared_crop", "declared_area_m2",
             "metrics:area"]  # fmt: skip
    place.table("parcels", [*names[:1], "geometry"])
    parcels = gpd.read_parquet(place.path("parcels"), columns=[*names, "geometry"])
    if parcels.empty:
        raise UserError(
            f"no parcel of county {place.county} passed intake",
            "see outcomes/intake.parquet for the reasons",
        )
    return parcels.rename(columns={"metrics:area": "area_m2"})


def _with_decisions(frame: pd.DataFrame, place: Place) -> tuple[pd.DataFrame, str]:
    if not place.has("decisions", "profiles"):
        return frame.assign(access=None, limit_per_mu=np.nan, decision_id=None), ""
    decisions = place.table(
        "decisions", ["farmer_id", "access", "limit_minor", "currency", "decision_id"]
    )
    profiles = place.table("profiles", ["level", "party_id", "evidence_area_m2"])
    held = profiles[profiles["level"] == "farmer"].set_index("party_id")["evidence_area_m2"]
    currency = str(decisions["currency"].iloc[0]) if len(decisions) else ""
    unit = float(from_minor(1, currency)) if currency else 1.0
    mu = decisions["farmer_id"].map(held).astype("float64") / M2_PER_MU
    per_mu = decisions["limit_minor"].astype("float64") * unit / mu.where(mu > 0)
    decisions = decisions.assign(limit_per_mu=per_mu)
    columns = ["farmer_id", "access", "limit_per_mu", "decision_id"]
    return frame.merge(decisions[columns], on="farmer_id", how="left"), currency


def _counted(keys: pd.Series, order: Sequence[tuple[str, str, dict[str, str]]]) -> list[ClassOf]:
    counts = keys.value_counts()
    every = [*order, (NONE, GREY, {})]
    return [ClassOf(key, colour, int(counts.get(key, 0)), text) for key, colour, text in every]


def _crop_classes(frame: pd.DataFrame) -> tuple[pd.Series, list[ClassOf]]:
    keys = frame["crop"].astype(object).where(frame["crop"].notna(), NONE).astype(str)
    colours = crop_colours(frame["crop"])
    names = {row["code"]: row for row in table_rows("crops.csv")}
    order = [
        (code, colours[code], _crop_text(names.get(code), code))
        for code in keys[keys != NONE].value_counts().index
    ]
    return keys, _counted(keys, order)


def _crop_text(row: dict[str, str] | None, code: str) -> dict[str, str]:
    if row is None:
        return {"en": code, "zh": code}
    return {"en": row["name_en"], "zh": row["name_zh"]}


def _named(column: str, colours: dict[str, str], frame: pd.DataFrame) -> Any:
    keys = frame[column].astype(object).where(frame[column].notna(), NONE).astype(str)
    return keys, _counted(keys, [(key, colour, {}) for key, colour in colours.items()])


def _binned(
    values: pd.Series, edges: Sequence[float], colours: Sequence[str]
) -> tuple[pd.Series, list[ClassOf]]:
    """Return classes of numbers: below the first edge, between two, from the last one on."""
    numbers = pd.to_numeric(values).astype("float64")
    place = np.digitize(numbers.fillna(0), edges)
    keys = pd.Series(place.astype(str), index=values.index).where(numbers.notna(), NONE)
    texts = [
        f"< {edges[0]:,g}",
        *(f"{low:,g} – {high:,g}" for low, high in pairwise(edges)),
        f"≥ {edges[-1]:,g}",
    ]
    order = [
        (str(number), colour, {"en": text, "zh": text})
        for number, (colour, text) in enumerate(zip(colours, texts, strict=True))
    ]
    return keys, _counted(keys, order)


def _limit_classes(frame: pd.DataFrame) -> tuple[pd.Series, list[ClassOf]]:
    values = frame["limit_per_mu"].astype("float64")
    positive = values[values > 0]
    known = positive if len(positive) else pd.Series([100.0])
    least, most = known.min(), known.max()
    edges = [_two_digits(edge) for edge in known.quantile([0.0, 0.25, 0.5, 0.75])]
    if len(set(edges)) < len(edges):
        steps = np.linspace(least, max(float(most), 2.0 * float(least)), 5)[:4]
        edges = [_two_digits(float(step)) for step in steps]
    keys, (zero, *more) = _binned(values, edges, _LIMIT)
    # No positive limit lies below the least one: the first class holds those without a line.
    return keys, [replace(zero, text={"en": "0", "zh": "0"}), *more]


def _two_digits(value: float) -> float:
    digits = 1 - int(np.floor(np.log10(value)))
    return float(np.floor(value * 10.0**digits) / 10.0**digits)


_CLASSES: dict[str, Any] = {
    "crop": _crop_classes,
    "decision": lambda frame: _named("access", ACCESS_COLOURS, frame),
    "limit": _limit_classes,
    "hazard": lambda frame: _binned(frame["hazard_index"], (20, 40, 60, 80), _HAZARD),
    "evidence": lambda frame: _named("effect", _EFFECTS, frame),
    "anomaly": lambda frame: _binned(frame["anomaly"], _ANOMALY_EDGES, _ANOMALY),
}
