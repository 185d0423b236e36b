"""The commands of county yields: `fieldline yields ...`.

Every import of a room happens inside the command that needs it; errors become sentences in
`workflows.cli`.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fieldline.pipeline.records.errors import UserError

if TYPE_CHECKING:
    from fieldline.crops.forecast.county_years import Columns

yields_app = typer.Typer(help="Forecast county yields, and hold forecasts against the truth.")

Train = Annotated[Path, typer.Option(help="County-years with yields: CSV, workbook, Parquet.")]
County = Annotated[str, typer.Option("--county-column", help="Column of the county.")]
Year = Annotated[str, typer.Option("--year-column", help="Column of the harvest year.")]
Target = Annotated[str, typer.Option("--yield-column", help="Column of the yield.")]
Unit = Annotated[str, typer.Option(help="Unit of the yields, where the table states none.")]
Crop = Annotated[str, typer.Option(help="Crop, which tells what a bushel weighs.")]
Drop = Annotated[list[str] | None, typer.Option(help="Column to leave out; may be given again.")]
Reference = Annotated[
    str,
    typer.Option(help="Naive forecast that stands unless another is shown to be better: mean, "
                 "trend or last5; empty: last5 for later years, else mean."),
]  # fmt: skip
Json = Annotated[Path | None, typer.Option("--json", help="File for all figures.")]


def _columns(
    county: str, year: str, target: str, drop: list[str] | None, unit: str, crop: str
) -> Columns:
    from fieldline.crops.forecast.county_years import Columns
    from fieldline.crops.forecast.yield_units import checked_unit

    return Columns(county, year, target, drop or (), *checked_unit(unit, crop))


@yields_app.command("evaluate")
def yields_evaluate(
    train: Train,
    test: Annotated[Path | None, typer.Option(help="Other county-years to forecast.")] = None,
    leave_out: Annotated[str, typer.Option(help="Instead of --test: year or county.")] = "",
    baseline: Annotated[str, typer.Option(help="Naive forecasts, by commas.")] = "mean,trend,last5",
    reference: Reference = "",
    county: County = "",
    year: Year = "",
    target: Target = "",
    unit: Unit = "",
    crop: Crop = "",
    drop: Drop = None,
    json_to: Json = None,
) -> None:
    """Hold the county forecast against naive ones, on years or counties that it never saw.

    Example: fieldline yields evaluate --train t.csv --test u.csv --baseline mean,trend,last5
    """
    from fieldline.crops.forecast.county_years import read_county_years
    from fieldline.crops.forecast.evaluate import (
        checked_baselines,
        checked_reference,
        evaluate_later,
        evaluate_left_out,
    )
    from fieldline.pipeline.records.canonical import canonical
    from fieldline.pipeline.records.tables import write_text

    if (test is None) == (not leave_out):
        raise UserError("give either --test or --leave-out", "name a table, or year or county")
    if leave_out not in ("", "year", "county"):
        raise UserError(f"--leave-out {leave_out!r} is unknown", "say year or county")
    names, stands = checked_baselines(baseline), checked_reference(reference)
    columns = _columns(county, year, target, drop, unit, crop)
    table = read_county_years(train, columns)
    if test is not None:
        found = evaluate_later(table, read_county_years(test, columns), names, stands)
    else:
        by: Literal["year", "county"] = "year" if leave_out == "year" else "county"
        found = evaluate_left_out(table, by, names, stands)
    _show(found)
    if json_to is not None:
        write_text(json_to, canonical(found) + "\n")


def _show(found: dict[str, Any]) -> None:
    for column, why in found["left_out"].items():
        print(f"left out  {column}: {why}")
    for remark in found["remarks"]:
        print(f"note      {remark}")
    first, last = found["years"]
    unit = f", yields in {found['unit']}" if found["unit"] else ""
    print(f"{found['rows']} rows, {found['counties']} counties, {first}-{last}{unit}")
    for name, figures in found["figures"].items():
        rmse = figures["rmse"]
        against = found["skill_over"].get(name)
        share = "" if against is None else f"  skill over it {_ranged(against, '+.3f')}"
        print(f"{name:<9} RMSE {_ranged(rmse, '.3f')}  {figures['nrmse_percent']:.1f} %{share}")
    tails = found["interval_80"]
    print(f"80 % interval: inside {tails['inside']:.3f}, below {tails['below_q10']:.3f}, "
          f"above {tails['above_q90']:.3f}")  # fmt: skip
    print(f"verdict: {found['verdict']} (the best is {found['best_baseline']})")


def _ranged(figure: dict[str, float], form: str) -> str:
    """Return a figure with its interval."""
    value, low, high = (format(figure[name], form) for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


@yields_app.command("seal")
def yields_seal(
    train: Train,
    rows: Annotated[Path, typer.Option("--for", help="Counties and years to forecast.")],
    out: Annotated[Path, typer.Option(help="CSV to write, its seal beside it.")],
    as_of: Annotated[str, typer.Option(help="Day of the forecast, YYYY-MM-DD; empty: today.")] = "",
    county: County = "",
    year: Year = "",
    target: Target = "",
    unit: Unit = "",
    crop: Crop = "",
    drop: Drop = None,
    reference: Reference = "",
) -> None:
    """Write a forecast with a seal, before the truth is in.

    Example: fieldline yields seal --train yields.csv --for 2027.csv --out forecast_2027.csv
    """
    import numpy as np

    from fieldline.crops.forecast.county_years import joined, read_county_years
    from fieldline.crops.forecast.evaluate import checked_reference
    from fieldline.crops.forecast.model import fit_forecast
    from fieldline.crops.forecast.sealed import seal_of, write_sealed

    day = _day(as_of)
    stands = checked_reference(reference)
    columns = _columns(county, year, target, drop, unit, crop)
    past = read_county_years(train, columns)
    both = joined(past, read_county_years(rows, columns, known=False))
    learnt = both.part(np.arange(len(past)))
    asked = both.part(np.arange(len(past), len(both)))
    if learnt.year.max() > day.year:
        raise UserError(
            f"{train} tells yields of {learnt.year.max()}, which nobody knew on {day}",
            "leave later years out, or correct --as-of",
        )
    model = fit_forecast(learnt, "later", stands)
    checksum = write_sealed(out, model, asked, [train, rows], day)
    print(f"{len(asked)} rows forecast in {out}, sealed in {seal_of(out)}")
    print(f"sha256 {checksum}")


def _day(as_of: str) -> dt.date:
    """Return the day of a forecast, today where none is named."""
    today = dt.datetime.now(dt.UTC).date()
    try:
        day = dt.date.fromisoformat(as_of) if as_of else today
    except ValueError as error:
        raise UserError(f"--as-of {as_of!r} is no day", "write it as YYYY-MM-DD") from error
    if day > today:
        raise UserError(f"--as-of {day} is yet to come", "name today or an earlier day")
    return day


@yields_app.command("score")
def yields_score(
    forecast: Annotated[Path, typer.Argument(help="CSV that was sealed.")],
    truth: Annotated[Path, typer.Option(help="County-years with yields.")],
    checksum: Annotated[str, typer.Option(help="What `seal` printed.")] = "",
    county: County = "",
    year: Year = "",
    target: Target = "",
    unit: Unit = "",
    crop: Crop = "",
    json_to: Json = None,
) -> None:
    """Hold a sealed forecast against the truth; a changed forecast is refused.

    Example: fieldline yields score forecast_2027.csv --truth yields_2027.csv
    """
    from fieldline.crops.forecast.county_years import read_county_years
    from fieldline.crops.forecast.sealed import read_sealed, score_sealed
    from fieldline.pipeline.records.canonical import canonical
    from fieldline.pipeline.records.tables import write_text

    said, seal = read_sealed(forecast, checksum)
    columns = _columns(county, year, target, None, unit, crop)
    found = score_sealed(said, read_county_years(truth, columns), seal.get("unit", ""))
    found |= {"as_of": seal["as_of"], "sha256": seal["sha256"]}
    print(
        f"sealed on {found['as_of']}: {found['rows']} rows, {found['not_yet_known']} not yet known"
    )
    print(f"RMSE {found['rmse']:.3f}  bias {found['bias']:+.3f}  inside {found['inside']:.3f}  "
          f"below {found['below_q10']:.3f}  above {found['above_q90']:.3f}")  # fmt: skip
    if json_to is not None:
        write_text(json_to, canonical(found) + "\n")
