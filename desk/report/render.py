"""Writes `report.html` and the joined `outcomes.parquet` of one county and season.

Owns the county's figures and tables on the page; the map's document is `map`, the charts are
`charts`, and what makes the page one file that runs nothing but its own scripts is `page`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from fieldline.crops.value.costs import SIMULATED
from fieldline.desk.app.layer import read_layer
from fieldline.desk.app.places import Place
from fieldline.desk.app.words import LANGUAGES, Words, words
from fieldline.desk.report import charts
from fieldline.desk.report.backdrop import backdrop
from fieldline.desk.report.collect import ReportData, collect, sample_observations
from fieldline.desk.report.inclusion import inclusion_tables, small_share
from fieldline.desk.report.indicators import indicator_tables
from fieldline.desk.report.map import MOST_DRAWN, map_document
from fieldline.desk.report.page import as_data, both, part, policy_of
from fieldline.lending.codes import reason_codes
from fieldline.pipeline.imagery.grid import county_grid
from fieldline.pipeline.imagery.settings import GridSettings, SceneSettings
from fieldline.pipeline.records.money import shown, shown_chinese
from fieldline.pipeline.records.outcomes import (
    OK,
    Outcome,
    merge_outcomes,
    outcome_codes,
    write_outcomes,
)
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_text

STAGE = "report"
_SAMPLES = 6
_SAID = ("report.", "map.", "layer.", "panel.", "farmer.")
#: Parts of each card that the page shows; the JSON file beside it holds the rest.
_SHOWN_PARTS = {
    "crop_classifier": (
        "model", "served", "split", "held_out", "baselines", "class_shares", "calibration",
    ),
    "yield": ("model", "split", "crop_cuts", "scores"),
    "pd": ("problem", "model", "baseline_constant_rate", "boosting", "has_skill"),
}  # fmt: skip


@dataclass(frozen=True)
class ReportTitle:
    """What the page says about itself."""

    county: str
    title: str
    season_name: str
    season: Season
    simulated: bool
    suppress_below: int


def run_report(
    *,
    parts: Sequence[Path],
    county: str,
    title: str,
    season_name: str,
    season: Season,
    simulated: bool,
    suppress_below: int,
    grid: GridSettings,
    scenes: SceneSettings,
    joined: Path,
    report: Path,
    outcomes: Path,
) -> None:
    """Join the outcomes and write the county report from the artifacts beside it.

    Args:
        parts: Outcome files of every earlier stage, in the order of the chain.
        county: County id.
        title: The county's name for people.
        season_name: Name of the season.
        season: Its dates.
        simulated: Whether the page must call everything on it simulated.
        suppress_below: Cells with fewer farmers than this are not shown.
        grid: Grid settings of the county.
        scenes: Scene settings of the county.
        joined: `outcomes.parquet`, all stages in one table; the artifacts lie in its folder.
        report: HTML file to write.
        outcomes: The report's own outcome.
    """
    head = ReportTitle(county, title, season_name, season, simulated, suppress_below)
    write_outcomes([Outcome(STAGE, "", "")], outcomes)
    merge_outcomes([*parts, outcomes], joined)
    folder = joined.parent
    data = collect(folder, joined)
    order = [part.stem for part in (*parts, outcomes)]
    write_text(report, _page(data, folder, head, grid, scenes, order))


def _page(
    data: ReportData,
    folder: Path,
    head: ReportTitle,
    grid: GridSettings,
    scenes: SceneSettings,
    order: Sequence[str],
) -> str:
    environment = Environment(
        loader=PackageLoader("fieldline.desk.report"),
        autoescape=select_autoescape(["html", "j2"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["data"] = as_data
    scripts = [get_plotlyjs(), part("report.js")]
    return environment.get_template("report.html.j2").render(
        head=head,
        data=data,
        both=both,
        policy=policy_of(scripts),
        scripts=[Markup(script) for script in scripts],
        style=Markup(part("report.css")),
        start=_start(data, folder, grid, scenes),
        figures=_headline(data, head.suppress_below),
        outcome_rows=_outcome_rows(data.outcomes, order),
        reasons=_reason_counts(data, head.suppress_below),
        inclusion=inclusion_tables(data.fairness),
        indicators=indicator_tables(data.indicators, head.suppress_below),
        simulated_costs=SIMULATED in data.cards["yield"].get("cost_bases", ()),
        cards={n: _card_rows(_key_figures(n, c)) for n, c in data.cards.items() if c},
        most_drawn=MOST_DRAWN,
        imagery_year=head.season.end.year,
    )


def _start(
    data: ReportData,
    folder: Path,
    grid: GridSettings,
    scenes: SceneSettings,
) -> dict[str, Any]:
    """Return what the page's script starts from."""
    keys = [key for key in words("en").table if key.startswith(_SAID)]
    return {
        "words": {name: {key: words(name)(key) for key in keys} for name in LANGUAGES},
        "charts": {name: _charts(data, folder, words(name)) for name in LANGUAGES},
        "map": _map(data, folder, grid, scenes) if len(data.parcels) <= MOST_DRAWN else None,
    }  # fmt: skip


