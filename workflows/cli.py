"""The command line: friendly faces of the workflow and of single tested functions.

Every import of a room happens inside the command that needs it, so that `fieldline --help` answers
at once. User errors become one sentence on stderr and exit code 2, here and nowhere else.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from fieldline.pipeline.records.errors import FieldlineError, InterruptedRunError, UserError
from fieldline.workflows import exits
from fieldline.workflows.cli_access import accounts_app, clients_app, serve, work
from fieldline.workflows.cli_crops import crops_app
from fieldline.workflows.cli_fields import fields_app
from fieldline.workflows.cli_growth import growth_app
from fieldline.workflows.cli_letters import letters, line_letter
from fieldline.workflows.cli_lines import line_app
from fieldline.workflows.cli_portfolio import portfolio_app
from fieldline.workflows.cli_risk import risk_app
from fieldline.workflows.cli_yields import yields_app
from fieldline.workflows.store_cli import audit_app, offers_app, review_app
from fieldline.workflows.vault_commands import vault_app

if TYPE_CHECKING:
    from fieldline.workflows.summary import Summary

app = typer.Typer(
    name="fieldline",
    help="From a field outline to a credit line.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
parcels_app = typer.Typer(help="Look at parcel files before they enter a run.")
inputs_app = typer.Typer(help="Look at all files of a county before they enter a run.")
config_app = typer.Typer(help="Check and write configuration.")
app.add_typer(parcels_app, name="parcels")
app.add_typer(inputs_app, name="inputs")
app.add_typer(config_app, name="config")
app.add_typer(audit_app, name="audit")
app.add_typer(vault_app, name="vault")
app.add_typer(risk_app, name="risk")
app.add_typer(line_app, name="line")
app.add_typer(portfolio_app, name="portfolio")
app.add_typer(crops_app, name="crops")
app.add_typer(fields_app, name="fields")
app.add_typer(growth_app, name="growth")
app.add_typer(yields_app, name="yields")
app.add_typer(offers_app, name="offers")
app.add_typer(review_app, name="review")
app.add_typer(accounts_app, name="accounts")
app.add_typer(clients_app, name="clients")
app.command()(serve)
app.command()(work)
app.command()(letters)
line_app.command("letter")(line_letter)

ConfigFiles = Annotated[
    list[Path] | None,
    typer.Option("--config", "-c", help="YAML laid over the default; may be given again."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Cores = Annotated[int, typer.Option("--cores", min=1, help="Processor cores to use.")]


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
    profile: Annotated[
        str | None,
        typer.Option(help="Where jobs run instead: local, slurm, kubernetes or a profile folder."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", "-n", help="Say which stages would run; run none.")
    ] = False,
    confirm: Annotated[
        bool,
        typer.Option("--confirm", help="Withdraw offers of farmers gone, however many."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the chain for counties and seasons, then show what became of every parcel.

    Example: fieldline run --county SIM001 --season 2024 --from yield
    """
    from fieldline.workflows.engine_profile import profile_folder
    from fieldline.workflows.runner import plan_chain, run_chain

    place = None if profile is None else profile_folder(profile)
    chosen = (config or [], county, season)
    if dry_run:
        planned, refused = plan_chain(*chosen, start=start, cores=cores, profile=place)
        _print_plan(planned, as_json)
        for problem in refused:
            raise problem
        return
    summary = run_chain(*chosen, start=start, cores=cores, confirm=confirm, profile=place)
    _finish(summary, as_json)


