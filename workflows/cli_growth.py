"""The commands of growth: `fieldline growth ...`.

Every import of a room happens inside the command that needs it; errors become sentences in
`workflows.cli`.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated, Any

import typer

from fieldline.pipeline.records.errors import UserError

growth_app = typer.Typer(help="Hold growth dates against what was seen on the fields.")


@growth_app.callback()
def _group() -> None:
    """Hold growth dates against what was seen on the fields."""


@growth_app.command("evaluate")
def growth_evaluate(
    observations: Annotated[Path, typer.Argument(help="observations.parquet of a finished run.")],
    start: Annotated[str, typer.Option(help="First day of the season, YYYY-MM-DD.")],
    end: Annotated[str, typer.Option(help="Last day of the season, YYYY-MM-DD.")],
    heading: Annotated[
        Path | None, typer.Option(help="Ratings of small grains: parcel_id, date, bbch.")
    ] = None,
    harvest: Annotated[
        Path | None, typer.Option(help="Harvest days: parcel_id, harvest_date.")
    ] = None,
    config: Annotated[
        list[Path] | None,
        typer.Option("--config", "-c", help="YAML laid over the default; may be given again."),
    ] = None,
    json_to: Annotated[Path | None, typer.Option("--json", help="File for all figures.")] = None,
) -> None:
    """Hold heading and harvest dates against ratings and records, beside the mean date.

    Example: fieldline growth evaluate o.parquet --start 2021-10-01 --end 2022-09-30
    --heading bbch.csv
    """
    from fieldline.crops.growth import evaluate as judge
    from fieldline.pipeline.records.canonical import canonical
    from fieldline.pipeline.records.settings import Season
    from fieldline.pipeline.records.tables import write_text
    from fieldline.workflows.config.load import load_config

    if heading is None and harvest is None:
        raise UserError("nothing to compare with", "give --heading, --harvest or both")
    first, last = (_day(text, name) for text, name in ((start, "--start"), (end, "--end")))
    if last <= first:
        raise UserError(f"--end {end} is not after --start {start}", "exchange the two days")
    settings = load_config(config or ())
    season = Season(start=first, end=last, as_of=last)
    watched = judge.watch(observations, season, settings.observe.clear, settings.crops.grow)
    found: dict[str, Any] = {"observations": observations.name, "season": [start, end]}
    if heading is not None:
        found["heading"] = judge.judge_heading(watched, *judge.heading_days_seen(heading, season))
    if harvest is not None:
        found["harvest"] = judge.judge_harvest(watched, judge.harvest_days_seen(harvest, season))
    _show(found)
    if json_to is not None:
        write_text(json_to, canonical(found) + "\n")


def _day(text: str, option: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise UserError(f"{option} {text!r} is no day", "write it as YYYY-MM-DD") from error


def _show(found: dict[str, Any]) -> None:
    for part in ("heading", "harvest"):
        figures = found.get(part)
        if figures is None:
            continue
        print(f"{part}: {figures['fields']} fields, {len(figures['undated'])} without a date")
        for name, value in figures.items():
            if isinstance(value, dict) and "mae_days" in value:
                mae, bias = value["mae_days"], value["bias_days"]
                print(
                    f"  {name.replace('_', ' '):<26} {value['fields']:>3} fields  "
                    f"error {mae['value']:.1f} d [{mae['low']:.1f}, {mae['high']:.1f}]  "
                    f"bias {bias['value']:+.1f} d"
                )
