"""The commands of lines after posting: `fieldline portfolio ...`.

Every import of a room happens inside the command that needs it; errors become sentences in
`workflows.cli`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fieldline.pipeline.records.errors import UserError

if TYPE_CHECKING:
    from fieldline.workflows.portfolio import Asked

portfolio_app = typer.Typer(help="What became of the lines: exposure, stress, warnings, drift.")

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="YAML laid over the default; may be given again."),
]
Day = Annotated[str, typer.Option("--on", help="Day on which lines run; today by default.")]
Counties = Annotated[list[str] | None, typer.Option("--county", help="May be given again.")]
Movements = Annotated[
    Path | None, typer.Option(help="Table of draws and repayments of lines, with offer_id.")
]
Out = Annotated[Path | None, typer.Option(help="Folder for the tables as CSV.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")]


def _asked(
    config: list[Path] | None, on: str, counties: list[str] | None, movements: Path | None,
    out: Path | None, as_json: bool,
) -> Asked:  # fmt: skip
    import datetime as dt

    from fieldline.workflows.portfolio import Asked

    try:
        day = dt.date.fromisoformat(on) if on else dt.datetime.now(tz=dt.UTC).date()
    except ValueError:
        raise UserError(f"--on {on!r} is no day", "write it as 2024-10-15") from None
    return Asked(tuple(config or ()), day, tuple(counties or ()), movements, out, as_json)


@portfolio_app.command("exposure")
def portfolio_exposure(
    on: Day = "",
    county: Counties = None,
    movements: Movements = None,
    out: Out = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Say what is lent by county, crop, weather cell, guarantor, product and size of holding.

    Example: fieldline portfolio exposure --on 2024-10-15
    """
    from fieldline.workflows.portfolio import tell_exposure

    tell_exposure(_asked(config, on, county, movements, out, as_json))


@portfolio_app.command("stress")
def portfolio_stress(
    on: Day = "",
    county: Counties = None,
    movements: Movements = None,
    out: Out = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Say what the lines may lose: expected, and together in a drought, a price fall and both.

    Example: fieldline portfolio stress --on 2024-10-15 --out stress
    """
    from fieldline.workflows.portfolio import tell_stress

    tell_stress(_asked(config, on, county, movements, out, as_json))


@portfolio_app.command("watch")
def portfolio_watch(
    on: Day = "",
    county: Counties = None,
    movements: Movements = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of watchlist.csv; results/portfolio by default.")
    ] = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Warn of lines that the newest run speaks against; a warning leaves beyond a better level.

    Example: fieldline portfolio watch --on 2024-10-15
    """
    from fieldline.workflows.portfolio import tell_watch

    tell_watch(_asked(config, on, county, movements, out, as_json))


Of = Annotated[str, typer.Option(help="Run: COUNTY/SEASON.")]


@portfolio_app.command("drift")
def portfolio_drift(
    of: Of,
    against: Annotated[str, typer.Option(help="COUNTY/SEASON, or `loans`: the county's own.")],
    on: Annotated[str, typer.Option("--on", help="Loans known by this day; today's.")] = "",
    out: Out = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Say which features, and whether the score, drifted by more than chance at these counts.

    Example: fieldline portfolio drift --of SIM001/2024 --against loans
    """
    from fieldline.workflows.portfolio_models import tell_drift

    tell_drift(_asked(config, on, None, None, out, as_json), of, against)


@portfolio_app.command("models")
def portfolio_models(
    of: Of,
    on: Annotated[str, typer.Option("--on", help="Loans known by this day; today's.")] = "",
    out: Out = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Hold the stored boosting and scorecard against finished loans, season by season.

    Example: fieldline portfolio models --of SIM001/2024
    """
    from fieldline.workflows.portfolio_models import tell_models

    tell_models(_asked(config, on, None, None, out, as_json), of)