def _map(
    data: ReportData, folder: Path, settings: GridSettings, scenes: SceneSettings
) -> dict[str, Any]:
    grid = county_grid(data.parcels, settings)
    pictures = backdrop(folder / "scenes.parquet", data.parcels, grid, scenes)
    place = Place(folder)
    return map_document(place, read_layer(place), pictures, grid.crs, data.decisions)


def _charts(data: ReportData, folder: Path, told: Words) -> dict[str, dict[str, Any] | None]:
    """Return the charts; None for one that would be empty."""
    observations = sample_observations(folder, _sample_parcels(data))
    figures = {
        "curves": charts.curves_by_crop(data, told),
        "samples": charts.sample_curves(data, observations, told),
        "yields": charts.yield_against_prior(data, told),
        "access": charts.access_by_size(data, told),
    }
    return {name: charts.chart_of(figure) for name, figure in figures.items()}


def _sample_parcels(data: ReportData) -> list[str]:
    """Choose parcels across the size range, smallest and largest included."""
    with_curve = data.growth.loc[data.growth["curve_start"].notna(), "parcel_id"]
    known = data.parcels[data.parcels["parcel_id"].isin(with_curve)].sort_values("metrics:area")
    if known.empty:
        return []
    places = np.linspace(0, len(known) - 1, min(_SAMPLES, len(known))).round().astype(int)
    return list(known["parcel_id"].iloc[places])


def _headline(data: ReportData, suppress_below: int) -> list[tuple[str, str, str]]:
    """Return the county's figures: key of the words, value in English and in Chinese."""
    access = data.decisions["access"].value_counts()
    small = small_share(data.fairness)
    total = int(data.decisions["limit_minor"].sum())
    rates = data.decisions.loc[data.decisions["access"] == "approve", "annual_rate"].astype(float)
    figures = {
        "report.farmers": f"{len(data.decisions):,}",
        "report.parcels": f"{int(data.farmers['parcels_declared'].sum()):,}",
        "report.approved": f"{access.get('approve', 0):,}",
        "report.reviewed": f"{access.get('review', 0):,}",
        "report.declined": f"{access.get('decline', 0):,}",
    }
    if small is not None:
        figures["report.small"] = small
    if len(rates) >= suppress_below:
        figures["report.rate"] = f"{rates.median():.2%}"
    told = [(key, value, value) for key, value in figures.items()]
    if data.currency:
        limits = (shown(total, data.currency), shown_chinese(total, data.currency))
        told.append(("report.limits", *limits))
    return told


def _outcome_rows(outcomes: pd.DataFrame, order: Sequence[str]) -> list[dict[str, Any]]:
    codes = outcome_codes()
    counts = outcomes.groupby(["stage", "outcome"], as_index=False).size()
    place = {stage: position for position, stage in enumerate(order)}
    counts = counts.assign(place=counts["stage"].map(place))
    counts = counts.sort_values(["place", "size"], ascending=[True, False], kind="stable")
    return [
        {
            "stage": [words(name).stage(row["stage"], row["stage"]) for name in LANGUAGES],
            "outcome": row["outcome"],
            "rows": int(row["size"]),
            "code": None if row["outcome"] == OK else codes[row["outcome"]],
        }
        for row in counts.to_dict("records")
    ]


def _reason_counts(data: ReportData, suppress_below: int) -> list[dict[str, Any]]:
    """Return how many farmers were told each reason, the figures of its sentence left open."""
    listed = data.decisions[["access", "reason_codes"]].explode("reason_codes").dropna()
    counts = listed.groupby(["access", "reason_codes"], as_index=False).size()
    counts = counts.sort_values(["access", "size"], ascending=[True, False], kind="stable")
    table = reason_codes()
    return [
        {
            "access": str(row["access"]),
            "code": str(row["reason_codes"]),
            "english": _opened(table[str(row["reason_codes"])].english),
            "chinese": _opened(table[str(row["reason_codes"])].chinese),
            "farmers": f"{row['size']:,}" if row["size"] >= suppress_below else None,
        }
        for row in counts.to_dict("records")
    ]


def _opened(sentence: str) -> str:
    return re.sub(r"{\w+}", "…", sentence)


def _key_figures(name: str, card: dict[str, Any]) -> dict[str, Any]:
    known = card.get("card", card)
    return {part: known[part] for part in _SHOWN_PARTS[name] if part in known}


def _card_rows(card: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Flatten a model card to name and value, leaving long lists to the JSON file."""
    rows: list[tuple[str, str]] = []
    for name, value in card.items():
        label = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, dict):
            scalars = {k: v for k, v in value.items() if not isinstance(v, dict)}
            rows += _card_rows(scalars, f"{label} · ")
        elif isinstance(value, float):
            rows.append((label, f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"))
        elif isinstance(value, list):
            short = len(value) <= 6 and all(not isinstance(v, dict | list) for v in value)
            rows += [(label, ", ".join(map(str, value)))] if short else []
        else:
            rows.append((label, json.dumps(value) if value is None else str(value)))
    return rows
