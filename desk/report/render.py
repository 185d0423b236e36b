"""Writes `report.html` and the joined `outcomes.parquet` of one county and season."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from numpy.typing import NDArray
from plotly.offline import get_plotlyjs
from rasterio.windows import Window

from fieldline.crops.value.costs import SIMULATED
from fieldline.desk.report import charts
from fieldline.desk.report.collect import (
    ReportData,
    collect,
    sample_observations,
    size_band,
)
from fieldline.desk.report.map import MapLayer, background_png, frame_around, parcel_paths, svg_map
from fieldline.pipeline.imagery.grid import Grid, county_grid
from fieldline.pipeline.imagery.mosaic import read_readable
from fieldline.pipeline.imagery.scenes import SceneDay, read_scene_days
from fieldline.pipeline.imagery.settings import GridSettings, SceneSettings
from fieldline.pipeline.records.money import shown
from fieldline.pipeline.records.outcomes import (
    OK,
    Outcome,
    merge_outcomes,
    outcome_codes,
    write_outcomes,
)
from fieldline.pipeline.records.settings import Season
from fieldline.pipeline.records.tables import write_text
from fieldline.pipeline.records.units import M2_PER_MU

STAGE = "report"
_TRUE_COLOUR = ("B04", "B03", "B02")
_SAMPLES = 6
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
    return environment.get_template("report.html.j2").render(
        head=head,
        data=data,
        figures=_headline(data, head.suppress_below),
        outcome_rows=_outcome_rows(data.outcomes, order),
        reasons=_reason_counts(data, head.suppress_below),
        simulated_costs=SIMULATED in data.cards["yield"].get("cost_bases", ()),
        cards={n: _card_rows(_key_figures(n, c)) for n, c in data.cards.items() if c},
        map_svg=_map(data, folder, county_grid(data.parcels, grid), scenes),
        crop_colours=charts.crop_colours(data.parcels["crop"]),
        access_colours=charts.ACCESS_COLOURS,
        charts=_charts(data, folder, head.suppress_below),
        plotlyjs=get_plotlyjs(),
        imagery_year=head.season.end.year,
    )


def _charts(data: ReportData, folder: Path, suppress_below: int) -> dict[str, str]:
    samples = _sample_parcels(data)
    observations = sample_observations(folder, samples)
    figures = {
        "curves": charts.curves_by_crop(data),
        "samples": charts.sample_curves(data, observations),
        "yields": charts.yield_against_prior(data),
        "access": charts.access_by_size(data, suppress_below),
    }
    return {name: charts.html_of(figure, name) for name, figure in figures.items()}


def _sample_parcels(data: ReportData) -> list[str]:
    """Choose parcels across the size range, smallest and largest included."""
    with_curve = data.growth.loc[data.growth["curve_start"].notna(), "parcel_id"]
    known = data.parcels[data.parcels["parcel_id"].isin(with_curve)].sort_values("metrics:area")
    if known.empty:
        return []
    places = np.linspace(0, len(known) - 1, min(_SAMPLES, len(known))).round().astype(int)
    return list(known["parcel_id"].iloc[places])


def _headline(data: ReportData, suppress_below: int) -> list[tuple[str, str]]:
    access = data.decisions["access"].value_counts()
    small = data.decisions["evidence_area_m2"].fillna(0) < 10 * M2_PER_MU
    total = int(data.decisions["limit_minor"].sum())
    rates = data.decisions.loc[data.decisions["access"] == "approve", "annual_rate"].astype(float)
    figures = [
        ("farmers", f"{len(data.decisions):,}"),
        ("parcels declared", f"{int(data.farmers['parcels_declared'].sum()):,}"),
        ("approved", f"{access.get('approve', 0):,}"),
        ("to a person", f"{access.get('review', 0):,}"),
        ("declined", f"{access.get('decline', 0):,}"),
        ("farmers under 10 mu", f"{small.mean():.0%}" if len(small) else "none"),
        ("limits offered", shown(total, data.currency) if data.currency else "none"),
    ]
    if len(rates) >= suppress_below:
        figures.append(("median yearly rate", f"{rates.median():.2%}"))
    return figures


def _outcome_rows(outcomes: pd.DataFrame, order: Sequence[str]) -> list[dict[str, Any]]:
    codes = outcome_codes()
    counts = outcomes.groupby(["stage", "outcome"], as_index=False).size()
    place = {stage: position for position, stage in enumerate(order)}
    counts = counts.assign(place=counts["stage"].map(place))
    counts = counts.sort_values(["place", "size"], ascending=[True, False], kind="stable")
    return [
        {
            "stage": row["stage"],
            "outcome": row["outcome"],
            "rows": int(row["size"]),
            "code": None if row["outcome"] == OK else codes[row["outcome"]],
        }
        for row in counts.to_dict("records")
    ]


def _reason_counts(data: ReportData, suppress_below: int) -> list[tuple[str, str, str]]:
    listed = data.decisions[["access", "reason_codes"]].explode("reason_codes").dropna()
    counts = listed.groupby(["access", "reason_codes"], as_index=False).size()
    counts = counts.sort_values(["access", "size"], ascending=[True, False], kind="stable")
    return [
        (
            str(row["access"]),
            str(row["reason_codes"]),
            f"{row['size']:,}" if row["size"] >= suppress_below else f"under {suppress_below}",
        )
        for row in counts.to_dict("records")
    ]


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


def _map(data: ReportData, folder: Path, grid: Grid, scenes: SceneSettings) -> str:
    parcels = data.parcels
    crops = parcels["crop"].fillna("cannot tell")
    layers = [
        MapLayer("crop", "Crop", dict(zip(parcels["parcel_id"], crops, strict=True)),
                 charts.crop_colours(parcels["crop"])),
        MapLayer("access", "Decision",
                 dict(zip(parcels["parcel_id"], parcels["access"].fillna(""), strict=True)),
                 charts.ACCESS_COLOURS),
    ]  # fmt: skip
    background = background_png(_true_colour(folder / "scenes.parquet", grid, scenes))
    paths, frame = parcel_paths(parcels, grid), frame_around(parcels, grid)
    return svg_map(grid, background, paths, _tooltips(parcels), layers, frame)


def _tooltips(parcels: pd.DataFrame) -> dict[str, str]:
    bands = size_band(parcels["metrics:area"])
    return {
        row["parcel_id"]: (
            f"{row['parcel_id']} · {row['metrics:area'] / M2_PER_MU:.2f} mu ({band}) · "
            f"{row['crop'] if pd.notna(row['crop']) else 'cannot tell'} · {row['access']}"
        )
        for row, band in zip(parcels.to_dict("records"), bands, strict=True)
    }


def _true_colour(scenes_file: Path, grid: Grid, scenes: SceneSettings) -> NDArray[np.float32]:
    """Read the day with the most clear pixels, later in the year first among equals."""
    window = Window(0, 0, grid.width, grid.height)
    empty = np.full((3, grid.height, grid.width), np.nan, dtype=np.float32)
    if not set(_TRUE_COLOUR) <= set(scenes.bands):
        return empty
    best, best_share = empty, 0.0
    for day in _clearest_days(read_scene_days(scenes_file)):
        picture = read_readable(day, grid, window, _TRUE_COLOUR, scenes.mask)
        share = float(np.isfinite(picture).mean())
        if share > best_share:
            best, best_share = picture, share
    return best


def _clearest_days(days: list[SceneDay]) -> list[SceneDay]:
    """Return at most six days spread over the middle of the season, when crops stand."""
    middle = days[len(days) // 3 : -(len(days) // 6) or None]
    step = max(1, len(middle) // 6)
    return middle[::step]