@app.command()
def plan(
    county: Annotated[str, typer.Option(help="County id.")],
    season: Annotated[str, typer.Option(help="Season.")],
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Say which scenes a run would take and what fetching them costs, before any is fetched.

    Example: fieldline plan --county MINE --season 2024 --config mine.yaml
    """
    from fieldline.workflows.imagery_plan import plan_imagery

    raise typer.Exit(plan_imagery(config or [], county, season, as_json=as_json))


@app.command()
def status(
    county: Annotated[list[str] | None, typer.Option(help="County id; may be given again.")] = None,
    season: Annotated[list[str] | None, typer.Option(help="Season; may be given again.")] = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Say where every county stands: done, running, failed and why, waiting, what to type next.

    Example: fieldline status --config province.yaml
    """
    from fieldline.workflows.status import tell

    raise typer.Exit(tell(config or [], county or [], season or [], as_json=as_json))


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
def desk(
    results: Annotated[
        Path | None, typer.Option(help="Folder of results; that of the configuration by default.")
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine.")] = 8765,
    config: ConfigFiles = None,
) -> None:
    """Open the desk in a browser: maps, parcels, farmers and reviews of a results folder.

    Example: fieldline desk --results results
    """
    from fieldline.workflows.desk_command import open_desk

    open_desk(config or [], results, port)


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


@app.command()
def stac(
    county: Annotated[str, typer.Option(help="County id.")] = "SIM001",
    season: Annotated[str, typer.Option(help="Season.")] = "2024",
    config: ConfigFiles = None,
) -> None:
    """List a county's products as a STAC collection beside its tables, with their provenance.

    Example: fieldline stac --county SIM001 --season 2024
    """
    from fieldline.desk.report.stac import write_stac
    from fieldline.workflows.config.load import load_config

    chosen = load_config(config or [], {"counties": [county], "seasons": [season]})
    print(write_stac(chosen.results / season / county))


@parcels_app.command("check")
def parcels_check(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE...", help="GeoJSON, GeoPackage, Shapefile, KML, CSV or .zip."),
    ],
    county: Annotated[
        str | None, typer.Option(help="County whose columns and limits apply.")
    ] = None,
    config: ConfigFiles = None,
    as_json: AsJson = False,
    every_row: Annotated[bool, typer.Option("--all", help="Show rows that are ok too.")] = False,
) -> None:
    """Say what intake would make of each row of FILE, what is wrong first; writes nothing.

    Example: fieldline parcels check parcels.geojson --json
    """
    from fieldline.workflows.checks import check_parcels

    code = check_parcels(files, config or [], county, as_json=as_json, every_row=every_row)
    raise typer.Exit(code)


@inputs_app.command("check")
def inputs_check(
    county: Annotated[str, typer.Option(help="County id.")],
    season: Annotated[str, typer.Option(help="Season.")],
    config: ConfigFiles = None,
    as_json: AsJson = False,
) -> None:
    """Say what every input file holds, what would be refused, what joins nothing; writes nothing.

    Example: fieldline inputs check --county SIM001 --season 2024
    """
    from fieldline.workflows.inputs.check import check_inputs

    raise typer.Exit(check_inputs(config or [], county, season, as_json=as_json))


@config_app.command("check")
def config_check(
    file: Annotated[Path, typer.Argument(help="YAML file to lay over the default.")],
    as_json: AsJson = False,
) -> None:
    """Look for everything that a run of FILE would stumble over, and say how to put it right.

    Example: fieldline config check workflows/config/bavaria_2018.yaml
    """
    from fieldline.workflows.checks import check_config

    raise typer.Exit(check_config(file, as_json=as_json))


@config_app.command("write")
def config_write() -> None:
    """Regenerate default.yaml and schema.json from the settings classes.

    Example: fieldline config write
    """
    from fieldline.workflows.config.write import write_defaults

    write_defaults()


def _print_plan(planned: dict[str, int], as_json: bool) -> None:
    import json

    if as_json:
        print(json.dumps(planned))
        return
    print("nothing to do: every artifact is up to date" if not planned else "would run:")
    for name, jobs in planned.items():
        print(f"  {name} x {jobs}")


def _finish(summary: Summary, as_json: bool) -> NoReturn:
    from fieldline.workflows.summary import print_summary

    print_summary(summary, as_json=as_json)
    for finding in summary.findings:
        print(f"fieldline: {finding}.", file=sys.stderr)
    raise typer.Exit(exits.FOUND if summary.findings else exits.OK)


def console() -> NoReturn:
    """Run the `fieldline` command as a process of its own."""
    exits.leave_after(main)


def main() -> None:
    """Run the `fieldline` command."""
    try:
        app()
    except InterruptedRunError as error:
        print(f"fieldline: {error}", file=sys.stderr)
        sys.exit(exits.INTERRUPTED)
    except UserError as error:
        print(f"fieldline: {error}", file=sys.stderr)
        sys.exit(exits.USER_ERROR)
    except FieldlineError as error:
        print(f"fieldline: {error}", file=sys.stderr)
        sys.exit(exits.DEFECT)
    except OSError as error:
        told = exits.told_of_place(error, sys.argv[1:])
        if told is None:
            raise
        print(f"fieldline: {told}.", file=sys.stderr)
        sys.exit(exits.USER_ERROR)


if __name__ == "__main__":
    console()
