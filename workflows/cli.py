"""The command line: friendly faces of the workflow and of single tested functions.

Every import of a room happens inside the command that needs it, so that `fieldline --help` answers
at once. User errors become one sentence on stderr and exit code 2, here and nowhere else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from fieldline.pipeline.records.errors import FieldlineError, UserError

app = typer.Typer(
    name="fieldline",
    help="From a field outline to a credit line.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
parcels_app = typer.Typer(help="Look at parcel files before they enter a run.")
config_app = typer.Typer(help="Check and write configuration.")
audit_app = typer.Typer(help="Check what was decided.")
app.add_typer(parcels_app, name="parcels")
app.add_typer(config_app, name="config")
app.add_typer(audit_app, name="audit")

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="YAML laid over the default; may be given again."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Cores = Annotated[int, typer.Option("--cores", min=1, help="Processor cores to use.")]

EXIT_DEFECT = 1
EXIT_USER_ERROR = 2
EXIT_ABOVE_THRESHOLD = 3


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        from importlib.metadata import version as distribution_version

        print(f"fieldline {distribution_version('fieldline')}")
        raise typer.Exit


@app.command()
def run(
    county: Annotated[list[str] | None, typer.Option(help="County id; may be given again.")] = None,
    season: Annotated[list[str] | None, typer.Option(help="Season; may be given again.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", metavar="STAGE", help="Redo from this stage on.")
    ] = None,
    config: ConfigFiles = None,
    cores: Cores = 2,
    as_json: AsJson = False,
) -> None:
    """Run the chain for counties and seasons, then show what became of every parcel.

    Example: fieldline run --county SIM001 --season 2024 --from yield
    """
    from fieldline.workflows.runner import run_chain

    _finish(run_chain(config or [], county, season, start=start, cores=cores), as_json)


@app.command()
def demo(cores: Cores = 2) -> None:
    """Run the embedded simulated county; the last line is the path of offers.csv.

    Example: fieldline demo
    """
    from fieldline.workflows.runner import run_chain
    from fieldline.workflows.summary import print_summary

    summary = run_chain([], None, None, start=None, cores=cores)
    print_summary(summary)
    print("All of this is SIMULATED: no real farmer, field, price or loan is in it.")
    for item in summary.runs:
        print(f"database  {summary.database}\nreport    {item.folder / 'report.html'}")
    print(summary.runs[-1].folder / "offers.csv")


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(help="New folder of the county.")],
    parcels: Annotated[Path, typer.Option(help="Outlines: GeoJSON, GeoPackage, Shapefile, ...")],
    catalog: Annotated[
        str | None, typer.Option(help="catalog.json of a static STAC archive of scenes.")
    ] = None,
    currency: Annotated[str | None, typer.Option(help="Currency of offers, such as EUR.")] = None,
    season: Annotated[str | None, typer.Option(help="Name of the season to decide.")] = None,
    start: Annotated[str | None, typer.Option(help="Its first day, YYYY-MM-DD.")] = None,
    end: Annotated[str | None, typer.Option(help="Its last day.")] = None,
    as_of: Annotated[str | None, typer.Option(help="Nothing known later is used.")] = None,
    force: Annotated[bool, typer.Option(help="Replace a county.yaml, keeping it as .bak.")] = False,
) -> None:
    """Write FOLDER/county.yaml for a file of outlines, every guess said.

    Example: fieldline init mycounty --parcels outlines.geojson --catalog archive/catalog.json
    """
    import datetime as dt

    from fieldline.workflows.init.start import Wishes, init_county

    dates = {"name": season, "start": start, "end": end, "as_of": as_of}
    wishes = Wishes(currency, dates)
    today = dt.date.today()
    said = init_county(folder, parcels, catalog, wishes=wishes, force=force, today=today)
    print("\n".join(said))


@app.command()
def score(
    county: Annotated[str, typer.Option(help="County id.")] = "SIM001",
    season: Annotated[str, typer.Option(help="Season.")] = "2024",
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Compare a finished run with the truth of its simulated county.

    Example: fieldline score --county SIM001 --season 2024 --json
    """
    from fieldline.workflows.config.load import load_config
    from fieldline.workflows.score import print_scores, score_county

    scores = score_county(load_config(config or []), county, season)
    print_scores(scores, as_json=as_json)


@parcels_app.command("check")
def parcels_check(
    file: Annotated[Path, typer.Argument(help="GeoJSON, GeoPackage, Shapefile, KML or CSV.")],
    county: Annotated[
        str | None, typer.Option(help="County whose columns and limits apply.")
    ] = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Say what intake would make of each row of FILE; writes nothing.

    Example: fieldline parcels check parcels.geojson --json
    """
    from fieldline.workflows.checks import check_parcels

    raise typer.Exit(check_parcels(file, config or [], county, as_json=as_json))


@config_app.command("check")
def config_check(
    file: Annotated[Path, typer.Argument(help="YAML file to lay over the default.")],
    as_json: AsJson = False,
) -> None:
    """Validate FILE laid over the default and name the nearest valid key for a wrong one.

    Example: fieldline config check workflows/config/bavaria_2018.yaml
    """
    from fieldline.workflows.config.load import load_config

    document = load_config([file])
    if as_json:
        print(document.model_dump_json(indent=2))
        return
    print(f"{file} is valid: {', '.join(document.counties)} x {', '.join(document.seasons)}")


@config_app.command("write")
def config_write() -> None:
    """Regenerate default.yaml and schema.json from the settings classes.

    Example: fieldline config write
    """
    from fieldline.workflows.config.write import write_defaults

    write_defaults()


@audit_app.command("verify")
def audit_verify(config: ConfigFiles = None, as_json: AsJson = False) -> None:
    """Recompute the audit chain of the offer store and report the first broken link.

    Example: fieldline audit verify
    """
    from fieldline.workflows.checks import verify_audit

    raise typer.Exit(verify_audit(config or [], as_json=as_json))


def _finish(summary: object, as_json: bool) -> NoReturn:
    from fieldline.workflows.summary import Summary, print_summary

    assert isinstance(summary, Summary)
    print_summary(summary, as_json=as_json)
    raise typer.Exit(EXIT_ABOVE_THRESHOLD if summary.above_threshold else 0)


def main() -> None:
    """Entry point of the `fieldline` command."""
    try:
        app()
    except UserError as error:
        print(f"fieldline: {error}", file=sys.stderr)
        sys.exit(EXIT_USER_ERROR)
    except FieldlineError as error:
        print(f"fieldline: {error}", file=sys.stderr)
        sys.exit(EXIT_DEFECT)


if __name__ == "__main__":
    main()
